// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/burst_wait.h"

#include <gtest/gtest.h>

namespace millrace::engine {
namespace {

constexpr Time at(int us) { return Time{} + microseconds(us); }
constexpr int kWindowUs = 30;

// Bursts that nothing follows; returns after how many the next was waited for.
unsigned bursts_until_wait(BurstWait& wait, Time now) {
  for (unsigned n = 1; n <= 1000; ++n) {
    wait.note_received(BurstWait::kBurst);
    if (wait.stays_awake(now)) return n;
  }
  return 0;
}

void let_pass(BurstWait& wait, Time since) {
  EXPECT_FALSE(wait.stays_awake(since + BurstWait::kWindow));
}

TEST(BurstWait, WaitsBehindABurstAlone) {
  BurstWait wait;
  EXPECT_FALSE(wait.stays_awake(at(0)));
  wait.note_received(1);
  EXPECT_FALSE(wait.stays_awake(at(1)));
  wait.note_received(BurstWait::kBurst - 1);
  EXPECT_FALSE(wait.stays_awake(at(2)));
  wait.note_received(BurstWait::kBurst);
  wait.note_received(0);  // The turn that finds nothing more.
  EXPECT_TRUE(wait.stays_awake(at(3)));
  EXPECT_TRUE(wait.stays_awake(at(3 + kWindowUs - 1)));
  EXPECT_FALSE(wait.stays_awake(at(3 + kWindowUs)));
  EXPECT_FALSE(wait.stays_awake(at(3 + kWindowUs))) << "once for each burst";
}

TEST(BurstWait, EachBurstThatCameInTimeHasAWindowOfItsOwn) {
  BurstWait wait;
  for (int us = 0; us < 1000; us += 20) {
    wait.note_received(BurstWait::kBurst);
    EXPECT_TRUE(wait.stays_awake(at(us))) << us;
    EXPECT_TRUE(wait.stays_awake(at(us + 19))) << us;
  }
}

TEST(BurstWait, AFewDatagramsEndTheWait) {
  BurstWait wait;
  wait.note_received(BurstWait::kBurst);
  EXPECT_TRUE(wait.stays_awake(at(0)));
  wait.note_received(1);
  EXPECT_FALSE(wait.stays_awake(at(1)));
}

TEST(BurstWait, WhatDoesNotComeIsWaitedForEverMoreSeldom) {
  BurstWait wait;
  for (const unsigned wanted : {1u, 3u, 5u, 9u, 17u, 33u, 65u, 65u, 65u}) {
    EXPECT_EQ(bursts_until_wait(wait, at(0)), wanted);
    let_pass(wait, at(0));
  }
  // One that comes is enough to trust the flow again.
  EXPECT_EQ(bursts_until_wait(wait, at(0)), 65u);
  wait.note_received(BurstWait::kBurst);
  EXPECT_TRUE(wait.stays_awake(at(1)));
  let_pass(wait, at(1));
  EXPECT_EQ(bursts_until_wait(wait, at(0)), 3u);
}

}  // namespace
}  // namespace millrace::engine
