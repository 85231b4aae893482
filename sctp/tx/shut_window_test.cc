// SPDX-License-Identifier: Apache-2.0
// A reader that stands still shuts the window: that is no congestion, whatever becomes of what
// probes it (RFC 9260 §6.1 A).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sctp/congestion_algorithm.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;

class ShutWindow : public ::testing::TestWithParam<CongestionAlgorithm> {
 protected:
  void SetUp() override {
    DataSenderOptions options;
    options.initial_tsn = Tsn(1000);
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    options.congestion.algorithm = GetParam();
    sender_.emplace(options, pool_);
    sender_->establish(now_, kWindow, 16, true);
  }
  // The TSNs of all that may leave at this instant.
  std::vector<std::uint32_t> flush() {
    std::vector<std::uint32_t> tsns;
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return tsns;
      ChunkReader reader(ByteSpan(bytes).first(writer.size()).subspan(CommonHeader::kBytes));
      while (const auto chunk = reader.next()) {
        const auto data = DataChunkView::parse(chunk->bytes);
        if (data) tsns.push_back(data->header.tsn.value());
      }
    }
  }
  void sack(std::uint32_t cumulative, std::uint32_t rwnd, std::vector<GapAckBlock> gaps = {}) {
    const SackChunk chunk{Tsn(cumulative), rwnd, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    sender_->handle_sack(now_, *SackChunkView::parse(bytes));
  }
  void queue(int messages) {
    for (int i = 0; i < messages; ++i) {
      if (sender_->send(now_, StreamId(1), kPpidBinary, Bytes(1100, 7), {}) != SendStatus::kOk)
        break;
    }
  }
  // Sends in so many round trips what cwnd allows, and leaves as much queued. Returns the last
  // TSN, which is acknowledged.
  std::uint32_t run_up(int round_trips) {
    std::uint32_t last = 999;
    for (int i = 0; i < round_trips; ++i) {
      queue(300);
      const Time end = now_ + milliseconds(20);
      for (; now_ < end; now_ += milliseconds(1)) {
        for (const std::uint32_t tsn : flush()) last = std::max(last, tsn);
      }
      sack(last, kWindow);
    }
    queue(300);
    return last;
  }
  void expire_t3() {
    for (int i = 0; i < 20; ++i) {
      now_ = sender_->next_timeout();
      if (sender_->handle_timeout(now_).t3_expired) return;
      EXPECT_TRUE(flush().empty());
    }
    FAIL() << "T3-rtx does not run";
  }

  static constexpr std::uint32_t kWindow = 1 << 20;
  Time now_{seconds(1)};
  BlockPool pool_;
  std::optional<DataSender> sender_;
};

TEST_P(ShutWindow, ProbesThatAreDroppedLeaveTheControllerAlone) {
  std::uint32_t last = run_up(8);
  ASSERT_GT(sender_->buffered_amount(StreamId(1)), 100'000u);
  sack(last, 0);
  const std::size_t cwnd = sender_->cwnd();
  const std::size_t ssthresh = sender_->ssthresh();
  // One chunk at a time, and none twice but by T3-rtx.
  EXPECT_EQ(flush(), std::vector{last + 1});
  EXPECT_TRUE(flush().empty());
  for (int i = 0; i < 6; ++i) {
    expire_t3();
    EXPECT_EQ(flush(), std::vector{last + 1}) << i;
    sack(last, 0);  // Received, and no room for it.
    EXPECT_TRUE(flush().empty()) << i;
  }
  EXPECT_EQ(sender_->cwnd(), cwnd);
  EXPECT_EQ(sender_->ssthresh(), ssthresh);
  // The reader returns. What left into the shut window is overtaken by what left after.
  sack(last, kWindow);
  const std::vector<std::uint32_t> sent = flush();
  ASSERT_GT(sent.size(), 5u);
  EXPECT_EQ(sent[0], last + 2);
  now_ += milliseconds(20);
  const auto others = static_cast<std::uint16_t>(sent.size());
  sack(last, kWindow, {{2, static_cast<std::uint16_t>(1 + others)}});
  now_ = std::max(now_, std::min(sender_->next_timeout(), now_ + milliseconds(5)));
  sender_->handle_timeout(now_);
  const std::vector<std::uint32_t> then = flush();
  EXPECT_NE(std::ranges::find(then, last + 1), then.end()) << "sent again";
  // BBR's round trip is out of date by then: it looks for the path's anew.
  EXPECT_TRUE(sender_->cwnd() >= cwnd || GetParam() == CongestionAlgorithm::kBbr);
  EXPECT_EQ(sender_->ssthresh(), ssthresh);
  EXPECT_EQ(sender_->stats().fast_retransmits, 0u);
}

// A packet has room for all three of them; the probe is one, whole.
TEST_P(ShutWindow, ASmallMessageProbesIt) {
  sack(999, 0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, Bytes(100, 7), {}), SendStatus::kOk);
  }
  EXPECT_EQ(flush(), std::vector{1000u});
  EXPECT_EQ(sender_->stats().data_bytes_sent, 100u);
  for (int i = 0; i < 3; ++i) {
    expire_t3();
    EXPECT_EQ(flush(), std::vector{1000u}) << i;
    sack(999, 0);
    EXPECT_TRUE(flush().empty()) << i;
  }
  EXPECT_EQ(sender_->stats().data_bytes_sent, 100u);
  sack(1000, kWindow);
  EXPECT_EQ(flush(), (std::vector{1001u, 1002u}));
}

// What the peer has no room for stays, a chunk at most excepted.
TEST_P(ShutWindow, NothingLeavesBeyondTheWindowButAProbe) {
  const std::uint32_t last = run_up(4);
  sack(last, 3000);
  const std::size_t chunks = flush().size();
  EXPECT_EQ(chunks, 2u) << "of 1120 bytes";
  EXPECT_LE(sender_->bytes_in_flight(), 3000u);
  // The second is lost: the first of it may go again, for the peer waits for it; no other.
  sack(last, 1000);
  EXPECT_TRUE(flush().empty());
}

INSTANTIATE_TEST_SUITE_P(Controllers, ShutWindow,
                         ::testing::Values(CongestionAlgorithm::kNewReno,
                                           CongestionAlgorithm::kCubic, CongestionAlgorithm::kBbr,
                                           CongestionAlgorithm::kTfrc),
                         [](const auto& each) { return std::string(to_string(each.param)); });

}  // namespace
}  // namespace millrace::sctp
