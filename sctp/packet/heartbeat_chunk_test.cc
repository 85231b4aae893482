// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/heartbeat_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kHeartbeat = from_hex("04 00 00 0c  00 01 00 08  de ad be ef");

// RFC 9260 §3.3.5
TEST(HeartbeatChunk, ReadsAndWritesAGolden) {
  const std::optional<HeartbeatChunk> chunk = HeartbeatChunk::parse(kHeartbeat);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->info.data(), kHeartbeat.data() + 8);
  EXPECT_EQ(chunk->info.size(), 4u);
  EXPECT_EQ(build(*chunk), kHeartbeat);
}

// RFC 9260 §3.3.6
TEST(HeartbeatAckChunk, CarriesTheSameInfoUnderItsOwnType) {
  Bytes expected = kHeartbeat;
  expected[0] = 5;
  EXPECT_EQ(build(HeartbeatAckChunk{HeartbeatChunk::parse(kHeartbeat)->info}), expected);
  expect_only_whole<HeartbeatAckChunk>(expected);
}

TEST(HeartbeatChunk, RejectsInfoThatIsNotWhole) {
  EXPECT_FALSE(parses<HeartbeatChunk>(from_hex("04 00 00 0c  00 01 00 09  de ad be ef")));
  EXPECT_FALSE(parses<HeartbeatChunk>(from_hex("04 00 00 0c  00 01 00 00  de ad be ef")));
  EXPECT_FALSE(parses<HeartbeatChunk>(from_hex("04 00 00 0c  00 02 00 08  de ad be ef")));
  EXPECT_FALSE(parses<HeartbeatChunk>(from_hex("04 00 00 04")));
}

TEST(HeartbeatChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<HeartbeatChunk>(kHeartbeat);
}

}  // namespace
}  // namespace millrace::sctp
