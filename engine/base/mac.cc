// SPDX-License-Identifier: Apache-2.0
#include "engine/base/mac.h"

namespace millrace {

bool equal_in_constant_time(ByteSpan a, ByteSpan b) {
  if (a.size() != b.size()) return false;
  std::uint64_t difference = 0;
  const auto add = [&difference](std::uint64_t bits) {
    difference |= bits;
    // Keeps the optimiser from leaving the loop at the first difference.
    __asm__ volatile("" : "+r"(difference));
  };
  std::size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) add(load_be64(a.data() + i) ^ load_be64(b.data() + i));
  for (; i < a.size(); ++i) add(static_cast<std::uint64_t>(a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace millrace
