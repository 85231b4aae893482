// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/hystart.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kBytes = 16'000;

class HyStartTest : public ::testing::Test {
 protected:
  // One round of `sacks`, each for `chunks`, all of the same round trip.
  std::size_t round(Duration rtt, int sacks = 4, std::size_t chunks = 16) {
    std::size_t growth = 0;
    for (int i = 1; i <= sacks; ++i) {
      growth += hystart_.handle_ack({.acked_bytes = kBytes,
                                     .acked_chunks = chunks,
                                     .cumulative_advanced = true,
                                     .round_ended = i == sacks,
                                     .rtt = rtt});
    }
    return growth;
  }
  HyStart hystart_;
};

// RFC 9406 §4.2.
TEST_F(HyStartTest, ASteadyRoundTripLeavesSlowStartAlone) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(round(milliseconds(20)), 4 * kBytes);
  EXPECT_FALSE(hystart_.finished());
}

// RFC 9406 §4.2: L is infinite for a paced sender.
TEST_F(HyStartTest, OneSackForSixtyFourPacketsCountsThemAll) {
  EXPECT_EQ(round(milliseconds(20), 1, 64), kBytes);
}

// RFC 9406 §4.2, §4.3: RttThresh is an eighth of the round trip, from 4 ms to 16 ms.
TEST_F(HyStartTest, ARisingRoundTripEndsSlowStartAfterFiveSlowerRounds) {
  round(milliseconds(80));
  round(milliseconds(89));
  EXPECT_FALSE(hystart_.conservative()) << "below an eighth";
  round(milliseconds(101));
  EXPECT_TRUE(hystart_.conservative());
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(hystart_.finished()) << "the round of the rise and " << i << " more";
    EXPECT_EQ(round(milliseconds(105)), kBytes) << "a quarter";
  }
  EXPECT_TRUE(hystart_.finished());
}

// RFC 9406 §4.2.
TEST_F(HyStartTest, APassingRiseResumesSlowStart) {
  round(milliseconds(20));
  round(milliseconds(25));
  EXPECT_TRUE(hystart_.conservative());
  round(milliseconds(20));
  EXPECT_FALSE(hystart_.conservative());
  EXPECT_EQ(round(milliseconds(20)), 4 * kBytes);
  EXPECT_FALSE(hystart_.finished());
}

// RFC 9406 §4.3: MIN_RTT_THRESH. On a LAN the round trip multiplies within a burst.
TEST_F(HyStartTest, MicrosecondsOfQueueingDoNotEndIt) {
  for (int i = 0; i < 20; ++i) round(microseconds(20 + 190 * (i % 20)));
  EXPECT_FALSE(hystart_.conservative());
}

// RFC 9406 §4.3: N_RTT_SAMPLE.
TEST_F(HyStartTest, FewerThanEightSamplesProveNothing) {
  round(milliseconds(20));
  round(milliseconds(90), 7, 1);
  EXPECT_FALSE(hystart_.conservative());
}

// RFC 9260 §6.3.1 (C5): a SACK that gives no sample is none.
TEST_F(HyStartTest, SacksWithoutASampleProveNothing) {
  round(milliseconds(20));
  for (int i = 0; i < 10; ++i) round(Duration::zero());
  EXPECT_FALSE(hystart_.conservative());
}

}  // namespace
}  // namespace millrace::sctp
