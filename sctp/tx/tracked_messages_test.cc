// SPDX-License-Identifier: Apache-2.0
// What the sender of a message with an id learns of it, with DATA and with I-DATA.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/rng.h"
#include "sctp/testing/streamed_send.h"

namespace millrace::sctp {
namespace {

using namespace testing;

using enum MessageStage;
using enum MessageExtent;

class TrackedMessages : public StreamedSend {
 protected:
  struct News {
    std::uint64_t id;
    MessageStage stage;
    MessageExtent sent;
    bool operator==(const News&) const = default;
  };
  using AllNews = std::vector<News>;

  static SendOptions with_id(std::uint64_t id, SendOptions options = {}) {
    options.tag = {.id = id, .owner = id + 7};
    return options;
  }
  SendStatus send(std::uint64_t id, std::size_t bytes, SendOptions options = {},
                  std::uint16_t stream = 1) {
    return sender_->send(now_, StreamId(stream), kPpidBinary, part_of(id, 0, bytes),
                         with_id(id, options));
  }
  AllNews news() {
    AllNews all;
    MessageProgress progress;
    StreamId stream;
    EXPECT_TRUE(sender_->may_have_event() || !sender_->has_progress());
    while (sender_->poll_progress(progress, stream)) {
      EXPECT_EQ(progress.tag.owner, progress.tag.id + 7);
      all.push_back({progress.tag.id, progress.stage, progress.sent});
    }
    EXPECT_FALSE(sender_->has_progress());
    return all;
  }
  void sack(std::uint32_t cumulative, std::vector<GapAckBlock> gaps = {}) {
    const SackChunk chunk{Tsn(cumulative), kWindow, gaps, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    static_cast<void>(sender_->handle_sack(now_, *SackChunkView::parse(bytes)));
  }
  void wait(Duration time) {
    now_ += time;
    if (now_ >= sender_->next_timeout()) static_cast<void>(sender_->handle_timeout(now_));
  }
  void forget_events() {
    SendEvent event;
    while (sender_->poll_event(event)) {
    }
  }
  // The window takes no more than the fragment that may always be in flight.
  void shut_window() {
    const SackChunk chunk{Tsn(999), 0, {}, {}};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    static_cast<void>(sender_->handle_sack(now_, *SackChunkView::parse(bytes)));
  }
};

INSTANTIATE_TEST_SUITE_P(, TrackedMessages, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

TEST_P(TrackedMessages, AreSentWithTheirLastFragmentAndDeliveredWithTheLastAcknowledgement) {
  ASSERT_EQ(send(1, 3000), SendStatus::kOk);
  EXPECT_EQ(news(), AllNews());
  ASSERT_EQ(flush().size(), 3u);
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole}}));
  sack(1000);
  sack(1001);
  EXPECT_EQ(news(), AllNews());
  sack(1002);
  EXPECT_EQ(news(), (AllNews{{1, kDelivered, kWhole}}));
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_P(TrackedMessages, OnlyThoseWithAnIdAreToldOf) {
  ASSERT_EQ(send(0, 100), SendStatus::kOk);
  ASSERT_EQ(send(2, 100), SendStatus::kOk);
  ASSERT_EQ(send(0, 100), SendStatus::kOk);
  flush();
  sack(1002);
  forget_events();
  EXPECT_EQ(news(), (AllNews{{2, kSent, kWhole}, {2, kDelivered, kWhole}}));
}

TEST_P(TrackedMessages, SeveralInOnePacketAreToldInTheirOrder) {
  for (const std::uint64_t id : {5u, 4u, 6u}) ASSERT_EQ(send(id, 50), SendStatus::kOk);
  ASSERT_EQ(flush().size(), 3u);
  forget_events();
  EXPECT_EQ(news(), (AllNews{{5, kSent, kWhole}, {4, kSent, kWhole}, {6, kSent, kWhole}}));
  sack(1002);
  EXPECT_EQ(news(),
            (AllNews{{5, kDelivered, kWhole}, {4, kDelivered, kWhole}, {6, kDelivered, kWhole}}));
}

// RFC 9260 §6.2.1: what gap blocks report may be taken back.
TEST_P(TrackedMessages, GapBlocksDeliverNothingAndARetransmissionDoes) {
  for (const std::uint64_t id : {1u, 2u}) ASSERT_EQ(send(id, 1100), SendStatus::kOk);
  flush();
  forget_events();
  EXPECT_EQ(news().size(), 2u);
  wait(milliseconds(50));
  sack(999, {{2, 2}});
  EXPECT_EQ(news(), AllNews());
  wait(milliseconds(200));
  ASSERT_EQ(flush().size(), 1u) << "the first, again";
  EXPECT_EQ(news(), AllNews()) << "it had been sent";
  sack(1001);
  EXPECT_EQ(news(), (AllNews{{1, kDelivered, kWhole}, {2, kDelivered, kWhole}}));
}

// RFC 3758 §3.5 (A1)
TEST_P(TrackedMessages, WhatExpiresUnsentHalfSentOrSentIsAbandonedAndSaysHowMuchHadLeft) {
  const SendOptions brief{.max_lifetime = milliseconds(30)};
  ASSERT_EQ(send(1, 1000, brief), SendStatus::kOk);
  flush();
  shut_window();
  ASSERT_EQ(send(2, 5000, brief), SendStatus::kOk);
  EXPECT_TRUE(flush().empty());
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole}}));
  wait(milliseconds(40));
  flush();
  EXPECT_EQ(news(), (AllNews{{2, kAbandoned, kNone}}));
  sack(999);  // The window opens.
  for (int i = 0; i < 3 && sender_->stats().messages_abandoned.sent == 0; ++i) {
    wait(seconds(1));
    flush();
  }
  EXPECT_EQ(news(), (AllNews{{1, kAbandoned, kWhole}}));
  sack(1000);
  forget_events();
  EXPECT_EQ(news(), AllNews()) << "once";

  make(GetParam());
  shut_window();
  ASSERT_EQ(send(3, 5000, brief), SendStatus::kOk);
  ASSERT_EQ(flush().size(), 1u) << "the one chunk that may always be in flight";
  wait(milliseconds(40));
  forget_events();
  EXPECT_EQ(news(), (AllNews{{3, kAbandoned, kPart}}));
}

TEST_P(TrackedMessages, WhatWasRetransmittedTooOftenIsAbandonedThoughItMayHaveArrived) {
  ASSERT_EQ(send(1, 1000, {.max_retransmits = 0}), SendStatus::kOk);
  flush();
  forget_events();
  EXPECT_EQ(news().size(), 1u);
  wait(seconds(2));
  flush();
  wait(seconds(4));
  EXPECT_EQ(news(), (AllNews{{1, kAbandoned, kWhole}}));
  sack(1000);
  EXPECT_EQ(news(), AllNews());
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 7496 §3.2
TEST_P(TrackedMessages, WhatGivesWayInAFullBufferIsAbandoned) {
  buffer_bytes_ = 64 << 10;
  make(GetParam());
  std::uint64_t id = 0;
  while (send(id + 1, 4000, {.priority = 9}) == SendStatus::kOk) ++id;
  ASSERT_GT(id, 5u);
  ASSERT_EQ(send(100, 4000), SendStatus::kOk);
  EXPECT_EQ(news(), (AllNews{{1, kAbandoned, kNone}}));
}

TEST_P(TrackedMessages, WhatIsDroppedWithItsStreamHasEnded) {
  ASSERT_EQ(send(1, 1000), SendStatus::kOk);
  flush();
  ASSERT_EQ(send(2, 1000), SendStatus::kOk);
  ASSERT_EQ(send(3, 1000, {}, 2), SendStatus::kOk);
  sender_->discard_queued(StreamId(1));
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole}, {2, kEnded, kNone}}));
  sack(1000);
  EXPECT_EQ(news(), (AllNews{{1, kDelivered, kWhole}}));
}

// RFC 6525 §5.2.7
TEST_P(TrackedMessages, AResetEndsWhatWasSentAndWhatTheClosedStreamHadQueued) {
  ASSERT_EQ(send(1, 1000), SendStatus::kOk);
  ASSERT_EQ(send(2, 1000, {}, 2), SendStatus::kOk);
  flush();
  sender_->close_stream(StreamId(1));
  sender_->pause_stream(StreamId(1));
  sender_->pause_stream(StreamId(2));
  ASSERT_EQ(send(3, 1000, {}, 2), SendStatus::kOk);
  forget_events();
  EXPECT_EQ(news().size(), 2u);
  sender_->reset_stream(StreamId(1));
  EXPECT_EQ(news(), (AllNews{{1, kEnded, kWhole}}));
  sender_->reset_stream(StreamId(2));
  EXPECT_EQ(news(), (AllNews{{2, kEnded, kWhole}})) << "3 is of the stream's next life";
  sack(1001);
  EXPECT_EQ(news(), AllNews()) << "they ended before";
  flush();
  sack(1002);
  forget_events();
  EXPECT_EQ(news(), (AllNews{{3, kSent, kWhole}, {3, kDelivered, kWhole}}));
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_P(TrackedMessages, TheEndOfTheAssociationEndsThemOnceAndASuccessorTellsOfIt) {
  ASSERT_EQ(send(1, 1000), SendStatus::kOk);
  ASSERT_EQ(send(2, 1000), SendStatus::kOk);
  flush();
  sack(1000);
  shut_window();
  ASSERT_EQ(send(3, 1000, {}, 2), SendStatus::kOk);
  ASSERT_EQ(part(4, 0, 3000, false, 3, with_id(4)), SendStatus::kOk);
  sender_->end_messages();
  const MessageNews left = sender_->take_news();
  EXPECT_FALSE(sender_->has_progress());
  make(GetParam());
  EXPECT_GT(pool_.used_bytes(), 0u);
  sender_->give_news(left);
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole},
                             {1, kDelivered, kWhole},
                             {2, kSent, kWhole},
                             {2, kEnded, kWhole},
                             {3, kEnded, kNone},
                             {4, kEnded, kNone}}));
  EXPECT_EQ(pool_.used_bytes(), 0u);
  ASSERT_EQ(send(5, 100), SendStatus::kOk);
  sender_->end_messages();
  sender_.reset();
  EXPECT_EQ(pool_.used_bytes(), 0u) << "what nobody asks for is freed with the sender";
}

TEST_P(TrackedMessages, OfOneInPartsTheFirstPartsIdCountsAndTheLastPartSendsIt) {
  ASSERT_EQ(part(1, 0, 3000, false, 1, with_id(1)), SendStatus::kOk);
  ASSERT_EQ(part(1, 3000, 3000, false, 1, with_id(99)), SendStatus::kOk);
  for (int i = 0; i < 5; ++i) round();
  forget_events();
  EXPECT_EQ(news(), AllNews());
  ASSERT_EQ(part(1, 6000, 0, true), SendStatus::kOk);
  flush();
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole}}));
  now_ += milliseconds(1);
  acknowledge();
  EXPECT_EQ(news(), (AllNews{{1, kDelivered, kWhole}}));
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_P(TrackedMessages, OneInPartsThatIsTakenBackIsAbandoned) {
  ASSERT_EQ(part(1, 0, 100, false, 1, with_id(1)), SendStatus::kOk);
  ASSERT_TRUE(sender_->abort_message(now_, StreamId(1)));
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kAbandoned, kNone}}));
  ASSERT_EQ(part(2, 0, 5000, false, 1, with_id(2)), SendStatus::kOk);
  flush();
  ASSERT_TRUE(sender_->abort_message(now_, StreamId(1)));
  forget_events();
  EXPECT_EQ(news(), (AllNews{{2, kAbandoned, kPart}}));
  drain();
  forget_events();
  EXPECT_EQ(news(), AllNews());
}

TEST_P(TrackedMessages, MemoryThatWasHandedOverGoesBackBeforeTheNewsIsTaken) {
  int released = 0;
  const Bytes bytes(2000, 1);
  OwnedBytes owned(
      bytes, [](void* context, ByteSpan) noexcept { ++*static_cast<int*>(context); }, &released);
  ASSERT_EQ(sender_->send(now_, StreamId(1), kPpidBinary, std::move(owned), with_id(1)),
            SendStatus::kOk);
  flush();
  sack(1001);
  EXPECT_EQ(released, 1);
  EXPECT_GT(pool_.used_bytes(), 0u);
  forget_events();
  EXPECT_EQ(news(), (AllNews{{1, kSent, kWhole}, {1, kDelivered, kWhole}}));
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

TEST_P(TrackedMessages, TheirRecordsAreChargedToTheSendBuffer) {
  const auto fit = [&](std::uint64_t id) {
    buffer_bytes_ = 64 << 10;
    make(GetParam());
    std::size_t taken = 0;
    while (send(id, 40) == SendStatus::kOk) ++taken;
    return taken;
  };
  EXPECT_EQ(fit(0), (64u << 10) / MessageStore::cost(40));
  EXPECT_EQ(fit(1), (64u << 10) / MessageStore::cost(40, MessageStore::kTrackingBytes));
  EXPECT_LE(MessageStore::kTrackingBytes, 64u);
}

TEST_P(TrackedMessages, OnStreamsThatWereNotNegotiatedEndWithSetUp) {
  sender_.reset();
  DataSenderOptions options;
  options.initial_tsn = Tsn(1000);
  sender_.emplace(options, pool_);
  ASSERT_EQ(send(1, 10, {}, 1), SendStatus::kOk);
  ASSERT_EQ(send(2, 10, {}, 20), SendStatus::kOk);
  sender_->establish(now_, kWindow, 16, true, GetParam());
  forget_events();
  EXPECT_EQ(news(), (AllNews{{2, kEnded, kNone}}));
}

// What a sender with every kind of message learned of each, and the peer's side of it.
class TrackedUnderLoss : public TrackedMessages {
 protected:
  struct Fate {
    std::uint16_t stream = 0;
    Bytes bytes;
    bool sent = false;
    std::optional<News> end{};
  };
  SendOptions any_limit() {
    SendOptions options{.unordered = rng_.below(2) == 0};
    const auto kind = rng_.below(4);
    if (kind == 0) options.max_retransmits = static_cast<std::uint32_t>(rng_.below(3));
    if (kind == 1) options.max_lifetime = milliseconds(rng_.below(60));
    if (kind == 2) options.priority = static_cast<std::uint32_t>(rng_.below(3));
    return options;
  }
  void send_any(std::uint64_t id) {
    const SendOptions options = with_id(id, any_limit());
    const StreamId stream(static_cast<std::uint16_t>(rng_.below(4)));
    const Bytes payload = part_of(id, 0, 1 + rng_.below(rng_.below(3) == 0 ? 9000 : 200));
    fates_[id] = {.stream = stream.value(), .bytes = payload};
    const std::size_t first = rng_.below(8) == 0 ? payload.size() / 2 : payload.size();
    const bool whole = first == payload.size();
    const auto give = [&](ByteSpan part, bool last) {
      return sender_->send_part(now_, stream, kPpidBinary, part, {.last = last}, options);
    };
    if (give(ByteSpan(payload).first(first), whole) != SendStatus::kOk) {
      fates_.erase(id);
    } else if (!whole) {
      if (rng_.below(2) == 0) round(lost_);
      const bool ended =
          rng_.below(2) == 0 && give(ByteSpan(payload).subspan(first), true) == SendStatus::kOk;
      const bool given_up = ended || sender_->abort_message(now_, stream);
      EXPECT_TRUE(given_up);
    }
  }
  void take() {
    forget_events();
    for (const News& one : news()) {
      Fate& fate = fates_.at(one.id);
      ASSERT_FALSE(fate.end.has_value()) << one.id;
      if (one.stage != kSent) {
        fate.end = one;
        EXPECT_EQ(fate.sent, one.sent == kWhole) << one.id;
      } else {
        ASSERT_FALSE(std::exchange(fate.sent, true)) << one.id;
      }
    }
  }
  void expect_truth() {
    for (const auto& [id, fate] : fates_) {
      ASSERT_TRUE(fate.end.has_value()) << id;
      ++ends_[fate.end->stage];
      const auto has = messages(fate.stream);
      const bool arrived = std::find(has.begin(), has.end(), fate.bytes) != has.end();
      EXPECT_TRUE(arrived || fate.end->stage != kDelivered) << id;
      EXPECT_FALSE(arrived && fate.end->sent != kWhole) << id;
    }
  }

  SeededRng rng_{1};
  std::function<bool()> lost_ = [this] { return rng_.below(100) < 15; };
  std::map<std::uint64_t, Fate> fates_;
  std::map<MessageStage, int> ends_;
};

INSTANTIATE_TEST_SUITE_P(, TrackedUnderLoss, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

TEST_P(TrackedUnderLoss, EachEndsOnceAndItsEndIsTrue) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    rng_ = SeededRng(seed);
    buffer_bytes_ = 96 << 10;
    make(GetParam());
    fates_.clear();
    for (std::uint64_t id = 1; id <= 150; ++id) {
      send_any(id);
      if (rng_.below(3) == 0) round(lost_);
      take();
    }
    for (int i = 0; i < 4000 && !sender_->all_acknowledged(); ++i) {
      round(lost_);
      take();
    }
    ASSERT_TRUE(sender_->all_acknowledged());
    EXPECT_EQ(pool_.used_bytes(), 0u);
    expect_truth();
  }
  EXPECT_GT(ends_[kDelivered], 1000);
  EXPECT_GT(ends_[kAbandoned], 300);
  EXPECT_EQ(ends_[kEnded], 0);
}

}  // namespace
}  // namespace millrace::sctp
