// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/bytes.h"

namespace millrace {

// LentBytes is a part of a packet that is not in its place: `size` bytes that belong at `at` of it
// lie at `data`, which has another owner. The place itself holds nothing yet. Both numbers are
// multiples of kGrain, so that no vector register takes its bytes from both. Without `data` all of
// the packet is where it belongs.
struct LentBytes {
  static constexpr std::size_t kGrain = 64;

  const std::uint8_t* data = nullptr;
  std::uint32_t at = 0;
  std::uint32_t size = 0;

  bool empty() const { return data == nullptr; }
  std::size_t end() const { return std::size_t{at} + size; }
  ByteSpan bytes() const { return {data, size}; }
};

}  // namespace millrace
