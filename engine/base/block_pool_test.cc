// SPDX-License-Identifier: Apache-2.0
#include "engine/base/block_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/base/rng.h"

namespace millrace {
namespace {

TEST(BlockPool, ABlockWastesAtMostAQuarterOfItself) {
  for (std::size_t bytes = 65; bytes < 100000; bytes += 7) {
    const std::size_t block = BlockPool::block_bytes(bytes);
    ASSERT_GE(block, bytes);
    ASSERT_LE(block - bytes, block / 4 + 1);
  }
  EXPECT_EQ(BlockPool::block_bytes(1), 64u);
  EXPECT_EQ(BlockPool::block_bytes(BlockPool::kMaxBlockBytes), BlockPool::kMaxBlockBytes);
}

TEST(BlockPool, BlocksAreAlignedDisjointAndUsedAgain) {
  struct Held {
    std::uint8_t* block;
    std::size_t bytes;
    std::uint8_t mark;
  };
  BlockPool pool;
  SeededRng rng(1);
  std::vector<Held> held;
  std::size_t reserved = 0;
  for (int i = 0; i < 20000; ++i) {
    if (held.size() < 200 && rng.below(2) == 0) {
      const std::size_t bytes = 1 + rng.below(5000);
      std::uint8_t* const block = pool.allocate(bytes);
      ASSERT_NE(block, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
      held.push_back({block, bytes, static_cast<std::uint8_t>(i)});
      std::fill_n(block, bytes, held.back().mark);
    } else if (!held.empty()) {
      std::swap(held[rng.below(held.size())], held.back());
      const Held last = held.back();
      held.pop_back();
      ASSERT_TRUE(std::all_of(last.block, last.block + last.bytes,
                              [&](std::uint8_t byte) { return byte == last.mark; }));
      pool.release(last.block, last.bytes);
    }
    if (i == 10000) reserved = pool.reserved_bytes();
  }
  EXPECT_LT(pool.reserved_bytes(), 2 * reserved);
  for (const Held& one : held) pool.release(one.block, one.bytes);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(BlockPool, AtItsLimitItSaysSoAndKeepsServingWhatItHas) {
  BlockPool pool(std::size_t{128} << 10);
  std::vector<std::uint8_t*> blocks;
  while (std::uint8_t* const block = pool.allocate(1024)) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), 128u);
  EXPECT_EQ(pool.allocate(2000), nullptr);
  pool.release(blocks.back(), 1024);
  EXPECT_EQ(pool.allocate(1024), blocks.back());
  for (std::uint8_t* const block : blocks) pool.release(block, 1024);
}

}  // namespace
}  // namespace millrace
