// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/proportional_rate.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kMtu = 1000;

// RFC 6937 §3: sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out.
TEST(ProportionalRate, SevenLeaveForTenThatArrive) {
  ProportionalRate rate;
  rate.begin(100 * kMtu, 70 * kMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(10 * kMtu, 90 * kMtu, false, kMtu);
  EXPECT_EQ(rate.allowance(), 7 * kMtu);
  rate.spend(7 * kMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(10 * kMtu, 87 * kMtu, false, kMtu);
  EXPECT_EQ(rate.allowance(), 7 * kMtu);
}

// RFC 6937 §3, PRR-CRB: where half of a window is lost, its resending is clocked by arrivals.
TEST(ProportionalRate, NoMoreLeavesThanArrivesWhereLossesEmptyTheFlight) {
  ProportionalRate rate;
  rate.begin(100 * kMtu, 70 * kMtu);
  rate.handle_ack(10 * kMtu, 40 * kMtu, false, kMtu);
  EXPECT_EQ(rate.allowance(), 10 * kMtu);
  rate.spend(10 * kMtu);
  rate.handle_ack(0, 40 * kMtu, false, kMtu);
  EXPECT_EQ(rate.allowance(), 0u);
}

// RFC 6937 §3, PRR-SSRB.
TEST(ProportionalRate, TheFlightGrowsBackWhereSacksAreClean) {
  ProportionalRate rate;
  rate.begin(100 * kMtu, 70 * kMtu);
  rate.handle_ack(10 * kMtu, 40 * kMtu, true, kMtu);
  EXPECT_EQ(rate.allowance(), 11 * kMtu);
}

// RFC 6937 §3: MIN(ssthresh - pipe, limit).
TEST(ProportionalRate, TheFlightStopsAtTheReducedWindow) {
  ProportionalRate rate;
  rate.begin(100 * kMtu, 70 * kMtu);
  rate.handle_ack(50 * kMtu, 67 * kMtu, true, kMtu);
  EXPECT_EQ(rate.allowance(), 3 * kMtu);
  rate.handle_ack(kMtu, 70 * kMtu, true, kMtu);
  EXPECT_EQ(rate.allowance(), 0u);
}

TEST(ProportionalRate, ARecoveryBeginsAnew) {
  ProportionalRate rate;
  rate.begin(100 * kMtu, 70 * kMtu);
  rate.handle_ack(10 * kMtu, 90 * kMtu, false, kMtu);
  rate.begin(0, 4 * kMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(kMtu, kMtu, false, kMtu);
  EXPECT_EQ(rate.allowance(), kMtu);
}

}  // namespace
}  // namespace millrace::sctp
