// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/receive_window.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kFirst = 1 << 20;
constexpr std::size_t kMax = 64 << 20;
constexpr Duration kRoundTrip = milliseconds(100);

// Reads `bytes_per_second` in bursts of a millisecond for `length`.
struct Reader {
  ReceiveWindow& window;
  Time now{seconds(1)};
  std::uint64_t read = 0;
  void run(std::uint64_t bytes_per_second, Duration length,
           std::optional<Duration> round_trip = kRoundTrip) {
    for (const Time end = now + length; now < end; now += milliseconds(1)) {
      read += bytes_per_second / 1000;
      window.observe(now, read, round_trip);
    }
  }
};

TEST(ReceiveWindow, GrowsToAFewTimesWhatIsReadInARoundTrip) {
  ReceiveWindow window(kFirst, kMax, nullptr);
  Reader reader{window};
  EXPECT_EQ(window.bytes(), kFirst);
  reader.run(125'000'000, seconds(2));
  // 1 Gbit/s over 100 ms: 12.5 MB are on their way.
  EXPECT_GE(window.bytes(), 25'000'000u);
  EXPECT_LE(window.bytes(), kMax);
}

TEST(ReceiveWindow, StaysAheadOfASenderThatDoublesInEachRoundTrip) {
  ReceiveWindow window(kFirst, kMax, nullptr);
  Reader reader{window};
  reader.run(1'000'000, kRoundTrip);
  for (std::uint64_t per_round = 100'000; per_round < 10'000'000; per_round *= 2) {
    reader.run(per_round * 10, kRoundTrip);
    // What the sender has in flight next.
    EXPECT_GE(window.bytes(), 2 * per_round);
  }
}

TEST(ReceiveWindow, ASlowFlowLeavesItWhereItBegan) {
  ReceiveWindow window(kFirst, kMax, nullptr);
  Reader reader{window};
  reader.run(100'000, seconds(20));
  reader.run(1'000'000, seconds(5), std::nullopt);
  EXPECT_EQ(window.bytes(), kFirst);
  EXPECT_FALSE(window.has_grown());
}

TEST(ReceiveWindow, AFixedWindowNeitherGrowsNorShrinks) {
  ReceiveWindow window(kFirst, 0, nullptr);
  Reader reader{window};
  reader.run(1'000'000'000, seconds(1));
  window.shrink(0);
  EXPECT_EQ(window.bytes(), kFirst);
}

TEST(ReceiveWindow, GrowsByWhatTheBudgetOfTheShardHasLeftAndGivesItBack) {
  ReceiveBudget budget(30 << 20);
  {
    ReceiveWindow first(kFirst, kMax, &budget);
    ReceiveWindow second(kFirst, kMax, &budget);
    Reader one{first};
    Reader two{second};
    one.run(80'000'000, seconds(1));
    EXPECT_TRUE(first.has_grown());
    two.run(1'000'000'000, seconds(1));
    EXPECT_EQ(first.bytes() + second.bytes(), 2 * kFirst + (std::size_t{30} << 20));
    EXPECT_EQ(budget.left(), 0u);
    ReceiveWindow third(kFirst, kMax, &budget);
    Reader three{third};
    three.run(1'000'000'000, seconds(1));
    EXPECT_EQ(third.bytes(), kFirst) << "never below what it begins with";
  }
  EXPECT_EQ(budget.left(), std::size_t{30} << 20);
}

TEST(ReceiveWindow, ShrinksBackOnceThePeerIsQuietButNotBelowWhatIsHeld) {
  ReceiveBudget budget(kMax);
  ReceiveWindow window(kFirst, kMax, &budget);
  Reader reader{window};
  reader.run(125'000'000, seconds(2));
  window.shrink(0);
  EXPECT_GE(window.bytes(), 3 * 12'500'000u) << "it was needed";
  EXPECT_TRUE(window.is_quiet());
  const std::size_t grown = window.bytes();
  window.shrink(grown / 2);
  EXPECT_EQ(window.bytes(), grown);
  for (int i = 0; i < 8; ++i) window.shrink(0);
  EXPECT_EQ(window.bytes(), kFirst);
  EXPECT_EQ(budget.left(), kMax);
}

}  // namespace
}  // namespace millrace::sctp
