// SPDX-License-Identifier: Apache-2.0
#include "engine/base/mac.h"

namespace millrace {

bool equal_in_constant_time(ByteSpan a, ByteSpan b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
    // Keeps the optimiser from leaving the loop at the first difference.
    __asm__ volatile("" : "+r"(difference));
  }
  return difference == 0;
}

}  // namespace millrace
