// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

// The parameters of Chromium's and Firefox's INIT as they travel: FORWARD-TSN, then the
// list of extensions, whose padding Chromium leaves out.
const Bytes kChromiumParameters{0xC0, 0x00, 0x00, 0x04, 0x80, 0x08, 0x00, 0x06, 0x82, 0xC0};
const Bytes kFirefoxParameters{0xC0, 0x00, 0x00, 0x04, 0x80, 0x08,
                               0x00, 0x08, 0x82, 0xC0, 0x40, 0xC2};

InitFields init_fields(ByteSpan parameters = {}) {
  return {.initiate_tag = VerificationTag(0x01020304),
          .a_rwnd = 5 << 20,
          .outbound_streams = 65535,
          .inbound_streams = 65535,
          .initial_tsn = Tsn(1000),
          .parameters = parameters};
}
Bytes init_packet(const InitFields& fields) {
  return make_packet(VerificationTag(), InitChunk{fields});
}

// Gives B an INIT and returns its answer.
Bytes answer_to_init(AssociationPair& pair, const InitFields& fields) {
  pair.filter = [](int, ByteSpan) { return false; };
  pair.sent(kB).clear();
  pair.inject(kB, init_packet(fields));
  pair.drain();
  return pair.sent(kB).empty() ? Bytes() : pair.sent(kB).back();
}
InitAckChunk parse_init_ack(ByteSpan packet) {
  return *InitAckChunk::parse(test::find_chunk(packet, ChunkType::kInitAck)->bytes);
}
Bytes cookie_of(ByteSpan init_ack_packet) {
  const auto parameters = InitParameters::parse(parse_init_ack(init_ack_packet).parameters);
  return {parameters->state_cookie->begin(), parameters->state_cookie->end()};
}
std::uint64_t dropped(Association& association, DropReason reason) {
  return association.stats().dropped(reason);
}

// RFC 9260 §5.1, §8.4 [as-1-1].
TEST(AssociationSetup, OneEndOpensAndTheOtherFollows) {
  AssociationPair pair;
  pair.a().connect(pair.now());
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.b().is_connected());
  EXPECT_EQ(pair.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kConnected), 1u);
}

// RFC 9260 §5.2.1, §5.2.4 (D) [dm-4-1].
TEST(AssociationSetup, BothEndsOpenAtOnce) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kConnected), 1u);
}

// RFC 9260 §5.1.
TEST(AssociationSetup, APatientEndSendsNoInitWherePeersComesFirst) {
  AssociationPair pair;
  pair.a().connect(pair.now(), milliseconds(100));
  pair.b().connect(pair.now());
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.b().is_connected());
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kInit), 0u);
  EXPECT_EQ(test::count_chunks(pair.sent(kB), ChunkType::kInit), 1u);
}

// RFC 9260 §5.1 (A), §5.1.6.
TEST(AssociationSetup, AnEndSendsItsInitWhenItsPatienceEnds) {
  AssociationPair pair;
  pair.a().connect(pair.now(), milliseconds(100));
  pair.drain();
  pair.run_for(milliseconds(99));
  EXPECT_TRUE(pair.sent(kA).empty());
  pair.run_for(milliseconds(30));
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.b().is_connected());
  // RFC 9260 §6.3.1 (C5): it was sent once, so it gives the first round trip.
  EXPECT_EQ(pair.a().smoothed_rtt(), milliseconds(10));

  AssociationPair deaf;
  deaf.filter = [](int, ByteSpan) { return false; };
  deaf.a().connect(deaf.now(), milliseconds(100));
  ASSERT_TRUE(deaf.run_until([&] { return deaf.a().is_closed(); }));
  EXPECT_EQ(deaf.sent(kA).size(), 9u);
}

// RFC 9260 §5.2.1, §5.2.4 (B, D).
TEST(AssociationSetup, PatienceMayEndBetweenThePeersInitAndItsCookieEcho) {
  AssociationPair pair({}, {}, {.delay = milliseconds(60)});
  pair.a().connect(pair.now(), milliseconds(100));
  pair.b().connect(pair.now());
  pair.drain();
  pair.run_for(milliseconds(400));
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_TRUE(pair.b().is_connected());
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kInit), 1u);
  EXPECT_EQ(dropped(pair.a(), DropReason::kCookieTagMismatch), 0u);
}

// RFC 9260 §5.2.3.
TEST(AssociationSetup, AnInitAckWithoutAnInitIsDropped) {
  AssociationPair pair;
  pair.a().connect(pair.now(), milliseconds(100));
  // The tag is known from the answer to an INIT.
  const Bytes answer = [&] {
    pair.filter = [](int, ByteSpan) { return false; };
    pair.inject(kA, init_packet(init_fields()));
    pair.drain();
    return pair.sent(kA).back();
  }();
  pair.inject(kA, make_packet(parse_init_ack(answer).initiate_tag, parse_init_ack(answer)));
  pair.drain();
  EXPECT_EQ(dropped(pair.a(), DropReason::kUnexpectedState), 1u);
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 0u);
}

// RFC 9260 §5.1.6 [as-1-2].
TEST(AssociationSetup, InitIsRepeatedUnchangedAndThenGivenUp) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.a().connect(pair.now());
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed(); }));
  ASSERT_EQ(pair.sent(kA).size(), 9u);
  for (const Bytes& packet : pair.sent(kA)) EXPECT_EQ(packet, pair.sent(kA)[0]);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupTimeout);
}

// RFC 9260 §5.1.6, §5.1.4 [as-1-3].
TEST(AssociationSetup, CookieEchoIsRepeatedAndThenGivenUp) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan packet) {
    return !test::has_chunk(packet, ChunkType::kCookieEcho);
  };
  pair.a().connect(pair.now());
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed(); }));
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 9u);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupTimeout);
  EXPECT_FALSE(pair.b().is_connected());
}

// RFC 9260 §5.1.3, §5.1, §8.4 [as-1-4].
TEST(AssociationSetup, EachInitAckIsFreshAndEitherCanBeUsed) {
  for (const bool use_first : {true, false}) {
    AssociationPair pair;
    const Bytes first = answer_to_init(pair, init_fields());
    const Bytes second = answer_to_init(pair, init_fields());
    EXPECT_NE(parse_init_ack(first).initiate_tag, parse_init_ack(second).initiate_tag);
    EXPECT_EQ(pair.b().next_timeout(), kNever);  // It remembers nothing.
    const Bytes& used = use_first ? first : second;
    const Bytes cookie = cookie_of(used);
    pair.inject(kB, make_packet(parse_init_ack(used).initiate_tag, CookieEchoChunk{cookie}));
    EXPECT_TRUE(pair.b().is_connected());
  }
}

// RFC 9260 §5.2.4 (D).
TEST(AssociationSetup, ALostCookieAckIsRecovered) {
  AssociationPair pair;
  int lost = 0;
  pair.filter = [&](int end, ByteSpan packet) {
    return end != kB || !test::has_chunk(packet, ChunkType::kCookieAck) || lost++ > 0;
  };
  pair.a().connect(pair.now());
  pair.drain();
  EXPECT_TRUE(pair.run_until([&] { return pair.a().is_connected(); }));
  EXPECT_EQ(lost, 2);
  EXPECT_EQ(pair.count(kB, EventKind::kConnected), 1u);
}

// RFC 9260 §5.1 (C, D), §6.10, §5 [bdc-7-4, 7-5].
TEST(AssociationSetup, DataRidesInThePacketWithCookieEchoAndNothingElseLeavesBeforeCookieAck) {
  AssociationPair pair;
  const Bytes payload(5000, 7);
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  std::size_t before_ack = 0;
  pair.filter = [&](int end, ByteSpan packet) {
    if (end == kA && !pair.a().is_connected() && test::has_chunk(packet, ChunkType::kData)) {
      EXPECT_EQ(test::chunks_of(packet)[0].type, ChunkType::kCookieEcho);
      ++before_ack;
    }
    return true;
  };
  pair.a().connect(pair.now());
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(before_ack, 1u);
  ASSERT_NE(pair.last(kB, EventKind::kMessage), nullptr);
  EXPECT_EQ(pair.last(kB, EventKind::kMessage)->payload, payload);
}

// RFC 9260 §5.1.1 [as-1-7].
TEST(AssociationSetup, StreamCountsAreTheMinimumOfBothEnds) {
  Options a;
  a.outgoing_streams = 10;
  a.incoming_streams = 500;
  Options b;
  b.outgoing_streams = 300;
  b.incoming_streams = 20;
  AssociationPair pair(a, b);
  ASSERT_TRUE(pair.connect_both());
  EXPECT_EQ(pair.last(kA, EventKind::kConnected)->event.outgoing_streams, 10);
  EXPECT_EQ(pair.last(kA, EventKind::kConnected)->event.incoming_streams, 300);
  EXPECT_EQ(pair.last(kB, EventKind::kConnected)->event.outgoing_streams, 300);
  EXPECT_EQ(pair.a().send(pair.now(), StreamId(10), kPpidBinary, Bytes{1}),
            SendStatus::kInvalidStream);
}

// RFC 9260 §3.3.2, §5.1, §8.4 [as-1-7].
TEST(AssociationSetup, ZeroStreamsOrATinyWindowAreRefusedByAbortUnderTheInitiateTag) {
  for (int field = 0; field < 3; ++field) {
    AssociationPair pair;
    InitFields fields = init_fields();
    if (field == 0) fields.outbound_streams = 0;
    if (field == 1) fields.inbound_streams = 0;
    if (field == 2) fields.a_rwnd = 1499;
    const Bytes answer = answer_to_init(pair, fields);
    ASSERT_TRUE(test::has_chunk(answer, ChunkType::kAbort));
    EXPECT_EQ(test::tag_of(answer), fields.initiate_tag);
    EXPECT_FALSE(AbortChunk::parse(test::chunks_of(answer)[0].bytes)->tag_reflected);
  }
}

// RFC 9260 §3.3.2 [as-1-14].
TEST(AssociationSetup, AnInitiateTagOfZeroIsDiscardedInSilence) {
  AssociationPair pair;
  InitFields fields = init_fields();
  fields.initiate_tag = VerificationTag();
  EXPECT_TRUE(answer_to_init(pair, fields).empty());
  EXPECT_EQ(dropped(pair.b(), DropReason::kMalformedChunk), 1u);
}

// RFC 9260 §3.2.1 [as-1-8].
TEST(AssociationSetup, UnknownParametersOfInitAreReportedInInitAckByTheirTopTwoBits) {
  AssociationPair pair;
  const Bytes parameters{0xC1, 0x23, 0x00, 0x05, 0xAA, 0, 0, 0,  // Skip and report.
                         0x81, 0x23, 0x00, 0x04,                 // Skip in silence.
                         0x41, 0x23, 0x00, 0x04,                 // Stop and report.
                         0xC1, 0x24, 0x00, 0x04};                // Never reached.
  const Bytes answer = answer_to_init(pair, init_fields(parameters));
  const auto read = InitParameters::parse(parse_init_ack(answer).parameters);
  ASSERT_EQ(read->refused_count, 2u);
  EXPECT_EQ(load_be16(read->refused[0].data()), 0xC123);
  EXPECT_EQ(load_be16(read->refused[1].data()), 0x4123);
}

// PEERS.md: the INITs of the browsers.
TEST(AssociationSetup, TheInitsOfChromiumAndFirefoxAreAnswered) {
  for (const Bytes& parameters : {kChromiumParameters, kFirefoxParameters}) {
    AssociationPair pair;
    InitFields fields = init_fields(parameters);
    if (parameters == kFirefoxParameters) fields.a_rwnd = 16 << 20;
    Bytes packet = init_packet(fields);
    const auto chunk = test::chunks_of(packet)[0];
    if (parameters == kChromiumParameters) {
      EXPECT_EQ(chunk.bytes.size(), 30u);
    }
    const Bytes answer = answer_to_init(pair, fields);
    ASSERT_TRUE(test::has_chunk(answer, ChunkType::kInitAck));
    const auto read = InitParameters::parse(parse_init_ack(answer).parameters);
    EXPECT_TRUE(read->forward_tsn);
    EXPECT_TRUE(read->reconfig);
    EXPECT_EQ(read->refused_count, 0u);
  }
}

// RFC 9260 §3.3.3, §3.3.10.2, §5.1 [e-6-4].
TEST(AssociationSetup, AnInitAckWithoutACookieIsRefusedAsMissingAParameter) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.a().connect(pair.now());
  pair.drain();
  const auto init = InitChunk::parse(test::chunks_of(pair.sent(kA)[0])[0].bytes);
  pair.inject(kA, make_packet(init->initiate_tag, InitAckChunk{init_fields()}));
  pair.drain();
  const Bytes abort_packet = test::last_with(pair.sent(kA), ChunkType::kAbort);
  ASSERT_FALSE(abort_packet.empty());
  EXPECT_EQ(test::tag_of(abort_packet), init_fields().initiate_tag);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason, CloseReason::kSetupRefused);
}

// RFC 9260 §3.2.1 [e-6-5, e-6-6].
TEST(AssociationSetup, UnknownParametersOfInitAckAreReportedBehindCookieEcho) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.a().connect(pair.now());
  pair.drain();
  const auto init = InitChunk::parse(test::chunks_of(pair.sent(kA)[0])[0].bytes);
  const Bytes parameters{0x00, 0x07, 0x00, 0x08, 1,    2,    3,    4,
                         0xC1, 0x23, 0x00, 0x04, 0xC1, 0x24, 0x00, 0x04};
  pair.inject(kA, make_packet(init->initiate_tag, InitAckChunk{init_fields(parameters)}));
  pair.drain();
  const auto chunks = test::chunks_of(pair.sent(kA).back());
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].type, ChunkType::kCookieEcho);
  ASSERT_EQ(chunks[1].type, ChunkType::kError);
  const Bytes causes{0, 8, 0, 12, 0xC1, 0x23, 0x00, 0x04, 0xC1, 0x24, 0x00, 0x04};
  EXPECT_TRUE(std::ranges::equal(ErrorChunk::parse(chunks[1].bytes)->causes, causes));
}

// RFC 9260 §5.1.5 (1-3), §5.1.3 [imh].
TEST(AssociationSetup, ACookieThatIsForgedOrUnderAWrongTagIsIgnored) {
  AssociationPair pair;
  const Bytes init_ack = answer_to_init(pair, init_fields());
  const VerificationTag tag = parse_init_ack(init_ack).initiate_tag;
  const Bytes cookie = cookie_of(init_ack);
  for (std::size_t i = 0; i < cookie.size(); ++i) {
    Bytes forged = cookie;
    forged[i] ^= 1;
    pair.inject(kB, make_packet(tag, CookieEchoChunk{forged}));
  }
  EXPECT_EQ(dropped(pair.b(), DropReason::kBadCookie), cookie.size());
  pair.inject(kB, make_packet(VerificationTag(tag.value() + 1), CookieEchoChunk{cookie}));
  EXPECT_EQ(dropped(pair.b(), DropReason::kCookieTagMismatch), 1u);
  EXPECT_FALSE(pair.b().is_connected());
}

// RFC 9260 §5.1.5 (4), §5.2.6 [e-6-1].
TEST(AssociationSetup, AnExpiredCookieIsAnsweredByStaleCookieAndANewInitFollows) {
  Options options;
  options.cookie_lifetime = milliseconds(100);
  AssociationPair pair({}, options);
  bool hold = true;
  std::vector<Bytes> held;
  pair.filter = [&](int end, ByteSpan packet) {
    if (end == kA && hold && test::has_chunk(packet, ChunkType::kCookieEcho)) {
      held.emplace_back(packet.begin(), packet.end());
      return false;
    }
    return true;
  };
  pair.a().connect(pair.now());
  pair.drain();
  pair.run_for(milliseconds(150));
  ASSERT_FALSE(held.empty());
  hold = false;
  pair.inject(kB, held[0]);
  pair.drain();
  EXPECT_EQ(dropped(pair.b(), DropReason::kStaleCookie), 1u);
  EXPECT_TRUE(pair.run_until([&] { return pair.a().is_connected() && pair.b().is_connected(); }));
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kInit), 2u);
}

// RFC 9260 §5.2.4, §5.2.6: an end that is told of a stale cookie when the peer has taken the next
// one already, whose COOKIE-ACK was lost. Seed 3170 of the hostile simulation.
TEST(AssociationSetup, AStaleCookieErrorThatComesLateDoesNotLockTheEndsOut) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  pair.replace(kA, {});
  bool lose = true;
  pair.filter = [&](int end, ByteSpan packet) {
    return end == kA || !lose || !test::has_chunk(packet, ChunkType::kCookieAck);
  };
  pair.sent(kA).clear();
  pair.a().connect(pair.now());
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.count(kB, EventKind::kRestarted) == 1; }));
  const Bytes init = test::last_with(pair.sent(kA), ChunkType::kInit);
  const VerificationTag tag =
      InitChunk::parse(test::find_chunk(init, ChunkType::kInit)->bytes)->initiate_tag;
  const Bytes causes{0, 3, 0, 8, 0, 0, 0, 1};
  pair.inject(kA, make_packet(tag, ErrorChunk{causes}));
  lose = false;
  pair.drain();
  EXPECT_TRUE(pair.run_until([&] { return pair.a().is_connected() && pair.b().is_connected(); }));
  EXPECT_EQ(dropped(pair.b(), DropReason::kCookieTagMismatch), 0u);
}

// RFC 9260 §5.2.6 [e-6-2].
TEST(AssociationSetup, AStaleCookieErrorOutsideCookieEchoedIsIgnored) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kB), ChunkType::kCookieEcho));
  const Bytes causes{0, 3, 0, 8, 0, 0, 0, 1};
  pair.inject(kA, make_packet(tag, ErrorChunk{causes}));
  EXPECT_TRUE(pair.a().is_connected());
  EXPECT_EQ(dropped(pair.a(), DropReason::kUnexpectedState), 1u);
}

// RFC 9260 §6.10, §8.5.1 (A), §5.1 [bdc-7-1..3].
TEST(AssociationSetup, AnInitInCompanyIsDropped) {
  AssociationPair pair;
  pair.inject(kB, make_packet(VerificationTag(), InitChunk{init_fields()}, CookieAckChunk{}));
  pair.inject(kB, make_packet(VerificationTag(5), InitChunk{init_fields()}));
  pair.drain();
  EXPECT_EQ(dropped(pair.b(), DropReason::kBundledInit), 1u);
  EXPECT_EQ(dropped(pair.b(), DropReason::kWrongVerificationTag), 1u);
  EXPECT_TRUE(pair.sent(kB).empty());
}

// RFC 9260 §5.1, §6.10 [bdc-7-2].
TEST(AssociationSetup, AnInitAckInCompanyIsDropped) {
  AssociationPair pair;
  Bytes answer;
  pair.filter = [&](int end, ByteSpan packet) {
    if (end == kB) answer.assign(packet.begin(), packet.end());
    return end == kA;
  };
  pair.a().connect(pair.now());
  ASSERT_TRUE(pair.run_until([&] { return !answer.empty(); }));
  const InitAckChunk init_ack = parse_init_ack(answer);
  pair.inject(kA, make_packet(test::tag_of(answer), init_ack, CookieAckChunk{}));
  pair.inject(kA, make_packet(test::tag_of(answer), CookieAckChunk{}, init_ack));
  pair.drain();
  EXPECT_EQ(dropped(pair.a(), DropReason::kBundledInit), 2u);
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 0u);
  pair.inject(kA, answer);
  pair.drain();
  EXPECT_EQ(test::count_chunks(pair.sent(kA), ChunkType::kCookieEcho), 1u);
}

// RFC 9260 §6.10, §8.5.1 (A), §12.3 [bdc-7-1]: it and what follows it, wherever it stands.
TEST(AssociationSetup, AnInitBehindAnotherChunkIsDroppedWithAllThatFollows) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kB), ChunkType::kCookieEcho));
  pair.sent(kA).clear();
  const Bytes info(8, 0);
  pair.inject(
      kA, make_packet(tag, HeartbeatChunk{info}, InitChunk{init_fields()}, HeartbeatChunk{info}));
  pair.drain();
  EXPECT_EQ(dropped(pair.a(), DropReason::kBundledInit), 1u);
  ASSERT_EQ(pair.sent(kA).size(), 1u);
  ASSERT_EQ(test::chunks_of(pair.sent(kA)[0]).size(), 1u);
  EXPECT_TRUE(test::has_chunk(pair.sent(kA)[0], ChunkType::kHeartbeatAck));
}

// RFC 9260 §6.8, §8.5 [imh].
TEST(AssociationSetup, AWrongChecksumPortOrTagIsCountedAndIgnored) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kB), ChunkType::kCookieEcho));
  Bytes packet = make_packet(tag, ShutdownChunk{Tsn(1)});
  packet.back() ^= 1;
  pair.inject(kA, packet);
  EXPECT_EQ(dropped(pair.a(), DropReason::kWrongChecksum), 1u);
  pair.inject(kA, make_packet(VerificationTag(tag.value() ^ 1), ShutdownChunk{Tsn(1)}));
  EXPECT_EQ(dropped(pair.a(), DropReason::kWrongVerificationTag), 1u);
  pair.inject(kA, ByteSpan(packet).first(11));
  EXPECT_EQ(dropped(pair.a(), DropReason::kMalformedPacket), 1u);
  EXPECT_TRUE(pair.a().is_connected());
}

// RFC 9260 §3.3.2 [imh]: every truncation of an INIT.
TEST(AssociationSetup, AShortInitOrInitAckIsIgnored) {
  AssociationPair pair;
  for (std::uint8_t length = 4; length < 20; length = static_cast<std::uint8_t>(length + 4)) {
    test::RawChunk chunk{Bytes(length, 0)};
    chunk.bytes[0] = 1;
    chunk.bytes[3] = length;
    pair.inject(kB, make_packet(VerificationTag(), chunk));
  }
  pair.drain();
  EXPECT_TRUE(pair.sent(kB).empty());
  EXPECT_EQ(dropped(pair.b(), DropReason::kMalformedChunk), 4u);
}

// RFC 9260 §3.3.2.1 Note 3, §5.1.2 [as-1-10..13].
TEST(AssociationSetup, AddressesAreToleratedAndAHostNameIsRefused) {
  AssociationPair pair;
  const Bytes addresses{0, 5, 0, 8, 127, 0, 0, 1, 0, 12, 0, 6, 0, 5, 0, 0};
  EXPECT_TRUE(test::has_chunk(answer_to_init(pair, init_fields(addresses)), ChunkType::kInitAck));
  const Bytes host{0, 11, 0, 8, 'a', '.', 'b', 0};
  EXPECT_TRUE(test::has_chunk(answer_to_init(pair, init_fields(host)), ChunkType::kAbort));
}

// RFC 9260 §5.2.4 (A), §5.1.5, §5.2.4.1 [as-1-9, dm-4-2].
TEST(AssociationSetup, APeerThatRestartsGetsANewAssociationAndTheOldOnesDataIsGone) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const Bytes init_ack = answer_to_init(pair, init_fields(kChromiumParameters));
  ASSERT_TRUE(test::has_chunk(init_ack, ChunkType::kInitAck));
  EXPECT_TRUE(pair.b().is_connected());  // RFC 9260 §5.2.2: an INIT alone changes nothing.
  const VerificationTag tag = parse_init_ack(init_ack).initiate_tag;
  const Bytes cookie = cookie_of(init_ack);
  pair.sent(kB).clear();
  pair.inject(kB, make_packet(tag, CookieEchoChunk{cookie},
                              test::DataChunk{{.tsn = Tsn(1000),
                                               .stream = StreamId(3),
                                               .ssn = Ssn(0),
                                               .ppid = kPpidBinary,
                                               .flags = {.beginning = true, .ending = true}},
                                              {1, 2, 3}}));
  pair.drain();
  EXPECT_EQ(pair.count(kB, EventKind::kRestarted), 1u);
  EXPECT_EQ(pair.b().stats().restarts, 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kMessage), 1u);
  EXPECT_TRUE(test::has_chunk(pair.sent(kB)[0], ChunkType::kCookieAck));
  EXPECT_EQ(test::tag_of(pair.sent(kB)[0]), init_fields().initiate_tag);
}

// RFC 9260 §5.2.4 (B): the peer answered this end's INIT and then sent its own under a new
// tag, and this end knows no tag of the peer's yet.
TEST(AssociationSetup, ACookieForThisEndsOwnTagIsAdoptedInCookieWait) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.b().connect(pair.now());
  pair.drain();
  const Bytes init_ack = answer_to_init(pair, init_fields());
  const Bytes cookie = cookie_of(init_ack);
  pair.inject(kB, make_packet(parse_init_ack(init_ack).initiate_tag, CookieEchoChunk{cookie}));
  EXPECT_TRUE(pair.b().is_connected());
}

// RFC 9260 §5.2.1, §5.2.4 (A, B): a peer that loses its state after it has acknowledged data, and
// whose INIT comes before that acknowledgement, is answered under this end's own tag.
TEST(AssociationSetup, APeerThatRestartsBeforeItsCookieAckArrivesIsARestart) {
  AssociationPair pair;
  Bytes answer;  // Of the first peer: COOKIE-ACK and SACK.
  pair.filter = [&](int end, ByteSpan packet) {
    const bool late = end == kA && answer.empty() && test::has_chunk(packet, ChunkType::kCookieAck);
    if (late) answer.assign(packet.begin(), packet.end());
    return !late;
  };
  pair.b().connect(pair.now());
  ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return !answer.empty(); }));
  ASSERT_TRUE(test::has_chunk(answer, ChunkType::kSack));
  pair.replace(kA, {});
  pair.a().connect(pair.now());
  pair.drain();
  ASSERT_TRUE(
      pair.run_until([&] { return test::count_chunks(pair.sent(kB), ChunkType::kInitAck) == 1; }));
  pair.inject(kB, answer);
  pair.drain();
  ASSERT_TRUE(pair.b().is_connected());
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_connected(); }));
  EXPECT_EQ(pair.count(kB, EventKind::kRestarted), 1u);
  pair.events(kA).clear();
  ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, Bytes{2}), SendStatus::kOk);
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{3}), SendStatus::kOk);
  pair.drain();
  pair.run_for(seconds(5));
  ASSERT_EQ(pair.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair.last(kA, EventKind::kMessage)->payload, Bytes{2});
  ASSERT_EQ(pair.count(kB, EventKind::kMessage), 1u);
  EXPECT_EQ(pair.last(kB, EventKind::kMessage)->payload, Bytes{3});
  EXPECT_TRUE(pair.b().sender().all_acknowledged());
}

// RFC 9260 §5.2.4 (C), §5.1.5, §5.2.2, Table 12: rows that match nothing.
TEST(AssociationSetup, ALateCookieOfAnOtherLocalTagIsDiscarded) {
  AssociationPair pair;
  const Bytes init_ack = answer_to_init(pair, init_fields());  // While closed: no tie-tags.
  const Bytes cookie = cookie_of(init_ack);
  pair.filter = nullptr;
  ASSERT_TRUE(pair.connect_both());
  pair.inject(kB, make_packet(parse_init_ack(init_ack).initiate_tag, CookieEchoChunk{cookie}));
  EXPECT_EQ(dropped(pair.b(), DropReason::kCookieTagMismatch), 1u);
  EXPECT_EQ(pair.b().stats().restarts, 0u);
}

// RFC 9260 §5.2.3, §5.2.5.
TEST(AssociationSetup, AnUnexpectedInitAckOrCookieAckIsIgnored) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kB), ChunkType::kCookieEcho));
  const auto before = dropped(pair.a(), DropReason::kUnexpectedState);
  pair.inject(kA, make_packet(tag, InitAckChunk{init_fields()}));
  pair.inject(kA, make_packet(tag, CookieAckChunk{}));
  EXPECT_EQ(dropped(pair.a(), DropReason::kUnexpectedState), before + 2);
  EXPECT_TRUE(pair.a().is_connected());
}

}  // namespace
}  // namespace millrace::sctp
