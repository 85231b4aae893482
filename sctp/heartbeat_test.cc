// SPDX-License-Identifier: Apache-2.0
#include "sctp/heartbeat.h"

#include <gtest/gtest.h>

#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

Options with_interval(Duration interval) {
  Options options;
  options.heartbeat_interval = interval;
  return options;
}

// RFC 9260 §8.3 [fh-5-2].
TEST(Heartbeats, AreSentWhenIdleAndAnsweredWithTheirInformation) {
  AssociationPair pair(with_interval(seconds(1)), with_interval(Duration::zero()));
  ASSERT_TRUE(pair.connect_both());
  pair.run_for(seconds(10));
  const Stats stats = pair.a().stats();
  EXPECT_GE(stats.heartbeats_sent, 5u);
  EXPECT_EQ(stats.heartbeats_acked, stats.heartbeats_sent);
  const Bytes asked = test::last_with(pair.sent(kA), ChunkType::kHeartbeat);
  const Bytes answered = test::last_with(pair.sent(kB), ChunkType::kHeartbeatAck);
  EXPECT_TRUE(std::ranges::equal(test::find_chunk(asked, ChunkType::kHeartbeat)->value(),
                                 test::find_chunk(answered, ChunkType::kHeartbeatAck)->value()));
  // Off is off.
  EXPECT_EQ(pair.b().stats().heartbeats_sent, 0u);
}

// RFC 9260 §8.1, §8.3.
TEST(Heartbeats, ThatAreLostCountAndCloseTheAssociation) {
  AssociationPair pair(with_interval(seconds(1)), with_interval(Duration::zero()));
  ASSERT_TRUE(pair.connect_both());
  pair.filter = [](int, ByteSpan) { return false; };
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed(); }, seconds(600)));
  EXPECT_EQ(pair.a().stats().heartbeats_sent, 11u);
  EXPECT_EQ(pair.last(kA, EventKind::kClosed)->event.close_reason,
            CloseReason::kTooManyRetransmits);
}

// RFC 9260 §8.3.
TEST(Heartbeats, AnAnswerToNothingIsIgnored) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kB), ChunkType::kCookieEcho));
  const Bytes info(8, 0);
  pair.inject(kA, make_packet(tag, HeartbeatAckChunk{info}));
  EXPECT_EQ(pair.a().stats().dropped(DropReason::kUnknownHeartbeat), 1u);
  pair.inject(kA, make_packet(tag, test::RawChunk{{4, 0, 0, 6, 0, 1}}));
  EXPECT_EQ(pair.a().stats().dropped(DropReason::kMalformedChunk), 1u);
}

}  // namespace
}  // namespace millrace::sctp
