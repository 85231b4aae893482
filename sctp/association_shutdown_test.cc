// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/shutdown_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

class AssociationShutdown : public ConnectedPair {
 protected:
  CloseReason reason(int end) {
    const auto* closed = pair_.last(end, EventKind::kClosed);
    return closed == nullptr ? CloseReason::kNone : closed->event.close_reason;
  }
  bool run_to_the_end() {
    return pair_.run_until([&] { return pair_.a().is_closed() && pair_.b().is_closed(); },
                           seconds(200));
  }
  static auto without(ChunkType type) {
    return [type](int, ByteSpan packet) { return !test::has_chunk(packet, type); };
  }
};

// RFC 9260 §9.2.
TEST_F(AssociationShutdown, FollowsTheAcknowledgementOfAllData) {
  const Bytes payload(100000, 1);
  ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kShutdown), 0u);
  ASSERT_TRUE(run_to_the_end());
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->payload, payload);
  EXPECT_EQ(reason(kA), CloseReason::kShutdown);
  EXPECT_EQ(reason(kB), CloseReason::kPeerShutdown);
  EXPECT_EQ(pair_.count(kB, EventKind::kPeerShutdown), 1u);
}

// RFC 9260 §9.2, §6.
TEST_F(AssociationShutdown, ThePeersQueuedDataIsDeliveredToo) {
  const Bytes payload(100000, 2);
  ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(1), kPpidBinary, payload), SendStatus::kOk);
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  ASSERT_TRUE(run_to_the_end());
  ASSERT_NE(pair_.last(kA, EventKind::kMessage), nullptr);
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->payload, payload);
}

// RFC 9260 §9.2: both at once.
TEST_F(AssociationShutdown, CrossedShutdownsEndBothInOrder) {
  pair_.a().shutdown(pair_.now());
  pair_.b().shutdown(pair_.now());
  pair_.drain();
  ASSERT_TRUE(run_to_the_end());
  EXPECT_EQ(reason(kA), CloseReason::kShutdown);
  EXPECT_EQ(reason(kB), CloseReason::kShutdown);
}

// RFC 9260 §9.2: T2-shutdown, T5-shutdown-guard.
TEST_F(AssociationShutdown, ShutdownIsRepeatedUntilTheGuardEndsItWithAbort) {
  pair_.filter = without(ChunkType::kShutdown);
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  ASSERT_TRUE(pair_.run_until([&] { return pair_.a().is_closed(); }));
  EXPECT_GE(test::count_chunks(pair_.sent(kA), ChunkType::kShutdown), 5u);
  EXPECT_TRUE(reason(kA) == CloseReason::kShutdownTimeout ||
              reason(kA) == CloseReason::kTooManyRetransmits);
}

// RFC 9260 §9.2: Association.Max.Retrans ends it too.
TEST_F(AssociationShutdown, ShutdownAckIsRepeatedAndThenGivenUp) {
  pair_.filter = without(ChunkType::kShutdownAck);
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  ASSERT_TRUE(run_to_the_end());
  EXPECT_GE(test::count_chunks(pair_.sent(kB), ChunkType::kShutdownAck), 5u);
  EXPECT_NE(reason(kB), CloseReason::kPeerShutdown);
}

// RFC 9260 §8.4 (5), §8.5.1: the end that forgot answers SHUTDOWN-ACK under the reflected tag.
TEST_F(AssociationShutdown, ALostShutdownCompleteIsRecovered) {
  int lost = 0;
  pair_.filter = [&](int, ByteSpan packet) {
    return !test::has_chunk(packet, ChunkType::kShutdownComplete) || lost++ > 0;
  };
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  ASSERT_TRUE(run_to_the_end());
  EXPECT_EQ(lost, 2);
  const Bytes complete = test::last_with(pair_.sent(kA), ChunkType::kShutdownComplete);
  EXPECT_EQ(test::chunks_of(complete)[0].flags, 1);
  EXPECT_EQ(test::tag_of(complete), tag(kA));  // Reflected: the receiver's, not the sender's.
  EXPECT_EQ(reason(kB), CloseReason::kPeerShutdown);
}

// RFC 9260 §9.2.
TEST_F(AssociationShutdown, WritesAreRefusedFromTheFirstStepOn) {
  pair_.filter = [](int, ByteSpan) { return false; };
  pair_.a().shutdown(pair_.now());
  EXPECT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kClosed);
  pair_.inject(kB, make_packet(tag(kB), ShutdownChunk{Tsn(0)}));
  EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kClosed);
}

// RFC 9260 §9.2, §6.2: DATA that crosses SHUTDOWN is acknowledged, with SHUTDOWN beside the SACK.
TEST_F(AssociationShutdown, DataInShutdownSentIsAnsweredBySackAndShutdown) {
  pair_.a().shutdown(pair_.now());
  ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(2), kPpidBinary, Bytes{9}), SendStatus::kOk);
  pair_.drain();
  pair_.sent(kA).clear();
  ASSERT_TRUE(run_to_the_end());
  const Bytes answer = test::last_with(pair_.sent(kA), ChunkType::kShutdown);
  ASSERT_FALSE(answer.empty());
  EXPECT_TRUE(test::has_chunk(answer, ChunkType::kSack));
  EXPECT_EQ(pair_.count(kA, EventKind::kMessage), 1u);
}

// RFC 9260 §9.2: an INIT in SHUTDOWN-ACK-SENT.
TEST_F(AssociationShutdown, AnInitInShutdownAckSentIsAnsweredByShutdownAck) {
  pair_.filter = without(ChunkType::kShutdownAck);
  pair_.a().shutdown(pair_.now());
  pair_.drain();
  pair_.run_for(milliseconds(11));
  ASSERT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kShutdownAck), 1u);
  pair_.sent(kB).clear();
  pair_.inject(kB, make_packet(VerificationTag(), InitChunk{{.initiate_tag = VerificationTag(7),
                                                             .a_rwnd = 9000,
                                                             .outbound_streams = 1,
                                                             .inbound_streams = 1,
                                                             .initial_tsn = Tsn(1),
                                                             .parameters = {}}}));
  pair_.drain();
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kShutdownAck), 1u);
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kInitAck), 0u);
}

// RFC 9260 §5.2.4 (A): a peer that restarts meanwhile is told to finish the old one first.
TEST_F(AssociationShutdown, ARestartInShutdownAckSentIsAnsweredByShutdownAckAndCauseTen) {
  const VerificationTag tag_b = tag(kB);
  // The cookie of the peer's next life, given while all was well.
  pair_.filter = [](int, ByteSpan) { return false; };
  pair_.inject(kB, make_packet(VerificationTag(), InitChunk{{.initiate_tag = VerificationTag(99),
                                                             .a_rwnd = 100000,
                                                             .outbound_streams = 1,
                                                             .inbound_streams = 1,
                                                             .initial_tsn = Tsn(1),
                                                             .parameters = {}}}));
  pair_.drain();
  const Bytes packet = test::last_with(pair_.sent(kB), ChunkType::kInitAck);
  const auto init_ack = InitAckChunk::parse(test::chunks_of(packet)[0].bytes);
  const auto cookie = InitParameters::parse(init_ack->parameters)->state_cookie;
  ASSERT_TRUE(cookie.has_value());
  pair_.inject(kB, make_packet(tag_b, ShutdownChunk{pair_.b().sender().cumulative_acked()}));
  pair_.drain();
  pair_.sent(kB).clear();
  pair_.inject(kB, make_packet(init_ack->initiate_tag, CookieEchoChunk{*cookie}));
  pair_.drain();
  ASSERT_EQ(pair_.sent(kB).size(), 1u);
  EXPECT_TRUE(test::has_chunk(pair_.sent(kB)[0], ChunkType::kShutdownAck));
  const auto error = test::find_chunk(pair_.sent(kB)[0], ChunkType::kError);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(TlvReader(ErrorChunk::parse(error->bytes)->causes).next()->type, 10u);
  EXPECT_EQ(pair_.b().stats().restarts, 0u);
}

// RFC 9260 §8.5.1 (E), §9.2.
TEST(AssociationShutdownStates, AShutdownAckDuringSetUpIsAnsweredOutOfTheBlue) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.a().connect(pair.now());
  pair.drain();
  pair.inject(kA, make_packet(VerificationTag(77), ShutdownAckChunk{}));
  pair.drain();
  const Bytes complete = test::last_with(pair.sent(kA), ChunkType::kShutdownComplete);
  ASSERT_FALSE(complete.empty());
  EXPECT_EQ(test::tag_of(complete), VerificationTag(77));
  EXPECT_EQ(test::chunks_of(complete)[0].flags, 1);
  EXPECT_FALSE(pair.a().is_closed());
}

// RFC 9260 §8.5.1 (B, C), §9.1, §9.2.
TEST_F(AssociationShutdown, AWrongTagOnAbortShutdownAckOrShutdownCompleteIsIgnored) {
  const VerificationTag wrong(tag(kA).value() ^ 1);
  pair_.inject(kA, make_packet(wrong, AbortChunk{}));
  pair_.inject(kA, make_packet(wrong, ShutdownAckChunk{}));
  pair_.inject(kA, make_packet(wrong, ShutdownCompleteChunk{}));
  pair_.inject(kA, make_packet(tag(kA), AbortChunk{.tag_reflected = true, .causes = {}}));
  EXPECT_EQ(pair_.a().stats().dropped(DropReason::kWrongVerificationTag), 4u);
  pair_.inject(kA, make_packet(tag(kA), ShutdownCompleteChunk{}));  // Not in this state.
  pair_.inject(kA, make_packet(tag(kA), ShutdownAckChunk{}));
  EXPECT_TRUE(pair_.a().is_connected());
  // The peer's own tag with the T bit is right.
  pair_.inject(kA, make_packet(tag(kB), AbortChunk{.tag_reflected = true, .causes = {}}));
  EXPECT_TRUE(pair_.a().is_closed());
}

// RFC 9260 §9.1, §8.5.1.
TEST_F(AssociationShutdown, AbortEndsBothAtOnceAndCarriesItsReason) {
  ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes(5000, 1)), SendStatus::kOk);
  pair_.a().abort(pair_.now(), "over");
  pair_.sent(kA).clear();
  pair_.drain();
  ASSERT_EQ(pair_.sent(kA).size(), 1u);
  const auto chunks = test::chunks_of(pair_.sent(kA)[0]);
  ASSERT_EQ(chunks.size(), 1u);  // RFC 9260 §9.1: no DATA beside it.
  const Bytes causes{0, 12, 0, 8, 'o', 'v', 'e', 'r'};
  EXPECT_TRUE(std::ranges::equal(AbortChunk::parse(chunks[0].bytes)->causes, causes));
  ASSERT_TRUE(run_to_the_end());
  EXPECT_EQ(reason(kA), CloseReason::kAborted);
  EXPECT_EQ(reason(kB), CloseReason::kPeerAborted);
  EXPECT_EQ(pair_.last(kB, EventKind::kClosed)->event.error_cause, 12);
  EXPECT_EQ(pair_.last(kA, EventKind::kClosed)->event.error_cause, 0) << "its own doing";
  EXPECT_EQ(pair_.a().next_timeout(), kNever);
  EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kClosed);
}

// RFC 9260 §8.4, §6, §8.5.1 [dm-4-5..9, imh-3-7..10].
TEST(AssociationShutdownStates, PacketsOutOfTheBlueAreAnsweredOrDroppedByKind) {
  const VerificationTag tag(99);
  const auto answer = [](const Bytes& packet) {
    AssociationPair pair;
    pair.filter = [](int, ByteSpan) { return false; };
    pair.inject(kA, packet);
    pair.drain();
    EXPECT_EQ(pair.a().stats().dropped(DropReason::kOutOfTheBlue), 1u);
    return pair.sent(kA).empty() ? Bytes() : pair.sent(kA)[0];
  };
  EXPECT_TRUE(answer(make_packet(tag, AbortChunk{})).empty());
  EXPECT_TRUE(answer(make_packet(tag, ShutdownCompleteChunk{})).empty());
  const Bytes stale{0, 3, 0, 8, 0, 0, 0, 1};
  EXPECT_TRUE(answer(make_packet(tag, ErrorChunk{stale})).empty());
  const Bytes complete = answer(make_packet(tag, ShutdownAckChunk{}));
  EXPECT_TRUE(test::has_chunk(complete, ChunkType::kShutdownComplete));
  const Bytes aborted = answer(make_packet(tag, ShutdownChunk{Tsn(1)}));
  ASSERT_TRUE(test::has_chunk(aborted, ChunkType::kAbort));
  EXPECT_EQ(test::chunks_of(aborted)[0].flags, 1);
  EXPECT_EQ(test::tag_of(aborted), tag);
}

}  // namespace
}  // namespace millrace::sctp
