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
    EXPECT_NE(problem_of(options).find("rto_min"), std::string_view::npos);
  }
}

TEST(Options, TimeOutsMustNotContradictEachOther) {
  Options options;
  options.rto_max = options.rto_min - milliseconds(1);
  EXPECT_NE(problem_of(options), "");
  options = {};
  options.rto_initial = options.rto_min - milliseconds(1);
  EXPECT_NE(problem_of(options), "");
  options = {};
  options.linear_timeouts = options.max_retransmits + 1;
  EXPECT_NE(problem_of(options), "");
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
    EXPECT_NE(problem_of(options).find("sack_delay"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace millrace::sctp
