// SPDX-License-Identifier: Apache-2.0
#include "engine/record/byte_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace millrace::engine {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(ByteRing, GivesBackRecordsOfAnyLengthInOrderThroughManyRounds) {
  ByteRing ring(1024);
  std::size_t expected = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    const Bytes head(i % 7, static_cast<std::uint8_t>(i));
    const Bytes body(i % 200, static_cast<std::uint8_t>(i));
    ASSERT_TRUE(ring.push({head, body})) << i;
    if (i % 3 != 2) continue;
    ring.consume([&](ByteSpan record) {
      EXPECT_EQ(record.size(), expected % 7 + expected % 200);
      for (const std::uint8_t byte : record) {
        EXPECT_EQ(byte, static_cast<std::uint8_t>(expected));
      }
      ++expected;
    });
  }
  EXPECT_GT(expected, 990u);
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(ByteRing, CountsWhatFindsNoRoomAndKeepsWhatItHas) {
  ByteRing ring(1024);
  const Bytes record(100, 1);
  std::size_t taken = 0;
  for (int i = 0; i < 100; ++i) {
    if (ring.push({record})) ++taken;
  }
  EXPECT_GT(taken, 5u);
  EXPECT_EQ(ring.dropped(), 100 - taken);
  std::size_t got = 0;
  ring.consume([&](ByteSpan bytes) {
    if (std::ranges::equal(bytes, record)) ++got;
  });
  EXPECT_EQ(got, taken);
  EXPECT_TRUE(ring.push({record})) << "there is room again";
  EXPECT_FALSE(ring.push({Bytes(600, 1)})) << "more than a quarter";
}

TEST(ByteRing, LosesNothingBetweenTwoThreadsButWhatItCounts) {
  ByteRing ring(4096);
  constexpr std::uint32_t kRecords = 20'000;
  std::thread producer([&] {
    for (std::uint32_t i = 0; i < kRecords; ++i) {
      Bytes record(4 + i % 100);
      store_be32(record.data(), i);
      while (!ring.push({record})) std::this_thread::yield();
    }
  });
  std::uint32_t next = 0;
  bool good = true;
  while (next < kRecords) {
    ring.consume([&](ByteSpan record) {
      good &= load_be32(record.data()) == next && record.size() == 4 + next % 100;
      ++next;
    });
    std::this_thread::yield();
  }
  producer.join();
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace millrace::engine
