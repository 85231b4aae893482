// SPDX-License-Identifier: Apache-2.0
// What the schedulers (RFC 8260 §3) make of a sender's queue, with and without interleaving.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;
using enum StreamScheduling;

// A sender whose peer acknowledges everything a round trip of 10 ms after it left.
class SharedPath {
 public:
  SharedPath(StreamScheduling scheduling, bool i_data, std::size_t peer_rwnd = 128 << 10)
      : sender_(options(scheduling), pool_) {
    sender_.establish(now_, peer_rwnd, 16, true, i_data);
  }
  DataSender& sender() { return sender_; }
  void send(std::uint16_t stream, std::size_t bytes) {
    ASSERT_EQ(sender_.send(now_, StreamId(stream), kPpidBinary, Bytes(bytes, 7), {}),
              SendStatus::kOk);
  }
  // Keeps each stream's queue full for so many round trips.
  void saturate(int rounds, const std::map<std::uint16_t, std::size_t>& message_bytes) {
    for (int i = 0; i < rounds; ++i) {
      for (const auto& [stream, bytes] : message_bytes) {
        while (sender_.buffered_amount(StreamId(stream)) < (1 << 20)) send(stream, bytes);
      }
      round();
    }
  }
  void round() {
    now_ += milliseconds(10);
    static_cast<void>(sender_.handle_cumulative_ack(now_, sender_.next_tsn().previous()));
    flush();
  }
  void flush() {
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_.append_chunks(now_, writer)) return;
      ChunkReader reader(
          ByteSpan(bytes).subspan(CommonHeader::kBytes, writer.size() - CommonHeader::kBytes));
      while (const auto chunk = reader.next()) {
        const auto data = DataChunkView::parse(chunk->bytes);
        const auto i_data = IDataChunkView::parse(chunk->bytes);
        ASSERT_TRUE(data || i_data);
        note(data ? data->header.stream : i_data->header.stream,
             data ? data->payload.size() : i_data->payload.size());
      }
    }
  }
  void forget() {
    sent_.clear();
    ahead_.clear();
    total_ = 0;
  }
  std::size_t sent(std::uint16_t stream) const {
    const auto found = sent_.find(stream);
    return found == sent_.end() ? 0 : found->second;
  }
  // What others sent before its first byte, since `forget`.
  std::size_t ahead_of(std::uint16_t stream) const { return ahead_.at(stream); }
  double share(std::uint16_t stream) const {
    return static_cast<double>(sent(stream)) / static_cast<double>(total_);
  }

 private:
  static DataSenderOptions options(StreamScheduling scheduling) {
    DataSenderOptions options;
    options.send_buffer_bytes = 8 << 20;
    options.max_message_bytes = 1 << 30;
    options.scheduling = scheduling;
    options.min_burst_bytes = 4 << 20;
    return options;
  }
  void note(StreamId stream, std::size_t bytes) {
    ahead_.try_emplace(stream.value(), total_);
    sent_[stream.value()] += bytes;
    total_ += bytes;
  }

  Time now_{seconds(1)};
  BlockPool pool_;
  DataSender sender_;
  std::map<std::uint16_t, std::size_t> sent_;
  std::map<std::uint16_t, std::size_t> ahead_;
  std::size_t total_ = 0;
};

class StreamShares : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, StreamShares, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

// RFC 8831 §6.4, RFC 8835 §4.1: each level has twice the rate of the one below.
// RFC 8260 §3, §3.6.
TEST_P(StreamShares, WeightedFairSharesBytesByPriority) {
  SharedPath path(kWeightedFair, GetParam());
  path.sender().set_stream_priority(StreamId(1), 128);
  path.sender().set_stream_priority(StreamId(3), 512);
  path.sender().set_stream_priority(StreamId(4), 1024);
  path.saturate(100, {{1, 16384}, {2, 400}, {3, 65536}, {4, 1000}});
  EXPECT_NEAR(path.share(1), 128.0 / 1920, 0.005);
  EXPECT_NEAR(path.share(2), 256.0 / 1920, 0.005);
  EXPECT_NEAR(path.share(3), 512.0 / 1920, 0.005);
  EXPECT_NEAR(path.share(4), 1024.0 / 1920, 0.005);
}

// RFC 8260 §3.2: by messages, or by chunks where they interleave.
TEST_P(StreamShares, RoundRobinSharesTurns) {
  SharedPath path(kRoundRobin, GetParam());
  path.sender().set_stream_priority(StreamId(1), 1024);
  path.saturate(100, {{1, 20000}, {2, 80000}});
  EXPECT_NEAR(path.share(2), GetParam() ? 0.5 : 0.8, 0.01);
}

// RFC 8260 §3.1
TEST_P(StreamShares, FirstComeFirstServedKeepsTheOrderOfSend) {
  SharedPath path(kFirstComeFirstServed, GetParam());
  path.send(3, 3000);
  path.send(1, 50000);
  path.send(2, 100);
  path.flush();
  EXPECT_EQ(path.sent(3), 3000u);
  EXPECT_GT(path.sent(1), 3000u);
  EXPECT_EQ(path.sent(2), 0u);
  for (int i = 0; i < 10; ++i) path.round();
  EXPECT_EQ(path.sent(2), 100u);
}

// RFC 8260 §3.4: what is more important interrupts a message where messages interleave.
TEST_P(StreamShares, StrictPriorityLetsTheHigherPass) {
  SharedPath path(kStrictPriority, GetParam());
  path.sender().set_stream_priority(StreamId(2), 512);
  path.send(1, 200000);
  path.flush();
  ASSERT_LT(path.sent(1), 200000u);
  path.send(2, 5000);
  path.forget();
  path.round();
  EXPECT_EQ(path.sent(2), GetParam() ? 5000u : 0u);
  path.saturate(20, {{1, 20000}, {2, 20000}});
  path.forget();
  path.saturate(20, {{1, 20000}, {2, 20000}});
  EXPECT_EQ(path.share(2), 1.0);
}

// RFC 8260 §2.2.2.
TEST(StreamLatency, A64MiBMessageDelaysAnotherStreamsByLessThanAWindow) {
  for (const StreamScheduling scheduling : {kWeightedFair, kRoundRobin}) {
    SharedPath path(scheduling, true, 1 << 20);
    path.send(1, std::size_t{64} << 20);
    for (int i = 0; i < 20; ++i) {
      path.round();
      path.send(2, 100);
      path.forget();
      path.round();
      // Behind what was in flight, which is a window at most, and one fragment.
      ASSERT_EQ(path.sent(2), 100u);
      EXPECT_LE(path.ahead_of(2), 1160u);
      EXPECT_GT(path.sender().buffered_amount(StreamId(1)), 0u);
    }
  }
}

}  // namespace
}  // namespace millrace::sctp
