// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/time.h"

namespace millrace::cli {

// Messages larger than this are sent part by part, and passed on so: nobody holds one whole.
inline constexpr std::size_t kLargestWhole = std::size_t{1} << 20;
// So many bytes of an echo that comes part by part may be missing before more is sent: what
// answers must not have to hold the difference.
inline constexpr std::uint64_t kEchoWindow = std::uint64_t{4} << 20;

// PartPattern is the content of messages that are sent in parts: a stamp (write_stamp), then bytes
// that tell their place and their message, without any of it being held whole.
class PartPattern {
 public:
  static constexpr std::size_t kPartBytes = std::size_t{64} << 10;

  PartPattern();

  // The `size` bytes of message `sequence` from `offset`, a multiple of kPartBytes, on; at most
  // kPartBytes. They are lent until the next call.
  std::span<const std::uint8_t> part(std::uint64_t sequence, Time intended, std::uint64_t offset,
                                     std::size_t size);
  // Whether `bytes` are those of message `sequence` from `offset` on; of the stamp any will do.
  bool matches(std::uint64_t sequence, std::uint64_t offset,
               std::span<const std::uint8_t> bytes) const;

 private:
  // A prime: no block of memory and no fragment is a multiple of it.
  static constexpr std::uint64_t kPeriod = 65'521;
  static std::size_t place(std::uint64_t sequence, std::uint64_t offset) {
    return static_cast<std::size_t>((sequence % kPeriod * 7919 + offset) % kPeriod);
  }

  std::vector<std::uint8_t> bytes_;  // A period and a part of the next.
  std::vector<std::uint8_t> head_;
};

}  // namespace millrace::cli
