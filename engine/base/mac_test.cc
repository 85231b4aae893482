// SPDX-License-Identifier: Apache-2.0
#include "engine/base/mac.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

TEST(EqualInConstantTime, FindsADifferenceInAnyBitOfAnyLength) {
  for (std::size_t size = 0; size <= 33; ++size) {
    const std::vector<std::uint8_t> secret(size, 0xA5);
    std::vector<std::uint8_t> other = secret;
    EXPECT_TRUE(equal_in_constant_time(secret, other)) << size;
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      const auto flipped = static_cast<std::uint8_t>(1u << bit % 8);
      other[bit / 8] ^= flipped;
      EXPECT_FALSE(equal_in_constant_time(secret, other)) << size << ", bit " << bit;
      other[bit / 8] ^= flipped;
    }
    other.push_back(0);
    EXPECT_FALSE(equal_in_constant_time(secret, other)) << size;
  }
}

}  // namespace
}  // namespace millrace
