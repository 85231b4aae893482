// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/loss_probe.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

UnwrappedTsn tsn(std::uint64_t value) { return UnwrappedTsn(value); }

// RFC 8985 §7.2.
TEST(LossProbe, IsDueAfterTwoRoundTripsAndThePeersDelay) {
  EXPECT_EQ(LossProbe::timeout(milliseconds(20), Duration::zero(), milliseconds(10)),
            milliseconds(40));
  EXPECT_EQ(LossProbe::timeout(milliseconds(20), milliseconds(200), milliseconds(10)),
            milliseconds(240));
  EXPECT_EQ(LossProbe::timeout(microseconds(50), Duration::zero(), milliseconds(10)),
            microseconds(10'050));
}

// RFC 8985 §7.3: one at a time, and a sample between two.
TEST(LossProbe, OneIsOutstandingAndTheNextNeedsASample) {
  LossProbe probe;
  EXPECT_FALSE(probe.may_be_sent());
  probe.note_rtt();
  EXPECT_TRUE(probe.may_be_sent());
  probe.note_sent(tsn(9), false);
  probe.note_rtt();
  EXPECT_FALSE(probe.may_be_sent());
  EXPECT_FALSE(probe.handle_ack(tsn(9))) << "new data: no loss";
  EXPECT_TRUE(probe.may_be_sent());
}

// RFC 8985 §7.4.2.
TEST(LossProbe, OneThatNoDuplicateDisprovesHasRepairedALoss) {
  LossProbe probe;
  probe.note_sent(tsn(9), true);
  EXPECT_TRUE(probe.repeats(tsn(9)));
  EXPECT_FALSE(probe.repeats(tsn(8)));
  EXPECT_FALSE(probe.handle_ack(tsn(8)));
  EXPECT_FALSE(probe.handle_ack(tsn(9))) << "the duplicate may be on its way";
  EXPECT_TRUE(probe.handle_ack(tsn(10)));
  EXPECT_FALSE(probe.handle_ack(tsn(11))) << "once";
}

// RFC 8985 §7.4.2, case 1.
TEST(LossProbe, ADuplicateShowsThatNothingWasLost) {
  LossProbe probe;
  probe.note_sent(tsn(9), true);
  EXPECT_FALSE(probe.handle_ack(tsn(9)));
  probe.note_duplicate();
  EXPECT_FALSE(probe.handle_ack(tsn(10)));
}

}  // namespace
}  // namespace millrace::sctp
