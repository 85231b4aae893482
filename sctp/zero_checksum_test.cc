// SPDX-License-Identifier: Apache-2.0
// RFC 9653: packets without CRC32c, DTLS being the other way to detect errors.
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/crc32c.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

std::uint32_t checksum_of(ByteSpan packet) { return CommonHeader::parse(packet)->checksum; }
bool has_crc(ByteSpan packet) { return checksum_of(packet) == packet_checksum(packet); }

Options without_zero_checksum() {
  Options options;
  options.extensions.zero_checksum = false;
  return options;
}

// Opens from A and has it send one message, B's SACK included.
bool exchange(AssociationPair& pair) {
  pair.a().connect(pair.now());
  pair.drain();
  pair.run_for(seconds(1));
  const Bytes payload{1, 2, 3, 4};
  if (pair.a().send(pair.now(), StreamId(1), kPpidBinary, payload) != SendStatus::kOk) return false;
  pair.drain();
  pair.run_for(seconds(1));
  return pair.count(kB, EventKind::kMessage) == 1;
}

// RFC 9653 §5.2, §4, §5.1 [z-1]
TEST(ZeroChecksum, ReplacesTheSumOnceBothHaveOfferedIt) {
  AssociationPair pair;
  ASSERT_TRUE(exchange(pair));
  EXPECT_EQ(checksum_of(test::last_with(pair.sent(kA), ChunkType::kData)), 0u);
  EXPECT_EQ(checksum_of(test::last_with(pair.sent(kB), ChunkType::kSack)), 0u);
  EXPECT_EQ(checksum_of(test::last_with(pair.sent(kB), ChunkType::kCookieAck)), 0u);
}

// RFC 9653 §5.2
TEST(ZeroChecksum, LeavesInitInitAckAndCookieEchoTheirSum) {
  AssociationPair pair;
  ASSERT_TRUE(exchange(pair));
  EXPECT_TRUE(has_crc(test::last_with(pair.sent(kA), ChunkType::kInit)));
  EXPECT_TRUE(has_crc(test::last_with(pair.sent(kB), ChunkType::kInitAck)));
  EXPECT_TRUE(has_crc(test::last_with(pair.sent(kA), ChunkType::kCookieEcho)));
}

// RFC 9653 §5.2
TEST(ZeroChecksum, IsNotSentToAPeerThatHasNotOfferedIt) {
  for (const bool a_offers : {false, true}) {
    AssociationPair pair(a_offers ? Options() : without_zero_checksum(),
                         a_offers ? without_zero_checksum() : Options());
    ASSERT_TRUE(exchange(pair));
    for (const int end : {kA, kB}) {
      EXPECT_TRUE(std::ranges::all_of(pair.sent(end), has_crc));
    }
  }
}

// Gives B its last DATA of A once more, under another sum; says what B made of it.
DropReason refusal_of(AssociationPair& pair, std::uint32_t checksum) {
  Bytes packet = test::last_with(pair.sent(kA), ChunkType::kData);
  CommonHeader::store_checksum(packet.data() + CommonHeader::kChecksumOffset, checksum);
  const Stats before = pair.b().stats();
  pair.inject(kB, packet);
  const Stats after = pair.b().stats();
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    if (after.drops[i] != before.drops[i]) return static_cast<DropReason>(i);
  }
  ADD_FAILURE() << "nothing was dropped";
  return {};
}

// RFC 9653 §5.3
TEST(ZeroChecksum, IsRefusedWhereItWasNotOffered) {
  AssociationPair pair({}, without_zero_checksum());
  ASSERT_TRUE(exchange(pair));
  EXPECT_EQ(refusal_of(pair, 0), DropReason::kWrongChecksum);
}

// RFC 9653 §5.3: the right sum stays good, a wrong one stays wrong.
TEST(ZeroChecksum, ReplacesOnlyItself) {
  AssociationPair pair;
  ASSERT_TRUE(exchange(pair));
  const Bytes data = test::last_with(pair.sent(kA), ChunkType::kData);
  EXPECT_EQ(refusal_of(pair, 0), DropReason::kDuplicateData);
  EXPECT_EQ(refusal_of(pair, packet_checksum(data)), DropReason::kDuplicateData);
  EXPECT_EQ(refusal_of(pair, packet_checksum(data) ^ 1), DropReason::kWrongChecksum);
}

// RFC 9653 §5.2: an INIT bears its sum, whoever sends it.
TEST(ZeroChecksum, IsRefusedWithInit) {
  AssociationPair pair;
  pair.filter = [](int, ByteSpan) { return false; };
  pair.a().connect(pair.now());
  pair.drain();
  Bytes init = test::last_with(pair.sent(kA), ChunkType::kInit);
  CommonHeader::store_checksum(init.data() + CommonHeader::kChecksumOffset, 0);
  pair.inject(kB, init);
  EXPECT_EQ(pair.b().stats().dropped(DropReason::kWrongChecksum), 1u);
}

// RFC 9653 §5.2: who is answered out of the blue may know nothing of the offer.
TEST(ZeroChecksum, AnswersOutOfTheBlueBearTheirSum) {
  AssociationPair pair;
  ASSERT_TRUE(exchange(pair));
  pair.a().abort(pair.now(), "over");
  pair.drain();
  pair.sent(kA).clear();
  pair.inject(kA, test::make_packet(VerificationTag(5), ShutdownAckChunk{}));
  pair.inject(kA, test::make_packet(VerificationTag(6), HeartbeatChunk{}));
  pair.drain();
  ASSERT_EQ(pair.sent(kA).size(), 2u);
  EXPECT_TRUE(std::ranges::all_of(pair.sent(kA), has_crc));
}

// RFC 9653 §6: a peer that offers another method than DTLS gets its sums.
TEST(ZeroChecksum, AnotherMethodIsNone) {
  for (const std::uint8_t method : {std::uint8_t{1}, std::uint8_t{2}}) {
    AssociationPair pair;
    InitFields peer = test::stranger();
    const Bytes parameters{0x80, 0x01, 0, 8, 0, 0, 0, method};
    peer.parameters = parameters;
    test::open_to_stranger(pair, kB, peer);
    ASSERT_TRUE(pair.b().is_connected());
    EXPECT_EQ(has_crc(pair.sent(kB).back()), method == 2);
  }
}

}  // namespace
}  // namespace millrace::sctp
