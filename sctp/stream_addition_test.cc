// SPDX-License-Identifier: Apache-2.0
// RFC 6525 §5.1.5, §5.1.6, §5.2.5, §5.2.6: more streams for an association that is up.
#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/reconfig_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

Options few_streams() {
  Options options;
  options.outgoing_streams = options.incoming_streams = 5;
  options.max_streams = 10;
  return options;
}

class StreamAddition : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(pair_.connect_both()); }
  SendStatus send(int end, std::uint16_t stream) {
    const SendStatus status =
        pair_[end].send(pair_.now(), StreamId(stream), kPpidBinary, Bytes{1, 2, 3});
    pair_.drain();
    return status;
  }
  void add(int end, std::uint16_t outgoing, std::uint16_t incoming) {
    pair_[end].add_streams(outgoing, incoming);
    pair_.drain();
    pair_.run_for(seconds(1));
  }

  AssociationPair pair_{few_streams(), few_streams()};
};

// RFC 6525 §5.1.5, §5.2.5, §5.2.7 (H6)
TEST_F(StreamAddition, OutgoingOnesAreOfUseOnceThePeerHasAgreed) {
  pair_.a().add_streams(2, 0);
  pair_.drain();
  EXPECT_EQ(send(kA, 5), SendStatus::kInvalidStream);
  pair_.run_for(seconds(1));
  const test::RecordedEvent* const added = pair_.last(kA, EventKind::kStreamsAdded);
  ASSERT_NE(added, nullptr);
  EXPECT_EQ(added->event.outgoing_streams, 7);
  EXPECT_EQ(added->event.incoming_streams, 5);
  EXPECT_EQ(pair_.last(kB, EventKind::kStreamsAdded)->event.incoming_streams, 7);
  EXPECT_EQ(send(kA, 6), SendStatus::kOk);
  EXPECT_EQ(send(kA, 7), SendStatus::kInvalidStream);
  pair_.run_for(seconds(1));
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->event.stream, StreamId(6));
  // RFC 6525 §5.1.5: a new stream begins with SSN 0.
  const Bytes packet = test::last_with(pair_.sent(kA), ChunkType::kData);
  EXPECT_EQ(DataChunkView::parse(test::find_chunk(packet, ChunkType::kData)->bytes)->header.ssn,
            Ssn(0));
}

// RFC 6525 §5.1.6, §5.2.6
TEST_F(StreamAddition, IncomingOnesAreAddedByARequestOfThePeers) {
  add(kA, 0, 3);
  EXPECT_EQ(pair_.last(kA, EventKind::kStreamsAdded)->event.incoming_streams, 8);
  EXPECT_EQ(pair_.last(kB, EventKind::kStreamsAdded)->event.outgoing_streams, 8);
  EXPECT_EQ(send(kB, 7), SendStatus::kOk);
  pair_.run_for(seconds(1));
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->event.stream, StreamId(7));
}

TEST_F(StreamAddition, BothWaysAtOnceAndFromBothEndsComeToTheSameNumbers) {
  pair_.a().add_streams(1, 2);
  pair_.b().add_streams(2, 1);
  pair_.drain();
  pair_.run_for(seconds(2));
  for (const int end : {kA, kB}) {
    EXPECT_EQ(pair_.last(end, EventKind::kStreamsAdded)->event.outgoing_streams,
              pair_.last(1 - end, EventKind::kStreamsAdded)->event.incoming_streams);
    EXPECT_EQ(pair_.count(end, EventKind::kStreamAdditionRefused), 0u);
  }
  EXPECT_EQ(pair_.last(kA, EventKind::kStreamsAdded)->event.outgoing_streams, 7);
  EXPECT_EQ(pair_.last(kB, EventKind::kStreamsAdded)->event.outgoing_streams, 9);
}

// RFC 6525 §5.2.5, §5.2.6: the number of streams is limited by the one who is asked.
TEST_F(StreamAddition, BeyondThePeersLimitIsDenied) {
  AssociationPair pair(Options{few_streams()}, [] {
    Options options = few_streams();
    options.max_streams = 6;
    return options;
  }());
  ASSERT_TRUE(pair.connect_both());
  pair.a().add_streams(2, 0);
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kA, EventKind::kStreamAdditionRefused), 1u);
  EXPECT_EQ(pair.count(kB, EventKind::kStreamsAdded), 0u);
  pair.a().add_streams(0, 2);
  pair.drain();
  pair.run_for(seconds(1));
  EXPECT_EQ(pair.count(kA, EventKind::kStreamAdditionRefused), 2u);
}

TEST_F(StreamAddition, BeyondTheOwnLimitIsRefusedUnasked) {
  pair_.sent(kA).clear();
  add(kA, 6, 0);
  add(kA, 0, 6);
  EXPECT_EQ(pair_.count(kA, EventKind::kStreamAdditionRefused), 2u);
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kReconfig), 0u);
}

TEST_F(StreamAddition, WithoutReconfigIsRefused) {
  Options none = few_streams();
  none.extensions.reconfig = false;
  AssociationPair pair(few_streams(), none);
  pair.a().add_streams(1, 0);  // Before it can be known.
  ASSERT_TRUE(pair.connect_both());
  EXPECT_EQ(pair.count(kA, EventKind::kStreamAdditionRefused), 1u);
  pair.a().add_streams(1, 0);
  pair.drain();
  EXPECT_EQ(pair.count(kA, EventKind::kStreamAdditionRefused), 2u);
}

// RFC 6525 §5.1.1: the request is repeated unchanged, and performed once.
TEST_F(StreamAddition, ARepeatedRequestAddsNothing) {
  bool answered = false;
  pair_.filter = [&](int end, ByteSpan packet) {
    const bool first =
        end == kB && !answered && test::find_chunk(packet, ChunkType::kReconfig).has_value();
    answered = answered || first;
    return !first;
  };
  add(kA, 2, 0);
  EXPECT_TRUE(answered);
  EXPECT_EQ(pair_.count(kB, EventKind::kStreamsAdded), 1u);
  EXPECT_EQ(pair_.last(kA, EventKind::kStreamsAdded)->event.outgoing_streams, 7);
}

// RFC 6525 §5.1.1: one request in flight, of whatever kind.
TEST_F(StreamAddition, WaitsForAResetThatIsUnderWay) {
  const StreamId stream(1);
  pair_.a().reset_streams(pair_.now(), std::span(&stream, 1));
  pair_.drain();
  pair_.sent(kA).clear();
  pair_.a().add_streams(1, 0);
  pair_.drain();
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kReconfig), 0u);
  pair_.run_for(seconds(1));
  EXPECT_EQ(pair_.count(kA, EventKind::kStreamResetDone), 1u);
  EXPECT_EQ(pair_.count(kA, EventKind::kStreamsAdded), 1u);
}

// RFC 6525 §5.2.6, §5.2.2: the request that follows may be the whole answer.
TEST_F(StreamAddition, APeersOwnRequestAnswersTheOneForMore) {
  pair_.filter = [&](int end, ByteSpan packet) {
    const auto chunk = test::find_chunk(packet, ChunkType::kReconfig);
    if (end != kB || !chunk) return true;
    const auto reconfig = ReconfigChunk::parse(chunk->bytes);
    return !ReconfigResponse::parse(*TlvReader(reconfig->parameters).next());
  };
  pair_.sent(kA).clear();
  add(kA, 0, 1);
  EXPECT_EQ(pair_.last(kA, EventKind::kStreamsAdded)->event.incoming_streams, 6);
  EXPECT_EQ(pair_.last(kB, EventKind::kStreamsAdded)->event.outgoing_streams, 6);
  // Its request, and the answer to the peer's.
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kReconfig), 2u);
}

}  // namespace
}  // namespace millrace::sctp
