// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "engine/reference/socket_port.h"
#include "io/mapped_memory.h"
#include "io/uring.h"

namespace millrace::reference {

// UringPort sends and receives over one connected socket by io_uring: a multishot receive
// into provided buffers, sends submitted together. See SocketPort for its calls.
class UringPort {
 public:
  static Result<std::unique_ptr<UringPort>, io::IoError> create(RawSocket& socket, bool receives,
                                                                bool spin);
  ~UringPort();
  UringPort(const UringPort&) = delete;
  UringPort& operator=(const UringPort&) = delete;

  template <class Visitor>
  void receive(Visitor&& visit) {
    poll();
    io::UringCompletion completion;
    while (ring_->next(completion)) {
      if (completion.tag != io::UringTag::kReceive) continue;
      Arrival arrival;
      if (accept(completion, arrival)) visit(arrival);
      recycle(completion);
    }
    ring_->publish();
  }

  void send(ByteSpan datagram);
  void flush() { ring_->submit(); }

  bool send_runs(std::span<GsoRun> runs);

 private:
  // So few that the buffers in use stay in the core's cache.
  static constexpr unsigned kBuffers = 16;
  static constexpr std::size_t kBufferBytes = 65'536 + 256;
  static constexpr std::size_t kSlots = 8;

  UringPort(RawSocket& socket, std::unique_ptr<io::Uring> ring, bool spin);
  void poll();
  bool accept(const io::UringCompletion& completion, Arrival& arrival);
  void recycle(const io::UringCompletion& completion);

  const int fd_;
  const bool spin_;
  std::unique_ptr<io::Uring> ring_;
  io::MappedMemory memory_;
  io::MappedMemory slots_;  // Datagrams on their way.
  std::array<GsoRun, kSlots> runs_{};
  std::size_t next_slot_ = 0;
  msghdr layout_{};
  std::uint64_t copied_ = 0;
};

}  // namespace millrace::reference
