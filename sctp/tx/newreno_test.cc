// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/newreno.h"

#include <gtest/gtest.h>

#include "sctp/tx/burst_limiter.h"
#include "sctp/tx/rto_estimator.h"

namespace millrace::sctp {
namespace {

constexpr std::size_t kRenoMtu = 1000;

AckSample ack(std::size_t bytes, std::size_t flight) {
  return {.now = Time{},
          .acked_bytes = bytes,
          .flight_before = flight,
          .flight_after = flight - bytes,
          .cumulative_advanced = true};
}

// RFC 9260 §7.2.1; decision 0004.
TEST(NewReno, OneSackForSixtyFourPacketsGrowsTheWindowByThem) {
  NewReno control({.mtu_bytes = kRenoMtu, .initial_window_packets = 64});
  control.on_ack(ack(64 * kRenoMtu, 64 * kRenoMtu));
  EXPECT_EQ(control.cwnd(), 128 * kRenoMtu);
}

// RFC 9260 §7.2.1.
TEST(NewReno, AnUnusedWindowDoesNotGrow) {
  NewReno control({.mtu_bytes = kRenoMtu});
  control.on_ack(ack(kRenoMtu, 2 * kRenoMtu));
  EXPECT_EQ(control.cwnd(), 10 * kRenoMtu);
}

// RFC 9260 §7.2.3, §7.2.2, §7.2, §7.2.1.
TEST(NewReno, LossHalvesAndAvoidanceAddsOneMtuPerWindow) {
  NewReno control({.mtu_bytes = kRenoMtu, .initial_window_packets = 40});
  control.on_fast_recovery(Time{}, true);
  EXPECT_EQ(control.cwnd(), 20 * kRenoMtu);
  EXPECT_EQ(control.ssthresh(), 20 * kRenoMtu);
  AckSample inside = ack(20 * kRenoMtu, 20 * kRenoMtu);
  inside.in_recovery = true;
  control.on_ack(inside);
  EXPECT_EQ(control.cwnd(), 20 * kRenoMtu) << "no growth in recovery";
  control.on_ack(ack(20 * kRenoMtu, 20 * kRenoMtu));
  const std::size_t grown = control.cwnd();
  for (int i = 0; i < 10; ++i) control.on_ack(ack(grown / 10, grown));
  EXPECT_EQ(control.cwnd(), grown + kRenoMtu);
}

// RFC 9260 §7.2.3, §6.3.3, §7.2.1.
TEST(NewReno, TimeoutLeavesOnePacketAndAFloorForSsthresh) {
  NewReno control({.mtu_bytes = kRenoMtu, .initial_window_packets = 4});
  control.on_timeout(Time{});
  EXPECT_EQ(control.cwnd(), kRenoMtu);
  EXPECT_EQ(control.ssthresh(), 4 * kRenoMtu);
}

// RFC 8899 §3 (7): PLPMTU does not raise the window.
TEST(NewReno, ALargerPacketMakesNoLargerWindow) {
  NewReno control({.mtu_bytes = kRenoMtu});
  control.on_timeout(Time{});
  control.set_mtu(8 * kRenoMtu);
  EXPECT_EQ(control.cwnd(), kRenoMtu);
}

// RFC 9260 §7.2.1, §6.1, §7.1, §7.2.2.
TEST(NewReno, SilenceDecaysToTheInitialWindow) {
  NewReno control({.mtu_bytes = kRenoMtu});
  for (std::size_t n = 10; n < 80; n *= 2) control.on_ack(ack(n * kRenoMtu, n * kRenoMtu));
  ASSERT_EQ(control.cwnd(), 80 * kRenoMtu);
  control.on_idle(milliseconds(250), milliseconds(100));
  EXPECT_EQ(control.cwnd(), 20 * kRenoMtu);
  control.on_idle(seconds(100), milliseconds(100));
  EXPECT_EQ(control.cwnd(), 10 * kRenoMtu);
}

// RFC 4015: all that one episode took is given back, slow start and all.
TEST(NewReno, ASpuriousRecoveryIsUndone) {
  NewReno control({.mtu_bytes = kRenoMtu, .initial_window_packets = 40});
  const std::size_t ssthresh = control.ssthresh();
  control.on_fast_recovery(Time{}, true);
  control.on_fast_recovery(Time{}, true);
  control.on_timeout(Time{});
  ASSERT_EQ(control.cwnd(), kRenoMtu);
  control.on_spurious_loss(Time{});
  EXPECT_EQ(control.cwnd(), 40 * kRenoMtu);
  EXPECT_EQ(control.ssthresh(), ssthresh);
}

// RFC 4015: of two episodes the last, and once.
TEST(NewReno, OnlyTheLastEpisodeIsUndone) {
  NewReno control({.mtu_bytes = kRenoMtu, .initial_window_packets = 40});
  control.on_fast_recovery(Time{}, true);
  control.on_recovery_end(Time{});
  control.on_fast_recovery(Time{}, true);
  control.on_recovery_end(Time{});
  control.on_spurious_loss(Time{});
  EXPECT_EQ(control.cwnd(), 20 * kRenoMtu);
  control.on_spurious_loss(Time{});
  EXPECT_EQ(control.cwnd(), 20 * kRenoMtu);
}

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
