// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "io/tx_run.h"

namespace millrace::io {

// RouterWord is what a router says of a datagram that it has dropped (RFC 792 type 3 code 4,
// RFC 4443 §3.2): a hint, for anybody can forge it.
struct RouterWord {
  static constexpr std::size_t kQuoteBytes = 16;

  IpAddress local;        // That the datagram was sent from.
  std::size_t limit = 0;  // UDP payload that is said to pass; 0: nothing is said.
  // The beginning of the payload, as far as it was quoted.
  std::array<std::uint8_t, kQuoteBytes> quote{};
  std::uint8_t quoted = 0;

  void set_quote(ByteSpan payload) {
    quoted = static_cast<std::uint8_t>(std::min(payload.size(), kQuoteBytes));
    std::copy_n(payload.begin(), quoted, quote.begin());
  }
};

// RefusedSend is a datagram that never arrived for its size: it never left, being above the MTU
// of this host's own interface, or a `router` says that it has dropped it.
struct RefusedSend {
  SocketId socket = kNoSocket;
  Address remote;
  std::size_t bytes = 0;  // UDP payload.
  std::optional<RouterWord> router{};
};

// RefusedSends are those since they were taken last. What is refused beyond kMax is counted
// (IoDrop::kTxTooBig) and not told: the sender learns of it from the next one. Routers' words
// have a part of it, so that a flood of these displaces nothing that is certain.
class RefusedSends {
 public:
  static constexpr std::size_t kMax = 32;
  static constexpr std::size_t kMaxWords = 8;

  void push(SocketId socket, const Address& remote, std::size_t bytes) {
    if (count_ < kMax) sends_[count_++] = {socket, remote, bytes, std::nullopt};
  }
  // False: there is no room for it.
  bool push(SocketId socket, const Address& remote, std::size_t bytes, const RouterWord& word) {
    if (count_ == kMax || words_ == kMaxWords) return false;
    sends_[count_++] = {socket, remote, bytes, word};
    ++words_;
    return true;
  }
  // Valid until the datapath's next call that sends or receives.
  std::span<const RefusedSend> take() {
    const std::span<const RefusedSend> taken = std::span(sends_).first(count_);
    count_ = words_ = 0;
    return taken;
  }

 private:
  std::array<RefusedSend, kMax> sends_{};
  std::size_t count_ = 0;
  std::size_t words_ = 0;
};

}  // namespace millrace::io
