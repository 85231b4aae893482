// SPDX-License-Identifier: Apache-2.0
// RFC 3758 as a peer sees it: when FORWARD TSN comes, what it says, what it leaves alone.
#include <gtest/gtest.h>

#include "sctp/packet/data_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

constexpr SendOptions kOnce{.max_retransmits = 0};

class ForwardTsnRules : public ::testing::Test {
 protected:
  void SetUp() override { open({0xC0, 0, 0, 4}); }
  // `parameters`: of the peer's INIT.
  void open(const Bytes& parameters) {
    Options options;
    options.congestion = CongestionAlgorithm::kNewReno;
    options.rto_initial = options.rto_min = options.rto_max = seconds(1);
    options.heartbeat_interval = Duration::zero();
    pair_.emplace(Options(), options);
    InitFields peer = stranger();
    peer.parameters = parameters;
    tag_ = open_to_stranger(*pair_, kB, peer);
    ASSERT_TRUE(pair_->b().is_connected());
    before_first_ = sender().next_tsn().value() - 1;
  }
  const DataSender& sender() { return pair_->b().sender(); }
  void send(std::size_t bytes, std::uint16_t stream, const SendOptions& how) {
    ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(stream), kPpidBinary, Bytes(bytes, 1), how),
              SendStatus::kOk);
    pair_->drain();
  }
  template <class... Chunks>
  void give(const Chunks&... chunks) {
    pair_->inject(kB, make_packet(tag_, chunks...));
    pair_->drain();
  }
  void sack(std::uint32_t n, std::vector<GapAckBlock> gaps = {}) {
    give(SackChunk{.cumulative_tsn_ack = Tsn(before_first_ + n),
                   .a_rwnd = 1 << 20,
                   .gap_blocks = gaps,
                   .duplicates = {}});
  }
  // Makes the first chunk of those in flight lost by three reports.
  void lose(std::uint32_t n) {
    for (std::uint16_t end = 2; end <= 4; ++end) sack(n - 1, {{2, end}});
  }
  std::size_t forwards() { return count_chunks(pair_->sent(kB), ChunkType::kForwardTsn); }
  // The last FORWARD TSN: up to which chunk, counted from 1, and the streams listed.
  std::uint32_t forwarded(std::vector<SkippedStream>* skipped = nullptr) {
    const Bytes packet = last_with(pair_->sent(kB), ChunkType::kForwardTsn);
    if (packet.empty()) return 0;
    const auto view =
        *ForwardTsnChunkView::parse(find_chunk(packet, ChunkType::kForwardTsn)->bytes);
    for (std::size_t i = 0; skipped != nullptr && i < view.skipped_count(); ++i) {
      skipped->push_back(view.skipped(i));
    }
    return view.new_cumulative_tsn().value() - before_first_;
  }

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  std::uint32_t before_first_ = 0;
};

// RFC 3758 §3.1, §3.3.2, §3.3.3: to a peer without the extension all is reliable.
TEST_F(ForwardTsnRules, NoneIsSentToAPeerThatDoesNotKnowIt) {
  open({});
  for (int i = 0; i < 4; ++i) send(1000, 1, kOnce);
  lose(1);
  EXPECT_EQ(forwards(), 0u);
  EXPECT_EQ(pair_->b().stats().retransmitted_chunks, 1u);
  pair_->run_for(seconds(3));
  EXPECT_EQ(forwards(), 0u);
  EXPECT_GE(pair_->b().stats().retransmitted_chunks, 2u);
}

// RFC 3758 §3.3.1, §3.3.2: as an unknown chunk of its type is.
TEST_F(ForwardTsnRules, OneThatWasNotNegotiatedIsReported) {
  open({});
  const ForwardTsnChunk forward{Tsn(1005), {}};
  give(forward, whole_message(1000, 1, 0));
  const Bytes error = last_with(pair_->sent(kB), ChunkType::kError);
  ASSERT_FALSE(error.empty());
  EXPECT_EQ(cause_in(error), 6u);  // Unrecognized Chunk Type.
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBadForwardTsn), 1u);
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), 1u) << "what stands behind it counts";
  const Bytes packet = last_with(pair_->sent(kB), ChunkType::kSack);
  EXPECT_EQ(SackChunkView::parse(find_chunk(packet, ChunkType::kSack)->bytes)->cumulative_tsn_ack(),
            Tsn(1000));
}

// RFC 3758 §3.5 (A2).
TEST_F(ForwardTsnRules, WhatIsAbandonedLeavesTheFlightAndEarnsNothing) {
  for (int i = 0; i < 10; ++i) send(1000, 1, kOnce);
  const std::size_t flight = sender().bytes_in_flight();
  lose(1);
  EXPECT_EQ(sender().bytes_in_flight(), flight / 10 * 6);
  EXPECT_EQ(pair_->b().stats().retransmitted_chunks, 0u);
  const std::size_t cwnd = sender().cwnd();
  sack(4);
  EXPECT_EQ(sender().cwnd(), cwnd) << "nothing was acknowledged that had not been";
  EXPECT_EQ(sender().bytes_in_flight(), flight / 10 * 6);
}

// RFC 3758 §3.5 (A3).
TEST_F(ForwardTsnRules, AMessageIsAbandonedWithAllItsFragments) {
  send(1000, 1, {});
  send(4000, 2, kOnce);  // The second to the fifth.
  for (int i = 0; i < 4; ++i) send(1000, 3, {});
  const std::size_t flight = sender().bytes_in_flight();
  // The third is missing, in the middle of the message.
  for (std::uint16_t end = 3; end <= 5; ++end) sack(2, {{2, end}});
  std::vector<SkippedStream> skipped;
  EXPECT_EQ(forwarded(&skipped), 5u);
  EXPECT_EQ(skipped, (std::vector{SkippedStream{StreamId(2), Ssn(0)}}));
  EXPECT_LT(sender().bytes_in_flight(), flight - 4000);
}

// RFC 3758 §3.5 (A4, C3, F3): at once, and again a round trip later.
TEST_F(ForwardTsnRules, EverySackThatLeavesTheAckPointBehindIsAnswered) {
  for (int i = 0; i < 10; ++i) send(1000, 1, kOnce);
  lose(1);
  EXPECT_EQ(forwards(), 1u);
  EXPECT_EQ(forwarded(), 1u);
  pair_->run_for(milliseconds(300));
  sack(0, {{2, 5}});
  EXPECT_EQ(forwards(), 2u);
  sack(5);
  EXPECT_EQ(forwards(), 2u) << "it has caught up";
}

// RFC 3758 §3.2, §3.5 (C4).
TEST_F(ForwardTsnRules, EachStreamIsListedOnceAndUnorderedMessagesNever) {
  for (int i = 0; i < 3; ++i) send(100, 1, kOnce);
  send(100, 2, {.unordered = true, .max_retransmits = 0});
  send(100, 3, kOnce);
  pair_->run_for(seconds(3));
  std::vector<SkippedStream> skipped;
  EXPECT_EQ(forwarded(&skipped), 5u);
  EXPECT_EQ(skipped, (std::vector<SkippedStream>{{StreamId(1), Ssn(2)}, {StreamId(3), Ssn(0)}}));
}

// RFC 3758 §3.5 (C5).
TEST_F(ForwardTsnRules, ALostOneIsSentAgainByT3) {
  send(100, 1, kOnce);
  pair_->run_for(seconds(2));
  EXPECT_GE(forwards(), 1u);
  const std::size_t before = forwards();
  pair_->run_for(seconds(2));
  EXPECT_GT(forwards(), before);
  sack(1);
  const std::size_t answered = forwards();
  pair_->run_for(seconds(10));
  EXPECT_EQ(forwards(), answered);
}

// RFC 3758 §3.5 (F1).
TEST_F(ForwardTsnRules, ReliableDataCausesNone) {
  for (int i = 0; i < 10; ++i) send(1000, 1, {});
  lose(1);
  pair_->run_for(seconds(5));
  sack(10);
  EXPECT_EQ(forwards(), 0u);
  EXPECT_TRUE(sender().all_acknowledged());
}

// RFC 3758 §3.5 (F4): the ack point is this end's own; the peer's SACKs go by what it has.
TEST_F(ForwardTsnRules, ASackBehindTheAckPointIsNotOld) {
  for (int i = 0; i < 6; ++i) send(1000, 1, kOnce);
  lose(1);
  EXPECT_EQ(forwarded(), 1u);
  const std::size_t flight = sender().bytes_in_flight();
  sack(0, {{2, 5}});
  EXPECT_LT(sender().bytes_in_flight(), flight);
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBadSack), 0u);
}

// RFC 3758 §3.5 (F5), RFC 7496 §3.1.
TEST_F(ForwardTsnRules, AbandoningWhatWasLostReducesTheWindow) {
  for (int i = 0; i < 10; ++i) send(1000, 1, kOnce);
  const std::size_t cwnd = sender().cwnd();
  pair_->run_for(milliseconds(10));
  lose(1);
  EXPECT_EQ(sender().cwnd(), cwnd / 2);
}

// RFC 3758 §3.6: as a hole that is filled.
TEST_F(ForwardTsnRules, OneIsAcknowledgedAtOnce) {
  give(whole_message(1000, 1, 0));
  const std::size_t before = count_chunks(pair_->sent(kB), ChunkType::kSack);
  const std::array skipped{SkippedStream{StreamId(1), Ssn(1)}};
  give(ForwardTsnChunk{Tsn(1001), skipped});
  pair_->run_for(milliseconds(200));
  EXPECT_EQ(count_chunks(pair_->sent(kB), ChunkType::kSack), before + 1);
  give(whole_message(1002, 1, 2));
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), 2u);
}

}  // namespace
}  // namespace millrace::sctp
