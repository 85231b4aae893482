// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "millrace/types.h"

namespace millrace {

// MessageView lends a received message, or a part of one, for the length of the call
// that hands it over. Its pieces lie in the receive buffers they were decrypted in: one
// for a message of one packet, several for a fragmented one, in order. Whoever needs the
// bytes for longer copies them.
struct MessageView {
  MessageKind kind = MessageKind::kBinary;
  // Position of this part in its message; 0 and `last` for one that came whole.
  std::uint64_t offset = 0;
  bool last = true;
  // The rest will never come (its sender abandoned it, or the channel closed). Parts
  // handed over before are void.
  bool aborted = false;
  std::span<const std::span<const std::uint8_t>> pieces;

  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& piece : pieces) total += piece.size();
    return total;
  }
  bool contiguous() const { return pieces.size() <= 1; }
  // The bytes, where `contiguous()`.
  std::span<const std::uint8_t> bytes() const {
    return pieces.empty() ? std::span<const std::uint8_t>{} : pieces.front();
  }
  // Appends the bytes to `out`.
  void append_to(std::vector<std::uint8_t>& out) const {
    for (const auto& piece : pieces) out.insert(out.end(), piece.begin(), piece.end());
  }
};

}  // namespace millrace
