// SPDX-License-Identifier: Apache-2.0
// I-DATA as DataSender sends it (RFC 8260 §2).
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;

constexpr std::size_t kMaxFragment = 1160 - CommonHeader::kBytes - IDataChunkHeader::kBytes;

class InterleavingTest : public ::testing::Test {
 protected:
  void SetUp() override { make(1000); }
  void make(std::uint32_t initial_tsn, std::size_t send_buffer_bytes = 1 << 20) {
    sender_.reset();
    DataSenderOptions options;
    options.initial_tsn = Tsn(initial_tsn);
    options.send_buffer_bytes = send_buffer_bytes;
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    sender_.emplace(options, pool_);
    sender_->establish(now_, 1 << 20, 16, true, true);
  }
  SendStatus send(std::size_t size, std::uint16_t stream, const SendOptions& options = {}) {
    return sender_->send(now_, StreamId(stream), kPpidBinary, Bytes(size, 7), options);
  }
  // All that may leave at this instant; `packets_` and `forward_` tell the rest.
  std::vector<IDataChunkHeader> flush() {
    std::vector<IDataChunkHeader> sent;
    forward_.clear();
    packets_.clear();
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return sent;
      bytes.resize(writer.size());
      packets_.push_back(bytes);
      ChunkReader reader(ByteSpan(bytes).subspan(CommonHeader::kBytes));
      while (const auto chunk = reader.next()) {
        if (const auto data = IDataChunkView::parse(chunk->bytes)) {
          sent.push_back(data->header);
          EXPECT_LE(data->payload.size(), kMaxFragment);
        } else {
          EXPECT_TRUE(IForwardTsnChunkView::parse(chunk->bytes)) << "no other chunk is due";
          forward_.assign(chunk->bytes.begin(), chunk->bytes.end());
        }
      }
    }
  }
  SackOutcome sack(std::uint32_t cumulative, std::vector<GapAckBlock> gaps = {}) {
    const SackChunk chunk{Tsn(cumulative), 1 << 20, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    return sender_->handle_sack(now_, *SackChunkView::parse(bytes));
  }

  Time now_{seconds(1)};
  BlockPool pool_;
  std::optional<DataSender> sender_;
  std::vector<Bytes> packets_;
  Bytes forward_;
};

constexpr SendOptions kUnordered{.unordered = true};
constexpr SendOptions kNoRetransmits{.max_retransmits = 0};

Bytes concatenate(std::initializer_list<Bytes> parts) {
  Bytes whole;
  for (const Bytes& part : parts) whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

// RFC 8260 §2.1, §2.2.2
TEST_F(InterleavingTest, TheFirstFragmentBearsThePpidAndTheOthersTheirNumber) {
  ASSERT_EQ(send(kMaxFragment + 2, 5), SendStatus::kOk);
  flush();
  ASSERT_EQ(packets_.size(), 2u);
  const Bytes header(CommonHeader::kBytes, 0);
  const Bytes first = {0x40, 0x02, 0x04, 0x7C, 0, 0, 0x03, 0xE8, 0, 5,
                       0,    0,    0,    0,    0, 0, 0,    0,    0, 53};
  const Bytes second = {0x40, 0x09, 0, 22, 0, 0, 0x03, 0xE9, 0, 5, 0, 0,
                        0,    0,    0, 0,  0, 0, 0,    1,    7, 7, 0, 0};
  EXPECT_EQ(packets_[0], concatenate({header, first, Bytes(kMaxFragment, 7)}));
  EXPECT_EQ(packets_[1], concatenate({header, second}));
}

// RFC 8260 §2.1: the header has 20 bytes, which count against cwnd and the peer's window too.
TEST_F(InterleavingTest, AChunkCountsInFlightWithAllOfItsHeader) {
  ASSERT_EQ(send(101, 1), SendStatus::kOk);
  ASSERT_EQ(flush().size(), 1u);
  EXPECT_EQ(sender_->bytes_in_flight(), IDataChunkHeader::kBytes + 104);
  sack(1000);
  EXPECT_EQ(sender_->bytes_in_flight(), 0u);
}

// RFC 8260 §2.2.2
TEST_F(InterleavingTest, MessagesOfDifferentStreamsTakeTurnsFragmentByFragment) {
  ASSERT_EQ(send(3 * kMaxFragment, 1), SendStatus::kOk);
  ASSERT_EQ(send(2 * kMaxFragment, 2), SendStatus::kOk);
  ASSERT_EQ(send(kMaxFragment, 1), SendStatus::kOk);
  const std::vector<std::array<std::uint32_t, 3>> expected = {{1, 0, 0}, {2, 0, 0}, {1, 0, 1},
                                                              {2, 0, 1}, {1, 0, 2}, {1, 1, 0}};
  std::vector<std::array<std::uint32_t, 3>> sent;
  std::uint32_t tsn = 1000;
  for (const IDataChunkHeader& data : flush()) {
    EXPECT_EQ(data.tsn, Tsn(tsn++));
    sent.push_back({data.stream.value(), data.mid.value(), data.fsn});
  }
  EXPECT_EQ(sent, expected);
}

// RFC 8260 §2.1: the MIDs of ordered and unordered messages are counted apart.
TEST_F(InterleavingTest, EachStreamCountsItsOrderedAndUnorderedMessages) {
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 2, 1}) {
    ASSERT_EQ(send(10, stream), SendStatus::kOk);
    ASSERT_EQ(send(10, stream, kUnordered), SendStatus::kOk);
  }
  std::map<std::pair<std::uint16_t, bool>, std::vector<std::uint32_t>> mids;
  for (const IDataChunkHeader& data : flush()) {
    mids[{data.stream.value(), data.flags.unordered}].push_back(data.mid.value());
  }
  const std::vector<std::uint32_t> one = {0};
  const std::vector<std::uint32_t> two = {0, 1};
  EXPECT_EQ((mids[{1, false}]), two);
  EXPECT_EQ((mids[{1, true}]), two);
  EXPECT_EQ((mids[{2, false}]), one);
  EXPECT_EQ((mids[{2, true}]), one);
}

TEST_F(InterleavingTest, ARetransmissionIsTheSameChunkAgain) {
  // Enough for the record of what is outstanding to have grown on the way.
  ASSERT_EQ(send(9 * kMaxFragment, 1), SendStatus::kOk);
  ASSERT_EQ(send(9 * kMaxFragment, 2, kUnordered), SendStatus::kOk);
  std::map<std::uint32_t, IDataChunkHeader> first;
  for (IDataChunkHeader data : flush()) {
    data.flags.immediate = false;
    first[data.tsn.value()] = data;
  }
  ASSERT_GE(first.size(), 10u);
  now_ = sender_->next_timeout();
  ASSERT_TRUE(sender_->handle_timeout(now_).t3_expired);
  std::uint32_t acked = 999;
  std::size_t again = 0;
  for (int i = 0; i < 30 && again < first.size(); ++i) {
    for (IDataChunkHeader data : flush()) {
      if (!first.contains(data.tsn.value())) continue;
      data.flags.immediate = false;
      EXPECT_EQ(data, first[data.tsn.value()]);
      acked = std::max(acked, data.tsn.value());
      ++again;
    }
    now_ += milliseconds(10);
    sack(acked);
  }
  EXPECT_EQ(again, first.size());
}

// RFC 3758 §3.5 (A): the message is given up whole, though others lie between its fragments.
TEST_F(InterleavingTest, AMessageIsAbandonedWholeAcrossInterleavedFragments) {
  ASSERT_EQ(send(40 * kMaxFragment, 1, kNoRetransmits), SendStatus::kOk);
  ASSERT_EQ(send(4 * kMaxFragment, 2), SendStatus::kOk);
  ASSERT_GE(flush().size(), 8u);  // Streams 1, 2, 1, 2, …
  ASSERT_GT(sender_->buffered_amount(StreamId(1)), 0u) << "half sent";
  for (const std::uint16_t end : std::initializer_list<std::uint16_t>{4, 5, 6}) {
    sack(1001, {{2, end}});  // 1002, of stream 1, is missing.
  }
  EXPECT_EQ(sender_->stats().messages_abandoned.sent, 1u);
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 0u);
  EXPECT_EQ(sender_->stats().retransmitted_chunks, 0u);
  for (const IDataChunkHeader& data : flush()) EXPECT_EQ(data.stream, StreamId(2));
  // 1003 is acknowledged; the peer moves past 1002 and finds it.
  EXPECT_EQ(forward_, (Bytes{194, 0, 0, 16, 0, 0, 0x03, 0xEA, 0, 1, 0, 0, 0, 0, 0, 0}));
  for (int i = 0; i < 60 && !sender_->all_acknowledged(); ++i) {
    now_ += milliseconds(20);
    // The peer obeys: it has all of stream 2 and is told to forget stream 1.
    sack(sender_->next_tsn().previous().value());
    for (const IDataChunkHeader& data : flush()) EXPECT_EQ(data.stream, StreamId(2));
  }
  EXPECT_TRUE(sender_->all_acknowledged());
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 8260 §2.3.1, §2: unordered messages are listed, too, and the highest MID of each kind.
TEST_F(InterleavingTest, AForwardTsnNamesTheLastMessageOfEachStreamAndKind) {
  SendOptions unordered = kUnordered;
  unordered.max_retransmits = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(send(100, 3, kNoRetransmits), SendStatus::kOk);
    ASSERT_EQ(send(100, 3, unordered), SendStatus::kOk);
  }
  ASSERT_EQ(flush().size(), 4u);
  now_ = sender_->next_timeout();
  ASSERT_TRUE(sender_->handle_timeout(now_).t3_expired);
  EXPECT_TRUE(flush().empty());
  EXPECT_EQ(forward_, (Bytes{194, 0, 0, 24, 0, 0, 0x03, 0xEB,  //
                             0,   3, 0, 0,  0, 0, 0,    1,    0, 3, 0, 1, 0, 0, 0, 1}));
}

// RFC 8260 §2.3.2, §2
TEST_F(InterleavingTest, BothCountsStartAtZeroAfterAReset) {
  for (int life = 0; life < 2; ++life) {
    ASSERT_EQ(send(10, 1), SendStatus::kOk);
    ASSERT_EQ(send(10, 1, kUnordered), SendStatus::kOk);
    const auto sent = flush();
    ASSERT_EQ(sent.size(), 2u);
    for (const IDataChunkHeader& data : sent) EXPECT_EQ(data.mid, Mid(0));
    sack(sent.back().tsn.value());
    sender_->pause_stream(StreamId(1));
    ASSERT_TRUE(sender_->may_reset_stream(StreamId(1)));
    sender_->reset_stream(StreamId(1));
  }
}

TEST_F(InterleavingTest, APausedStreamFinishesItsMessageBetweenThoseOfOthers) {
  ASSERT_EQ(send(60 * kMaxFragment, 1), SendStatus::kOk);
  ASSERT_EQ(send(10, 1), SendStatus::kOk);
  flush();
  sender_->pause_stream(StreamId(1));
  EXPECT_FALSE(sender_->may_reset_stream(StreamId(1)));
  ASSERT_EQ(send(60 * kMaxFragment, 2), SendStatus::kOk);
  for (int i = 0; i < 60 && !sender_->may_reset_stream(StreamId(1)); ++i) {
    now_ += milliseconds(20);
    sack(sender_->next_tsn().previous().value());
    for (const IDataChunkHeader& data : flush()) {
      EXPECT_TRUE(data.stream == StreamId(2) || data.mid == Mid(0));
    }
  }
  EXPECT_TRUE(sender_->may_reset_stream(StreamId(1)));
  EXPECT_FALSE(sender_->stream_drained(StreamId(1)));
}

// A peer may say anything: nothing breaks, and what it acknowledges in the end is gone.
// RFC 8260 §2.2.2.
TEST_F(InterleavingTest, NoSackOverInterleavedFragmentsDoesHarm) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    make(0xFFFFFFF0, 256 << 10);
    SeededRng rng(seed);
    for (int turn = 0; turn < 150; ++turn) {
      for (int i = 0; i < 3; ++i) {
        SendOptions options{.unordered = rng.below(2) == 0};
        if (rng.below(2) == 0) options.max_retransmits = rng.below(3);
        if (rng.below(8) == 0) options.max_lifetime = milliseconds(20);
        static_cast<void>(
            send(1 + rng.below(12000), static_cast<std::uint16_t>(rng.below(6)), options));
      }
      flush();
      now_ += milliseconds(1 + static_cast<std::int64_t>(rng.below(30)));
      const std::uint32_t acked = sender_->cumulative_acked().value();
      const std::uint32_t sent = sender_->next_tsn().value() - acked;
      std::vector<GapAckBlock> gaps;
      for (std::uint32_t at = 2; at + 2 < sent && gaps.size() < 20;) {
        const std::uint32_t end = at + static_cast<std::uint32_t>(rng.below(4));
        gaps.push_back({static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(end)});
        at = end + 1 + static_cast<std::uint32_t>(rng.below(5));
      }
      const auto step = static_cast<std::uint32_t>(rng.below(4));
      if (rng.below(4) != 0) sack(acked + std::min(step, sent), gaps);
      if (now_ >= sender_->next_timeout()) static_cast<void>(sender_->handle_timeout(now_));
    }
    for (int i = 0; i < 400 && !sender_->all_acknowledged(); ++i) {
      flush();
      now_ += milliseconds(20);
      sack(sender_->next_tsn().previous().value());
      if (now_ >= sender_->next_timeout()) static_cast<void>(sender_->handle_timeout(now_));
    }
    EXPECT_TRUE(sender_->all_acknowledged()) << seed;
    EXPECT_EQ(pool_.used_bytes(), 0u) << seed;
    EXPECT_EQ(sender_->bytes_in_flight(), 0u) << seed;
  }
}

}  // namespace
}  // namespace millrace::sctp
