// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §8: when a peer counts as gone, heartbeats, tags, packets out of the blue.
#include <gtest/gtest.h>

#include <set>

#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

Options impatient(int max_retransmits, Duration heartbeat_interval = {}) {
  Options options;
  options.max_retransmits = max_retransmits;
  options.heartbeat_interval = heartbeat_interval;
  options.rto_max = milliseconds(200);
  return options;
}

// RFC 9260 §8.1: not at the limit, but beyond it.
TEST(PathRules, TheLimitOfRetransmissionsIsExact) {
  AssociationPair pair(impatient(3));
  ASSERT_TRUE(pair.connect_both());
  pair.run_for(seconds(1));
  pair.filter = nothing_passes;
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed(); }));
  EXPECT_EQ(pair.a().stats().t3_expiries, 4u);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason,
            CloseReason::kTooManyRetransmits);
  pair.sent(kA).clear();
  pair.run_for(seconds(10));
  EXPECT_TRUE(pair.sent(kA).empty()) << "nothing more is sent";
}

// RFC 9260 §8.1: what is acknowledged in between begins the count anew.
TEST(PathRules, AnAcknowledgementResetsTheErrorCount) {
  AssociationPair pair(impatient(3));
  ASSERT_TRUE(pair.connect_both());
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t expiries = pair.a().stats().t3_expiries;
    pair.filter = nothing_passes;
    ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
    pair.drain();
    ASSERT_TRUE(pair.run_until([&] { return pair.a().stats().t3_expiries == expiries + 2; }));
    pair.filter = nullptr;
    ASSERT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }));
    ASSERT_FALSE(pair.a().is_closed());
  }
}

// RFC 9260 §8.1, §8.3: and a path that has become slower than the RTO is not taken for dead.
TEST(PathRules, AHeartbeatAckResetsTheErrorCountAndGivesASample) {
  AssociationPair pair(impatient(2, seconds(1)), impatient(2), {.delay = milliseconds(20)});
  ASSERT_TRUE(pair.connect_both());
  for (int round = 0; round < 4; ++round) {
    const std::uint64_t sent = pair.a().stats().heartbeats_sent;
    pair.filter = nothing_passes;
    ASSERT_TRUE(pair.run_until([&] { return pair.a().stats().heartbeats_sent == sent + 2; }));
    pair.run_for(milliseconds(500));  // Both have been given up.
    pair.filter = nullptr;
    ASSERT_TRUE(pair.run_until([&] { return pair.a().stats().heartbeats_sent == sent + 3; }));
    pair.run_for(milliseconds(100));
    ASSERT_FALSE(pair.a().is_closed());
  }
  EXPECT_EQ(pair.a().smoothed_rtt(), milliseconds(40));
  EXPECT_LT(pair.a().sender().rto().rto(), milliseconds(80));
  pair.link().delay = milliseconds(40);
  pair.run_for(seconds(60));
  EXPECT_FALSE(pair.a().is_closed());
  EXPECT_GT(*pair.a().smoothed_rtt(), milliseconds(75));
}

// RFC 9260 §8.3: from COOKIE-ECHOED on; not before, where nobody is known.
TEST(PathRules, HeartbeatsAreAnsweredFromCookieEchoedOn) {
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  const Bytes info{1, 2, 3, 4, 5};
  const Bytes heartbeat = make_packet(a.fields.initiate_tag, HeartbeatChunk{info});
  pair.inject(kA, heartbeat);
  pair.drain();
  EXPECT_EQ(dropped(pair, kA, DropReason::kUnexpectedState), 1u);
  InitFields peer = stranger();
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = cookie;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
  pair.drain();
  pair.sent(kA).clear();
  // The peer has the cookie, its COOKIE-ACK was lost. Nothing leaves but with COOKIE-ECHO.
  pair.inject(kA, heartbeat);
  pair.drain();
  EXPECT_TRUE(pair.sent(kA).empty());
  pair.run_for(seconds(2));
  ASSERT_FALSE(pair.sent(kA).empty());
  EXPECT_EQ(chunks_of(pair.sent(kA)[0])[0].type, ChunkType::kCookieEcho);
  const auto answer = find_chunk(pair.sent(kA)[0], ChunkType::kHeartbeatAck);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(std::ranges::equal(HeartbeatAckChunk::parse(answer->bytes)->info, info));
  pair.inject(kA, make_packet(a.fields.initiate_tag, CookieAckChunk{}));
  const Bytes established =
      answer_of(pair, kA, ChunkType::kHeartbeatAck, [&] { pair.inject(kA, heartbeat); });
  EXPECT_FALSE(established.empty());
}

// When each of the next `n` HEARTBEATs of A leaves.
std::vector<Time> heartbeat_times(AssociationPair& pair, std::size_t n) {
  std::vector<Time> times;
  std::uint64_t seen = pair.a().stats().heartbeats_sent;
  while (times.size() < n && !pair.a().is_closed() && pair.step(pair.now() + seconds(100))) {
    if (pair.a().stats().heartbeats_sent > seen) times.push_back(pair.now());
    seen = pair.a().stats().heartbeats_sent;
  }
  return times;
}

// RFC 9260 §8.3: HB.interval plus one RTO, which varies by half either way and doubles while
// there is no answer.
TEST(PathRules, HeartbeatsAreJitteredAndBackOffWhileUnanswered) {
  Options options;
  options.heartbeat_interval = seconds(1);
  AssociationPair pair(options, {}, {.delay = milliseconds(100)});
  ASSERT_TRUE(pair.connect_both());
  static_cast<void>(heartbeat_times(pair, 10));  // Until the estimate has settled.
  std::set<Duration> gaps;
  const auto times = heartbeat_times(pair, 40);
  ASSERT_EQ(times.size(), 40u);
  for (std::size_t i = 1; i < times.size(); ++i) {
    // From the answer, which comes 200 ms later; the RTO lies between 200 and 400 ms.
    const Duration gap = times[i] - times[i - 1] - milliseconds(200);
    EXPECT_GE(gap, seconds(1) + milliseconds(100));
    EXPECT_LE(gap, seconds(1) + milliseconds(600));
    gaps.insert(gap);
  }
  EXPECT_GT(gaps.size(), 30u);
  EXPECT_GT(*gaps.rbegin() - *gaps.begin(), milliseconds(100));
  pair.filter = nothing_passes;
  const auto unanswered = heartbeat_times(pair, 6);
  ASSERT_EQ(unanswered.size(), 6u);
  EXPECT_GT(unanswered[5] - unanswered[4], 2 * (unanswered[2] - unanswered[1]));
}

// RFC 9260 §8.4 (3, 4, 8).
TEST(PathRules, AnAssociationThatHasEndedBeginsNoOther) {
  AssociationPair pair;
  const Introduction b = introduction_in<InitAckChunk>(init_ack_of(pair, kB));
  pair.b().abort(pair.now(), "over");
  pair.drain();
  const Bytes refused =
      answer_of(pair, kB, ChunkType::kAbort, [&] { pair.inject(kB, init_packet(stranger(9))); });
  ASSERT_FALSE(refused.empty());
  EXPECT_EQ(tag_of(refused), VerificationTag(9));
  EXPECT_EQ(chunks_of(refused)[0].flags, 0);
  pair.sent(kB).clear();
  pair.inject(kB, make_packet(b.fields.initiate_tag, CookieEchoChunk{b.cookie}));
  pair.inject(kB, make_packet(VerificationTag(1), InitChunk{stranger(9)}));
  pair.inject(kB, make_packet(VerificationTag(), InitChunk{stranger(0)}));
  pair.drain();
  EXPECT_TRUE(pair.sent(kB).empty());
  EXPECT_TRUE(pair.b().is_closed());
  EXPECT_EQ(pair.b().next_timeout(), kNever);
}

// RFC 9260 §8.4 (7).
TEST(PathRules, ACookieAckOutOfTheBlueIsNotAnswered) {
  AssociationPair pair;
  pair.inject(kA, make_packet(VerificationTag(5), CookieAckChunk{}));
  pair.drain();
  EXPECT_TRUE(pair.sent(kA).empty());
  EXPECT_EQ(dropped(pair, kA, DropReason::kOutOfTheBlue), 1u);
  // Any other error is answered.
  const Bytes cause{0, 6, 0, 8, 1, 2, 3, 4};
  pair.inject(kA, make_packet(VerificationTag(5), ErrorChunk{cause}));
  pair.drain();
  EXPECT_EQ(count_chunks(pair.sent(kA), ChunkType::kAbort), 1u);
}

// RFC 9260 §8.5, §8.5.1 (A).
TEST(PathRules, NoChunkCountsUnderAWrongTag) {
  AssociationPair pair;
  const VerificationTag right = open_to_stranger(pair, kB);
  pair.run_for(seconds(1));
  const Time timeout = pair.b().next_timeout();
  const Tsn acked = pair.b().sender().cumulative_acked();
  const Bytes info{1, 2, 3, 4};
  pair.sent(kB).clear();
  std::uint64_t expected = 0;
  for (const VerificationTag tag :
       {VerificationTag(), VerificationTag(right.value() ^ 1), stranger().initiate_tag}) {
    for (const Bytes& packet :
         {make_packet(tag, whole_message(1000, 1, 0)), make_packet(tag, HeartbeatChunk{info}),
          make_packet(tag, ShutdownChunk{acked}), make_packet(tag, ShutdownAckChunk{}),
          make_packet(tag, ErrorChunk{}), make_packet(tag, AbortChunk{}),
          make_packet(tag, CookieAckChunk{}),
          make_packet(tag, RawChunk{{0xFA, 0, 0, 8, 1, 2, 3, 4}}),
          make_packet(tag, ShutdownCompleteChunk{.tag_reflected = false})}) {
      pair.inject(kB, packet);
      pair.drain();
      EXPECT_EQ(dropped(pair, kB, DropReason::kWrongVerificationTag), ++expected);
    }
  }
  EXPECT_TRUE(pair.sent(kB).empty());
  EXPECT_TRUE(pair.b().is_connected());
  EXPECT_EQ(pair.b().next_timeout(), timeout);
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 0u);
}

}  // namespace
}  // namespace millrace::sctp
