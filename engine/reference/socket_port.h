// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/reference/raw_socket.h"
#include "engine/reference/reference.h"
#include "io/control_message.h"
#include "io/mapped_memory.h"

namespace millrace::reference {

// Arrival is one buffer that the kernel filled: datagrams of `segment_bytes` each, the
// last perhaps shorter.
struct Arrival {
  MutableByteSpan bytes;
  std::size_t segment_bytes = 0;
  std::size_t datagrams() const { return (bytes.size() + segment_bytes - 1) / segment_bytes; }
};

inline constexpr std::size_t kPortBufferBytes = 65'536;

// GsoRun is what a send of several datagrams hands to the kernel. `control` is aligned.
struct GsoRun {
  std::uint8_t* data = nullptr;
  std::size_t bytes = 0;
  iovec vector{};
  alignas(cmsghdr) std::array<std::uint8_t, io::kTxControlBytes> control{};
  msghdr message{};

  // Points the message at `data`; `segment_bytes` 0 sends one datagram.
  void prepare(std::size_t segment_bytes);
};

// SocketPort sends and receives over one connected socket by plain system calls.
class SocketPort {
 public:
  // With `coalesced`, receives by recvmmsg with GRO; otherwise a datagram a call.
  static Result<std::unique_ptr<SocketPort>, io::IoError> create(RawSocket& socket, bool coalesced,
                                                                 bool spin);
  SocketPort(RawSocket& socket, bool coalesced, bool spin);

  // Tries once (spin) or sleeps a little (block), and shows each buffer to `visit`.
  template <class Visitor>
  void receive(Visitor&& visit) {
    const int ready = coalesced_ ? receive_many() : receive_one();
    for (int i = 0; i < ready; ++i) visit(arrivals_[static_cast<std::size_t>(i)]);
  }

  // Sends one datagram.
  void send(ByteSpan datagram);
  void flush() {}

  // Sends all `runs`; false when the other side is gone.
  bool send_runs(std::span<GsoRun> runs);

 private:
  static constexpr std::size_t kBatch = 8;

  int receive_one();
  int receive_many();

  const int fd_;
  const bool coalesced_;
  const int flags_;
  io::MappedMemory memory_;
  std::array<Arrival, kBatch> arrivals_{};
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  alignas(cmsghdr) std::array<std::array<std::uint8_t, io::kRxControlBytes>, kBatch> controls_{};
  std::vector<mmsghdr> sends_;
};

}  // namespace millrace::reference
