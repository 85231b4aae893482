// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/proportional_rate.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr std::size_t kPrrMtu = 1000;

// RFC 6937 §3: sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out.
TEST(ProportionalRate, SevenLeaveForTenThatArrive) {
  ProportionalRate rate;
  rate.begin(100 * kPrrMtu, 70 * kPrrMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(10 * kPrrMtu, 90 * kPrrMtu, false, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 7 * kPrrMtu);
  rate.spend(7 * kPrrMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(10 * kPrrMtu, 87 * kPrrMtu, false, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 7 * kPrrMtu);
}

// RFC 6937 §3, PRR-CRB: where half of a window is lost, its resending is clocked by arrivals.
TEST(ProportionalRate, NoMoreLeavesThanArrivesWhereLossesEmptyTheFlight) {
  ProportionalRate rate;
  rate.begin(100 * kPrrMtu, 70 * kPrrMtu);
  rate.handle_ack(10 * kPrrMtu, 40 * kPrrMtu, false, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 10 * kPrrMtu);
  rate.spend(10 * kPrrMtu);
  rate.handle_ack(0, 40 * kPrrMtu, false, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 0u);
}

// RFC 6937 §3, PRR-SSRB.
TEST(ProportionalRate, TheFlightGrowsBackWhereSacksAreClean) {
  ProportionalRate rate;
  rate.begin(100 * kPrrMtu, 70 * kPrrMtu);
  rate.handle_ack(10 * kPrrMtu, 40 * kPrrMtu, true, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 11 * kPrrMtu);
}

// RFC 6937 §3: MIN(ssthresh - pipe, limit).
TEST(ProportionalRate, TheFlightStopsAtTheReducedWindow) {
  ProportionalRate rate;
  rate.begin(100 * kPrrMtu, 70 * kPrrMtu);
  rate.handle_ack(50 * kPrrMtu, 67 * kPrrMtu, true, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 3 * kPrrMtu);
  rate.handle_ack(kPrrMtu, 70 * kPrrMtu, true, kPrrMtu);
  EXPECT_EQ(rate.allowance(), 0u);
}

TEST(ProportionalRate, ARecoveryBeginsAnew) {
  ProportionalRate rate;
  rate.begin(100 * kPrrMtu, 70 * kPrrMtu);
  rate.handle_ack(10 * kPrrMtu, 90 * kPrrMtu, false, kPrrMtu);
  rate.begin(0, 4 * kPrrMtu);
  EXPECT_EQ(rate.allowance(), 0u);
  rate.handle_ack(kPrrMtu, kPrrMtu, false, kPrrMtu);
  EXPECT_EQ(rate.allowance(), kPrrMtu);
}

}  // namespace
}  // namespace millrace::sctp
