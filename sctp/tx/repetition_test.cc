// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/repetition.h"

#include <algorithm>

#include "sctp/testing/sack_by_sack.h"

namespace millrace::sctp {
namespace {

using testing::kFirst;
using testing::kPathRtt;
using testing::Tsns;

std::vector<std::uint64_t> due(Repetition& repetition) {
  std::vector<std::uint64_t> tsns;
  repetition.take_due([&](UnwrappedTsn tsn) { tsns.push_back(tsn.value()); });
  return tsns;
}

TEST(Repetition, WhatAPacketSentAgainIsDueInTheNextAndOnce) {
  Repetition repetition;
  EXPECT_TRUE(repetition.empty());
  repetition.begin_packet();
  repetition.note_resent(UnwrappedTsn(7));
  EXPECT_TRUE(due(repetition).empty()) << "it lies in this packet";
  repetition.begin_packet();
  repetition.note_resent(UnwrappedTsn(9));
  EXPECT_EQ(due(repetition), std::vector<std::uint64_t>{7});
  repetition.begin_packet();
  EXPECT_EQ(due(repetition), std::vector<std::uint64_t>{9});
  repetition.begin_packet();
  EXPECT_TRUE(due(repetition).empty());
  EXPECT_TRUE(repetition.empty());
}

TEST(Repetition, HoldsABoundedNumber) {
  Repetition repetition;
  for (std::size_t i = 0; i < 2 * Repetition::kMost; ++i) repetition.note_resent(UnwrappedTsn(i));
  repetition.begin_packet();
  EXPECT_EQ(due(repetition).size(), Repetition::kMost);
}

// Decision 0022.
class RepetitionTest : public testing::SackBySackTest {
 protected:
  static constexpr std::size_t kSmall = 100;

  // Eight small messages in packets of their own, of which the first is lost; then the SACKs
  // that show it.
  void lose_the_first_of_eight(const SendOptions& options = {}) {
    measure();
    for (int i = 0; i < 8; ++i) {
      send(1, options, kSmall);
      ASSERT_EQ(flush().size(), 1u);
      now_ += milliseconds(1);
    }
    now_ += kPathRtt - milliseconds(8);
    for (std::uint16_t i = 2; i <= 4; ++i) sack(kFirst, {{2, i}});
  }
};

// RFC 9260 §6.10
TEST_F(RepetitionTest, ARetransmissionOfASmallMessageRidesOnceMoreInThePacketThatFollows) {
  lose_the_first_of_eight();
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  const std::size_t flight = sender_->bytes_in_flight();
  now_ += milliseconds(1);
  send(1, {}, kSmall);
  EXPECT_EQ(flush(), (Tsns{kFirst + 1, kFirst + 9})) << "RFC 9260 §6.10: ascending";
  EXPECT_EQ(sender_->bytes_in_flight(), flight + 16 + kSmall) << "it is in flight once";
  send(1, {}, kSmall);
  EXPECT_EQ(flush(), Tsns{kFirst + 10}) << "and rides once";
  EXPECT_EQ(stats().retransmitted_chunks, 2u);
}

TEST_F(RepetitionTest, WhatWasAcknowledgedMeanwhileIsNotRepeated) {
  lose_the_first_of_eight();
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  now_ += kPathRtt;
  sack(kFirst + 8);
  send(1, {}, kSmall);
  EXPECT_EQ(flush(), Tsns{kFirst + 9});
}

// RFC 3758: the limit counts every time that it leaves.
TEST_F(RepetitionTest, AMessageWithALimitIsNotRepeated) {
  lose_the_first_of_eight({.max_retransmits = 3});
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  send(1, {}, kSmall);
  EXPECT_EQ(flush(), Tsns{kFirst + 9});
}

TEST_F(RepetitionTest, WhereNoRoomIsLeftNothingIsRepeated) {
  lose_first_of(8);
  EXPECT_EQ(flush(), Tsns{kFirst + 1});
  sack(kFirst, {{2, 8}});
  send(1, {}, kSmall);
  EXPECT_EQ(flush(), Tsns{kFirst + 9});
}

TEST_F(RepetitionTest, ASenderThatFillsItsWindowRepeatsNothing) {
  measure();
  send(1, {}, kSmall);
  flush();
  send(300, {}, 3 * kSmall);  // Three to a packet, with room for a small one.
  const auto sent = static_cast<std::uint32_t>(flush().size());
  ASSERT_LT(sent, 300u);
  now_ += kPathRtt;
  sack(kFirst, {{2, static_cast<std::uint16_t>(sent)}});
  const Tsns left = flush();
  ASSERT_EQ(left.front(), kFirst + 1);
  EXPECT_EQ(std::ranges::count(left, kFirst + 1), 1);
  send(1, {}, kSmall);
  EXPECT_EQ(std::ranges::count(flush(), kFirst + 1), 0);
}

// RFC 3708 §2: of two copies one is a duplicate whatever became of the first transmission.
TEST_F(RepetitionTest, OneDuplicateOfWhatLeftTwiceUndoesNothingAndTwoDo) {
  lose_the_first_of_eight();
  flush();
  now_ += milliseconds(1);
  send(1, {}, kSmall);
  ASSERT_EQ(flush().size(), 2u);
  now_ += kPathRtt;
  sack(kFirst + 9, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 0u);
  now_ += milliseconds(1);
  send(1, {}, kSmall);
  flush();
  now_ += kPathRtt;
  sack(kFirst + 10, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 1u);
}

TEST_F(RepetitionTest, NoPacketHasAChunkTwice) {
  measure();
  send(1, {}, kSmall);
  ASSERT_EQ(flush(), Tsns{kFirst + 1});
  while (stats().t3_expiries < 4) {
    now_ = sender_->next_timeout();
    static_cast<void>(sender_->handle_timeout(now_));
    EXPECT_EQ(flush(), Tsns{kFirst + 1}) << "after " << stats().t3_expiries << " time-outs";
  }
}

// RFC 4015: the probe and three time-outs, none of them needed.
TEST_F(RepetitionTest, ADelayOfSeveralTimeOutsIsUndone) {
  measure();
  send(1, {}, kSmall);
  flush();
  int again = 0;
  while (stats().t3_expiries < 3) {
    now_ = sender_->next_timeout();
    static_cast<void>(sender_->handle_timeout(now_));
    again += static_cast<int>(flush().size());
  }
  now_ += kPathRtt;
  sack(kFirst + 1);
  for (; again > 0; --again) sack(kFirst + 1, {}, {kFirst + 1});
  EXPECT_EQ(stats().spurious_losses, 1u);
}

TEST_F(RepetitionTest, WhatIsRepeatedFitsWhatTheWindowHasLeft) {
  measure();
  send(8, {}, kSmall);
  ASSERT_EQ(flush().size(), 8u);
  for (int i = 0; i < 6; ++i) {
    send(1, {}, kSmall);
    flush();
    now_ += milliseconds(1);
  }
  now_ += kPathRtt - milliseconds(6);
  for (std::uint16_t i = 9; i <= 14; ++i) sack(kFirst, {{9, i}});
  ASSERT_EQ(flush().size(), 8u);
  const std::size_t wire = 16 + kSmall;  // The new one is reckoned with three bytes of padding.
  a_rwnd_ = static_cast<std::uint32_t>(sender_->bytes_in_flight() + 3 * wire + 3);
  sack(kFirst, {{9, 14}});
  send(1, {}, kSmall);
  EXPECT_EQ(flush().size(), 1u + 2u);
}

// What arrived was the small packet's copy: the large one may have been too large.
TEST_F(RepetitionTest, ACopyInASmallPacketDoesNotHideABlackHole) {
  measure();
  sender_->watch_packets_above(600);
  send(1, {}, 700);
  flush();
  send(1, {}, 200);
  flush();
  for (int i = 0; i < 6; ++i) {
    send(1, {}, 40);
    flush();
    now_ += milliseconds(1);
  }
  now_ += kPathRtt;
  for (std::uint16_t i = 3; i <= 8; ++i) sack(kFirst, {{3, i}});
  std::uint16_t newest = 8;
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(sender_->take_black_hole()) << round;
    ASSERT_EQ(flush().front(), kFirst + 1) << "in a packet that is lost again";
    send(1, {}, 300);
    flush();
    now_ += kPathRtt + milliseconds(30);
    sack(kFirst, {{2, ++newest}});
  }
  EXPECT_TRUE(sender_->take_black_hole());
}

}  // namespace
}  // namespace millrace::sctp
