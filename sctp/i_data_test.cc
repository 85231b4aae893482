// SPDX-License-Identifier: Apache-2.0
// RFC 8260 §2.2: which kind of chunk an association speaks, and what the other kind does to it.
#include <gtest/gtest.h>

#include "sctp/packet/data_chunk.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

Options with_i_data(bool i_data) {
  Options options;
  options.extensions.i_data = i_data;
  return options;
}

struct IDataChunk {
  IDataChunkHeader header;
  Bytes payload;
  std::size_t size() const { return IDataChunkHeader::kBytes + payload.size(); }
  void write(MutableByteSpan out) const {
    header.write(out.data(), payload.size());
    std::copy(payload.begin(), payload.end(), out.begin() + IDataChunkHeader::kBytes);
  }
};

// Two associations that have agreed on I-DATA, or not; A's packets to B are made here.
class IDataAssociationTest : public ::testing::Test {
 protected:
  void connect(bool a, bool b) { connect(with_i_data(a), with_i_data(b)); }
  void connect(const Options& a, const Options& b) {
    pair_.emplace(a, b);
    ASSERT_TRUE(pair_->connect_both());
    tag_ = test::tag_of(test::last_with(pair_->sent(kA), ChunkType::kCookieEcho));
    const Bytes init = test::last_with(pair_->sent(kA), ChunkType::kInit);
    tsn_ = InitChunk::parse(test::find_chunk(init, ChunkType::kInit)->bytes)->initial_tsn;
  }
  template <class Chunk>
  void inject(const Chunk& chunk) {
    pair_->inject(kB, test::make_packet(tag_, chunk));
    pair_->drain();
  }
  DataChunkHeader data() const {
    return {tsn_, StreamId(1), Ssn(), kPpidBinary, {.beginning = true, .ending = true}};
  }
  IDataChunkHeader i_data() const {
    return {tsn_, StreamId(1), Mid(), kPpidBinary, 0, {.beginning = true, .ending = true}};
  }
  bool violated() {
    const Bytes abort = test::last_with(pair_->sent(kB), ChunkType::kAbort);
    const auto* const closed = pair_->last(kB, EventKind::kClosed);
    return !abort.empty() && closed != nullptr &&
           closed->event.close_reason == CloseReason::kProtocolViolation;
  }

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  Tsn tsn_;
};

// RFC 8260 §2.2.1, §2: I-DATA for all user messages.
TEST_F(IDataAssociationTest, IDataIsReceivedWhereBothEndsListIt) {
  connect(true, true);
  inject(IDataChunk{i_data(), {1, 2, 3}});
  ASSERT_EQ(pair_->count(kB, EventKind::kMessage), 1u);
  EXPECT_EQ(pair_->last(kB, EventKind::kMessage)->payload, (Bytes{1, 2, 3}));
  EXPECT_EQ(pair_->last(kB, EventKind::kMessage)->ppid, kPpidBinary);
  EXPECT_TRUE(test::has_chunk(pair_->sent(kB).back(), ChunkType::kSack));
  inject(IForwardTsnChunk{tsn_.plus(3), {}});
  EXPECT_EQ(pair_->b().stats().dropped(DropReason::kBadForwardTsn), 0u);
  EXPECT_TRUE(pair_->b().is_connected());
}

// RFC 8260 §2.2.3: DATA ends an association that has agreed on I-DATA, and the reverse.
TEST_F(IDataAssociationTest, TheOtherKindOfChunkIsAProtocolViolation) {
  connect(true, true);
  inject(test::DataChunk{data(), {1}});
  EXPECT_TRUE(violated());
  connect(true, false);
  inject(IDataChunk{i_data(), {1}});
  EXPECT_TRUE(violated());
  connect(true, false);
  inject(test::DataChunk{data(), {1}});
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), 1u);
  EXPECT_FALSE(violated());
}

// RFC 8260 §2.3.1.
TEST_F(IDataAssociationTest, TheOtherKindOfForwardTsnIsAProtocolViolation) {
  connect(true, true);
  inject(ForwardTsnChunk{tsn_, {}});
  EXPECT_TRUE(violated());
  connect(false, false);
  inject(IForwardTsnChunk{tsn_, {}});
  EXPECT_TRUE(violated());
  connect(false, false);
  inject(ForwardTsnChunk{tsn_, {}});
  EXPECT_FALSE(violated());
}

// RFC 9260 §6.2 for I-DATA; RFC 8260 §2.1 gives it 20 bytes of header.
TEST_F(IDataAssociationTest, EmptyAndTruncatedIDataAreAnsweredAsForData) {
  connect(true, true);
  Bytes bytes(IDataChunkHeader::kBytes - 1);
  i_data().write(Bytes(64).data(), 0);
  bytes[0] = static_cast<std::uint8_t>(ChunkType::kIData);
  bytes[3] = static_cast<std::uint8_t>(bytes.size());
  inject(test::RawChunk{bytes});
  EXPECT_EQ(pair_->b().stats().dropped(DropReason::kMalformedChunk), 1u);
  IDataChunkHeader far = i_data();
  far.stream = StreamId(65535);
  inject(IDataChunk{far, {1}});
  EXPECT_EQ(pair_->b().stats().dropped(DropReason::kInvalidStream), 1u);
  EXPECT_TRUE(pair_->b().is_connected());
  IDataChunkHeader empty = i_data();
  empty.tsn = tsn_.next();
  inject(IDataChunk{empty, {}});
  EXPECT_TRUE(violated());
}

// RFC 9260 §6.9: what is incomplete may be handed out in parts once a burst is over, but not after
// the end.
TEST_F(IDataAssociationTest, NothingComesAfterTheEndThoughPartsBecomeReady) {
  Options small = with_i_data(true);
  small.receive_window_bytes = 16 << 10;
  connect(with_i_data(true), small);
  for (std::uint32_t i = 0; i < 12; ++i) {
    IDataChunkHeader header = i_data();
    header.tsn = tsn_.plus(i);
    header.stream = StreamId(static_cast<std::uint16_t>(i));
    header.flags.ending = false;
    pair_->inject(kB, test::make_packet(tag_, IDataChunk{header, Bytes(1100, 7)}));
  }
  pair_->inject(kB, test::make_packet(tag_, AbortChunk{}));
  pair_->drain();
  ASSERT_FALSE(pair_->events(kB).empty());
  EXPECT_EQ(pair_->events(kB).back().kind, EventKind::kClosed);
  EXPECT_FALSE(pair_->b().may_have_event());
}

}  // namespace
}  // namespace millrace::sctp
