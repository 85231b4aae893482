// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §5 as a peer sees it: what INIT, INIT-ACK and the cookie say and what they leave alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sctp/packet/error_cause.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

// RFC 9260 §5.1 (A, B), §5.1.1, §8.5.1 (A).
TEST(SetupRules, TheTagOfAnInitIsTheTagOfItsInitAck) {
  AssociationPair pair;
  pair.a().connect(pair.now());
  pair.drain();
  const Bytes init = last_with(pair.sent(kA), ChunkType::kInit);
  EXPECT_TRUE(tag_of(init).is_zero());
  EXPECT_EQ(chunks_of(init).size(), 1u);
  const Introduction a = introduction_in<InitChunk>(init);
  EXPECT_EQ(a.fields.outbound_streams, Options().outgoing_streams);
  EXPECT_EQ(a.fields.inbound_streams, Options().incoming_streams);
  pair.run_for(milliseconds(6));
  const Bytes answer = last_with(pair.sent(kB), ChunkType::kInitAck);
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(tag_of(answer), a.fields.initiate_tag);
  EXPECT_EQ(chunks_of(answer).size(), 1u);
  const Introduction b = introduction_in<InitAckChunk>(answer);
  EXPECT_FALSE(b.fields.initiate_tag.is_zero());
  EXPECT_NE(b.fields.initiate_tag, a.fields.initiate_tag);
  EXPECT_EQ(b.fields.outbound_streams, Options().outgoing_streams);
  EXPECT_EQ(b.fields.inbound_streams, Options().incoming_streams);
  EXPECT_FALSE(b.cookie.empty());
}

// An Rng whose first draws are zero, which no tag may be.
class RngOfZeros final : public Rng {
 public:
  std::uint64_t next() override { return draws_++ < 4 ? 0 : draws_ << 40; }

 private:
  std::uint64_t draws_ = 0;
};

// RFC 9260 §5.1 (A), §5.3.1.
TEST(SetupRules, TagsAreNeverZeroAndNeverTheSame) {
  std::set<std::uint32_t> tags;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    AssociationPair pair({}, {}, {}, seed);
    pair.filter = nothing_passes;
    pair.a().connect(pair.now());
    pair.drain();
    tags.insert(introduction_in<InitChunk>(pair.sent(kA)[0]).fields.initiate_tag.value());
  }
  EXPECT_EQ(tags.size(), 200u);
  EXPECT_FALSE(tags.contains(0));

  RngOfZeros rng;
  TestMac mac;
  BlockPool pool;
  Association association({}, rng, mac, pool);
  association.connect(Time(seconds(1)));
  Bytes out(1200);
  ASSERT_GT(association.poll_packet(Time(seconds(1)), out), 0u);
  EXPECT_FALSE(introduction_in<InitChunk>(out).fields.initiate_tag.is_zero());
}

// RFC 9260 §5.1 (B): who answers INIT holds nothing, however many come.
TEST(SetupRules, AFloodOfInitsLeavesNothingBehind) {
  AssociationPair pair;
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    ASSERT_FALSE(init_ack_of(pair, kB, stranger(i)).empty());
    ASSERT_EQ(pair.b().next_timeout(), kNever);
  }
  EXPECT_FALSE(pair.b().is_connected());
  EXPECT_TRUE(pair.events(kB).empty());
}

// RFC 9260 §5.1 (D), §5.1.5 (6, 7).
TEST(SetupRules, DataBesideCookieEchoIsAcknowledgedBehindCookieAck) {
  AssociationPair pair;
  const Introduction b = introduction_in<InitAckChunk>(init_ack_of(pair, kB));
  const Bytes answer = answer_of(pair, kB, ChunkType::kCookieAck, [&] {
    pair.inject(kB, make_packet(b.fields.initiate_tag, CookieEchoChunk{b.cookie},
                                whole_message(1000, 1, 0)));
  });
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(chunks_of(answer)[0].type, ChunkType::kCookieAck);
  const auto sack = find_chunk(answer, ChunkType::kSack);
  ASSERT_TRUE(sack.has_value());
  EXPECT_EQ(SackChunkView::parse(sack->bytes)->cumulative_tsn_ack(), Tsn(1000));
}

// When each packet with `type` left A, which nobody hears.
std::vector<Duration> times_of(AssociationPair& pair, ChunkType type) {
  std::vector<Duration> times;
  const Time begin = pair.now();
  std::size_t seen = count_chunks(pair.sent(kA), type);
  if (seen > 0) times.push_back(Duration::zero());
  while (pair.step(begin + seconds(60))) {
    const std::size_t now = count_chunks(pair.sent(kA), type);
    if (now > seen) times.push_back(pair.now() - begin);
    seen = now;
  }
  return times;
}

// RFC 9260 §5.1, §5.1.4, §5.1.6: T1 doubles as §6.3.3 says, and has a cap of its own.
TEST(SetupRules, SetUpTimersDoubleUpToTheirCap) {
  Options options;
  options.rto_initial = milliseconds(500);
  options.t1_max = seconds(3);
  options.max_init_retransmits = 4;
  const std::vector<Duration> expected{Duration::zero(), milliseconds(500), milliseconds(1500),
                                       milliseconds(3500), milliseconds(6500)};
  AssociationPair deaf(options);
  deaf.filter = nothing_passes;
  deaf.a().connect(deaf.now());
  deaf.drain();
  EXPECT_EQ(times_of(deaf, ChunkType::kInit), expected);

  AssociationPair pair(options);
  pair.filter = [](int end, ByteSpan) { return end == kB; };
  pair.a().connect(pair.now());
  pair.drain();
  pair.run_for(milliseconds(20));
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  const Introduction b =
      introduction_in<InitAckChunk>(init_ack_of(pair, kB,
                                                {.initiate_tag = a.fields.initiate_tag,
                                                 .a_rwnd = 1 << 20,
                                                 .outbound_streams = 10,
                                                 .inbound_streams = 10,
                                                 .initial_tsn = Tsn(1),
                                                 .parameters = {}}));
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  InitFields fields = b.fields;
  fields.parameters = cookie;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{fields}));
  pair.drain();
  // The INIT's round trip of 20 ms has made the RTO 60 ms.
  const std::vector<Duration> echoes{Duration::zero(), milliseconds(60), milliseconds(180),
                                     milliseconds(420), milliseconds(900)};
  EXPECT_EQ(times_of(pair, ChunkType::kCookieEcho), echoes);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupTimeout);
}

// RFC 9260 §5.1, §5.1.2 (B): each INIT-ACK that cannot be used is answered by ABORT with its
// cause, under its own tag.
TEST(SetupRules, AnInitAckThatCannotBeUsedIsAborted) {
  struct Case {
    Bytes parameters;
    std::uint16_t outbound, inbound;
    std::uint32_t a_rwnd;
    CauseCode cause;
  };
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  const Bytes host{0, 7, 0, 8, 1, 2, 3, 4, 0, 11, 0, 8, 'a', '.', 'b', 0};
  for (const Case& c : {Case{{}, 5, 5, 9000, CauseCode::kMissingMandatoryParameter},
                        Case{{0, 7, 0, 4}, 5, 5, 9000, CauseCode::kMissingMandatoryParameter},
                        Case{cookie, 0, 5, 9000, CauseCode::kInvalidMandatoryParameter},
                        Case{cookie, 5, 0, 9000, CauseCode::kInvalidMandatoryParameter},
                        Case{cookie, 5, 5, 1499, CauseCode::kInvalidMandatoryParameter},
                        Case{host, 5, 5, 9000, CauseCode::kUnresolvableAddress}}) {
    AssociationPair pair;
    pair.filter = nothing_passes;
    pair.a().connect(pair.now());
    pair.drain();
    const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
    InitFields fields = stranger(77);
    fields.parameters = c.parameters;
    fields.outbound_streams = c.outbound;
    fields.inbound_streams = c.inbound;
    fields.a_rwnd = c.a_rwnd;
    pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{fields}));
    pair.drain();
    const Bytes answer = last_with(pair.sent(kA), ChunkType::kAbort);
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(tag_of(answer), fields.initiate_tag);
    EXPECT_EQ(chunks_of(answer)[0].flags, 0);
    EXPECT_EQ(cause_in(answer), static_cast<std::uint16_t>(c.cause));
    EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupRefused);
  }
  // The least that is allowed is.
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  InitFields least = stranger(77);
  least.parameters = cookie;
  least.outbound_streams = least.inbound_streams = 1;
  least.a_rwnd = 1500;
  pair.inject(kA, make_packet(introduction_in<InitChunk>(pair.sent(kA)[0]).fields.initiate_tag,
                              InitAckChunk{least}));
  pair.drain();
  EXPECT_FALSE(pair.a().is_closed());
}

// RFC 9260 §5.1: the ack point begins below the first TSN, so one chunk unacknowledged is one.
TEST(SetupRules, TheAckPointStartsBelowTheInitialTsn) {
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Tsn initial = introduction_in<InitChunk>(pair.sent(kA)[0]).fields.initial_tsn;
  EXPECT_EQ(pair.a().sender().cumulative_acked().next(), initial);
  EXPECT_EQ(pair.a().sender().next_tsn(), initial);
}

// RFC 9260 §5.1.4, §8.5.1 (D).
TEST(SetupRules, ACookieIsEchoedAtOnceAndAsItCame) {
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  InitFields fields = stranger(77);
  const Bytes parameters{0, 7, 0, 11, 9, 8, 7, 6, 5, 4, 3, 0};
  fields.parameters = parameters;
  const Bytes echo = answer_of(pair, kA, ChunkType::kCookieEcho, [&] {
    pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{fields}));
  });
  ASSERT_FALSE(echo.empty());
  EXPECT_EQ(tag_of(echo), fields.initiate_tag);
  const auto cookie = CookieEchoChunk::parse(chunks_of(echo)[0].bytes);
  EXPECT_TRUE(std::ranges::equal(cookie->cookie, Bytes{9, 8, 7, 6, 5, 4, 3}));
}

// RFC 9260 §5.1.5 (2, 3): what rides with a bad cookie is discarded with it, unanswered.
TEST(SetupRules, APacketWithABadCookieIsDiscardedWhole) {
  AssociationPair pair;
  const Introduction b = introduction_in<InitAckChunk>(init_ack_of(pair, kB));
  Bytes forged = b.cookie;
  forged[20] ^= 1;
  const VerificationTag wrong(b.fields.initiate_tag.value() ^ 1);
  for (const Bytes& packet :
       {make_packet(b.fields.initiate_tag, CookieEchoChunk{forged}, whole_message(1000, 1, 0)),
        make_packet(wrong, CookieEchoChunk{b.cookie}, whole_message(1000, 1, 0))}) {
    EXPECT_TRUE(
        answer_of(pair, kB, ChunkType::kCookieAck, [&] { pair.inject(kB, packet); }).empty());
    EXPECT_TRUE(pair.sent(kB).empty());
    EXPECT_EQ(pair.count(kB, EventKind::kMessage), 0u);
  }
  // The same again under a cookie of this end's own.
  pair.inject(
      kB, make_packet(b.fields.initiate_tag, CookieEchoChunk{b.cookie}, whole_message(1000, 1, 0)));
  pair.drain();
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 1u);
}

// RFC 9260 §5.2.1: an INIT that crosses this end's own is answered as that one reads, changes
// nothing and stops no timer; in COOKIE-ECHOED the cookie bears the Tie-Tags.
TEST(SetupRules, CrossedInitsAreAnsweredWithTheParametersOfTheOwnInit) {
  for (const bool echoed : {false, true}) {
    AssociationPair pair;
    pair.filter = nothing_passes;
    pair.a().connect(pair.now());
    pair.drain();
    const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
    InitFields peer = stranger(77);
    const Bytes parameters{0, 7, 0, 8, 1, 2, 3, 4};
    peer.parameters = parameters;
    if (echoed) {
      pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
      pair.drain();
      ASSERT_EQ(count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 1u);
    }
    const Time timeout = pair.a().next_timeout();
    const Bytes answer = init_ack_of(pair, kA, stranger(78));
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(pair.a().next_timeout(), timeout);
    const Introduction again = introduction_in<InitAckChunk>(answer);
    EXPECT_EQ(again.fields.initiate_tag, a.fields.initiate_tag);
    EXPECT_EQ(again.fields.initial_tsn, a.fields.initial_tsn);
    EXPECT_EQ(again.fields.outbound_streams, a.fields.outbound_streams);
    EXPECT_EQ(again.fields.inbound_streams, a.fields.inbound_streams);
    const auto cookie = StateCookie::open(again.cookie, Options().cookie_key, TestMac());
    ASSERT_TRUE(cookie.has_value());
    EXPECT_EQ(cookie->local_tie_tag, echoed ? a.fields.initiate_tag : VerificationTag());
    EXPECT_EQ(cookie->peer_tie_tag, echoed ? peer.initiate_tag : VerificationTag());
    // Still in the state it was in: the timer repeats the chunk of that state.
    const ChunkType own = echoed ? ChunkType::kCookieEcho : ChunkType::kInit;
    pair.sent(kA).clear();
    pair.run_for(timeout - pair.now());
    EXPECT_EQ(count_chunks(pair.sent(kA), own), 1u);
    EXPECT_EQ(pair.sent(kA).size(), 1u);
  }
}

// RFC 9260 §5.2.2, §5.3.1: an INIT of a peer that is up already.
TEST(SetupRules, AnInitOutsideSetUpChangesNothingAndGetsAFreshTag) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  pair.run_for(seconds(1));
  const VerificationTag own = tag_of(last_with(pair.sent(kA), ChunkType::kCookieEcho));
  const Time timeout = pair.b().next_timeout();
  std::set<std::uint32_t> tags;
  for (int i = 0; i < 20; ++i) {
    const Bytes answer = init_ack_of(pair, kB, stranger(99));
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(tag_of(answer), VerificationTag(99));
    const Introduction b = introduction_in<InitAckChunk>(answer);
    EXPECT_EQ(b.fields.outbound_streams, Options().outgoing_streams);
    EXPECT_EQ(b.fields.inbound_streams, Options().incoming_streams);
    EXPECT_FALSE(b.fields.initiate_tag.is_zero());
    tags.insert(b.fields.initiate_tag.value());
  }
  EXPECT_EQ(tags.size(), 20u);
  EXPECT_FALSE(tags.contains(own.value()));
  EXPECT_EQ(pair.b().next_timeout(), timeout);
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 1u);
}

// RFC 9260 §5.2.4 (3): age alone does not spoil a cookie of this very association; one of
// other tags is answered by an error.
TEST(SetupRules, AnExpiredCookieIsGoodWhereItsTagsAreTheAssociationsOwn) {
  Options options;
  options.cookie_lifetime = milliseconds(100);
  AssociationPair pair(options, options);
  const Introduction early = introduction_in<InitAckChunk>(init_ack_of(pair, kB, stranger(5)));
  const Introduction b = introduction_in<InitAckChunk>(init_ack_of(pair, kB));
  const Bytes echo = make_packet(b.fields.initiate_tag, CookieEchoChunk{b.cookie});
  pair.inject(kB, echo);
  pair.drain();
  ASSERT_TRUE(pair.b().is_connected());
  const auto give = [&](const Bytes& packet, ChunkType type) {
    return answer_of(pair, kB, type, [&] { pair.inject(kB, packet); });
  };
  pair.run_for(milliseconds(101));
  EXPECT_FALSE(give(echo, ChunkType::kCookieAck).empty());
  const Bytes error = give(make_packet(early.fields.initiate_tag, CookieEchoChunk{early.cookie},
                                       whole_message(1000, 1, 0)),
                           ChunkType::kError);
  ASSERT_FALSE(error.empty());
  EXPECT_EQ(tag_of(error), VerificationTag(5));
  EXPECT_EQ(cause_in(error), static_cast<std::uint16_t>(CauseCode::kStaleCookie));
  // How late it was, in microseconds.
  EXPECT_EQ(load_be32(find_chunk(error, ChunkType::kError)->bytes.data() + 8), 1000u);
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 0u);
  EXPECT_EQ(dropped(pair, kB, DropReason::kStaleCookie), 1u);
}

// RFC 9260 §5.2.4 (A), §7.2.5: nothing learnt of the former peer outlives it.
TEST(SetupRules, ARestartBringsCongestionControlAndCountersToTheirStart) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const std::size_t first = pair.b().sender().cwnd();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, Bytes(60000, 1)),
              SendStatus::kOk);
  }
  pair.drain();
  pair.run_for(milliseconds(100));
  EXPECT_NE(pair.b().sender().cwnd(), first);
  const Introduction b = introduction_in<InitAckChunk>(init_ack_of(pair, kB));
  pair.filter = nothing_passes;
  pair.inject(kB, make_packet(b.fields.initiate_tag, CookieEchoChunk{b.cookie}));
  EXPECT_EQ(pair.b().stats().restarts, 1u);
  EXPECT_EQ(pair.b().sender().cwnd(), first);
  EXPECT_EQ(pair.b().sender().bytes_in_flight(), 0u);
  EXPECT_EQ(pair.b().buffered_amount(), 0u);
  EXPECT_FALSE(pair.b().smoothed_rtt().has_value());
  EXPECT_EQ(pair.b().sender().next_tsn(), b.fields.initial_tsn);
  pair.drain();
  EXPECT_EQ(pair.count(kB, EventKind::kRestarted), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kConnected), 1u);
}

// RFC 9260 §5.2.4 (B): the cookie's peer tag replaces what was known in COOKIE-ECHOED and
// ESTABLISHED too, without a second event.
TEST(SetupRules, ACookieWithANewPeerTagIsAdoptedWhateverTheStage) {
  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  InitFields peer = stranger(77);
  const Bytes parameters{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = parameters;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
  pair.drain();
  const Introduction again = introduction_in<InitAckChunk>(init_ack_of(pair, kA, stranger(78)));
  for (int i = 0; i < 2; ++i) {
    const Bytes ack = answer_of(pair, kA, ChunkType::kCookieAck, [&] {
      pair.inject(kA, make_packet(a.fields.initiate_tag, CookieEchoChunk{again.cookie}));
    });
    ASSERT_FALSE(ack.empty());
    EXPECT_EQ(tag_of(ack), VerificationTag(78));
    EXPECT_TRUE(pair.a().is_connected());
  }
  EXPECT_EQ(pair.count(kA, EventKind::kConnected), 1u);
  // T1-cookie has stopped.
  pair.sent(kA).clear();
  pair.run_for(seconds(3));
  EXPECT_EQ(count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 0u);
}

// RFC 9260 §5.2.6.
TEST(SetupRules, StaleCookiesWithoutEndAreGivenUp) {
  Options options;
  options.max_init_retransmits = 3;
  AssociationPair pair(options);
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  InitFields peer = stranger(77);
  const Bytes parameters{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = parameters;
  const Bytes stale{0, 3, 0, 8, 0, 0, 0, 1};
  int rounds = 0;
  for (; rounds < 20 && !pair.a().is_closed(); ++rounds) {
    // Each INIT bears a tag of its own.
    const Bytes init = test::last_with(pair.sent(kA), ChunkType::kInit);
    const VerificationTag tag = introduction_in<InitChunk>(init).fields.initiate_tag;
    pair.inject(kA, make_packet(tag, InitAckChunk{peer}));
    pair.drain();
    pair.inject(kA, make_packet(tag, ErrorChunk{stale}));
    pair.drain();
  }
  EXPECT_EQ(rounds, 4);
  EXPECT_EQ(count_chunks(pair.sent(kA), ChunkType::kInit), 4u);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupTimeout);
}

}  // namespace
}  // namespace millrace::sctp
