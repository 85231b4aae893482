// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "io/datapath.h"
#include "io/mapped_memory.h"
#include "io/pod_ring.h"
#include "io/rx_pool.h"
#include "io/sim_network.h"

namespace millrace::io {

// SimHostOptions bound what one simulated host has.
struct SimHostOptions {
  std::size_t rx_buffers = 128;
  std::size_t tx_runs = 256;           // Open at once; each has room for 64 KB.
  std::size_t tx_datagrams = 16384;    // Committed and not flushed yet.
  std::size_t queue_bytes = 4u << 20;  // Received and not read yet; then dropped.
  bool gro = true;                     // Datagrams of one sender that wait together share a buffer.
};

// SimDatapath is one host on a SimNetwork. Its clock is the network's; `wait` returns at
// once, for time moves in `SimNetwork::advance_to` alone.
class SimDatapath {
 public:
  SimDatapath(SimNetwork& network, std::vector<IpAddress> addresses,
              const SimHostOptions& options = {});
  ~SimDatapath();
  SimDatapath(const SimDatapath&) = delete;
  SimDatapath& operator=(const SimDatapath&) = delete;

  Result<SocketId, IoError> open_socket(const Address& local, const SocketOptions& options);
  void close_socket(SocketId socket);
  Address local_address(SocketId socket) const;
  void start() {}

  std::size_t rx_burst(std::span<RxView> in);
  void rx_done() { splitter_.done(); }
  TxRun reserve(const Destination& to, std::size_t segment_bytes, std::size_t n);
  void commit(TxRun& run);
  void flush();
  std::span<const RefusedSend> refused_sends() { return refused_.take(); }

  void wait(Time) {}
  Waker waker() const { return Waker(wake_); }
  int native_handle() const { return -1; }
  bool begin_wait() { return wake_->begin_wait(); }
  void end_wait() { wake_->end_wait(); }
  const IoStats& stats() const { return stats_; }

  // True when a datagram waits in a socket's queue: a turn would receive it.
  bool readable() const { return !waiting_.empty() || splitter_.pending(); }

 private:
  friend class SimNetwork;

  struct Socket {
    SocketId id = kNoSocket;
    Address local;
    bool open = false;
  };
  struct Waiting {
    std::uint32_t packet = 0;
    SocketId socket = kNoSocket;
  };

  bool owns(const IpAddress& address) const;
  // From the network: false when no socket takes the packet, or the queue is full.
  bool accept(std::uint32_t packet, bool& queue_full);
  // From the network: see SimNetwork::tell_too_big.
  void hear_router(const Address& from, const Address& to, ByteSpan datagram, std::size_t limit);
  const Socket* find(SocketId id) const;
  const Socket* find(const Address& to) const;
  // Copies the next waiting datagrams of one sender into one buffer.
  bool fill_buffer();
  void stage(const Socket& socket, const TxRun& run);

  SimNetwork& network_;
  const std::vector<IpAddress> addresses_;
  const SimHostOptions options_;
  std::shared_ptr<WakeState> wake_;
  IoStats stats_;
  RefusedSends refused_;
  std::vector<Socket> sockets_;
  std::size_t free_sockets_ = 0;
  std::unordered_map<SocketId, std::uint32_t> slots_;
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> ports_;
  std::uint16_t next_port_;
  SocketId next_id_ = 1;
  RxPool rx_;
  RxSplitter splitter_;
  PodRing<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t copied_ = 0;
  MappedMemory tx_memory_;
  std::vector<std::uint32_t> free_runs_;
  std::vector<std::uint32_t> staged_;  // Packets committed, not flushed.
  std::size_t set_aside_ = 0;          // Datagrams that open runs may still commit.
};

}  // namespace millrace::io
