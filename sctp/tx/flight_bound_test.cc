// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/flight_bound.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kFloor = FlightBound::kFloorBytes;

class FlightBoundTest : public ::testing::Test {
 protected:
  // One round trip of `rtt` in which `bytes` arrived.
  void round(std::size_t bytes, Duration rtt, bool limited = true) {
    now_ += rtt;
    bound_.on_ack(now_, bytes, true, limited, rtt);
  }

  Time now_{seconds(1)};
  FlightBound bound_;
};

TEST_F(FlightBoundTest, IsTheFloorUntilAPathNeedsMore) {
  EXPECT_EQ(bound_.bytes(), kFloor);
  for (int i = 0; i < 10; ++i) round(100'000, microseconds(100));
  EXPECT_EQ(bound_.bytes(), kFloor);
}

TEST_F(FlightBoundTest, IsTwiceWhatARoundTripDelivers) {
  round(1, milliseconds(20));
  for (int i = 0; i < 3; ++i) round(2'500'000, milliseconds(20));
  EXPECT_NEAR(static_cast<double>(bound_.bytes()), 5e6, 1e5);
}

// Slow start doubles: what is delivered in one round may be twice as much in the next.
TEST_F(FlightBoundTest, LetsAWindowDoubleEveryRound) {
  round(1, milliseconds(50));
  for (std::size_t window = kFloor / 2; window < (std::size_t{64} << 20); window *= 2) {
    EXPECT_GE(bound_.bytes() + 16, window);
    round(window, milliseconds(50));
  }
}

TEST_F(FlightBoundTest, AQueueThatGrowsDoesNotRaiseIt) {
  round(1, milliseconds(20));
  for (int i = 0; i < 40; ++i) {
    const int queued = 20 + i;
    round(125'000 * static_cast<std::size_t>(queued), milliseconds(queued));  // 1 Gbit/s.
  }
  EXPECT_NEAR(static_cast<double>(bound_.bytes()), 5e6, 1e5);
}

TEST_F(FlightBoundTest, FollowsAPathThatBecomesSlower) {
  for (int i = 0; i < 20; ++i) round(2'500'000, milliseconds(20));
  for (int i = 0; i < 20; ++i) round(1'000'000, milliseconds(20));
  EXPECT_NEAR(static_cast<double>(bound_.bytes()), 2e6, 1e5);
}

TEST_F(FlightBoundTest, FollowsARouteThatBecomesLonger) {
  for (int i = 0; i < 20; ++i) round(2'500'000, milliseconds(20));
  for (int i = 0; i < 300; ++i) round(12'500'000, milliseconds(100));  // 30 s at 1 Gbit/s.
  EXPECT_NEAR(static_cast<double>(bound_.bytes()), 25e6, 1e6);
}

TEST_F(FlightBoundTest, IsNotLoweredByAnApplicationThatSendsLittle) {
  for (int i = 0; i < 20; ++i) round(2'500'000, milliseconds(20));
  for (int i = 0; i < 200; ++i) round(1000, milliseconds(20), false);
  EXPECT_NEAR(static_cast<double>(bound_.bytes()), 5e6, 1e5);
}

TEST_F(FlightBoundTest, RemembersWhereANearReceiverOverflowed) {
  round(100'000, microseconds(100));
  bound_.on_loss(now_, 160'000);
  EXPECT_EQ(bound_.bytes(), 140'000u);
  now_ += seconds(9);
  round(100'000, microseconds(100));
  EXPECT_EQ(bound_.bytes(), 140'000u);
  now_ += seconds(2);
  round(100'000, microseconds(100));
  EXPECT_EQ(bound_.bytes(), kFloor);
}

TEST_F(FlightBoundTest, LeavesASmallWindowToTheCongestionControl) {
  round(100'000, microseconds(100));
  bound_.on_loss(now_, 12'000);
  EXPECT_EQ(bound_.bytes(), FlightBound::kLeastCeilingBytes);
}

TEST_F(FlightBoundTest, TakesNoLossOfAFarPathForAReceivers) {
  round(100'000, milliseconds(20));
  bound_.on_loss(now_, 160'000);
  EXPECT_EQ(bound_.bytes(), kFloor);
}

TEST_F(FlightBoundTest, TakesRoundsThatEndAtOneInstantTogether) {
  bound_.on_ack(now_, 1000, true, true, milliseconds(1));
  bound_.on_ack(now_, 1000, true, true, std::nullopt);
  EXPECT_EQ(bound_.bytes(), kFloor);
}

}  // namespace
}  // namespace millrace::sctp
