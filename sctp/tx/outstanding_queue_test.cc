// SPDX-License-Identifier: Apache-2.0
// What SACKs of a peer that takes back what it reported may cost, and that all of it arrives.
#include "sctp/tx/outstanding_queue.h"

#include <gtest/gtest.h>

#include "sctp/testing/transfer.h"
#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;

constexpr std::uint32_t kFirstQueued = 1000;
constexpr std::uint16_t kChunks = 6000;
constexpr int kSacksPerPacket = 57;

// A queue and all that it rests upon.
class QueueFixture {
 protected:
  AckResult sack(std::uint32_t cumulative, const std::vector<GapAckBlock>& gaps) {
    const SackChunk chunk{Tsn(cumulative), 1 << 20, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    const AckResult result =
        queue_.handle_sack(now_, *SackChunkView::parse(bytes), {false, false, milliseconds(1)});
    acked_ += result.acked_chunks;
    return result;
  }

  Time now_{seconds(1)};
  BlockPool pool_;
  MessageStore store_{pool_};
  std::unique_ptr<CongestionControl> congestion_ = make_congestion_control({});
  DeliveryRate rate_{*congestion_};
  AbandonedCounts abandoned_;
  OutstandingQueue queue_{Tsn(kFirstQueued), store_, rate_, abandoned_};
  std::size_t acked_ = 0;  // Chunks, by all SACKs so far.
};

class OutstandingQueueTest : public ::testing::Test, protected QueueFixture {
 protected:
  void SetUp() override {
    for (int i = 0; i < kChunks; ++i) {
      OutgoingMessage* const message = store_.copy(Bytes(10, 1));
      ASSERT_NE(message, nullptr);
      queue_.begin_packet(0);
      queue_.push(now_, message, 0, 10);
    }
  }
};

// RFC 9260 §6.2.1: the next TSN is never in a gap block; one that says so is no reneging.
TEST_F(OutstandingQueueTest, AGapBlockOfTheNextTsnHasNoEffect) {
  sack(kFirstQueued - 1, {{2, 2}});
  EXPECT_EQ(sack(kFirstQueued - 1, {{1, 1}}).status, SackStatus::kInvalid);
  EXPECT_EQ(sack(kFirstQueued - 1, {{1, kChunks}}).status, SackStatus::kInvalid);
  EXPECT_EQ(queue_.at(queue_.cumulative_acked().next()).state, OutstandingChunk::State::kInFlight);
  EXPECT_FALSE(queue_.has_lost());
}

// RFC 9260 §6.2.1 (D iii)
TEST_F(OutstandingQueueTest, SacksThatAcknowledgeAndRenegeInTurnCostEachChunkOnce) {
  for (int i = 0; i < kSacksPerPacket; ++i) {
    sack(kFirstQueued - 1, {{2, kChunks}});
    sack(kFirstQueued - 1, {{1, 1}});
  }
  EXPECT_LE(acked_, kChunks);
}

// RFC 9260 §6.2.1 (D iii): a chunk is acknowledged by a gap block once, and by the cumulative TSN.
TEST_F(OutstandingQueueTest, SoDoThoseThatMoveTheCumulativeTsnEachTime) {
  for (std::uint16_t i = 0; i < kSacksPerPacket; ++i) {
    const auto last = static_cast<std::uint16_t>(kChunks - i);
    sack(kFirstQueued - 1u + i, {{2, last}});
    sack(kFirstQueued + i,
         {{static_cast<std::uint16_t>(last - 1), static_cast<std::uint16_t>(last - 1)}});
  }
  EXPECT_LE(acked_, std::size_t{2} * kChunks);
}

// RFC 9260 §6.2.1 (D iii, iv): what is reported still stays acknowledged, until that is taken back
// too; behind it gap blocks count as ever.
TEST_F(OutstandingQueueTest, WhatIsTakenBackASecondTimeIsSentAgainToo) {
  sack(kFirstQueued - 1, {{2, 10}});
  EXPECT_TRUE(sack(kFirstQueued, {{3, 5}}).reneged);
  std::vector<std::uint32_t> again;
  while (const auto tsn = queue_.next_lost(now_)) {
    again.push_back(tsn->wrap().value() - kFirstQueued);
    queue_.mark_resent(now_, *tsn);
  }
  EXPECT_EQ(again, (std::vector<std::uint32_t>{1, 2, 6, 7, 8, 9}));
  EXPECT_TRUE(sack(kFirstQueued + 2, {}).reneged);
  again.clear();
  while (const auto tsn = queue_.next_lost(now_)) {
    again.push_back(tsn->wrap().value() - kFirstQueued);
    queue_.mark_resent(now_, *tsn);
  }
  EXPECT_EQ(again, (std::vector<std::uint32_t>{3, 4, 5}));
  EXPECT_EQ(sack(kFirstQueued + 2, {{2, 4}}).acked_chunks, 0u) << "believed no more";
  EXPECT_EQ(sack(kFirstQueued + 9, {}).acked_chunks, 7u);
  EXPECT_EQ(sack(kFirstQueued + 9, {{2, 4}}).acked_chunks, 3u);
}

// RFC 9260 §6.2.1 (D iii): more gaps than are kept are not taken, rather than others forgotten,
// which nothing would ever send again.
TEST_F(OutstandingQueueTest, WhatWasAcknowledgedIsNotForgottenForWantOfRoom) {
  sack(kFirstQueued - 1, {{5000, 5999}});
  std::vector<GapAckBlock> gaps;
  for (std::uint16_t at = 2; at < 4200; at = static_cast<std::uint16_t>(at + 2)) {
    gaps.push_back({at, at});
  }
  sack(kFirstQueued - 1, gaps);
  EXPECT_TRUE(sack(kFirstQueued + 4998, {}).reneged);
  EXPECT_TRUE(queue_.has_lost());
}

// Messages that may be lost, each of one chunk or more, with and without interleaving.
class PassedMessages : public ::testing::TestWithParam<bool>, protected QueueFixture {
 protected:
  void SetUp() override {
    queue_.enable_partial_reliability();
    if (GetParam()) queue_.enable_interleaving();
  }
  OutgoingMessage* push(std::uint32_t chunks, bool unordered = true, bool may_be_lost = true) {
    OutgoingMessage* const message = store_.copy(Bytes(10 * chunks, 1));
    message->unordered = unordered;
    if (may_be_lost) message->policy = OutgoingMessage::Policy::kRetransmits;
    message->limit = 5;
    message->sent = 10 * chunks;
    queue_.begin_packet(0);
    for (std::uint32_t i = 0; i < chunks; ++i) queue_.push(now_, message, 10 * i, 10);
    return message;
  }
  std::uint32_t advanced() { return queue_.advanced_ack_point().wrap().value(); }
};
INSTANTIATE_TEST_SUITE_P(DataAndIData, PassedMessages, ::testing::Bool(),
                         [](const auto& of) { return of.param ? "IData" : "Data"; });

// RFC 3758 §3.5 (C2); decision 0020: many gaps are closed in one round trip.
TEST_P(PassedMessages, WhatHasArrivedBetweenTwoThatWereAbandonedIsPassedToo) {
  OutgoingMessage* const first = push(1);
  for (int i = 0; i < 5; ++i) push(1);
  OutgoingMessage* const second = push(1);
  push(3);
  push(1);
  sack(999, {{2, 6}, {8, 10}});
  EXPECT_EQ(advanced(), 999u);
  queue_.abandon(*first);
  EXPECT_EQ(advanced(), 1000u) << "the peer passes by itself what it has";
  queue_.abandon(*second);
  EXPECT_EQ(advanced(), 1006u);
}

// RFC 3758 §3.6: a peer that passes it drops what it has of a message that is not whole.
TEST_P(PassedMessages, AMessageThatIsNotWholeIsNotPassed) {
  OutgoingMessage* const first = push(1);
  push(3);
  OutgoingMessage* const second = push(1);
  sack(999, {{2, 3}});
  queue_.abandon(*first);
  queue_.abandon(*second);
  EXPECT_EQ(advanced(), 1000u);
  sack(999, {{2, 4}});
  EXPECT_EQ(advanced(), 1004u);
}

// RFC 9260 §6.2.1: what is passed may be taken back, and then given up.
TEST_P(PassedMessages, WhatWasTakenBackAndGivenUpIsPassedAsAbandoned) {
  OutgoingMessage* const first = push(1);
  OutgoingMessage* const taken_back = push(1);
  push(1);
  sack(999, {{2, 2}});
  queue_.abandon(*first);
  sack(999, {});
  EXPECT_EQ(advanced(), 1000u);
  queue_.abandon(*taken_back);
  EXPECT_EQ(advanced(), 1001u);
}

// RFC 9260 §6.2.1: what a gap block acknowledges may be taken back, which only a message that may
// be lost can bear; RFC 3758 §3.6: and of an ordered stream a peer may hold it.
TEST_P(PassedMessages, NeitherReliableNorOrderedOnesArePassed) {
  for (const bool unordered : {false, true}) {
    OutgoingMessage* const first = push(1);
    push(1, unordered, !unordered);
    OutgoingMessage* const second = push(1);
    const std::uint32_t at = queue_.next_tsn().wrap().value() - 3;
    sack(at - 1, {{2, 2}});
    queue_.abandon(*first);
    queue_.abandon(*second);
    EXPECT_EQ(advanced(), at);
    sack(at + 2, {});
  }
}

}  // namespace
}  // namespace millrace::sctp
