// SPDX-License-Identifier: Apache-2.0
// Messages that come part by part, against a peer that keeps every chunk.
#include "sctp/testing/streamed_send.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

using namespace testing;

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

// Each message that is being sent holds back its last bytes, and so a block; in a buffer that
// these alone fill, room would never come. Seeds 259 and others of the hostile simulation.
TEST_P(StreamedSend, MessagesInPartsGoOnInABufferThatTheirBlocksFill) {
  constexpr std::size_t kBytes = 200'000;
  constexpr std::size_t kPart = 20'000;
  constexpr std::uint16_t kStreams = 4;
  buffer_bytes_ = 32 << 10;
  make(GetParam());
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

// What was too little for a packet of the old size may be more than one of the new size. Seed 5783
// of the hostile simulation.
TEST_P(StreamedSend, WhatWasHeldBackLeavesWhenPacketsShrink) {
  sender_->set_max_packet_bytes(8000);
  ASSERT_EQ(part(0, 0, 3000, false), SendStatus::kOk);
  ASSERT_EQ(part(1, 0, 3000, false, 2), SendStatus::kOk);
  EXPECT_TRUE(flush().empty());
  sender_->set_max_packet_bytes(1160);
  EXPECT_EQ(flush().size(), GetParam() ? 4u : 2u);
  ASSERT_EQ(part(0, 3000, 100, true), SendStatus::kOk);
  ASSERT_EQ(part(1, 3000, 100, true, 2), SendStatus::kOk);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 3100)});
  EXPECT_EQ(messages(2), Messages{part_of(1, 0, 3100)});
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
  EXPECT_EQ(sender_->stats().messages_abandoned.sent, 1u);
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
