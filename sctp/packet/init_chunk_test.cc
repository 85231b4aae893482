// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/init_chunk.h"

#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/chunk_test_support.h"
#include "sctp/packet/init_parameters.h"

namespace millrace::sctp {
namespace {

// As Chromium sends it: two extensions and no padding behind them, chunk length 30.
const Bytes kChromiumInit = from_hex(
    "01 00 00 1e  53 83 31 d7  00 50 00 00  ff ff ff ff  a6 a9 3e 6b"
    "c0 00 00 04  80 08 00 06  82 c0");

// RFC 9260 §3.3.2
TEST(InitChunk, ReadsWhatChromiumSends) {
  const std::optional<InitChunk> init = InitChunk::parse(kChromiumInit);
  ASSERT_TRUE(init);
  EXPECT_EQ(init->initiate_tag, VerificationTag(0x538331d7));
  EXPECT_EQ(init->a_rwnd, 5u * 1024 * 1024);
  EXPECT_EQ(init->outbound_streams, 65535);
  EXPECT_EQ(init->inbound_streams, 65535);
  EXPECT_EQ(init->initial_tsn, Tsn(0xa6a93e6b));
  const std::optional<InitParameters> parameters = InitParameters::parse(init->parameters);
  ASSERT_TRUE(parameters);
  EXPECT_TRUE(parameters->forward_tsn);
  EXPECT_TRUE(parameters->reconfig);
  EXPECT_FALSE(parameters->i_data);
  EXPECT_FALSE(parameters->zero_checksum_edmid);
}

TEST(InitChunk, WritesWhatItReads) {
  Bytes list(64);
  TlvWriter writer(list);
  const std::array<ChunkType, 2> types = {ChunkType::kReconfig, ChunkType::kForwardTsn};
  ASSERT_TRUE(writer.append(ForwardTsnSupportedParameter()));
  ASSERT_TRUE(writer.append(SupportedExtensionsParameter{types}));
  InitChunk init;
  init.initiate_tag = VerificationTag(0x538331d7);
  init.a_rwnd = 5 * 1024 * 1024;
  init.outbound_streams = 65535;
  init.inbound_streams = 65535;
  init.initial_tsn = Tsn(0xa6a93e6b);
  init.parameters = writer.bytes();
  EXPECT_EQ(build(init), kChromiumInit);
}

// RFC 9260 §3.3.3
TEST(InitAckChunk, DiffersFromInitByItsType) {
  Bytes chunk = kChromiumInit;
  EXPECT_FALSE(InitAckChunk::parse(chunk));
  chunk[0] = 2;
  const std::optional<InitAckChunk> ack = InitAckChunk::parse(chunk);
  ASSERT_TRUE(ack);
  EXPECT_EQ(build(*ack), chunk);
}

// RFC 9260 §3.3.2: zero tags and stream counts are the association's to refuse.
TEST(InitChunk, ZeroesAreReadAsTheyAre) {
  const Bytes zeroes = from_hex("01 00 00 14  00000000 00000000 0000 0000 00000000");
  const std::optional<InitChunk> init = InitChunk::parse(zeroes);
  ASSERT_TRUE(init);
  EXPECT_TRUE(init->initiate_tag.is_zero());
  EXPECT_EQ(init->outbound_streams, 0);
}

TEST(InitChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<InitChunk>(kChromiumInit);
}

}  // namespace
}  // namespace millrace::sctp
