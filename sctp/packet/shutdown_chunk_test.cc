// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/shutdown_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kShutdown = from_hex("07 00 00 08 00 00 10 01");

// RFC 9260 §3.3.8
TEST(ShutdownChunk, ReadsAndWritesAGolden) {
  const std::optional<ShutdownChunk> chunk = ShutdownChunk::parse(kShutdown);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->cumulative_tsn_ack, Tsn(0x1001));
  EXPECT_EQ(build(*chunk), kShutdown);
}

TEST(ShutdownChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<ShutdownChunk>(kShutdown);
  EXPECT_FALSE(parses<ShutdownChunk>(from_hex("07 00 00 09 00 00 10 01 00"))) << "too long";
}

// RFC 9260 §3.3.9
TEST(ShutdownAckChunk, ReadsAndWritesAGolden) {
  const Bytes golden = from_hex("08 00 00 04");
  EXPECT_EQ(build(ShutdownAckChunk()), golden);
  expect_only_whole<ShutdownAckChunk>(golden);
}

// RFC 9260 §3.3.13, §8.5.1
TEST(ShutdownCompleteChunk, BearsTheReflectedTagBit) {
  const Bytes plain = from_hex("0e 00 00 04");
  const Bytes reflected = from_hex("0e 01 00 04");
  EXPECT_EQ(build(ShutdownCompleteChunk{false}), plain);
  EXPECT_EQ(build(ShutdownCompleteChunk{true}), reflected);
  EXPECT_FALSE(ShutdownCompleteChunk::parse(plain)->tag_reflected);
  EXPECT_TRUE(ShutdownCompleteChunk::parse(reflected)->tag_reflected);
  expect_only_whole<ShutdownCompleteChunk>(plain);
}

}  // namespace
}  // namespace millrace::sctp
