// SPDX-License-Identifier: Apache-2.0
// RFC 8985 and the undoing of false recoveries, SACK by SACK; recovery_test.cc has the same
// over a path.
#include "sctp/testing/sack_by_sack.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;
using testing::kFirst;
using testing::kPathRtt;
using testing::Tsns;

class LossRecoveryTest : public testing::SackBySackTest {};

// RFC 8985 §6.2, step 4: a SACK for a whole burst shows three packets at once.
// RFC 9260 §7.2.4.
TEST_F(LossRecoveryTest, OneSackThatShowsThreePacketsIsEnough) {
  lose_first_of(5);
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
}

// RFC 8985 §6.2, step 4: small messages that shared a packet came by one way.
TEST_F(LossRecoveryTest, ThreeChunksOfOnePacketAreNotThreePackets) {
  measure();
  send(1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, Bytes(100, 7), {}), SendStatus::kOk);
  }
  ASSERT_EQ(flush().size(), 6u);
  now_ += kPathRtt;
  sack(kFirst, {{2, 6}});
  EXPECT_TRUE(flush().empty());
  EXPECT_EQ(run(now_ + kPathRtt / 4), Tsns{kFirst + 1}) << "min_rtt / 4 later";
}

// RFC 8985 §6.2, steps 3 and 4.
// RFC 9260 §7.2.4.
TEST_F(LossRecoveryTest, OnceReorderingIsSeenTimeAloneProvesALoss) {
  measure();
  send(3);
  flush();
  now_ += kPathRtt;
  sack(kFirst, {{2, 2}});
  sack(kFirst + 3);
  send(6);
  flush();
  now_ += kPathRtt;
  sack(kFirst + 3, {{2, 5}});
  EXPECT_TRUE(flush().empty());
  EXPECT_TRUE(run(now_ + kPathRtt / 4 - microseconds(1)).empty());
  EXPECT_EQ(run(now_ + microseconds(1)), Tsns{kFirst + 4});
}

// RFC 4015 §3, RFC 3708: the peer reports as duplicate what was sent again.
TEST_F(LossRecoveryTest, ARecoveryOfWhatArrivedAfterAllIsUndone) {
  measure();
  send(8);
  flush();
  now_ += kPathRtt;
  const std::size_t cwnd = sender_->cwnd();
  sack(kFirst, {{2, 4}});
  EXPECT_LT(sender_->cwnd(), cwnd);
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  now_ += 3 * kPathRtt / 4;
  sack(kFirst + 8);
  EXPECT_EQ(stats().spurious_losses, 0u) << "it may have been the retransmission";
  now_ += kPathRtt;
  sack(kFirst + 8, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 1u);
  EXPECT_GE(sender_->cwnd(), cwnd);
  // It was reordering: from here on time decides.
  send(6);
  flush();
  now_ += kPathRtt;
  sack(kFirst + 8, {{2, 5}});
  EXPECT_TRUE(flush().empty());
}

// RFC 4015 §3: long before a retransmission can be answered only the original can be meant.
TEST_F(LossRecoveryTest, AnAcknowledgementTooEarlyForTheRetransmissionUndoesAtOnce) {
  lose_first_of(8);
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  now_ += milliseconds(2);
  sack(kFirst + 6);
  EXPECT_EQ(stats().spurious_losses, 1u);
  now_ += kPathRtt;
  sack(kFirst + 8, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 1u) << "once";
}

// RFC 3708 §3.1: one true loss is enough to keep the reaction.
TEST_F(LossRecoveryTest, ARecoveryWithOneTrueLossStands) {
  measure();
  send(8);
  flush();
  now_ += kPathRtt;
  sack(kFirst, {{3, 5}});
  const std::size_t reduced = sender_->cwnd();
  ASSERT_EQ(flush().size(), 2u);
  now_ += kPathRtt;
  sack(kFirst + 8, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 0u);
  EXPECT_EQ(sender_->cwnd(), reduced);
}

// RFC 4015 §3.2: the path had become slower, T3-rtx came too early.
TEST_F(LossRecoveryTest, ATimeOutThatWasTooEarlyIsUndone) {
  measure();
  send(4);
  flush();
  const std::size_t cwnd = sender_->cwnd();
  run(now_ + milliseconds(200));
  ASSERT_EQ(stats().t3_expiries, 1u);
  ASSERT_LT(sender_->cwnd(), cwnd);
  // The originals arrive, then the probe's and the time-out's copies.
  sack(kFirst + 4);
  EXPECT_EQ(stats().spurious_losses, 0u);
  now_ += kPathRtt;
  sack(kFirst + 4, {}, {kFirst + 4, kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 1u);
  EXPECT_TRUE(sender_->all_acknowledged());
}

// RFC 8985 §7.2, §7.3.
TEST_F(LossRecoveryTest, ASilentTailIsProbedAfterTwoRoundTrips) {
  measure();
  send(4);
  flush();
  const Time sent = now_;
  EXPECT_EQ(run(sent + 2 * kPathRtt - microseconds(1)), Tsns{});
  EXPECT_EQ(run(sent + 2 * kPathRtt), Tsns{kFirst + 4});
  EXPECT_EQ(stats().loss_probes, 1u);
  EXPECT_EQ(stats().t3_expiries, 0u);
  // Its SACK tells what else was lost (§7.4.1).
  now_ += kPathRtt;
  sack(kFirst + 1, {{3, 3}});
  EXPECT_EQ(flush(), (Tsns{kFirst + 2, kFirst + 3}));
  EXPECT_EQ(stats().t3_expiries, 0u);
  EXPECT_EQ(stats().fast_retransmits, 1u);
}

// RFC 8985 §7.3: new data probes as well, and tells more.
TEST_F(LossRecoveryTest, AProbeIsOfNewDataWhereThereIsAny) {
  measure();
  send(16);
  const Tsns first = flush();
  ASSERT_LT(first.size(), 16u) << "cwnd holds the rest back";
  const Tsns probe = run(now_ + 2 * kPathRtt);
  EXPECT_EQ(probe, Tsns{first.back() + 1});
  EXPECT_EQ(stats().retransmitted_chunks, 0u);
  EXPECT_EQ(stats().loss_probes, 1u);
}

// RFC 8985 §7.3, condition 1: then T3-rtx, which backs off.
TEST_F(LossRecoveryTest, AProbeThatIsNotAnsweredIsFollowedByT3) {
  measure();
  send(2);
  flush();
  run(now_ + seconds(2));
  EXPECT_EQ(stats().loss_probes, 1u);
  EXPECT_GE(stats().t3_expiries, 3u);
}

// RFC 8985 §7.4.2: the loss of a last packet counts though its probe repaired it.
TEST_F(LossRecoveryTest, ALossThatAProbeRepairedReducesTheWindow) {
  measure();
  send(4);
  flush();
  const std::size_t cwnd = sender_->cwnd();
  now_ += kPathRtt;
  sack(kFirst + 3);
  ASSERT_EQ(run(now_ + 2 * kPathRtt), Tsns{kFirst + 4});
  now_ += kPathRtt;
  sack(kFirst + 4);
  EXPECT_GE(sender_->cwnd(), cwnd) << "a duplicate may follow";
  send(1);
  flush();
  now_ += kPathRtt;
  sack(kFirst + 5);
  EXPECT_LT(sender_->cwnd(), cwnd);
  EXPECT_EQ(stats().fast_retransmits, 1u);
}

// RFC 8985 §7.4.2, case 1.
TEST_F(LossRecoveryTest, ANeedlessProbeReducesNothing) {
  measure();
  send(4);
  flush();
  ASSERT_EQ(run(now_ + 2 * kPathRtt), Tsns{kFirst + 4});
  const std::size_t cwnd = sender_->cwnd();
  sack(kFirst + 4);
  now_ += kPathRtt;
  sack(kFirst + 4, {}, {kFirst + 4});
  send(1);
  flush();
  now_ += kPathRtt;
  sack(kFirst + 5);
  EXPECT_GE(sender_->cwnd(), cwnd);
  EXPECT_EQ(stats().fast_retransmits, 0u);
}

// RFC 3758 §3.5: what may not be sent again is no probe; T3-rtx abandons it.
TEST_F(LossRecoveryTest, AMessageWithoutRetransmitsIsNotSentAgainAsAProbe) {
  measure();
  send(1, {.max_retransmits = 0});
  flush();
  EXPECT_EQ(run(now_ + milliseconds(90)), Tsns{});
  EXPECT_EQ(stats().loss_probes, 0u);
  run(now_ + milliseconds(230));
  EXPECT_EQ(stats().t3_expiries, 1u);
  EXPECT_EQ(stats().messages_abandoned.sent, 1u);
}

// RFC 9260 §6.2.1: a SACK with as many gap blocks as its sender lists says nothing of what
// lies above. That is neither lost nor under way, and must not stop what is sent again.
TEST_F(LossRecoveryTest, WhatATruncatedSackIsSilentOnDoesNotHoldTheFlight) {
  measure();
  std::uint32_t acked = kFirst;
  Tsns sent;
  for (int round = 0; round < 6; ++round) {
    if (!sent.empty()) sack(acked = sent.back());
    send(45);
    sent = flush();
    now_ += kPathRtt + milliseconds(5);
  }
  ASSERT_GE(sent.size(), 45u);
  // Each second one arrived, but there is room for sixteen blocks.
  std::vector<GapAckBlock> gaps;
  for (std::uint16_t i = 2; i <= 32; i += 2) gaps.push_back({i, i});
  sack(acked, gaps);
  EXPECT_EQ(flush().front(), acked + 1);
  const std::uint64_t again = stats().retransmitted_chunks;
  EXPECT_GE(again, 10u);
  EXPECT_LE(again, 16u) << "nothing above the last block";
  // A hole is filled and one block more reported. A round trip has passed since the rest left.
  now_ += kPathRtt;
  sack(acked + 2, gaps);
  EXPECT_EQ(sender_->bytes_in_flight(), (again - 1) * 1116) << "what was sent again";
  // All of them are, and the peer tells of the rest: what it now leaves out is lost.
  std::vector<GapAckBlock> rest;
  for (std::uint16_t i = 2; i + 32u <= sent.size(); i += 2) rest.push_back({i, i});
  ASSERT_LT(rest.size(), 16u);
  sack(acked + 32, rest);
  flush();
  EXPECT_EQ(stats().t3_expiries, 0u);
  EXPECT_GE(stats().retransmitted_chunks, 16 + (sent.size() - 32) / 2);
}

}  // namespace
}  // namespace millrace::sctp
