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
  EXPECT_EQ(blocks.size(), 126u);
  EXPECT_EQ(pool.allocate(2000), nullptr);
  EXPECT_EQ(pool.allocate(20'000), nullptr);
  pool.release(blocks.back(), 1024);
  EXPECT_EQ(pool.allocate(1024), blocks.back());
  for (std::uint8_t* const block : blocks) pool.release(block, 1024);
}

// Fills the pool with blocks of `bytes`, and takes all back. Returns how many there were.
std::size_t fill_and_empty(BlockPool& pool, std::size_t bytes) {
  std::vector<std::uint8_t*> blocks;
  while (std::uint8_t* const block = pool.allocate(bytes)) blocks.push_back(block);
  for (std::uint8_t* const block : blocks) pool.release(block, bytes);
  return blocks.size();
}

TEST(BlockPool, WhatOneSizeNoLongerUsesServesAnother) {
  constexpr std::size_t kLimit = std::size_t{2} << 20;
  BlockPool pool(kLimit);
  for (const std::size_t bytes : {64u, 100u, 8192u, 9000u, 300'000u, 64u, 1'000'000u, 5000u}) {
    EXPECT_GE(fill_and_empty(pool, bytes) * BlockPool::block_bytes(bytes), kLimit * 6 / 10)
        << bytes;
    EXPECT_LE(pool.reserved_bytes(), kLimit);
  }
}

TEST(BlockPool, ABlockInUseKeepsItsSlabAlone) {
  BlockPool pool(std::size_t{1} << 20);
  std::vector<std::uint8_t*> blocks;
  while (std::uint8_t* const block = pool.allocate(64)) blocks.push_back(block);
  for (std::size_t i = 1; i < blocks.size(); ++i) pool.release(blocks[i], 64);
  std::fill_n(blocks[0], 64, std::uint8_t{7});
  EXPECT_EQ(fill_and_empty(pool, 8192), 15u * 7);
  EXPECT_TRUE(std::all_of(blocks[0], blocks[0] + 64, [](std::uint8_t byte) { return byte == 7; }));
  pool.release(blocks[0], 64);
}

TEST(BlockPool, GivesBackWhatWasNotNeeded) {
  constexpr std::size_t kLimit = std::size_t{64} << 20;
  BlockPool pool(kLimit);
  for (const std::size_t bytes : {1000u, 100'000u}) {
    fill_and_empty(pool, bytes);
    EXPECT_GE(pool.reserved_bytes(), kLimit - 200'000);
    pool.trim();  // Until now it was in use.
    for (int i = 0; i < 10; ++i) {
      const std::size_t before = pool.reserved_bytes();
      pool.trim();
      EXPECT_GE(before - pool.reserved_bytes(), BlockPool::kTrimmedBytes);
      EXPECT_LE(before - pool.reserved_bytes(), BlockPool::kTrimmedBytes + 200'000);
    }
    for (int i = 0; i < 100; ++i) pool.trim();
    EXPECT_FALSE(pool.has_surplus());
    EXPECT_GE(pool.reserved_bytes(), BlockPool::kKeptBytes - 200'000);
  }
}

TEST(BlockPool, WhatIsNeededNowAndThenStays) {
  BlockPool pool;
  std::size_t reserved = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<std::uint8_t*> blocks;
    while (blocks.size() < 20'000) blocks.push_back(pool.allocate(1000));
    pool.trim();
    for (std::uint8_t* const block : blocks) pool.release(block, 1000);
    if (i == 0) reserved = pool.reserved_bytes();
    ASSERT_EQ(pool.reserved_bytes(), reserved);
  }
}

}  // namespace
}  // namespace millrace
