// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §6.1, §6.3, §7: what an association sends, and when, to a peer that the test plays.
#include <gtest/gtest.h>

#include <map>

#include "sctp/packet/data_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

class SenderRules : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  static Options options() {
    Options options;
    options.congestion = CongestionAlgorithm::kNewReno;
    options.rto_initial = options.rto_min = options.rto_max = seconds(1);
    options.heartbeat_interval = Duration::zero();
    options.max_retransmits = 1000;
    return options;
  }
  void open(const Options& how = options(), std::uint32_t a_rwnd = 1 << 20) {
    pair_.emplace(Options(), how);
    InitFields peer = stranger();
    peer.a_rwnd = a_rwnd;
    tag_ = open_to_stranger(*pair_, kB, peer);
    ASSERT_TRUE(pair_->b().is_connected());
    first_ = sender().next_tsn().value();
    seen_ = pair_->sent(kB).size();
  }
  const DataSender& sender() { return pair_->b().sender(); }
  SendStatus send(std::size_t bytes, std::uint16_t stream = 1, const SendOptions& how = {}) {
    const SendStatus status =
        pair_->b().send(pair_->now(), StreamId(stream), kPpidBinary, Bytes(bytes, 1), how);
    pair_->drain();
    return status;
  }
  // Acknowledges up to the n-th chunk, counted from 0 for none, with gaps relative to it.
  void sack(std::uint32_t n, std::vector<GapAckBlock> gaps = {}, std::uint32_t a_rwnd = 1 << 20) {
    pair_->inject(kB, make_packet(tag_, SackChunk{.cumulative_tsn_ack = Tsn(first_ + n - 1),
                                                  .a_rwnd = a_rwnd,
                                                  .gap_blocks = gaps,
                                                  .duplicates = {}}));
    pair_->drain();
  }
  // What has left since the last call: the number of each chunk from 1, and its size.
  std::vector<std::pair<std::uint32_t, std::size_t>> sent() {
    std::vector<std::pair<std::uint32_t, std::size_t>> chunks;
    const auto& packets = pair_->sent(kB);
    for (; seen_ < packets.size(); ++seen_) {
      for (const ChunkView& chunk : chunks_of(packets[seen_])) {
        const auto data = DataChunkView::parse(chunk.bytes);
        if (data) chunks.emplace_back(data->header.tsn.value() - first_ + 1, data->payload.size());
      }
    }
    return chunks;
  }
  std::vector<std::uint32_t> numbers() {
    std::vector<std::uint32_t> out;
    for (const auto& [number, size] : sent()) out.push_back(number);
    return out;
  }
  std::uint64_t expiries() { return pair_->b().stats().t3_expiries; }
  using Numbers = std::vector<std::uint32_t>;

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  std::uint32_t first_ = 0;
  std::size_t seen_ = 0;
};

// RFC 9260 §6.1 (A), §6.2.1 (D ii): what is in flight comes off what the peer has room for.
TEST_F(SenderRules, NoMoreIsInFlightThanThePeerHasRoomFor) {
  open(options(), 5000);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  EXPECT_EQ(numbers(), (Numbers{1, 2, 3, 4}));  // 1016 bytes each.
  sack(2, {}, 3 * 1016);
  EXPECT_EQ(numbers(), (Numbers{5}));
  sack(2, {{2, 2}}, 3 * 1016);  // The fourth: two are in flight.
  EXPECT_EQ(numbers(), (Numbers{6}));
  sack(6, {}, 1015);
  EXPECT_EQ(numbers(), (Numbers{7})) << "nothing in flight: a probe";
  sack(7, {}, 1 << 20);
  EXPECT_GE(numbers().size(), 9u);
}

// RFC 9260 §6.1 (A): no fragment is cut smaller because the window has room for that much.
TEST_F(SenderRules, AWindowSmallerThanThePacketIsNotFilledWithCrumbs) {
  open(options(), 1500);
  ASSERT_EQ(send(20000), SendStatus::kOk);
  std::size_t total = 0;
  std::uint32_t newest = 0;
  for (int round = 0; round < 40 && total < 20000; ++round) {
    for (const auto& [number, size] : sent()) {
      total += size;
      newest = number;
      EXPECT_TRUE(size == 1132 || total == 20000) << size;
    }
    sack(newest, {}, 1500 + 100 * static_cast<std::uint32_t>(round));
  }
  EXPECT_EQ(total, 20000u);
}

// RFC 9260 §6.1 (B): with nothing lost, at no time.
TEST_F(SenderRules, TheCongestionWindowIsNeverExceededByNewData) {
  for (const CongestionAlgorithm algorithm :
       {CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic}) {
    Options how = options();
    how.congestion = algorithm;
    open(how, 1 << 30);
    std::uint32_t newest = 0;
    bool filled = false;
    bool waits = false;
    for (int round = 0; round < 30; ++round) {
      for (std::size_t i = 0; i < 100; ++i) static_cast<void>(send(1 + 37 * i));
      EXPECT_LE(sender().bytes_in_flight(), sender().cwnd());
      filled = filled || sender().bytes_in_flight() + 1200 > sender().cwnd();
      waits = waits || pair_->b().buffered_amount() > 0;
      for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
      pair_->run_for(milliseconds(10));
      EXPECT_LE(sender().bytes_in_flight(), sender().cwnd());
      for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
      // Half of it, so that the window opens by pieces.
      sack(newest - std::min(newest, 5u), {}, 1 << 30);
    }
    EXPECT_TRUE(filled);
    EXPECT_TRUE(waits) << "what does not fit is taken and waits";
  }
}

// RFC 9260 §6.1: later chunks leave T3-rtx as it runs, the earliest sent again restarts it.
TEST_F(SenderRules, T3RestartsWhereTheEarliestChunkLeavesAgainOnly) {
  ASSERT_EQ(send(3000), SendStatus::kOk);
  pair_->run_for(milliseconds(600));
  ASSERT_EQ(send(3000), SendStatus::kOk);
  pair_->run_for(milliseconds(399));
  EXPECT_EQ(expiries(), 0u);
  pair_->run_for(milliseconds(1));
  EXPECT_EQ(expiries(), 1u);

  open();
  for (int i = 0; i < 6; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  static_cast<void>(sent());
  pair_->run_for(milliseconds(600));
  for (std::uint16_t end = 2; end <= 4; ++end) sack(0, {{2, end}});
  EXPECT_EQ(numbers(), Numbers{1});
  pair_->run_for(milliseconds(999));
  EXPECT_EQ(expiries(), 0u);
  pair_->run_for(milliseconds(1));
  EXPECT_EQ(expiries(), 1u);
}

// RFC 9260 §6.3.2 (R2, R3).
TEST_F(SenderRules, T3RestartsWhereTheEarliestChunkIsAcknowledged) {
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  pair_->run_for(milliseconds(600));
  sack(1);
  pair_->run_for(milliseconds(999));
  EXPECT_EQ(expiries(), 0u);
  EXPECT_EQ(sender().stats().loss_probes, 0u);
  // The peer may delay the SACK of the last. The first time-out is a probe (RFC 8985 §7.2).
  pair_->run_for(milliseconds(201));
  EXPECT_EQ(sender().stats().loss_probes, 1u);
  pair_->run_for(milliseconds(1200));
  EXPECT_EQ(expiries(), 1u);
  sack(4);
  pair_->run_for(seconds(100));
  EXPECT_EQ(expiries(), 1u) << "nothing outstanding: it is stopped";
}

// RFC 9260 §6.1: far less than 2^31 - 1 TSNs and 2^16 - 1 messages of a stream.
// RFC 8260 §2.1.
TEST_F(SenderRules, TheSendWindowSpansFewerTsnsThanAGapBlockReaches) {
  Options how = options();
  how.send_buffer_bytes = 64 << 20;
  open(how, 1 << 30);
  std::uint32_t newest = 0;
  while (sender().cwnd() < (16 << 20)) {
    while (pair_->b().buffered_amount() < sender().cwnd()) {
      ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(1), kPpidBinary, Bytes(100000, 1)),
                SendStatus::kOk);
    }
    pair_->run_for(milliseconds(100));
    for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
    sack(newest, {}, 1 << 30);
  }
  for (int i = 0; i < 70000; ++i) {
    ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(2), kPpidBinary, Bytes{1}), SendStatus::kOk);
  }
  for (int round = 0; round < 100 && pair_->b().buffered_amount() > 0; ++round) {
    pair_->run_for(milliseconds(5));
    std::uint32_t highest = newest;
    for (const std::uint32_t number : numbers()) highest = std::max(highest, number);
    EXPECT_LT(highest - newest, 65536u);
  }
  EXPECT_GT(pair_->b().buffered_amount(), 0u);
  const Tsn acked = sender().cumulative_acked();
  EXPECT_EQ(sender().next_tsn().distance_from(acked) - 1, OutstandingQueue::kMaxChunks);
}

// RFC 9260 §6.3.1 (C4): however many SACKs come in a round trip.
TEST_F(SenderRules, ThereIsOneSampleARoundTrip) {
  std::uint32_t n = 0;
  std::multimap<Time, std::uint32_t> due;
  std::size_t samples = 0;
  std::optional<Duration> last;
  for (int tick = 0; tick < 400; ++tick) {  // 4 s of a round trip of 100 to 140 ms.
    ASSERT_EQ(send(1000), SendStatus::kOk);
    due.emplace(pair_->now() + milliseconds(100 + tick % 5 * 10), ++n);
    pair_->run_for(milliseconds(10));
    while (!due.empty() && due.begin()->first <= pair_->now()) {
      sack(due.begin()->second);
      due.erase(due.begin());
      const Duration now = sender().rto().rttvar();
      if (last != now) ++samples;
      last = now;
    }
  }
  EXPECT_LE(samples, 41u);
  EXPECT_GE(samples, 20u);
}

// RFC 9260 §6.5: behind 65535 comes 0.
TEST_F(SenderRules, SsnsWrap) {
  Options how = options();
  how.send_buffer_bytes = 64 << 20;
  AssociationPair pair(how, how);
  pair.record_sent = false;
  ASSERT_TRUE(pair.connect_both());
  std::uint32_t expected = 0;
  std::uint32_t newest = pair.a().sender().cumulative_acked().value();
  pair.filter = [&](int end, ByteSpan packet) {
    if (end != kA) return true;
    for (const ChunkView& chunk : chunks_of(packet)) {
      const auto data = DataChunkView::parse(chunk.bytes);
      if (!data || !Tsn(newest).precedes(data->header.tsn)) continue;
      newest = data->header.tsn.value();
      EXPECT_EQ(data->header.ssn.value(), expected++ % 65536);
    }
    return true;
  };
  pair.on_event = [](int, const Event&) {};
  for (int i = 0; i < 65600; ++i) {
    ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  }
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }));
  EXPECT_EQ(expected, 65600u);
}

// RFC 9260 §7.2.
TEST_F(SenderRules, FlightCountsChunksWithHeaderAndPadding) {
  ASSERT_EQ(send(1), SendStatus::kOk);
  EXPECT_EQ(sender().bytes_in_flight(), 20u);
  ASSERT_EQ(send(5), SendStatus::kOk);
  EXPECT_EQ(sender().bytes_in_flight(), 20u + 24u);
}

// RFC 9260 §7.2.1: ssthresh is out of reach at first.
TEST_F(SenderRules, SlowStartLastsUntilTheFirstLoss) {
  for (const CongestionAlgorithm algorithm :
       {CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic}) {
    Options how = options();
    how.congestion = algorithm;
    open(how);
    EXPECT_GE(sender().ssthresh(), std::size_t{16} << 20);
  }
}

// RFC 9260 §7.2.4 (3): although more is in flight than the reduced window allows.
TEST_F(SenderRules, AFastRetransmitLeavesWhateverCwndIs) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  ASSERT_EQ(numbers().size(), 10u);
  for (std::uint16_t end = 2; end <= 4; ++end) sack(0, {{2, end}});
  EXPECT_EQ(numbers(), Numbers{1});
  EXPECT_GT(sender().bytes_in_flight() + 1116, sender().cwnd());
}

// RFC 9260 §7.2.4: two losses of one flight are one reason.
TEST_F(SenderRules, OneReductionServesAllThatWasLostOfOneFlight) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1000), SendStatus::kOk);
  static_cast<void>(sent());
  pair_->run_for(milliseconds(100));
  for (std::uint16_t end = 2; end <= 4; ++end) sack(0, {{2, end}});
  EXPECT_EQ(numbers(), Numbers{1});
  const std::size_t cwnd = sender().cwnd();
  const std::size_t ssthresh = sender().ssthresh();
  for (std::uint16_t end = 6; end <= 8; ++end) sack(0, {{2, 4}, {6, end}});
  const Numbers again = numbers();
  EXPECT_EQ(again, Numbers{5}) << "the fifth is missing, too";
  EXPECT_EQ(sender().cwnd(), cwnd);
  EXPECT_EQ(sender().ssthresh(), ssthresh);
}

// RFC 9260 §7.2.4: of a SACK that moves on and reports a loss the first counts first.
TEST_F(SenderRules, GrowthComesBeforeTheReductionOfTheSameSack) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  const std::size_t cwnd = sender().cwnd();
  sack(1, {{2, 4}});  // Four are new, and three of them prove that the second is missing.
  EXPECT_EQ(sender().cwnd(), (cwnd + 4 * 1116) / 2);
}

// RFC 9260 §7.2.1, §6.1: what was not used for a while is not believed any more.
TEST_F(SenderRules, AWindowDecaysWhileNothingIsSent) {
  std::uint32_t newest = 0;
  while (sender().cwnd() < 40 * 1160) {
    while (pair_->b().buffered_amount() < sender().cwnd()) {
      ASSERT_EQ(send(50000), SendStatus::kOk);
    }
    pair_->run_for(milliseconds(100));
    for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
    sack(newest);
  }
  for (int i = 0; i < 20; ++i) {
    pair_->run_for(milliseconds(10));
    for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
    sack(newest);
  }
  ASSERT_TRUE(sender().all_acknowledged());
  const std::size_t cwnd = sender().cwnd();
  pair_->run_for(milliseconds(500));
  ASSERT_EQ(send(10), SendStatus::kOk);
  EXPECT_EQ(sender().cwnd(), cwnd) << "not yet one RTO";
  sack(++newest);
  pair_->run_for(milliseconds(2100));
  ASSERT_EQ(send(10), SendStatus::kOk);
  EXPECT_LE(sender().cwnd(), cwnd / 4 + 1160);
}

// RFC 7053 §5.2: a retransmission that nothing may follow asks for its SACK.
TEST_F(SenderRules, ARetransmissionAsksForItsSackWhereNothingMayFollow) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  pair_->run_for(milliseconds(10));
  const auto asks = [&] {
    const Bytes packet = last_with(pair_->sent(kB), ChunkType::kData);
    return DataChunkView::parse(find_chunk(packet, ChunkType::kData)->bytes)
        ->header.flags.immediate;
  };
  while (expiries() == 0) pair_->run_for(milliseconds(100));  // A window of one packet.
  EXPECT_TRUE(asks());
}

// RFC 8985 §6.2, step 4: what comes late by less than a quarter of the round trip is not lost.
TEST_F(SenderRules, WhatMayYetComeIsNotTakenForLost) {
  ASSERT_EQ(send(100), SendStatus::kOk);
  pair_->run_for(milliseconds(100));
  sack(1);
  static_cast<void>(sent());
  ASSERT_EQ(send(1000), SendStatus::kOk);
  pair_->run_for(milliseconds(1));
  ASSERT_EQ(send(1000), SendStatus::kOk);
  EXPECT_EQ(numbers(), (Numbers{2, 3}));
  pair_->run_for(milliseconds(100));
  sack(1, {{2, 2}});
  EXPECT_TRUE(sent().empty());
  pair_->run_for(milliseconds(20));
  EXPECT_TRUE(sent().empty());
  pair_->run_for(milliseconds(10));
  EXPECT_EQ(numbers(), Numbers{2});
}

// RFC 9260 §7.2.3, §7.2.4: what T3-rtx has taken for lost is sent in slow start, whatever fast
// recovery had in mind.
TEST_F(SenderRules, ATimeoutEndsRecovery) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  pair_->run_for(milliseconds(10));
  for (std::uint16_t end = 2; end <= 4; ++end) sack(0, {{2, end}});
  EXPECT_EQ(numbers().back(), 1u);
  while (expiries() == 0) pair_->run_for(milliseconds(100));
  EXPECT_EQ(sender().cwnd(), 1160u);
  static_cast<void>(sent());
  const std::size_t cwnd = sender().cwnd();
  sack(4);  // What recovery had waited for in part: it grows.
  EXPECT_GT(sender().cwnd(), cwnd);
  EXPECT_FALSE(sent().empty());
}

// The W3C threshold of the sum: on the way down, once.
TEST_F(SenderRules, TheTotalThresholdFiresOnCrossingOnly) {
  pair_->b().set_total_buffered_amount_low_threshold(3000);
  ASSERT_EQ(send(1000, 1), SendStatus::kOk);
  EXPECT_EQ(pair_->count(kB, EventKind::kTotalBufferedAmountLow), 0u);
  for (std::uint16_t i = 0; i < 30; ++i) ASSERT_EQ(send(1000, i), SendStatus::kOk);
  EXPECT_GT(pair_->b().buffered_amount(), 3000u);
  EXPECT_EQ(pair_->count(kB, EventKind::kTotalBufferedAmountLow), 0u);
  std::uint32_t newest = 0;
  for (int round = 0; round < 20 && pair_->b().buffered_amount() > 0; ++round) {
    pair_->run_for(milliseconds(10));
    for (const std::uint32_t number : numbers()) newest = std::max(newest, number);
    sack(newest);
  }
  EXPECT_EQ(pair_->b().buffered_amount(), 0u);
  EXPECT_EQ(pair_->count(kB, EventKind::kTotalBufferedAmountLow), 1u);
}

TEST_F(SenderRules, ATotalThresholdThatWasNotSetFiresNever) {
  ASSERT_EQ(send(1000, 1), SendStatus::kOk);
  pair_->run_for(milliseconds(10));
  EXPECT_EQ(pair_->b().buffered_amount(), 0u);
  EXPECT_EQ(pair_->count(kB, EventKind::kBufferedAmountLow), 1u);
  EXPECT_EQ(pair_->count(kB, EventKind::kTotalBufferedAmountLow), 0u);
}

// RFC 9260 §7.2.1, §7.2.2: what gap blocks told of first counts when the cumulative TSN passes it.
TEST_F(SenderRules, GrowthCountsWhatGapBlocksToldOfBefore) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(send(1100), SendStatus::kOk);
  const std::size_t cwnd = sender().cwnd();
  sack(0, {{2, 3}});
  EXPECT_EQ(sender().cwnd(), cwnd) << "the cumulative TSN stands";
  sack(3);
  EXPECT_EQ(sender().cwnd(), cwnd + 3 * 1116);
}

// RFC 9260 §6.1, §7.2.4 (4): also where time found the loss, and no SACK restarts the timer.
TEST_F(SenderRules, T3RestartsWithARetransmissionThatTimeBroughtAbout) {
  ASSERT_EQ(send(100), SendStatus::kOk);
  pair_->run_for(milliseconds(100));
  sack(1);
  ASSERT_EQ(send(1000), SendStatus::kOk);
  pair_->run_for(milliseconds(1));
  ASSERT_EQ(send(1000), SendStatus::kOk);
  static_cast<void>(sent());
  pair_->run_for(milliseconds(100));
  sack(1, {{2, 2}});
  while (sent().empty()) pair_->run_for(milliseconds(1));
  const Time resent = pair_->now();
  while (expiries() == 0) pair_->run_for(milliseconds(1));
  const Duration waited = pair_->now() - resent;  // The peer may delay a last chunk's SACK.
  EXPECT_TRUE(waited == seconds(1) || waited == milliseconds(1200)) << waited.count();
}

}  // namespace
}  // namespace millrace::sctp
