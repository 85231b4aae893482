// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"

namespace millrace::sctp {

using Bytes = std::vector<std::uint8_t>;

// Reads "01 02 ff": the form in which goldens are written.
inline Bytes from_hex(std::string_view text) {
  Bytes out;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return out;
}

template <class Chunk>
Bytes build(const Chunk& chunk) {
  Bytes out(chunk.size());
  chunk.write(out);
  return out;
}

// Copies to the heap first, so that a sanitizer sees any read past the end.
template <class View>
bool parses(ByteSpan bytes) {
  const Bytes exact(bytes.begin(), bytes.end());
  return View::parse(exact).has_value();
}

// Expects that `chunk` parses and none of its prefixes does, nor the chunk under any other
// length field or type.
template <class View>
void expect_only_whole(const Bytes& chunk) {
  EXPECT_TRUE(parses<View>(chunk));
  for (std::size_t n = 0; n < chunk.size(); ++n) {
    EXPECT_FALSE(parses<View>(ByteSpan(chunk).first(n))) << "truncated to " << n;
  }
  Bytes hostile = chunk;
  for (std::uint32_t length = 0; length <= 0xFFFF; ++length) {
    store_be16(hostile.data() + 2, static_cast<std::uint16_t>(length));
    EXPECT_EQ(View::parse(hostile).has_value(), length == chunk.size()) << "length " << length;
  }
  hostile = chunk;
  for (int type = 0; type < 256; ++type) {
    hostile[0] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(View::parse(hostile).has_value(), type == chunk[0]) << "type " << type;
  }
}

// Calls `use(ByteSpan)` with `chunk` under many random changes, some of which repair the
// length field, so that what lies behind it is reached.
template <class Use>
void with_random_changes(const Bytes& chunk, Use use) {
  SeededRng rng(chunk.size());
  for (int round = 0; round < 20000; ++round) {
    Bytes changed(chunk.begin(),
                  chunk.begin() + static_cast<std::ptrdiff_t>(rng.below(chunk.size() + 1)));
    for (std::uint64_t n = rng.below(4); n > 0 && !changed.empty(); --n) {
      changed[rng.below(changed.size())] = static_cast<std::uint8_t>(rng.next());
    }
    if (changed.size() >= 4 && rng.below(4) != 0) {
      changed[0] = chunk[0];
      store_be16(changed.data() + 2, static_cast<std::uint16_t>(changed.size()));
    }
    use(ByteSpan(changed));
  }
}

}  // namespace millrace::sctp
