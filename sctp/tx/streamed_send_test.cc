// SPDX-License-Identifier: Apache-2.0
// Messages that come part by part, against a peer that keeps every chunk.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;

std::uint8_t byte_of(std::size_t message, std::size_t offset) {
  return static_cast<std::uint8_t>(message * 31 + offset * 7 + (offset >> 8));
}
Bytes part_of(std::size_t message, std::size_t offset, std::size_t bytes) {
  Bytes part(bytes);
  for (std::size_t i = 0; i < bytes; ++i) part[i] = byte_of(message, offset + i);
  return part;
}

using Messages = std::vector<Bytes>;

// Fragment is a DATA or I-DATA chunk as the peer got it.
struct Fragment {
  std::uint16_t stream;
  std::uint32_t number;  // FSN or TSN, either consecutive within a message.
  DataFlags flags;
  Bytes payload;
};

class StreamedSend : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { make(GetParam()); }
  void make(bool i_data, bool forward_tsn = true, std::size_t send_buffer_bytes = 512 << 10) {
    sender_.reset();
    chunks_.clear();
    cumulative_ = UnwrappedTsn::first(Tsn(999));
    DataSenderOptions options;
    options.initial_tsn = Tsn(1000);
    options.send_buffer_bytes = send_buffer_bytes;
    options.max_message_bytes = 1 << 30;
    options.rto = {.rto_initial = seconds(1), .rto_min = milliseconds(100)};
    sender_.emplace(options, pool_);
    sender_->establish(now_, kWindow, 16, forward_tsn, i_data);
  }
  // A part of message `message` of a stream, of which `offset` bytes were given.
  SendStatus part(std::size_t message, std::size_t offset, std::size_t bytes, bool last,
                  std::uint16_t stream = 1, const SendOptions& options = {}) {
    return sender_->send_part(now_, StreamId(stream), kPpidBinary, part_of(message, offset, bytes),
                              {.last = last}, options);
  }
  // What leaves at this instant; the peer gets it unless `lost` says otherwise.
  std::vector<Fragment> flush(const std::function<bool()>& lost = [] { return false; }) {
    std::vector<Fragment> sent;
    for (;;) {
      Bytes bytes(1160);
      PacketWriter writer(bytes, CommonHeader{});
      if (!sender_->append_chunks(now_, writer)) return sent;
      bytes.resize(writer.size());
      const bool arrives = !lost();
      ChunkReader reader(ByteSpan(bytes).subspan(CommonHeader::kBytes));
      while (const auto chunk = reader.next()) take(*chunk, arrives, sent);
    }
  }
  void acknowledge() {
    std::vector<GapAckBlock> gaps;
    while (chunks_.contains(cumulative_.next())) cumulative_ = cumulative_.next();
    for (auto at = chunks_.upper_bound(cumulative_); at != chunks_.end() && gaps.size() < 50;) {
      const auto first = static_cast<std::uint16_t>(at->first.distance_from(cumulative_));
      std::uint16_t end = first;
      for (++at; at != chunks_.end() && at->first.distance_from(cumulative_) == end + 1u; ++at)
        ++end;
      gaps.push_back({first, end});
    }
    const SackChunk chunk{cumulative_.wrap(), kWindow, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    static_cast<void>(sender_->handle_sack(now_, *SackChunkView::parse(bytes)));
  }
  void round(const std::function<bool()>& lost = [] { return false; }) {
    now_ += milliseconds(10);
    acknowledge();
    if (now_ >= sender_->next_timeout()) static_cast<void>(sender_->handle_timeout(now_));
    flush(lost);
  }
  void drain(int rounds = 4000) {
    for (int i = 0; i < rounds && !sender_->all_acknowledged(); ++i) round();
    EXPECT_TRUE(sender_->all_acknowledged());
    EXPECT_EQ(pool_.used_bytes(), 0u);
  }
  // The whole messages of a stream, in the order of their TSNs.
  std::vector<Bytes> messages(std::uint16_t stream) const {
    std::vector<Bytes> whole;
    Bytes current;
    std::uint32_t next = 0;
    bool begun = false;
    for (const auto& [tsn, fragment] : chunks_) {
      if (fragment.stream != stream) continue;
      if (fragment.flags.beginning) {
        current.clear();
        begun = true;
      } else if (fragment.number != next) {
        begun = false;
      }
      next = fragment.number + 1;
      current.insert(current.end(), fragment.payload.begin(), fragment.payload.end());
      if (begun && fragment.flags.ending) whole.push_back(current);
      if (fragment.flags.ending) begun = false;
    }
    return whole;
  }

  static constexpr std::uint32_t kWindow = 256 << 10;

  Time now_{seconds(1)};
  BlockPool pool_;
  std::optional<DataSender> sender_;
  UnwrappedTsn cumulative_;
  std::map<UnwrappedTsn, Fragment> chunks_;

 private:
  void take(const ChunkView& chunk, bool arrives, std::vector<Fragment>& sent) {
    const auto data = DataChunkView::parse(chunk.bytes);
    const auto i_data = IDataChunkView::parse(chunk.bytes);
    if (!data && !i_data) {
      // The two FORWARD TSNs begin alike.
      const Tsn to(load_be32(chunk.bytes.data() + 4));
      if (arrives) cumulative_ = std::max(cumulative_, UnwrappedTsn::nearest(cumulative_, to));
      return;
    }
    const ByteSpan payload = data ? data->payload : i_data->payload;
    const Fragment fragment{(data ? data->header.stream : i_data->header.stream).value(),
                            data ? data->header.tsn.value() : i_data->header.fsn,
                            data ? data->header.flags : i_data->header.flags,
                            Bytes(payload.begin(), payload.end())};
    sent.push_back(fragment);
    const Tsn tsn = data ? data->header.tsn : i_data->header.tsn;
    if (arrives) chunks_.try_emplace(UnwrappedTsn::nearest(cumulative_, tsn), fragment);
  }
};

// Each message that is being sent holds back its last bytes, and so a block; in a buffer that
// these alone fill, room would never come. Seeds 259 and others of the hostile simulation.
TEST_P(StreamedSend, MessagesInPartsGoOnInABufferThatTheirBlocksFill) {
  constexpr std::size_t kBytes = 200'000;
  constexpr std::size_t kPart = 20'000;
  constexpr std::uint16_t kStreams = 4;
  make(GetParam(), true, 32 << 10);
  std::array<std::size_t, kStreams> given{};
  bool writable = true;
  for (int i = 0; i < 2000; ++i) {
    SendEvent event;
    while (sender_->poll_event(event))
      writable = writable || event.kind == SendEvent::Kind::kWritable;
    // As an application does: where it was refused it waits to be told.
    for (std::uint16_t stream = 0; writable && stream < kStreams; ++stream) {
      std::size_t& offset = given[stream];
      while (offset < kBytes) {
        const bool last = offset + kPart == kBytes;
        const SendStatus status = part(stream, offset, kPart, last, stream);
        ASSERT_TRUE(status == SendStatus::kOk || status == SendStatus::kWouldBlock);
        if (status == SendStatus::kWouldBlock) break;
        offset += kPart;
        ASSERT_LE(pool_.used_bytes(), (kStreams + 4) * (std::size_t{33} << 10));
      }
    }
    writable = false;
    round();
  }
  EXPECT_EQ(given, (std::array<std::size_t, kStreams>{kBytes, kBytes, kBytes, kBytes}));
  drain();
  for (std::uint16_t stream = 0; stream < kStreams; ++stream) {
    EXPECT_EQ(messages(stream).size(), 1u) << stream;
  }
}

INSTANTIATE_TEST_SUITE_P(, StreamedSend, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

// RFC 9260 §6.9: only the last fragment has the E bit, so what may be the last is held back.
TEST_P(StreamedSend, FullFragmentsLeaveBeforeTheEndIsKnownAndTheRestWithIt) {
  const std::size_t full = GetParam() ? 1128 : 1132;
  ASSERT_EQ(part(0, 0, 500, false), SendStatus::kOk);
  EXPECT_TRUE(flush().empty());
  EXPECT_FALSE(sender_->has_something_to_send(now_));
  ASSERT_EQ(part(0, 500, 3 * full - 500, false), SendStatus::kOk);
  const auto sent = flush();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].flags.beginning);
  EXPECT_FALSE(sent[1].flags.beginning || sent[0].flags.ending || sent[1].flags.ending);
  EXPECT_EQ(sent[1].payload.size(), full);
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), full);
  ASSERT_EQ(part(0, 0, 0, true), SendStatus::kOk) << "an empty part may be the last";
  const auto end = flush();
  ASSERT_EQ(end.size(), 1u);
  EXPECT_TRUE(end[0].flags.ending);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 3 * full)});
}

TEST_P(StreamedSend, SixtyFourMiBPassThroughOneMiBOfMemoryWithLoss) {
  constexpr std::size_t kSize = std::size_t{64} << 20;
  SeededRng rng(3);
  const auto lost = [&] { return rng.below(100) == 0; };
  std::size_t given = 0;
  std::size_t most = 0;
  while (given < kSize) {
    const std::size_t bytes = std::min<std::size_t>(kSize - given, 1 + rng.below(40000));
    const SendStatus status = part(0, given, bytes, given + bytes == kSize);
    if (status == SendStatus::kOk) {
      given += bytes;
      continue;
    }
    ASSERT_EQ(status, SendStatus::kWouldBlock);
    most = std::max(most, pool_.used_bytes());
    SendEvent event;
    for (int i = 0; i < 1000 && !sender_->poll_event(event); ++i) round(lost);
    ASSERT_EQ(event.kind, SendEvent::Kind::kWritable);
  }
  EXPECT_LE(most, std::size_t{1} << 20);
  drain();
  ASSERT_EQ(messages(1).size(), 1u);
  EXPECT_TRUE(messages(1)[0] == part_of(0, 0, kSize));
}

TEST_P(StreamedSend, AnOpenMessageHoldsUpOtherStreamsOnlyWhereFragmentsCannotInterleave) {
  ASSERT_EQ(part(0, 0, 5000, false), SendStatus::kOk);
  ASSERT_EQ(flush().size(), 4u);
  ASSERT_EQ(sender_->send(now_, StreamId(2), kPpidBinary, part_of(9, 0, 100), {}), SendStatus::kOk);
  round();
  EXPECT_EQ(messages(2).size(), GetParam() ? 1u : 0u);
  EXPECT_EQ(sender_->has_something_to_send(now_), false);
  ASSERT_EQ(part(0, 5000, 100, true), SendStatus::kOk);
  drain();
  EXPECT_EQ(messages(2), Messages{part_of(9, 0, 100)});
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 5100)});
}

TEST_P(StreamedSend, WhatIsSentOnTheStreamMeanwhileComesBehindIt) {
  ASSERT_EQ(part(0, 0, 3000, false), SendStatus::kOk);
  ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, part_of(1, 0, 100), {}), SendStatus::kOk);
  ASSERT_EQ(part(0, 3000, 3000, true), SendStatus::kOk);
  drain();
  EXPECT_EQ(messages(1), (Messages{part_of(0, 0, 6000), part_of(1, 0, 100)}));
}

// RFC 8841 §6: nothing of a message that the peer would not take may be sent.
TEST_P(StreamedSend, AKnownTotalIsRefusedAtOnceAndAnUnknownOneWhenItIsReached) {
  const std::size_t limit = std::size_t{1} << 30;
  const Bytes some(1000);
  EXPECT_EQ(
      sender_->send_part(now_, StreamId(1), kPpidBinary, some, {.total_bytes = limit + 1}, {}),
      SendStatus::kTooLarge);
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 0u);
  ASSERT_EQ(part(0, 0, 1000, false), SendStatus::kOk);
  EXPECT_EQ(
      sender_->send_part(now_, StreamId(1), kPpidBinary, {some.data(), limit - 999},  // Not read.
                         {}, {}),
      SendStatus::kTooLarge);
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 1000u);
  EXPECT_EQ(part(0, 1000, 1000, true), SendStatus::kOk);
  EXPECT_EQ(part(0, 0, 0, true), SendStatus::kEmpty);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 2000)});
}

TEST_P(StreamedSend, AnAbortedMessageThatWasNotBegunLeavesNothing) {
  ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, part_of(1, 0, 100), {}), SendStatus::kOk);
  ASSERT_EQ(part(0, 0, 9000, false), SendStatus::kOk);
  ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, part_of(2, 0, 100), {}), SendStatus::kOk);
  EXPECT_TRUE(sender_->abort_message(now_, StreamId(1)));
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 200u);
  drain();
  EXPECT_EQ(messages(1), (Messages{part_of(1, 0, 100), part_of(2, 0, 100)}));
  EXPECT_EQ(cumulative_.wrap(), Tsn(1001));
}

// RFC 3758 §3.5
TEST_P(StreamedSend, AnAbortedMessageThatWasBegunIsSkippedByThePeer) {
  ASSERT_EQ(part(0, 0, 9000, false), SendStatus::kOk);
  ASSERT_FALSE(flush().empty());
  EXPECT_TRUE(sender_->abort_message(now_, StreamId(1)));
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 0u);
  ASSERT_EQ(part(1, 0, 100, true), SendStatus::kOk) << "the next one begins";
  EXPECT_EQ(sender_->stats().messages_abandoned, 1u);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(1, 0, 100)});
  EXPECT_EQ(sender_->stats().forward_tsns_sent, 1u);
}

TEST_P(StreamedSend, WhereThePeerCannotSkipOnlyWhatWasNotBegunIsAborted) {
  make(GetParam(), false);
  ASSERT_EQ(part(0, 0, 9000, false), SendStatus::kOk);
  ASSERT_FALSE(flush().empty());
  EXPECT_FALSE(sender_->abort_message(now_, StreamId(1)));
  ASSERT_EQ(part(0, 9000, 10, true), SendStatus::kOk) << "it can go on";
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 9010)});
}

// RFC 3758 §3.5 (A): its lifetime ends, be it held back.
TEST_P(StreamedSend, AMessageThatExpiresIsGivenUpAndTheNextPartIsToldSo) {
  const SendOptions options{.max_lifetime = milliseconds(30)};
  ASSERT_EQ(part(0, 0, 9000, false, 1, options), SendStatus::kOk);
  ASSERT_EQ(sender_->send(now_, StreamId(2), kPpidBinary, part_of(9, 0, 100), {}), SendStatus::kOk);
  for (int i = 0; i < 5; ++i) round();
  EXPECT_EQ(part(0, 9000, 10, true), SendStatus::kAbandoned);
  EXPECT_EQ(messages(2).size(), 1u);
  ASSERT_EQ(part(1, 0, 10, true), SendStatus::kOk) << "said once";
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(1, 0, 10)});
}

TEST_P(StreamedSend, LowThresholdsSeeTheParts) {
  sender_->set_buffered_amount_low_threshold(StreamId(1), 1200);
  ASSERT_EQ(part(0, 0, 3000, false), SendStatus::kOk);
  SendEvent event;
  EXPECT_FALSE(sender_->poll_event(event));
  flush();
  ASSERT_TRUE(sender_->poll_event(event));
  EXPECT_EQ(event.kind, SendEvent::Kind::kBufferedAmountLow);
  EXPECT_TRUE(sender_->abort_message(now_, StreamId(1)));
  drain();
}

// Whatever the parts, losses and second thoughts, a message arrives as it was given or not at all.
TEST_P(StreamedSend, WholeMessagesArriveAsTheyWereGiven) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    make(GetParam());
    SeededRng rng(seed);
    const auto lost = [&] { return rng.below(20) == 0; };
    struct Open {
      std::size_t message = 0;
      std::size_t given = 0;
    };
    std::map<std::uint16_t, Open> open;
    std::map<std::uint16_t, std::vector<Bytes>> finished;
    std::size_t next_message = 0;
    for (int turn = 0; turn < 300; ++turn) {
      const auto stream = static_cast<std::uint16_t>(rng.below(4));
      if (!open.contains(stream)) open[stream].message = next_message++;
      Open& at = open[stream];
      SendOptions options;
      if (stream >= 2) options.max_retransmits = 0;
      const bool last = rng.below(5) == 0;
      const std::size_t bytes = 1 + rng.below(rng.below(2) == 0 ? 2000 : 50000);
      const SendStatus status = part(at.message, at.given, bytes, last, stream, options);
      if (status == SendStatus::kOk) {
        at.given += bytes;
        if (last) finished[stream].push_back(part_of(at.message, 0, at.given));
      }
      const bool aborts = status == SendStatus::kOk && !last && rng.below(30) == 0;
      ASSERT_TRUE(!aborts || sender_->abort_message(now_, StreamId(stream)));
      if (aborts || status == SendStatus::kAbandoned || (last && status == SendStatus::kOk)) {
        open.erase(stream);
      }
      if (rng.below(2) == 0) round(lost);
    }
    for (const auto& [stream, at] : open) {
      ASSERT_TRUE(sender_->abort_message(now_, StreamId(stream)));
    }
    drain();
    for (std::uint16_t stream = 0; stream < 4; ++stream) {
      const std::vector<Bytes> arrived = messages(stream);
      const std::vector<Bytes>& sent = finished[stream];
      EXPECT_TRUE(stream >= 2 || arrived == sent) << seed;
      auto from = sent.begin();
      for (const Bytes& message : arrived) {
        from = std::find(from, sent.end(), message);
        ASSERT_TRUE(from != sent.end()) << "not one that was sent: " << seed;
        ++from;
      }
    }
  }
}

}  // namespace
}  // namespace millrace::sctp
