// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/batch_sizes.h"

#include <gtest/gtest.h>

namespace millrace::engine {
namespace {

TEST(BatchSizes, HasNoMedianBeforeTheFirstCall) {
  BatchSizes sizes;
  EXPECT_EQ(sizes.median(), 0u);
  sizes.note(0);  // A call without records says nothing of batches.
  EXPECT_EQ(sizes.median(), 0u);
}

TEST(BatchSizes, TakesTheMedianOverCalls) {
  BatchSizes sizes;
  for (const std::size_t records : {1u, 1u, 54u, 54u, 54u}) sizes.note(records);
  EXPECT_EQ(sizes.median(), 54u);
  for (int i = 0; i < 4; ++i) sizes.note(2);
  EXPECT_EQ(sizes.median(), 2u);
}

TEST(BatchSizes, CountsTheLargestAsItsBound) {
  BatchSizes sizes;
  sizes.note(100'000);
  EXPECT_EQ(sizes.median(), BatchSizes::kLargest);
}

}  // namespace
}  // namespace millrace::engine
