// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "engine/base/address.h"
#include "io/tx_run.h"

namespace millrace::io {

// RefusedSend is a datagram that never left: above the MTU of this host's own interface.
struct RefusedSend {
  SocketId socket = kNoSocket;
  Address remote;
  std::size_t bytes = 0;  // UDP payload.
};

// RefusedSends are those since they were taken last. What is refused beyond kMax is counted
// (IoDrop::kTxTooBig) and not told: the sender learns of it from the next one.
class RefusedSends {
 public:
  static constexpr std::size_t kMax = 32;

  void push(SocketId socket, const Address& remote, std::size_t bytes) {
    if (count_ < kMax) sends_[count_++] = {socket, remote, bytes};
  }
  // Valid until the datapath's next call that sends or receives.
  std::span<const RefusedSend> take() {
    const std::span<const RefusedSend> taken = std::span(sends_).first(count_);
    count_ = 0;
    return taken;
  }

 private:
  std::array<RefusedSend, kMax> sends_{};
  std::size_t count_ = 0;
};

}  // namespace millrace::io
