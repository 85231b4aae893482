// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/sack_delay.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr Time kStart = Time(seconds(1000));
constexpr Duration kUsual = milliseconds(20);

// Sends `n` times with `gap` between, and returns when the last was.
Time send_every(SackDelay& delay, Duration gap, int n, Time from = kStart) {
  Time now = from;
  for (int i = 0; i < n; ++i) {
    now = from + i * gap;
    delay.note_data_sent(now);
  }
  return now;
}

TEST(SackDelay, IsTheUsualOneForWhoSendsNothing) {
  const SackDelay delay(kUsual);
  EXPECT_EQ(delay.due(kStart), kStart + kUsual);
}

TEST(SackDelay, WaitsForTheNextDataOfASteadyPace) {
  SackDelay delay(kUsual);
  const Time last = send_every(delay, milliseconds(32), 10);
  EXPECT_EQ(delay.due(last + milliseconds(1)), last + milliseconds(40));
}

TEST(SackDelay, NeedsSomeGapsToTakeAPaceForSteady) {
  SackDelay delay(kUsual);
  const Time last = send_every(delay, milliseconds(32), 4);
  EXPECT_EQ(delay.due(last), last + kUsual);
  delay.note_data_sent(last + milliseconds(32));
  EXPECT_EQ(delay.due(last + milliseconds(32)), last + milliseconds(72));
}

TEST(SackDelay, EndsWhereTheNextDataIsOverdue) {
  SackDelay delay(kUsual);
  const Time last = send_every(delay, milliseconds(32), 10);
  // 20 ms from here are later than 40 from `last`.
  EXPECT_EQ(delay.due(last + milliseconds(39)), last + milliseconds(59));
  EXPECT_EQ(delay.due(last + seconds(1)), last + seconds(1) + kUsual);
}

TEST(SackDelay, GoesByTheLongestGapOfLate) {
  SackDelay delay(kUsual);
  Time last = send_every(delay, milliseconds(32), 10);
  last = send_every(delay, milliseconds(64), 1, last + milliseconds(64));
  EXPECT_EQ(delay.due(last), last + milliseconds(80));
  last = send_every(delay, milliseconds(32), 30, last + milliseconds(32));
  EXPECT_LT(delay.due(last), last + milliseconds(41));
}

TEST(SackDelay, ASilenceEndsThePace) {
  SackDelay delay(kUsual);
  Time last = send_every(delay, milliseconds(32), 10);
  delay.note_data_sent(last += milliseconds(101));
  EXPECT_EQ(delay.due(last), last + kUsual);
  last = send_every(delay, milliseconds(32), 4, last + milliseconds(32));
  EXPECT_EQ(delay.due(last), last + milliseconds(40));
}

TEST(SackDelay, PacketsOfOneBurstAreOneStep) {
  SackDelay delay(kUsual);
  Time now = kStart;
  for (int burst = 0; burst < 10; ++burst) {
    now = kStart + burst * milliseconds(32);
    for (int i = 0; i < 5; ++i) delay.note_data_sent(now + i * microseconds(100));
  }
  EXPECT_EQ(delay.due(now), now + milliseconds(40));
}

TEST(SackDelay, IsFiveTimesTheUsualOneAndTwoHundredMillisecondsAtMost) {
  SackDelay delay(kUsual);
  Time last = send_every(delay, milliseconds(99), 10);
  EXPECT_EQ(delay.due(last), last + milliseconds(100));
  SackDelay patient(milliseconds(100));
  last = send_every(patient, milliseconds(199), 10);
  EXPECT_EQ(patient.due(last), last + milliseconds(200));
  const SackDelay slow(milliseconds(500));
  EXPECT_EQ(slow.due(kStart), kStart + milliseconds(500));
}

TEST(SackDelay, WhoWaitsForNothingDoesNotBegin) {
  SackDelay delay(Duration::zero());
  const Time last = send_every(delay, milliseconds(32), 10);
  EXPECT_EQ(delay.due(last), last);
}

}  // namespace
}  // namespace millrace::sctp
