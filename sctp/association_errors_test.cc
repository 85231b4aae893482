// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/packet/error_chunk.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

class AssociationErrors : public ConnectedPair {
 protected:
  void SetUp() override {
    ConnectedPair::SetUp();
    pair_.run_for(milliseconds(100));
    tag_a_ = tag(kA);
    const Bytes init = test::last_with(pair_.sent(kB), ChunkType::kInit);
    next_tsn_ = InitChunk::parse(test::chunks_of(init)[0].bytes)->initial_tsn;
    pair_.sent(kA).clear();
  }
  test::DataChunk data(std::uint16_t stream, Bytes payload) {
    const Tsn tsn = next_tsn_;
    next_tsn_ = next_tsn_.next();
    return {{.tsn = tsn,
             .stream = StreamId(stream),
             .ssn = Ssn(0),
             .ppid = kPpidBinary,
             .flags = {.beginning = true, .ending = true}},
            std::move(payload)};
  }
  VerificationTag tag_a_;
  Tsn next_tsn_;
};

// RFC 9260 §3.2 [m-10].
TEST_F(AssociationErrors, AnUnknownChunkIsTreatedByItsTopTwoBitsAndTheDataBehindItToo) {
  struct Case {
    std::uint8_t type;
    bool delivered;
    bool reported;
  };
  std::uint16_t stream = 0;
  for (const Case& c : {Case{0x3A, false, false}, Case{0x7A, false, true}, Case{0xBA, true, false},
                        Case{0xFA, true, true}}) {
    pair_.events(kA).clear();
    pair_.sent(kA).clear();
    const Tsn before = next_tsn_;
    pair_.inject(kA, make_packet(tag_a_, test::RawChunk{{c.type, 0, 0, 8, 1, 2, 3, 4}},
                                 data(stream++, {1})));
    pair_.drain();
    EXPECT_EQ(pair_.count(kA, EventKind::kMessage), c.delivered ? 1u : 0u);
    EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kError), c.reported ? 1u : 0u);
    if (!c.delivered) next_tsn_ = before;
  }
}

// RFC 9260 §6.2, §9.1 [d-8-11].
TEST_F(AssociationErrors, EmptyDataEndsTheAssociationWithNoUserData) {
  pair_.inject(kA, make_packet(tag_a_, data(1, {})));
  pair_.drain();
  const Bytes packet = test::last_with(pair_.sent(kA), ChunkType::kAbort);
  ASSERT_FALSE(packet.empty());
  const auto abort_chunk = AbortChunk::parse(test::chunks_of(packet)[0].bytes);
  EXPECT_EQ(load_be16(abort_chunk->causes.data()), 9);
  EXPECT_EQ(pair_.last(kA, EventKind::kClosed)->event.error_cause, 9);
  EXPECT_EQ(pair_.last(kA, EventKind::kClosed)->event.close_reason,
            CloseReason::kProtocolViolation);
}

// RFC 9260 §6.5 [e-6-3].
TEST_F(AssociationErrors, DataOnAnUnknownStreamIsReportedAndTheAssociationLives) {
  pair_.inject(kA, make_packet(tag_a_, data(65535, {1})));
  pair_.drain();
  const Bytes packet = test::last_with(pair_.sent(kA), ChunkType::kError);
  ASSERT_FALSE(packet.empty());
  const Bytes causes{0, 1, 0, 8, 0xFF, 0xFF, 0, 0};
  const auto error = ErrorChunk::parse(test::find_chunk(packet, ChunkType::kError)->bytes);
  EXPECT_TRUE(std::ranges::equal(error->causes, causes));
  EXPECT_TRUE(pair_.a().is_connected());
}

// RFC 9260 §3.3.10.
TEST_F(AssociationErrors, AnErrorReachesTheUserAndItsNumberIsBounded) {
  const Bytes causes{0, 6, 0, 8, 1, 2, 3, 4};
  for (int i = 0; i < 100; ++i) pair_.inject(kA, make_packet(tag_a_, ErrorChunk{causes}));
  pair_.drain();
  EXPECT_EQ(pair_.count(kA, EventKind::kPeerError), 16u);
  EXPECT_EQ(pair_.last(kA, EventKind::kPeerError)->event.error_cause, 6);
}

// RFC 9260 §3.2, §3.3.10: zero lengths, truncated causes and no causes at all.
TEST_F(AssociationErrors, MalformedChunksAndCausesAreCountedAndIgnored) {
  pair_.inject(kA, make_packet(tag_a_, test::RawChunk{{9, 0, 0, 0}}));
  EXPECT_EQ(pair_.a().stats().dropped(DropReason::kMalformedPacket), 1u);
  const Bytes truncated{0, 6, 0, 20, 1, 2, 3, 4};
  pair_.inject(kA, make_packet(tag_a_, ErrorChunk{truncated}));
  EXPECT_EQ(pair_.a().stats().dropped(DropReason::kMalformedParameter), 1u);
  pair_.inject(kA, make_packet(tag_a_, ErrorChunk{}));
  const Bytes empty_cause{0, 13, 0, 4};
  pair_.inject(kA, make_packet(tag_a_, ErrorChunk{empty_cause}));
  pair_.drain();
  EXPECT_EQ(pair_.count(kA, EventKind::kPeerError), 1u);
  EXPECT_TRUE(pair_.a().is_connected());
}

// The control queue is bounded: a flood of requests costs answers, not memory.
TEST_F(AssociationErrors, AFloodOfHeartbeatsIsAnsweredInPart) {
  const Bytes info(300, 1);
  for (int i = 0; i < 100; ++i) pair_.inject(kA, make_packet(tag_a_, HeartbeatChunk{info}));
  EXPECT_GT(pair_.a().stats().dropped(DropReason::kControlQueueFull), 80u);
  pair_.drain();
  EXPECT_TRUE(pair_.a().is_connected());
}

}  // namespace
}  // namespace millrace::sctp
