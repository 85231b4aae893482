// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/control_message.h"
#include "io/io_stats.h"
#include "io/kernel_address.h"
#include "io/mapped_memory.h"
#include "io/pod_ring.h"
#include "io/refused_sends.h"
#include "io/socket_table.h"
#include "io/tx_run.h"

namespace millrace::io {

// TxSend is one sendmsg to be made or under way: equal datagrams of one run (the last
// may be shorter), as GSO takes them. Bytes that lie back to back share an iovec.
struct TxSend {
  msghdr header;
  KernelAddress remote;
  alignas(cmsghdr) std::array<std::uint8_t, kTxControlBytes> control;
  SocketId socket;
  int fd;
  std::uint32_t bytes;
  std::uint32_t segment_bytes;
  std::uint16_t segments;
  std::uint16_t chunk;
  std::uint16_t tries;
  bool may_fragment;
  std::array<iovec, TxRun::kMaxSegments> vectors;  // Last: seldom more than one is used.

  // Sends by a system call of its own, without waiting; returns bytes or -errno. For one
  // datagram in one piece that is the shortest way into the kernel there is: it has no
  // header to fetch and check.
  int send_now() const { return may_fragment ? send_in_fragments() : send_as_is(); }

 private:
  int send_as_is() const;
  int send_in_fragments() const;
};

// TxPool is the transmit memory of one kernel datapath, and the queue of sends made of
// it. Memory is cut from 64 KB chunks; a chunk is free again when every run and send in
// it is done. A send slot per segment is set aside with each reservation, so that a
// commit always finds room, however its run has to be split.
class TxPool {
 public:
  static constexpr std::size_t kChunkBytes = 65536;
  static constexpr std::uint16_t kMaxTries = 64;

  TxPool(std::size_t chunks, bool gso);
  ~TxPool();

  // Datapath::reserve and Datapath::commit.
  TxRun reserve(const Destination& to, std::size_t segment_bytes, std::size_t n, IoStats& stats);
  void commit(TxRun& run, SocketTable& sockets, IoStats& stats);

  // The queue of sends not yet given to the kernel.
  PodRing<std::uint16_t>& queue() { return queue_; }

  TxSend& at(std::uint16_t send) { return sends_[send]; }
  RefusedSends& refused() { return refused_; }
  // Counts the outcome of a send (`result` is bytes or -errno) and frees it. True: it
  // must be tried again, and is in the queue.
  bool complete(std::uint16_t send, int result, IoStats& stats);
  // Drops the queued sends of a socket that is about to be closed.
  void discard_socket(SocketId socket, IoStats& stats);

 private:
  struct Chunk {
    std::uint32_t used = 0;
    std::uint32_t holders = 0;  // Open runs and unfinished sends.
  };
  bool next_chunk();
  void release_chunk(std::uint16_t chunk);
  std::size_t group(const TxRun& run, std::size_t first) const;
  void queue_send(const TxRun& run, std::size_t first, std::size_t count,
                  const KernelSocket& socket, IoStats& stats);
  void send_singly(const TxSend& send, IoStats& stats);
  void note_failure(const TxSend& send, int error, std::size_t datagrams, IoStats& stats);

  MappedMemory memory_;
  MappedMemory send_memory_;
  TxSend* sends_;
  std::vector<Chunk> chunks_;
  std::vector<std::uint16_t> free_chunks_;
  std::vector<std::uint16_t> free_sends_;
  PodRing<std::uint16_t> queue_;
  std::size_t set_aside_ = 0;  // Send slots promised to open runs.
  std::uint16_t current_ = kNoChunk;
  static constexpr std::uint16_t kNoChunk = 0xffff;
  RefusedSends refused_;
  bool gso_;
};

}  // namespace millrace::io
