// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/data_sender.h"

#include <gtest/gtest.h>

#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;

struct SentData {
  std::uint32_t tsn;
  std::uint16_t stream;
  std::uint16_t ssn;
  DataFlags flags;
  std::size_t size;
};
using Tsns = std::vector<std::uint32_t>;

class DataSenderTest : public ::testing::Test {
 protected:
  void SetUp() override { make(1000); }
  void make(std::uint32_t initial_tsn, std::size_t rwnd = 1 << 20) {
    sender_.reset();
    DataSenderOptions options;
    options.initial_tsn = Tsn(initial_tsn);
    options.send_buffer_bytes = 64 * 1024;
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    sender_.emplace(options, pool_);
    sender_->establish(now_, rwnd, 16, true);
  }
  SendStatus send(std::size_t size, std::uint16_t stream = 1, const SendOptions& options = {}) {
    return sender_->send(now_, StreamId(stream), kPpidBinary, Bytes(size, 7), options);
  }
  // All that may leave at this instant.
  std::vector<SentData> flush() {
    std::vector<SentData> sent;
    forward_.reset();
    packets_ = 0;
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return sent;
      ++packets_;
      ChunkReader reader(
          {bytes.data() + CommonHeader::kBytes, writer.size() - CommonHeader::kBytes});
      while (const auto chunk = reader.next()) {
        if (const auto data = DataChunkView::parse(chunk->bytes)) {
          sent.push_back({data->header.tsn.value(), data->header.stream.value(),
                          data->header.ssn.value(), data->header.flags, data->payload.size()});
        } else if (const auto forward = ForwardTsnChunkView::parse(chunk->bytes)) {
          EXPECT_TRUE(sent.empty() || packets_ > 1) << "control before data";
          forward_ = forward->new_cumulative_tsn().value();
          skipped_.clear();
          for (std::size_t i = 0; i < forward->skipped_count(); ++i) {
            skipped_.push_back(forward->skipped(i));
          }
        }
      }
    }
  }
  Tsns flush_tsns() {
    Tsns tsns;
    for (const SentData& data : flush()) tsns.push_back(data.tsn);
    return tsns;
  }
  SackOutcome sack(std::uint32_t cumulative, std::vector<GapAckBlock> gaps = {},
                   std::uint32_t rwnd = 1 << 20) {
    const SackChunk chunk{Tsn(cumulative), rwnd, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    return sender_->handle_sack(now_, *SackChunkView::parse(bytes));
  }
  void wait(Duration time) { now_ += time; }

  Time now_{seconds(1)};
  BlockPool pool_;
  std::optional<DataSender> sender_;
  std::optional<std::uint32_t> forward_;
  std::vector<SkippedStream> skipped_;
  int packets_ = 0;
};

// RFC 9260 §6, §6.9.
TEST_F(DataSenderTest, BundlesSmallMessagesAndFragmentsLargeOnes) {
  for (int i = 0; i < 9; ++i) EXPECT_EQ(send(100), SendStatus::kOk);
  EXPECT_EQ(flush().size(), 9u);
  EXPECT_EQ(packets_, 1);
  wait(milliseconds(10));
  EXPECT_EQ(send(3000, 2), SendStatus::kOk);
  const auto fragments = flush();
  ASSERT_EQ(fragments.size(), 3u);
  EXPECT_TRUE(fragments[0].flags.beginning && !fragments[0].flags.ending);
  EXPECT_TRUE(fragments[2].flags.ending && fragments[2].flags.immediate);  // RFC 7053 §5.2.
  EXPECT_EQ(fragments[0].size, 1132u);
  EXPECT_EQ(fragments[2].size, 3000u - 2 * 1132);
}

// RFC 7053 §5.2
TEST_F(DataSenderTest, LoneMessagesAskForTheirSackNowAndThen) {
  std::vector<bool> asked;
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(send(100), SendStatus::kOk);
    for (const SentData& data : flush()) asked.push_back(data.flags.immediate);
    sack(1000 + static_cast<std::uint32_t>(i));
    wait(milliseconds(10));
  }
  std::vector<bool> expected(11, false);
  expected.front() = expected.back() = true;
  EXPECT_EQ(asked, expected);
}

// RFC 9260 §6.3.1: a set-up that took long must not pace what comes after it for seconds.
TEST_F(DataSenderTest, LoneMessagesFindOutThatTheRoundTripIsShorter) {
  sender_->observe_rtt(milliseconds(12));
  for (std::uint32_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(send(100), SendStatus::kOk);
    ASSERT_EQ(flush().size(), 1u) << "after " << i << " messages";
    wait(microseconds(3));
    sack(1000 + i);
  }
  EXPECT_LT(*sender_->rto().srtt(), microseconds(7));
}

// RFC 7053 §5.2
TEST_F(DataSenderTest, TheLastOfSeveralPacketsAsksOftener) {
  std::vector<bool> asked;
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(send(2000), SendStatus::kOk);  // Two packets, the second of which may ask.
    const auto sent = flush();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_FALSE(sent.front().flags.immediate);
    asked.push_back(sent.back().flags.immediate);
    sack(sent.back().tsn);
    wait(milliseconds(1));
  }
  std::vector<bool> expected(11, false);
  expected.front() = expected.back() = true;
  EXPECT_EQ(asked, expected);
}

// RFC 7053 §5.2
TEST_F(DataSenderTest, TheLastOfAFullWindowAsksWhereTheWindowIsSmall) {
  for (const bool small : {true, false}) {
    while (send(4000) == SendStatus::kOk) {
    }
    const auto sent = flush();
    ASSERT_EQ(sent.size() <= 16, small) << sent.size();
    EXPECT_EQ(sent.back().flags.immediate, small);
    sack(sent.back().tsn);
    wait(milliseconds(1));
  }
}

// RFC 9260 §6.2: the peer may take 200 ms over a SACK that was not asked for.
TEST_F(DataSenderTest, TimersWaitForASackThatThePeerMayDelay) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(send(100), SendStatus::kOk);
    flush();
    const Duration rto = sender_->rto().rto();
    // Before the first round trip is known, T3-rtx; then the probe of RFC 8985 §7.2.
    EXPECT_EQ(sender_->next_timeout() - now_, i == 0 ? rto : milliseconds(10 + 200));
    sack(1000 + static_cast<std::uint32_t>(i));
    wait(milliseconds(1));
  }
}

TEST_F(DataSenderTest, StreamsTakeTurnsAtMessageBoundaries) {
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 1, 2, 3, 3})
    ASSERT_EQ(send(2000, stream), SendStatus::kOk);
  std::vector<std::uint16_t> order;
  for (const SentData& data : flush()) {
    if (data.flags.beginning) order.push_back(data.stream);
  }
  EXPECT_EQ(order, (std::vector<std::uint16_t>{1, 2, 3, 1, 3}));
}

// RFC 9260 §6.5.
TEST_F(DataSenderTest, RefusesWhatItCannotTake) {
  EXPECT_EQ(send(0), SendStatus::kEmpty);
  EXPECT_EQ(send(300 * 1024), SendStatus::kTooLarge);
  EXPECT_EQ(send(10, 16), SendStatus::kInvalidStream);
  sender_->close_stream(StreamId(3));
  EXPECT_EQ(send(10, 3), SendStatus::kStreamClosing);
  sender_->reset_stream(StreamId(3));
  EXPECT_EQ(send(10, 3), SendStatus::kOk);
  sender_->stop_accepting();
  EXPECT_EQ(send(10), SendStatus::kClosed);
}

// RFC 9260 §6.1.
TEST_F(DataSenderTest, AFullBufferSaysSoAndAnnouncesRoomOnce) {
  int accepted = 0;
  while (send(4000) == SendStatus::kOk) ++accepted;
  EXPECT_GT(accepted, 10);
  SendEvent event;
  EXPECT_FALSE(sender_->poll_event(event));
  std::uint32_t acked = 999;
  for (int i = 0; i < 20 && !sender_->all_acknowledged(); ++i) {
    acked += static_cast<std::uint32_t>(flush().size());
    wait(milliseconds(10));
    sack(acked);
  }
  int writable = 0;
  while (sender_->poll_event(event)) writable += event.kind == SendEvent::Kind::kWritable;
  EXPECT_EQ(writable, 1);
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_F(DataSenderTest, AFullBufferHasRoomForAStreamWithNothingQueued) {
  while (send(4000, 1) == SendStatus::kOk) {
  }
  EXPECT_EQ(send(4000, 2), SendStatus::kOk);
  EXPECT_EQ(send(4000, 2), SendStatus::kWouldBlock);
  std::uint16_t stream = 3;
  while (stream < 16 && send(4000, stream) == SendStatus::kOk) ++stream;
  EXPECT_LT(stream, 8) << "a quarter of the buffer, and no more";
}

TEST_F(DataSenderTest, AMessageLargerThanTheBufferWaitsForRoomAndLeavesSomeToOthers) {
  for (int i = 0; i < 8; ++i) ASSERT_EQ(send(2400, 1), SendStatus::kOk);
  EXPECT_EQ(send(200 * 1024, 2), SendStatus::kWouldBlock);
  SendEvent event;
  EXPECT_FALSE(sender_->poll_event(event)) << "half the buffer is free, which is not enough";
  EXPECT_EQ(send(200 * 1024, 2), SendStatus::kWouldBlock);
  flush();
  ASSERT_LT(sender_->buffered_amount(StreamId(1)), 16 * 1024u);
  ASSERT_TRUE(sender_->poll_event(event));
  while (event.kind != SendEvent::Kind::kWritable) ASSERT_TRUE(sender_->poll_event(event));
  EXPECT_EQ(send(200 * 1024, 2), SendStatus::kOk);
  EXPECT_EQ(send(1000, 3), SendStatus::kOk);
  EXPECT_EQ(send(200 * 1024, 4), SendStatus::kWouldBlock);
}

TEST_F(DataSenderTest, LowThresholdsFireOnCrossingOnly) {
  sender_->set_buffered_amount_low_threshold(StreamId(1), 1500);
  ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  SendEvent event;
  while (sender_->poll_event(event)) EXPECT_NE(event.kind, SendEvent::Kind::kBufferedAmountLow);
  ASSERT_EQ(send(5000), SendStatus::kOk);
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 5000u);
  flush();
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 0u);
  int low = 0;
  while (sender_->poll_event(event)) low += event.kind == SendEvent::Kind::kBufferedAmountLow;
  EXPECT_EQ(low, 1);
}

// RFC 9260 §6.7.
TEST_F(DataSenderTest, OwnedMemoryIsNotCopiedAndIsReleasedWhenAcknowledged) {
  const std::uint64_t copied = copy_counters().send;
  static int released;
  released = 0;
  Bytes bytes(2000, 9);
  OwnedBytes payload(
      bytes, [](void*, ByteSpan) noexcept { ++released; }, nullptr);
  EXPECT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, std::move(payload), {}), SendStatus::kOk);
  EXPECT_EQ(flush().size(), 2u);
  sack(1000);
  EXPECT_EQ(released, 0);
  sack(1001);
  EXPECT_EQ(released, 1);
  EXPECT_EQ(copy_counters().send, copied);
}

// RFC 9260 §6.2.1 (D), §6.3.2.
// RFC 3758 §3.5.
TEST_F(DataSenderTest, InvalidAndStaleSacksHaveNoEffect) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  const std::size_t flight = sender_->bytes_in_flight();
  using Status = SackOutcome::Status;
  EXPECT_EQ(sack(1005).status, Status::kInvalid) << "never sent";
  EXPECT_EQ(sack(999, {{2, 6}}).status, Status::kInvalid);
  EXPECT_EQ(sack(1000, {{3, 2}}).status, Status::kInvalid);
  EXPECT_EQ(sack(1000, {{2, 3}, {3, 4}}).status, Status::kInvalid);
  EXPECT_EQ(sack(1000, {{0, 1}}).status, Status::kInvalid);
  EXPECT_EQ(sender_->bytes_in_flight(), flight);
  EXPECT_EQ(sack(1002).status, Status::kProcessed);
  EXPECT_EQ(sack(1000, {}, 0).status, Status::kStale);
  EXPECT_EQ(sender_->peer_rwnd(), std::size_t{1} << 20);
  EXPECT_TRUE(sack(1004).newly_acked);
  EXPECT_TRUE(sender_->all_acknowledged());
  EXPECT_EQ(sender_->next_timeout(), kNever);
}

// RFC 9260 §7.2.4, §6.7: three reports, one retransmission, recovery ends at its exit point.
TEST_F(DataSenderTest, ThreeMissingReportsCauseOneFastRetransmit) {
  for (int i = 0; i < 8; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  const std::size_t cwnd = sender_->cwnd();
  wait(milliseconds(20));
  sack(999, {{2, 2}});
  sack(999, {{2, 3}});
  EXPECT_TRUE(flush().empty());
  sack(999, {{2, 4}});
  EXPECT_EQ(flush_tsns(), Tsns{1000});
  EXPECT_EQ(sender_->stats().fast_retransmits, 1u);
  EXPECT_LT(sender_->cwnd(), cwnd);
  wait(milliseconds(1));
  for (std::uint16_t end = 5; end <= 8; ++end) sack(999, {{2, end}});
  EXPECT_TRUE(flush().empty()) << "once only";
  sack(1007);
  EXPECT_TRUE(sender_->all_acknowledged());
}

// RFC 9260 §7.2.4 (HTNA): SACKs that acknowledge nothing above report nothing missing.
TEST_F(DataSenderTest, ARepeatedSackIsNotAMissingReport) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  for (int i = 0; i < 10; ++i) sack(999, {{2, 2}});
  EXPECT_TRUE(flush().empty());
}

// RFC 9260 §6.3.3, §6.1 (C), §6.3.1, §6.3.2, §7.2.1: retransmissions first, one packet,
// backed off.
TEST_F(DataSenderTest, T3ResendsTheEarliestFirstAndBacksOff) {
  for (int i = 0; i < 12; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  flush();
  EXPECT_EQ(sender_->next_timeout(), now_ + seconds(1));
  wait(seconds(1));
  const TimeoutOutcome outcome = sender_->handle_timeout(now_);
  EXPECT_TRUE(outcome.t3_expired && outcome.counts_as_error);
  EXPECT_EQ(flush_tsns(), Tsns{1000});
  EXPECT_EQ(sender_->next_timeout(), now_ + seconds(2));
  const Time before = now_;
  wait(milliseconds(500));
  sack(1000);
  EXPECT_EQ(sender_->next_timeout(), now_ + seconds(2)) << "Karn: no sample, still backed off";
  EXPECT_GT(now_, before);
  EXPECT_EQ(flush_tsns(), (Tsns{1001, 1002}));
}

// RFC 9260 §6.2.1 (D iii, iv), §6.3.2 (R4): once the cumulative TSN stops where the peer had one
// more.
TEST_F(DataSenderTest, WhatThePeerRenegesOnIsSentAgain) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  const std::size_t flight = sender_->bytes_in_flight();
  sack(999, {{2, 3}});
  EXPECT_EQ(sender_->bytes_in_flight(), flight / 2);
  wait(milliseconds(1));
  sack(1000, {{2, 2}});
  EXPECT_EQ(flush_tsns(), Tsns{1001}) << "1002 is still reported, 1003 on its way";
  EXPECT_EQ(sender_->bytes_in_flight(), flight / 2);
  wait(milliseconds(1));
  sack(1003);
  EXPECT_TRUE(sender_->all_acknowledged());
}

// RFC 9260 §6.2.1 (D iii): a SACK that another overtook is no sign of it.
TEST_F(DataSenderTest, AGapBlockThatALateSackLacksStaysAcknowledged) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  flush();
  sack(999, {{2, 3}});
  const std::size_t flight = sender_->bytes_in_flight();
  sack(999, {{2, 2}});
  EXPECT_EQ(sender_->bytes_in_flight(), flight);
  EXPECT_TRUE(flush().empty());
}

// RFC 9260 §6.1 (A).
TEST_F(DataSenderTest, AClosedWindowIsProbedByOneChunk) {
  make(1000, 0);
  ASSERT_EQ(send(5000), SendStatus::kOk);
  EXPECT_EQ(flush_tsns(), Tsns{1000});
  wait(milliseconds(10));
  sack(999, {}, 0);
  wait(seconds(1));
  const TimeoutOutcome answered = sender_->handle_timeout(now_);
  EXPECT_TRUE(answered.t3_expired);
  EXPECT_FALSE(answered.counts_as_error) << "the peer answers";
  EXPECT_EQ(flush_tsns(), Tsns{1000});
  wait(seconds(2));
  EXPECT_TRUE(sender_->handle_timeout(now_).counts_as_error) << "silence counts";
  flush();
  sack(1000, {}, 1 << 20);
  EXPECT_EQ(flush_tsns(), (Tsns{1001, 1002, 1003, 1004}));
}

// RFC 9260 §6.1.
TEST_F(DataSenderTest, OneInstantSendsAtMostOneBurst) {
  make(1000);
  std::uint32_t acked = 999;
  for (int round = 0; round < 12; ++round) {
    while (send(4000) == SendStatus::kOk) {
    }
    wait(milliseconds(10));
    std::size_t bytes = 0;
    for (const SentData& data : flush()) {
      acked = std::max(acked, data.tsn);
      bytes += data.size;
    }
    EXPECT_LE(bytes, 66000u);
    EXPECT_LE(packets_, 58);
    sack(acked);
  }
  EXPECT_GT(sender_->cwnd(), 64u * 1024);
}

// RFC 3758 §3.5, §3.2, §3.4, RFC 7496 §3.1: never retransmitted, skipped with stream and SSN.
TEST_F(DataSenderTest, AMessageWithoutRetransmitsIsSkippedByForwardTsn) {
  const SendOptions once{.max_retransmits = 0};
  for (int i = 0; i < 3; ++i) ASSERT_EQ(send(1000, 4, once), SendStatus::kOk);
  flush();
  ASSERT_EQ(send(1000, 5), SendStatus::kOk);
  flush();
  wait(seconds(1));
  sack(1000);
  now_ = sender_->next_timeout();
  EXPECT_FALSE(sender_->handle_timeout(now_).t3_expired);
  EXPECT_EQ(flush_tsns(), Tsns{1003}) << "a probe, RFC 8985 §7.3";
  now_ = sender_->next_timeout();
  EXPECT_TRUE(sender_->handle_timeout(now_).t3_expired);
  EXPECT_EQ(flush_tsns(), Tsns{1003});
  EXPECT_EQ(forward_, 1002u);
  EXPECT_EQ(skipped_, (std::vector<SkippedStream>{{StreamId(4), Ssn(2)}}));
  EXPECT_EQ(sender_->stats().messages_abandoned.sent, 2u);
  sack(1003);
  EXPECT_TRUE(sender_->all_acknowledged());
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 3758 §3.5.
TEST_F(DataSenderTest, AMessageThatExpiresInTheQueueSpendsNoTsn) {
  make(1000, 0);
  ASSERT_EQ(send(500), SendStatus::kOk);
  flush();
  ASSERT_EQ(send(500, 2, {.max_lifetime = milliseconds(50)}), SendStatus::kOk);
  EXPECT_EQ(sender_->next_timeout(), now_ + milliseconds(50));
  wait(milliseconds(50));
  EXPECT_FALSE(sender_->handle_timeout(now_).t3_expired);
  EXPECT_EQ(sender_->buffered_amount(StreamId(2)), 0u);
  EXPECT_EQ(sender_->next_tsn().value(), 1001u);
}

// The peer holds a beginning whose rest never got a TSN; one is spent so as to skip it.
// RFC 3758 §3.5.
TEST_F(DataSenderTest, AMessageThatExpiresHalfSentIsAbandonedWhole) {
  ASSERT_EQ(send(40000, 2, {.max_lifetime = milliseconds(50)}), SendStatus::kOk);
  const Tsns begun = flush_tsns();
  wait(milliseconds(60));
  static_cast<void>(sender_->handle_timeout(now_));
  sack(begun.back());
  EXPECT_TRUE(flush().empty());
  EXPECT_EQ(forward_, begun.back() + 1);
  EXPECT_EQ(skipped_, (std::vector<SkippedStream>{{StreamId(2), Ssn(0)}}));
  sack(begun.back() + 1);
  EXPECT_TRUE(sender_->all_acknowledged());
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 6525 §5.1.2.
TEST_F(DataSenderTest, APausedStreamFinishesItsMessageAndStartsAgainAtZero) {
  ASSERT_EQ(send(20000), SendStatus::kOk);
  ASSERT_EQ(send(100), SendStatus::kOk);
  std::uint32_t last = flush().back().tsn;
  sender_->pause_stream(StreamId(1));
  EXPECT_FALSE(sender_->may_reset_stream(StreamId(1)));
  wait(milliseconds(10));
  sack(last);
  last = flush().back().tsn;
  sack(last);
  EXPECT_TRUE(sender_->may_reset_stream(StreamId(1)));
  EXPECT_FALSE(sender_->stream_drained(StreamId(1)));
  sender_->reset_stream(StreamId(1));
  const auto resumed = flush();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].ssn, 0u);
}

// A round trip of no length, as a coarse clock measures it, must not make the repetition of
// a FORWARD TSN due in the flush that sent it.
TEST_F(DataSenderTest, AForwardTsnIsSentOnceAtOnePointInTime) {
  sender_->observe_rtt(Duration::zero());
  ASSERT_EQ(send(10, 1, {.max_retransmits = 0}), SendStatus::kOk);
  flush();
  now_ = sender_->next_timeout();
  EXPECT_TRUE(sender_->handle_timeout(now_).t3_expired);
  flush();
  EXPECT_EQ(forward_, 1000u);
  EXPECT_EQ(packets_, 1);
}

// RFC 6525: FORWARD TSN names SSNs, so none may pass a stream reset whose data the peer has
// not acknowledged.
TEST_F(DataSenderTest, AForwardTsnStopsAtTheFenceOfAReset) {
  ASSERT_EQ(send(10, 1, {.max_retransmits = 0}), SendStatus::kOk);
  flush();
  sender_->fence_forward_tsn();
  EXPECT_FALSE(sender_->fence_passed());
  ASSERT_EQ(send(10, 2, {.max_retransmits = 0}), SendStatus::kOk);
  flush();
  now_ = sender_->next_timeout();
  EXPECT_TRUE(sender_->handle_timeout(now_).t3_expired);
  flush();
  EXPECT_EQ(forward_, 1000u);
  ASSERT_EQ(skipped_.size(), 1u);
  EXPECT_EQ(skipped_[0].stream, StreamId(1));
  sack(1000);
  EXPECT_TRUE(sender_->fence_passed());
  flush();
  EXPECT_EQ(forward_, 1001u);
  ASSERT_EQ(skipped_.size(), 1u);
  EXPECT_EQ(skipped_[0].stream, StreamId(2));
}

// RFC 3758 §3.5 (C4): what one chunk has no room for follows when the peer has answered.
TEST_F(DataSenderTest, MoreSkippedStreamsThanAPacketHoldsGoOneAfterTheOther) {
  sender_.reset();
  DataSenderOptions options;
  options.initial_tsn = Tsn(1000);
  sender_.emplace(options, pool_);
  sender_->establish(now_, 1 << 20, 1000, true);
  for (std::uint16_t stream = 0; stream < 400; ++stream) {
    ASSERT_EQ(send(4, stream, {.max_retransmits = 0}), SendStatus::kOk);
  }
  EXPECT_EQ(flush().size(), 400u);
  now_ = sender_->next_timeout();
  EXPECT_TRUE(sender_->handle_timeout(now_).t3_expired);
  flush();
  EXPECT_EQ(packets_, 1);
  ASSERT_TRUE(forward_.has_value());
  EXPECT_LT(*forward_, 1399u);
  EXPECT_GT(skipped_.size(), 250u);
  sack(*forward_);
  flush();
  EXPECT_EQ(forward_, 1399u);
}

// A caller in a state that does not flush must not be woken for ever.
TEST_F(DataSenderTest, TheBurstTimerFallsSilentWhereNothingIsFlushed) {
  std::uint32_t acked = 999;
  for (int round = 0; round < 12; ++round) {
    while (send(4000) == SendStatus::kOk) {
    }
    wait(milliseconds(10));
    for (const SentData& data : flush()) acked = std::max(acked, data.tsn);
    sack(acked);
  }
  do {
    while (send(4000) == SendStatus::kOk) {
    }
  } while (!flush().empty());
  ASSERT_LT(sender_->next_timeout(), now_ + milliseconds(50));
  for (int i = 0; i < 4 && sender_->next_timeout() < now_ + milliseconds(50); ++i) {
    now_ = sender_->next_timeout();
    static_cast<void>(sender_->handle_timeout(now_));
  }
  EXPECT_GE(sender_->next_timeout(), now_ + milliseconds(50));
}

// Later work: chunks that have a TSN keep their size when the path shrinks (RFC 8899).
TEST_F(DataSenderTest, ChunksSentBeforeThePacketsShrankAreSentAgainWhole) {
  ASSERT_EQ(send(3000), SendStatus::kOk);
  EXPECT_EQ(flush().size(), 3u);
  sender_->set_max_packet_bytes(600);
  now_ = sender_->next_timeout();
  EXPECT_TRUE(sender_->handle_timeout(now_).t3_expired);
  EXPECT_EQ(flush_tsns(), (Tsns{1000}));
  sack(1002);
  ASSERT_EQ(send(1000), SendStatus::kOk);
  EXPECT_EQ(flush().size(), 2u);
  sack(1004);
  EXPECT_TRUE(sender_->all_acknowledged());
}

TEST_F(DataSenderTest, TsnsWrap) {
  make(0xFFFFFFFEu);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  EXPECT_EQ(flush_tsns(), (Tsns{0xFFFFFFFEu, 0xFFFFFFFFu, 0, 1, 2}));
  sack(0xFFFFFFFFu, {{2, 3}});
  sack(2);
  EXPECT_TRUE(sender_->all_acknowledged());
}

}  // namespace
}  // namespace millrace::sctp
