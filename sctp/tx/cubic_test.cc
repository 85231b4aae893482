// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/cubic.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kMtu = 1000;
constexpr Duration kRtt = milliseconds(100);

class CubicTest : public ::testing::Test {
 protected:
  static Cubic of(std::size_t packets) {
    return Cubic({.mtu_bytes = kMtu, .initial_window_packets = packets});
  }
  AckSample ack(const Cubic& cubic, std::size_t bytes) const {
    const std::size_t flight = cubic.cwnd();
    return {.now = now_,
            .acked_bytes = bytes,
            .acked_chunks = bytes / kMtu,
            .flight_before = flight,
            .flight_after = flight - std::min(flight, bytes),
            .cumulative_advanced = true,
            .rtt = kRtt,
            .srtt = kRtt};
  }
  // One round trip in which the whole window is acknowledged by `sacks`.
  void round(Cubic& cubic, std::size_t sacks, Duration rtt = kRtt) {
    const std::size_t window = cubic.cwnd();
    for (std::size_t i = 0; i < sacks; ++i) {
      now_ += rtt / static_cast<int>(sacks);
      AckSample sample = ack(cubic, window / sacks);
      sample.rtt = sample.srtt = rtt;
      sample.round_ended = i + 1 == sacks;
      cubic.on_ack(sample);
    }
  }
  // Until `seconds` after the last loss or start.
  void avoid(Cubic& cubic, double seconds, std::size_t sacks = 10) {
    for (int i = 0; i < static_cast<int>(seconds * 10 + 0.5); ++i) round(cubic, sacks);
  }
  Time now_{seconds(1)};
};

double packets(const Cubic& cubic) {
  return static_cast<double>(cubic.cwnd()) / static_cast<double>(kMtu);
}

// RFC 9406 §4.2 (L is infinite when paced), RFC 9438 §4.2; decision 0004.
TEST_F(CubicTest, OneSackForSixtyFourPacketsGrowsSlowStartByThem) {
  Cubic cubic = of(64);
  cubic.on_ack(ack(cubic, 64 * kMtu));
  EXPECT_EQ(cubic.cwnd(), 128 * kMtu);
}

// RFC 9438 §4.2, §4.3 (figure 4): growth counts what was acknowledged; decision 0004.
TEST_F(CubicTest, OneSackForSixtyFourPacketsGrowsAvoidanceAsSixtyFourSacksWould) {
  for (const std::size_t start : {std::size_t{64}, std::size_t{2048}}) {
    double grown[2];
    for (int merged = 0; merged < 2; ++merged) {
      now_ = Time{seconds(1)};
      Cubic cubic = of(start);
      cubic.on_fast_recovery(now_, true);
      const double before = packets(cubic);
      for (int i = 0; i < 50; ++i) {
        const std::size_t acks = cubic.cwnd() / kMtu;
        round(cubic, merged == 1 ? std::max<std::size_t>(acks / 64, 1) : acks);
      }
      grown[merged] = packets(cubic) - before;
    }
    EXPECT_GT(grown[0], 10.0);
    EXPECT_NEAR(grown[1] / grown[0], 1.0, 0.03) << start;
  }
}

// RFC 9438 §4.6: beta is 0.7.
TEST_F(CubicTest, ALossLeavesSevenTenths) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  EXPECT_EQ(cubic.cwnd(), 700 * kMtu);
  EXPECT_EQ(cubic.ssthresh(), 700 * kMtu);
}

// RFC 9438 §4.2 (figures 1 and 2): after K seconds the window is W_max again, and flat there.
// RFC 9260 §7.2.
TEST_F(CubicTest, TheWindowReturnsToWMaxAfterKSeconds) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  // K = cbrt(300 / 0.4) = 9.09 s.
  avoid(cubic, 4.5);
  EXPECT_NEAR(packets(cubic), 1000 - 0.4 * 4.49 * 4.49 * 4.49, 8.0) << "half way, concave";
  avoid(cubic, 4.6);
  EXPECT_NEAR(packets(cubic), 1000, 2.0);
  avoid(cubic, 5.0);
  EXPECT_NEAR(packets(cubic), 1000 + 0.4 * 5 * 5 * 5, 10.0) << "convex";
}

// RFC 9260 §7.2.3 leaves four packets. Where the application was the bound, a loss leaves what a
// new association begins with (decision 0020).
TEST_F(CubicTest, ALossLeavesTheInitialWindowToWhoDoesNotUseIt) {
  Cubic cubic = of(10);
  for (int i = 0; i < 20; ++i) cubic.on_fast_recovery(now_, false);
  EXPECT_EQ(cubic.cwnd(), 10 * kMtu);
  for (int i = 0; i < 20; ++i) cubic.on_fast_recovery(now_, true);
  EXPECT_EQ(cubic.cwnd(), 4 * kMtu);
  cubic.on_fast_recovery(now_, false);
  EXPECT_EQ(cubic.cwnd(), 4 * kMtu) << "no loss adds anything";
}

// RFC 9438 §4.2: the target is at most one and a half windows.
TEST_F(CubicTest, OneRoundTripGrowsTheWindowByHalfAtMost) {
  Cubic cubic = of(40);
  cubic.on_fast_recovery(now_, true);
  round(cubic, 1);
  const double before = packets(cubic);
  now_ += seconds(60);
  cubic.on_ack(ack(cubic, cubic.cwnd()));
  EXPECT_NEAR(packets(cubic), 1.5 * before, 0.1);
}

// RFC 9438 §4.3: alpha is 3 (1 - beta) / (1 + beta), and 1 above the window of the loss.
TEST_F(CubicTest, AShortRoundTripGrowsAsRenoDoes) {
  Cubic cubic = of(20);
  cubic.on_fast_recovery(now_, true);
  for (int i = 0; i < 10; ++i) round(cubic, 4, milliseconds(1));
  EXPECT_NEAR(packets(cubic), 14 + 10 * 0.529, 0.3);
  for (int i = 0; i < 10; ++i) round(cubic, 4, milliseconds(1));
  EXPECT_GT(packets(cubic), 20 + 7.5) << "one packet a round trip";
}

// RFC 9438 §4.7.
TEST_F(CubicTest, FastConvergenceGivesRoomToOthers) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  cubic.on_fast_recovery(now_, true);
  EXPECT_NEAR(packets(cubic), 490, 0.01);
  // W_max is 700 * 0.85 = 595, K = cbrt(105 / 0.4) = 6.4 s.
  avoid(cubic, 6.4);
  EXPECT_NEAR(packets(cubic), 595, 2.0);
}

// RFC 9438 §4.2: t does not count times of application limitation.
TEST_F(CubicTest, TheEpochStandsStillWhileTheApplicationLimits) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  avoid(cubic, 1);
  const std::size_t before = cubic.cwnd();
  for (int i = 0; i < 600; ++i) {
    now_ += milliseconds(100);
    AckSample sample = ack(cubic, kMtu);
    sample.flight_before = 2 * kMtu;
    cubic.on_ack(sample);
  }
  EXPECT_EQ(cubic.cwnd(), before);
  avoid(cubic, 3.5);
  EXPECT_NEAR(packets(cubic), 1000 - 0.4 * 4.59 * 4.59 * 4.59, 8.0) << "4.5 s after the loss";
}

// RFC 9438 §4.2.
TEST_F(CubicTest, TheEpochStandsStillWhileNothingIsInFlight) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  avoid(cubic, 1);
  now_ += seconds(60);
  cubic.on_sent(now_, kMtu, kMtu);
  avoid(cubic, 3.5);
  EXPECT_NEAR(packets(cubic), 1000 - 0.4 * 4.59 * 4.59 * 4.59, 8.0) << "4.5 s after the loss";
}

// RFC 9438 §4.8.
// RFC 9260 §7.2.3.
TEST_F(CubicTest, ATimeoutLeavesOnePacketAndAFlatCurveAfterSlowStart) {
  Cubic cubic = of(100);
  cubic.on_timeout(now_);
  EXPECT_EQ(cubic.cwnd(), kMtu);
  EXPECT_EQ(cubic.ssthresh(), 70 * kMtu);
  for (int i = 0; i < 7; ++i) round(cubic, 1);
  EXPECT_GE(cubic.cwnd(), 70 * kMtu) << "slow start up to ssthresh";
  const double before = packets(cubic);
  round(cubic, 1);
  EXPECT_LT(packets(cubic), before + 2);
}

// RFC 5681 §3.1: a long outage costs what a short one does.
TEST_F(CubicTest, TimeoutsInARowReduceOnce) {
  Cubic cubic = of(100);
  for (int i = 0; i < 5; ++i) cubic.on_timeout(now_);
  EXPECT_EQ(cubic.cwnd(), kMtu);
  EXPECT_EQ(cubic.ssthresh(), 70 * kMtu);
  for (int i = 0; i < 2; ++i) round(cubic, 1);
  cubic.on_timeout(now_);
  EXPECT_EQ(cubic.ssthresh(), 4 * kMtu) << "something had arrived in between";
  cubic.on_recovery_end(now_);
  cubic.on_timeout(now_);
  EXPECT_EQ(cubic.ssthresh(), 4 * kMtu) << "another loss";
}

// An outage looks like a black hole, which lowers the MTU between one time-out and the next: what
// was too large tells of no queue.
TEST_F(CubicTest, AFallOfTheMtuBetweenTimeoutsGivesSsthreshBack) {
  Cubic cubic = of(100);
  const std::size_t before = cubic.ssthresh();
  cubic.on_timeout(now_);
  cubic.on_timeout(now_);
  cubic.set_mtu(kMtu / 2);
  for (int i = 0; i < 3; ++i) cubic.on_timeout(now_);
  EXPECT_EQ(cubic.cwnd(), kMtu / 2);
  EXPECT_EQ(cubic.ssthresh(), before);
  round(cubic, 1);
  cubic.set_mtu(kMtu / 4);
  cubic.on_timeout(now_);
  EXPECT_LT(cubic.ssthresh(), before) << "something had arrived in between";
}

// RFC 9260 §7.2.3: the floor of ssthresh.
TEST_F(CubicTest, SsthreshIsAtLeastFourPackets) {
  Cubic cubic = of(4);
  cubic.on_fast_recovery(now_, true);
  EXPECT_EQ(cubic.ssthresh(), 4 * kMtu);
  EXPECT_EQ(cubic.cwnd(), 4 * kMtu);
}

// RFC 9438 §4.10, RFC 9406 §4.2.
TEST_F(CubicTest, ARisingRoundTripEndsSlowStartWithoutALoss) {
  Cubic cubic = of(100);
  round(cubic, 10, milliseconds(20));
  for (int i = 0; i < 5; ++i) round(cubic, 10, milliseconds(30));
  EXPECT_EQ(cubic.cwnd(), cubic.ssthresh());
  const std::size_t before = cubic.cwnd();
  round(cubic, 10, milliseconds(30));
  EXPECT_GT(cubic.cwnd(), before);
  EXPECT_LT(cubic.cwnd(), before + 2 * kMtu);
}

// RFC 9260 §7.2.1; RFC 9438 §5.8.
TEST_F(CubicTest, AnUnusedWindowDoesNotGrow) {
  Cubic cubic = of(10);
  AckSample sample = ack(cubic, kMtu);
  sample.flight_before = 2 * kMtu;
  cubic.on_ack(sample);
  EXPECT_EQ(cubic.cwnd(), 10 * kMtu);
}

// RFC 9260 §7.2.1, §7.2.2.
TEST_F(CubicTest, NothingGrowsInRecoveryOrWithoutProgress) {
  Cubic cubic = of(10);
  AckSample sample = ack(cubic, 5 * kMtu);
  sample.in_recovery = true;
  cubic.on_ack(sample);
  sample.in_recovery = false;
  sample.cumulative_advanced = false;
  cubic.on_ack(sample);
  EXPECT_EQ(cubic.cwnd(), 10 * kMtu);
}

// RFC 9260 §7.2.1, §6.1, §7.1.
TEST_F(CubicTest, SilenceDecaysToTheInitialWindow) {
  Cubic cubic = of(10);
  for (int i = 0; i < 3; ++i) round(cubic, 1);
  ASSERT_EQ(cubic.cwnd(), 80 * kMtu);
  cubic.on_idle(milliseconds(250), milliseconds(100));
  EXPECT_EQ(cubic.cwnd(), 20 * kMtu);
  cubic.on_idle(seconds(100), milliseconds(100));
  EXPECT_EQ(cubic.cwnd(), 10 * kMtu);
}

// RFC 9438 §4.9.2: the curve goes on as if nothing had been.
TEST_F(CubicTest, ASpuriousLossIsUndone) {
  Cubic cubic = of(1000);
  cubic.on_fast_recovery(now_, true);
  cubic.on_recovery_end(now_);
  avoid(cubic, 4.5);
  const double before = packets(cubic);
  cubic.on_fast_recovery(now_, true);
  cubic.on_timeout(now_);
  ASSERT_EQ(cubic.cwnd(), kMtu);
  cubic.on_spurious_loss(now_);
  EXPECT_NEAR(packets(cubic), before, 1.0);
  EXPECT_EQ(cubic.ssthresh(), 700 * kMtu);
  avoid(cubic, 4.6);
  EXPECT_NEAR(packets(cubic), 1000, 2.0) << "W_max, reached at K";
}

// RFC 9438 §4.9.2: where the window has grown beyond it, what was is not restored.
TEST_F(CubicTest, ALateUndoTakesNothingAway) {
  Cubic cubic = of(20);
  cubic.on_fast_recovery(now_, true);
  cubic.on_recovery_end(now_);
  avoid(cubic, 20);
  const std::size_t grown = cubic.cwnd();
  ASSERT_GT(grown, 20 * kMtu);
  cubic.on_spurious_loss(now_);
  EXPECT_EQ(cubic.cwnd(), grown);
  EXPECT_EQ(cubic.ssthresh(), 14 * kMtu);
}

// RFC 8899 §3 (7): PLPMTU does not raise the window.
TEST_F(CubicTest, ALargerPacketMakesNoLargerWindow) {
  Cubic cubic({.mtu_bytes = kMtu, .initial_window_packets = 10});
  cubic.on_timeout(Time{});
  cubic.set_mtu(8 * kMtu);
  EXPECT_EQ(cubic.cwnd(), kMtu);
}

TEST_F(CubicTest, TheWindowStopsAtItsBound) {
  Cubic cubic({.mtu_bytes = kMtu, .initial_window_packets = 10, .max_cwnd_bytes = 25 * kMtu});
  for (int i = 0; i < 50; ++i) round(cubic, 2);
  EXPECT_EQ(cubic.cwnd(), 25 * kMtu);
}

}  // namespace
}  // namespace millrace::sctp
