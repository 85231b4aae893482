// SPDX-License-Identifier: Apache-2.0
#include "engine/base/mpsc_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(MpscRing, GivesBackWhatWasPushedInOrderManyTimesAround) {
  MpscRing<int> ring(3);
  EXPECT_EQ(ring.capacity(), 4u);
  int value = 0;
  EXPECT_FALSE(ring.try_pop(value));
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.try_push(round * 3 + i));
    EXPECT_FALSE(ring.empty());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(ring.try_pop(value));
      ASSERT_EQ(value, round * 3 + i);
    }
    ASSERT_TRUE(ring.empty());
  }
}

TEST(MpscRing, ARefusedPushLeavesItsArgument) {
  MpscRing<std::unique_ptr<int>> ring(2);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(0)));
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(1)));
  auto third = std::make_unique<int>(2);
  EXPECT_FALSE(ring.try_push(std::move(third)));
  ASSERT_NE(third, nullptr);  // NOLINT(bugprone-use-after-move): the contract under test.
  std::unique_ptr<int> first;
  ASSERT_TRUE(ring.try_pop(first));
  EXPECT_EQ(*first, 0);
  EXPECT_TRUE(ring.try_push(std::move(third)));
}

TEST(MpscRing, AVisitMayPushAndTheBudgetStillEndsTheCall) {
  MpscRing<int> ring(4);
  ASSERT_TRUE(ring.try_push(1));
  const auto push_next = [&ring](int& value) {
    if (value < 20) {
      ASSERT_TRUE(ring.try_push(value + 1));
    }
  };
  EXPECT_EQ(ring.consume(10, push_next), 10u);
  EXPECT_FALSE(ring.empty());
}

// The payload is plain memory: with a release or an acquire missing, TSan reports a race.
TEST(MpscRing, KeepsEachProducersOrderAndLosesNothing) {
  struct Message {
    std::uint32_t producer = 0;
    std::uint64_t number = 0;
    std::array<std::uint64_t, 3> body{};
  };
  constexpr std::uint32_t kProducers = 4;
  constexpr std::uint64_t kEach = 40'000;
  MpscRing<Message> ring(32);
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&ring, p] {
      for (std::uint64_t n = 0; n < kEach; ++n) {
        Message message{.producer = p, .number = n, .body = {n, n + p, n * p}};
        while (!ring.try_push(std::move(message))) std::this_thread::yield();
      }
    });
  }
  std::array<std::uint64_t, kProducers> next{};
  std::uint64_t wrong = 0;
  for (std::uint64_t got = 0; got < kProducers * kEach;) {
    const std::size_t n = ring.consume(64, [&](Message& m) {
      wrong += m.number != next[m.producer]++;
      wrong += m.body[0] != m.number || m.body[1] != m.number + m.producer ||
               m.body[2] != m.number * m.producer;
    });
    got += n;
    if (n == 0) std::this_thread::yield();
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace millrace
