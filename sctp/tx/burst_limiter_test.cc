// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/burst_limiter.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

// RFC 9260 §6.1.
TEST(BurstLimiter, TimeAloneRefillsTheBurst) {
  BurstLimiter burst(64000);
  const Time start{seconds(1)};
  burst.refill(start, 1'000'000'000);
  burst.spend(64000);
  EXPECT_EQ(burst.available(start, 1'000'000'000), 0u);
  EXPECT_EQ(burst.refilled_at(1'000'000'000), start + Duration(32001));
  EXPECT_EQ(burst.available(start + microseconds(10), 1'000'000'000), 10000u);
  EXPECT_EQ(burst.available(start + seconds(5), 1'000'000'000), 64000u);
}

// draft-ietf-ccwg-bbr §5.6.2: a packet for which only a little credit was left is paid for whole.
TEST(BurstLimiter, SmallBurstsLeaveAtTheRateTooThoughPacketsOvershootThem) {
  BurstLimiter burst(64000);
  burst.set_window(100'000, 1'000'000, 5000);
  Time now{seconds(1)};
  std::size_t sent = 0;
  while (now < Time{seconds(11)}) {
    burst.refill(now, 1'000'000);
    while (burst.available(now, 1'000'000) > 0) {
      burst.spend(1400);
      sent += 1400;
    }
    now = std::max(burst.refilled_at(1'000'000), now + Duration(1));
  }
  EXPECT_NEAR(static_cast<double>(sent), 10e6, 20'000);
}

// RFC 5348 §4.3: as little as a packet in a minute.
TEST(BurstLimiter, ALowRateDoesNotRefillABurstInASecond) {
  BurstLimiter burst(64000);
  burst.set_window(4000, 100, 2800);
  burst.refill(Time{seconds(4000)}, 100);
  burst.spend(2800);
  burst.refill(Time{seconds(4001)}, 100);
  EXPECT_EQ(burst.available(Time{seconds(4001)}, 100), 100u);
  EXPECT_EQ(burst.available(Time{seconds(4029)}, 100), 2800u);
}

}  // namespace
}  // namespace millrace::sctp
