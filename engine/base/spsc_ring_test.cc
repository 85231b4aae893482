// SPDX-License-Identifier: Apache-2.0
#include "engine/base/spsc_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(SpscRing, RoundsItsCapacityUpToAPowerOfTwo) {
  EXPECT_EQ(SpscRing<int>(0).capacity(), 1u);
  EXPECT_EQ(SpscRing<int>(5).capacity(), 8u);
  EXPECT_EQ(SpscRing<int>(8).capacity(), 8u);
}

TEST(SpscRing, GivesBackWhatWasPushedInOrderManyTimesAround) {
  SpscRing<int> ring(4);
  int value = 0;
  EXPECT_FALSE(ring.try_pop(value));
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.try_push(round * 3 + i));
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(ring.try_pop(value));
      ASSERT_EQ(value, round * 3 + i);
    }
    ASSERT_TRUE(ring.empty());
  }
}

TEST(SpscRing, ARefusedPushLeavesItsArgument) {
  SpscRing<std::unique_ptr<int>> ring(1);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(ring.try_push(std::move(second)));
  ASSERT_NE(second, nullptr);  // NOLINT(bugprone-use-after-move): the contract under test.
  EXPECT_EQ(*second, 2);
}

TEST(SpscRing, BatchesStopAtFullAndAtEmpty) {
  SpscRing<int> ring(8);
  std::array<int, 6> in{};
  std::iota(in.begin(), in.end(), 0);
  EXPECT_EQ(ring.push_batch(in), 6u);
  EXPECT_EQ(ring.push_batch(in), 2u);
  std::array<int, 16> out{};
  EXPECT_EQ(ring.pop_batch(std::span(out).first(3)), 3u);
  EXPECT_EQ(ring.pop_batch(out), 5u);
  EXPECT_EQ(out[4], 1);
  EXPECT_EQ(ring.pop_batch(out), 0u);
}

TEST(SpscRing, ConsumeKeepsItsBudgetAndReleasesTheValues) {
  SpscRing<std::shared_ptr<int>> ring(4);
  auto value = std::make_shared<int>(7);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(ring.try_push(value));
  int seen = 0;
  EXPECT_EQ(ring.consume(3, [&](std::shared_ptr<int>& v) { seen += *v; }), 3u);
  EXPECT_EQ(seen, 21);
  EXPECT_EQ(value.use_count(), 2);
}

// The payload is plain memory: with a release or an acquire missing, TSan reports a race,
// and a machine that reorders shows a wrong sum.
TEST(SpscRing, HandsPlainMemoryFromThreadToThread) {
  struct Message {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 4> body{};
  };
  constexpr std::uint64_t kMessages = 200'000;
  SpscRing<Message> ring(64);
  std::thread producer([&] {
    std::array<Message, 5> batch;
    for (std::uint64_t next = 0; next < kMessages;) {
      std::size_t n = 0;
      for (; n < batch.size() && next + n < kMessages; ++n) {
        batch[n].number = next + n;
        batch[n].body.fill(3 * (next + n));
      }
      const std::size_t pushed = ring.push_batch(std::span(batch).first(n));
      if (pushed == 0) std::this_thread::yield();
      next += pushed;
    }
  });
  std::uint64_t expected = 0;
  std::uint64_t wrong = 0;
  while (expected < kMessages) {
    const std::size_t n = ring.consume(7, [&](Message& message) {
      wrong += message.number != expected;
      for (const std::uint64_t word : message.body) wrong += word != 3 * expected;
      ++expected;
    });
    if (n == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace millrace
