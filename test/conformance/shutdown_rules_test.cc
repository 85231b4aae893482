// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §9: how an association ends, with a peer that the test plays.
#include <gtest/gtest.h>

#include "sctp/packet/sack_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

class ShutdownRules : public ::testing::Test {
 protected:
  void SetUp() override { open({}); }
  void open(const Options& options) {
    pair_.emplace(Options(), options);
    tag_ = open_to_stranger(*pair_, kB);
    ASSERT_TRUE(pair_->b().is_connected());
    acked_ = pair_->b().sender().cumulative_acked();
    pair_->sent(kB).clear();
  }
  template <class... Chunks>
  void give(const Chunks&... chunks) {
    give_under(tag_, chunks...);
  }
  template <class... Chunks>
  void give_under(VerificationTag tag, const Chunks&... chunks) {
    pair_->inject(kB, make_packet(tag, chunks...));
    pair_->drain();
  }
  void shut_down() {
    pair_->b().shutdown(pair_->now());
    pair_->drain();
  }
  std::size_t sent(ChunkType type) { return count_chunks(pair_->sent(kB), type); }
  Bytes last(ChunkType type) { return last_with(pair_->sent(kB), type); }
  CloseReason reason() {
    const RecordedEvent* const closed = pair_->last(kB, EventKind::kClosed);
    return closed == nullptr ? CloseReason::kNone : closed->event.close_reason;
  }
  static constexpr VerificationTag kPeerTag{0x01020304};

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  Tsn acked_;  // B's cumulative TSN before it sends anything.
};

// RFC 9260 §8.5.1 (C), §9.2.
TEST_F(ShutdownRules, ShutdownCompleteOfAnAssociationBearsThePeersTag) {
  shut_down();
  give(ShutdownAckChunk{});
  const Bytes complete = last(ChunkType::kShutdownComplete);
  ASSERT_FALSE(complete.empty());
  EXPECT_EQ(tag_of(complete), kPeerTag);
  EXPECT_EQ(chunks_of(complete)[0].flags, 0);
  EXPECT_EQ(chunks_of(complete).size(), 1u);
  EXPECT_TRUE(pair_->b().is_closed());
  EXPECT_EQ(pair_->b().next_timeout(), kNever);
}

// RFC 9260 §8.5.1 (C), §9.2.
TEST_F(ShutdownRules, ShutdownCompleteIsTakenUnderEitherRightTag) {
  for (const bool reflected : {false, true}) {
    open({});
    give(ShutdownChunk{acked_});
    ASSERT_EQ(sent(ChunkType::kShutdownAck), 1u);
    give_under(reflected ? tag_ : kPeerTag, ShutdownCompleteChunk{.tag_reflected = reflected});
    EXPECT_FALSE(pair_->b().is_closed());
    give_under(VerificationTag(), ShutdownCompleteChunk{.tag_reflected = reflected});
    EXPECT_FALSE(pair_->b().is_closed());
    give_under(reflected ? kPeerTag : tag_, ShutdownCompleteChunk{.tag_reflected = reflected});
    EXPECT_TRUE(pair_->b().is_closed());
    EXPECT_EQ(reason(), CloseReason::kPeerShutdown);
    EXPECT_EQ(pair_->b().next_timeout(), kNever);
  }
}

// RFC 9260 §6.10.
TEST_F(ShutdownRules, ShutdownCompleteInCompanyIsDropped) {
  give(ShutdownChunk{acked_});
  give(ShutdownCompleteChunk{.tag_reflected = false}, CookieAckChunk{});
  give(CookieAckChunk{}, ShutdownCompleteChunk{.tag_reflected = false});
  EXPECT_FALSE(pair_->b().is_closed());
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBundledInit), 2u);
}

// When each SHUTDOWN left, counted from now.
std::vector<Duration> shutdown_times(AssociationPair& pair, Duration limit) {
  std::vector<Duration> times{Duration::zero()};
  const Time begin = pair.now();
  std::size_t seen = count_chunks(pair.sent(kB), ChunkType::kShutdown);
  while (pair.step(begin + limit)) {
    const std::size_t now = count_chunks(pair.sent(kB), ChunkType::kShutdown);
    if (now > seen) times.push_back(pair.now() - begin);
    seen = now;
  }
  return times;
}

// RFC 9260 §9.2: T2-shutdown by the rules of §6.3.
TEST_F(ShutdownRules, T2FollowsTheRtoAndDoubles) {
  const Duration rto = pair_->b().sender().rto().rto();
  shut_down();
  const auto times = shutdown_times(*pair_, 15 * rto);
  ASSERT_EQ(times.size(), 5u);
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times[i], ((1 << i) - 1) * rto);
}

// RFC 9260 §9.2: Association.Max.Retrans bounds the repetitions.
TEST_F(ShutdownRules, ShutdownIsGivenUpAfterTheLimit) {
  Options options;
  options.max_retransmits = 4;
  options.rto_max = milliseconds(100);
  options.shutdown_guard = seconds(1000);
  open(options);
  shut_down();
  pair_->run_for(seconds(10));
  EXPECT_EQ(sent(ChunkType::kShutdown), 5u);
  EXPECT_EQ(reason(), CloseReason::kTooManyRetransmits);
  EXPECT_EQ(sent(ChunkType::kAbort), 0u);
}

// RFC 9260 §9.2.
TEST_F(ShutdownRules, TheGuardEndsInAbort) {
  Options options;
  options.max_retransmits = 1000;
  options.rto_max = milliseconds(100);
  options.shutdown_guard = seconds(2);
  open(options);
  shut_down();
  pair_->run_for(milliseconds(1999));
  EXPECT_FALSE(pair_->b().is_closed());
  pair_->run_for(milliseconds(1));
  EXPECT_EQ(reason(), CloseReason::kShutdownTimeout);
  const Bytes abort_packet = last(ChunkType::kAbort);
  ASSERT_FALSE(abort_packet.empty());
  EXPECT_EQ(tag_of(abort_packet), kPeerTag);
  // The guard runs where the peer began, too.
  open(options);
  give(ShutdownChunk{acked_});
  pair_->run_for(seconds(2));
  EXPECT_EQ(reason(), CloseReason::kShutdownTimeout);
}

// RFC 9260 §9.2: T5 bounds the shutdown sequence. While this end has yet to send its SHUTDOWN or
// SHUTDOWN ACK, a transfer that goes on is none of it: only one that stands still is ended.
TEST_F(ShutdownRules, TheGuardWaitsForATransferThatGoesOn) {
  constexpr std::uint32_t kMessages = 6;
  for (const bool peer_began : {false, true}) {
    for (const bool stands_still : {false, true}) {
      Options options;
      options.max_retransmits = 1000;
      options.rto_max = milliseconds(100);
      options.shutdown_guard = seconds(2);
      open(options);
      for (std::uint32_t i = 0; i < kMessages; ++i) {
        ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(1), kPpidBinary, Bytes(1000, 1)),
                  SendStatus::kOk);
      }
      peer_began ? give(ShutdownChunk{acked_}) : shut_down();
      const std::uint32_t answered = stands_still ? kMessages - 1 : kMessages;
      for (std::uint32_t i = 1; i <= answered; ++i) {
        pair_->run_for(milliseconds(1500));
        ASSERT_FALSE(pair_->b().is_closed()) << "message " << i;
        const Tsn cumulative(acked_.value() + i);
        if (peer_began) {
          give(ShutdownChunk{cumulative});
        } else {
          give(SackChunk{cumulative, 1 << 20, {}, {}});
        }
      }
      const ChunkType next = peer_began ? ChunkType::kShutdownAck : ChunkType::kShutdown;
      EXPECT_EQ(sent(next), stands_still ? 0u : 1u);
      // From here on the guard runs.
      pair_->run_for(milliseconds(1999));
      EXPECT_FALSE(pair_->b().is_closed());
      pair_->run_for(milliseconds(1));
      EXPECT_EQ(reason(), CloseReason::kShutdownTimeout);
    }
  }
}

// RFC 9260 §9.2: it bounds the overall time, whatever the peer still sends.
TEST_F(ShutdownRules, TheGuardOfASentShutdownDoesNotWait) {
  Options options;
  options.shutdown_guard = seconds(2);
  open(options);
  shut_down();
  for (std::uint16_t i = 0; i < 19; ++i) {
    pair_->run_for(milliseconds(100));
    give(whole_message(1000u + i, 1, i));
  }
  EXPECT_FALSE(pair_->b().is_closed());
  pair_->run_for(milliseconds(100));
  EXPECT_EQ(reason(), CloseReason::kShutdownTimeout);
}

// RFC 9260 §9.2: what is received meanwhile is acknowledged by the SHUTDOWN that is repeated.
TEST_F(ShutdownRules, ARepeatedShutdownBearsTheLatestTsn) {
  shut_down();
  EXPECT_EQ(
      ShutdownChunk::parse(find_chunk(last(ChunkType::kShutdown), ChunkType::kShutdown)->bytes)
          ->cumulative_tsn_ack,
      Tsn(999));
  give(whole_message(1000, 1, 0));
  pair_->sent(kB).clear();
  pair_->run_for(seconds(1));
  ASSERT_GE(sent(ChunkType::kShutdown), 1u);
  EXPECT_EQ(
      ShutdownChunk::parse(find_chunk(last(ChunkType::kShutdown), ChunkType::kShutdown)->bytes)
          ->cumulative_tsn_ack,
      Tsn(1000));
}

// RFC 9260 §9.2: T2-shutdown and the count of repetitions begin anew with each packet.
TEST_F(ShutdownRules, APeerThatStillSendsKeepsTheShutdownAlive) {
  Options options;
  options.max_retransmits = 2;
  options.shutdown_guard = seconds(1000);
  options.heartbeat_interval = Duration::zero();
  open(options);
  const Duration rto = pair_->b().sender().rto().rto();
  shut_down();
  for (std::uint16_t i = 0; i < 20; ++i) {
    // Two repetitions go unanswered, then there is data.
    pair_->run_for(4 * rto);
    ASSERT_FALSE(pair_->b().is_closed()) << i;
    const std::size_t before = sent(ChunkType::kShutdown);
    give(whole_message(1000u + i, 1, i));
    EXPECT_EQ(sent(ChunkType::kShutdown), before + 1) << "at once";
    const Time answered = pair_->now();
    pair_->run_for(rto - Duration(1));
    EXPECT_EQ(sent(ChunkType::kShutdown), before + 1) << "T2 was restarted";
    pair_->run_for(Duration(1));
    EXPECT_EQ(sent(ChunkType::kShutdown), before + 2);
    EXPECT_EQ(pair_->now() - answered, rto);
  }
  pair_->run_for(seconds(20));
  EXPECT_EQ(reason(), CloseReason::kTooManyRetransmits);
}

// RFC 9260 §9.2.
TEST_F(ShutdownRules, AShutdownInShutdownReceivedIsAnAcknowledgement) {
  ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair_->drain();
  give(ShutdownChunk{acked_});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 0u);
  EXPECT_EQ(pair_->count(kB, EventKind::kPeerShutdown), 1u);
  shut_down();  // Ignored: the end is under way.
  EXPECT_EQ(sent(ChunkType::kShutdown), 0u);
  give(ShutdownChunk{acked_});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 0u);
  give(ShutdownChunk{acked_.next()});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 1u);
  EXPECT_EQ(pair_->count(kB, EventKind::kPeerShutdown), 1u);
  give(ShutdownChunk{acked_.next()});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 2u) << "the first was lost";
}

// RFC 9260 §9.2: gaps and duplicates need a SACK beside the SHUTDOWN.
TEST_F(ShutdownRules, GapsInShutdownSentAreReported) {
  shut_down();
  for (const std::uint32_t tsn : {1001u, 1001u}) {
    pair_->sent(kB).clear();
    give(whole_message(tsn, 1, 1));
    const Bytes answer = last(ChunkType::kShutdown);
    ASSERT_FALSE(answer.empty());
    const auto sack = find_chunk(answer, ChunkType::kSack);
    ASSERT_TRUE(sack.has_value());
    EXPECT_EQ(SackChunkView::parse(sack->bytes)->gap_block(0), (GapAckBlock{2, 2}));
  }
}

// RFC 9260 §9.2.
TEST_F(ShutdownRules, AShutdownDuringSetUpIsDiscarded) {
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  const Bytes shutdown = make_packet(a.fields.initiate_tag, ShutdownChunk{a.fields.initial_tsn});
  pair.inject(kA, shutdown);
  InitFields peer = stranger();
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = cookie;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
  pair.drain();
  pair.sent(kA).clear();
  pair.inject(kA, shutdown);
  pair.drain();
  EXPECT_EQ(dropped(pair, kA, DropReason::kUnexpectedState), 2u);
  EXPECT_TRUE(pair.sent(kA).empty());
  pair.inject(kA, make_packet(a.fields.initiate_tag, CookieAckChunk{}));
  EXPECT_TRUE(pair.a().is_connected());
}

// RFC 9260 §9.2: SHUTDOWN in SHUTDOWN-SENT, SHUTDOWN-ACK in SHUTDOWN-ACK-SENT.
TEST_F(ShutdownRules, CrossedShutdownsAreAnsweredAtOnce) {
  const Duration rto = pair_->b().sender().rto().rto();
  shut_down();
  pair_->run_for(rto / 2);
  give(ShutdownChunk{acked_});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 1u);
  pair_->run_for(rto - Duration(1));
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 1u) << "T2 began anew";
  pair_->run_for(Duration(1));
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 2u);
  EXPECT_EQ(sent(ChunkType::kShutdown), 1u);
  give(ShutdownAckChunk{});
  const Bytes complete = last(ChunkType::kShutdownComplete);
  ASSERT_FALSE(complete.empty());
  EXPECT_EQ(chunks_of(complete)[0].flags, 0);
  EXPECT_EQ(reason(), CloseReason::kShutdown);
}

// RFC 9260 §9.1: in whatever state, of this association or not, alone or not.
TEST_F(ShutdownRules, AnAbortIsNeverAnswered) {
  const std::size_t before = pair_->sent(kB).size();
  give_under(VerificationTag(5), AbortChunk{});
  give_under(kPeerTag, AbortChunk{});
  EXPECT_FALSE(pair_->b().is_closed());
  give(whole_message(1000, 65535, 0), AbortChunk{});
  EXPECT_EQ(reason(), CloseReason::kPeerAborted);
  give(AbortChunk{});
  give(whole_message(1001, 1, 0), AbortChunk{});
  for (const Bytes& packet : pair_->sent(kB)) {
    EXPECT_FALSE(has_chunk(packet, ChunkType::kAbort));
    EXPECT_FALSE(has_chunk(packet, ChunkType::kError));
  }
  EXPECT_EQ(pair_->sent(kB).size(), before);
  AssociationPair closed;
  closed.inject(kA, make_packet(VerificationTag(5), CookieAckChunk{}, AbortChunk{}));
  closed.inject(kA, make_packet(VerificationTag(5), whole_message(1, 1, 0), AbortChunk{}));
  closed.drain();
  EXPECT_TRUE(closed.sent(kA).empty());
}

// RFC 9260 §8.1, §9.2: what SHUTDOWN acknowledges shows that the peer is there.
TEST_F(ShutdownRules, AShutdownThatAcknowledgesClearsTheErrorCount) {
  Options options;
  options.max_retransmits = 3;
  options.rto_max = milliseconds(100);
  options.heartbeat_interval = Duration::zero();
  open(options);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(1), kPpidBinary, Bytes(1000, 1)),
              SendStatus::kOk);
  }
  pair_->drain();
  const auto expire = [&](std::uint64_t n) {
    return pair_->run_until([&] { return pair_->b().stats().t3_expiries >= n; });
  };
  ASSERT_TRUE(expire(3));
  give(ShutdownChunk{acked_.next()});
  ASSERT_TRUE(expire(5));
  EXPECT_FALSE(pair_->b().is_closed());
}

}  // namespace
}  // namespace millrace::sctp
