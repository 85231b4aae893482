// SPDX-License-Identifier: Apache-2.0
#include "sctp/options.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

TEST(Options, EachProfileIsValidAndTheInternetIsTheDefault) {
  Options options;
  EXPECT_EQ(problem_of(options), "");
  apply_profile(Profile::kLatency, options);
  EXPECT_EQ(problem_of(options), "");
  EXPECT_EQ(options.sack_delay, Duration::zero()) << "one SACK per burst";
  EXPECT_LT(options.rto_min, Options().rto_min);
  apply_profile(Profile::kInternet, options);
  EXPECT_EQ(options.rto_min, Options().rto_min);
  EXPECT_EQ(options.sack_delay, Options().sack_delay);
  EXPECT_EQ(options.max_retransmits, Options().max_retransmits);
}

TEST(Options, TheFloorOfTheTimeOutGoesFromAMillisecondToASecond) {
  Options options;
  options.rto_initial = seconds(1);
  for (const Duration good : {Duration(milliseconds(1)), Duration(seconds(1))}) {
    options.rto_min = good;
    EXPECT_EQ(problem_of(options), "");
  }
  for (const Duration bad : {Duration::zero(), Duration(microseconds(999)), Duration(seconds(2))}) {
    options.rto_min = bad;
    EXPECT_TRUE(problem_of(options).starts_with("rto_min: "));
  }
}

TEST(Options, TimeOutsMustNotContradictEachOther) {
  Options options;
  options.rto_max = options.rto_min - microseconds(1);
  EXPECT_EQ(problem_of(options), "rto_max: 49999 us is below rto_min, 50 ms");
  options = {};
  options.rto_initial = options.rto_min - milliseconds(1);
  EXPECT_EQ(problem_of(options), "rto_initial: 49 ms is not in rto_min to rto_max");
  options.rto_initial = options.rto_max + milliseconds(1);
  EXPECT_EQ(problem_of(options), "rto_initial: 60001 ms is not in rto_min to rto_max");
  options = {};
  options.linear_timeouts = options.max_retransmits + 1;
  EXPECT_EQ(problem_of(options), "linear_timeouts: 11 is not in 0 to max_retransmits");
}

// RFC 9260 §6.2: 500 ms at most; senders expect 200.
TEST(Options, ASackIsDelayedByTwoHundredMillisecondsAtMost) {
  Options options;
  for (const int good : {0, 1, 200}) {
    options.sack_delay = milliseconds(good);
    EXPECT_EQ(problem_of(options), "");
  }
  for (const int bad : {-1, 201, 500}) {
    options.sack_delay = milliseconds(bad);
    EXPECT_EQ(problem_of(options), "sack_delay: " + std::to_string(bad) + " ms is not in 0 to 200");
  }
}

}  // namespace
}  // namespace millrace::sctp
