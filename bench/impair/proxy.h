// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/impair/impaired_path.h"
#include "bench/impair/packet_pool.h"
#include "bench/impair/route_book.h"
#include "engine/reference/raw_socket.h"
#include "io/control_message.h"
#include "io/kernel_address.h"

namespace millrace::impair {

struct ProxyOptions {
  Address listen;
  Impairment impairment;  // Of each direction, with a seed of its own.
  std::size_t max_flows = 4096;
};

struct ProxyCounts {
  PathCounts to_server;
  PathCounts to_client;
  std::uint64_t flows = 0;
  std::uint64_t refused = 0;    // Too many flows, or no server known for a new one.
  std::uint64_t no_memory = 0;  // The pool was full.
  std::uint64_t unsent = 0;     // The kernel refused it.
};

// Proxy carries datagrams between clients, which send to one listening socket, and
// servers, to which each client address has a socket of its own. One thread.
class Proxy {
 public:
  static Result<std::unique_ptr<Proxy>, io::IoError> create(const ProxyOptions& options,
                                                            const RouteBook& routes);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  Address address() const { return listener_.local_address(); }
  // Runs until `stop_fd` is readable.
  void run(int stop_fd);
  ProxyCounts counts() const;

 private:
  static constexpr std::size_t kBatch = 8;
  static constexpr std::size_t kBufferBytes = 1u << 16;
  static constexpr std::size_t kMaxSegments = 54;
  static constexpr std::size_t kSends = 32;
  static constexpr std::uint32_t kNoFlow = UINT32_MAX;

  struct Flow {
    Address client;
    Address server;
    io::KernelAddress name{};  // The client's.
    socklen_t name_length = 0;
    std::unique_ptr<reference::RawSocket> socket;
  };
  // Send is a run of datagrams of one flow and size, handed to the kernel as one.
  struct Send {
    std::array<iovec, kMaxSegments> vectors;
    alignas(cmsghdr) std::array<std::uint8_t, io::kTxControlBytes> control;
    std::size_t count = 0;
    std::size_t bytes = 0;
    std::uint32_t flow = 0;
    bool closed = false;  // Its last datagram is shorter: nothing may follow.
  };

  Proxy(const ProxyOptions& options, const RouteBook& routes, reference::RawSocket listener,
        int epoll_fd);
  bool watch(int fd, std::uint64_t tag);
  // Sleeps and receives; false once it is to stop.
  bool wait();
  void receive(int fd, std::uint32_t flow);
  void accept(ByteSpan datagram, std::uint32_t flow, ImpairedPath& path, Time now);
  std::uint32_t flow_of(const io::KernelAddress& name, socklen_t length, ByteSpan datagram);
  bool connect(Flow& flow, std::uint32_t id, const Address& server);
  void deliver(ImpairedPath& path, bool to_server, Time now);
  bool append(const Parcel& parcel);
  void flush(bool to_server);

  const ProxyOptions options_;
  const RouteBook& routes_;
  reference::RawSocket listener_;
  const int epoll_fd_;
  ImpairedPath to_server_;
  ImpairedPath to_client_;
  PacketPool pool_;
  std::vector<Flow> flows_;
  std::unordered_map<std::string, std::uint32_t> by_client_;
  std::string key_;  // Of the last client, and its flow.
  std::uint32_t key_flow_ = kNoFlow;
  ProxyCounts counts_;

  io::MappedMemory memory_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<io::KernelAddress, kBatch> names_{};
  alignas(cmsghdr) std::array<std::array<std::uint8_t, io::kRxControlBytes>, kBatch> controls_{};
  std::vector<Send> sends_;
  std::size_t open_sends_ = 0;
  std::vector<mmsghdr> send_messages_;
  std::vector<std::uint32_t> due_;  // Slots that go back once they are sent.
};

}  // namespace millrace::impair
