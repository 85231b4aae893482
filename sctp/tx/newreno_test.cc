// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/newreno.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace millrace::sctp
