// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/rto_estimator.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr RtoOptions kRto{
    .rto_initial = seconds(1), .rto_min = milliseconds(1), .rto_max = seconds(4)};

// RFC 9260 §6.3.1 (C1, C2, C3).
TEST(RtoEstimator, FollowsTheSamples) {
  RtoEstimator rto(kRto);
  EXPECT_EQ(rto.rto(), seconds(1));
  rto.observe(milliseconds(100));
  EXPECT_EQ(rto.rto(), milliseconds(300));
  rto.observe(milliseconds(180));
  EXPECT_EQ(*rto.srtt(), milliseconds(110));
  EXPECT_EQ(rto.rttvar(), Duration(57'500'000));
  EXPECT_EQ(rto.rto(), milliseconds(340));
}

// RFC 9260 §6.3.1 (C6), and a clock that does not advance.
TEST(RtoEstimator, NeverFallsBelowRtoMin) {
  RtoEstimator rto(kRto);
  for (int i = 0; i < 50; ++i) rto.observe(Duration::zero());
  EXPECT_EQ(rto.rto(), milliseconds(1));
}

// RFC 9260 §6.3.1 (C7), §6.3.3 (E2).
TEST(RtoEstimator, BackOffStopsAtRtoMax) {
  RtoEstimator rto(kRto);
  rto.back_off();
  EXPECT_EQ(rto.rto(), seconds(2));
  for (int i = 0; i < 70; ++i) rto.back_off();
  EXPECT_EQ(rto.rto(), seconds(4));
  rto.observe(milliseconds(10));
  EXPECT_EQ(rto.rto(), milliseconds(30)) << "a sample ends the back-off";
}

// RFC 6298 §2.3: G.
TEST(RtoEstimator, SamplesThatAreAlikeLeaveSomeVariance) {
  RtoEstimator rto({.rto_min = milliseconds(50)});
  for (int i = 0; i < 100; ++i) rto.observe(milliseconds(100));
  EXPECT_EQ(rto.rto(), milliseconds(125));
}

TEST(RtoEstimator, TheFirstTimeOutsMayLeaveItAsItIs) {
  RtoEstimator rto({.rto_initial = milliseconds(100), .linear_timeouts = 2});
  for (int i = 0; i < 2; ++i) {
    rto.back_off();
    EXPECT_EQ(rto.rto(), milliseconds(100));
  }
  rto.back_off();
  EXPECT_EQ(rto.rto(), milliseconds(200));
  rto.observe(milliseconds(20));
  const Duration fresh = rto.rto();
  rto.back_off();
  EXPECT_EQ(rto.rto(), fresh) << "counted anew";
}

}  // namespace
}  // namespace millrace::sctp
