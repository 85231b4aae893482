// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

std::size_t count_chunks(ChunkReader& reader) {
  std::size_t count = 0;
  while (reader.next()) ++count;
  return count;
}

// RFC 9260 §3.2
TEST(ChunkReader, WalksPaddedChunks) {
  const Bytes packet = from_hex("0a 00 00 05 aa 00 00 00  0b 00 00 04");
  ChunkReader reader(packet);
  std::optional<ChunkView> chunk = reader.next();
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->type, ChunkType::kCookieEcho);
  EXPECT_EQ(chunk->bytes.size(), 5u);
  EXPECT_EQ(chunk->value().size(), 1u);
  chunk = reader.next();
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->type, ChunkType::kCookieAck);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.malformed());
}

TEST(ChunkReader, TheLastChunkMayLackItsPadding) {
  for (std::size_t padding = 0; padding <= 3; ++padding) {
    Bytes packet = from_hex("0a 00 00 05 aa");
    packet.resize(packet.size() + padding);
    ChunkReader reader(packet);
    EXPECT_EQ(count_chunks(reader), 1u) << padding;
    EXPECT_FALSE(reader.malformed()) << padding;
  }
}

TEST(ChunkReader, AChunkOfZeroLengthEndsThePacket) {
  const Bytes packet = from_hex("0b 00 00 04  00 00 00 00  0b 00 00 04");
  ChunkReader reader(packet);
  EXPECT_EQ(count_chunks(reader), 1u);
  EXPECT_TRUE(reader.malformed());
  EXPECT_FALSE(reader.next());
}

TEST(ChunkReader, AChunkPastTheEndIsMalformed) {
  for (const char* hex : {"00 03 00 20 00 00 00 00", "0b 00 00 03", "0b 00 00", "0b"}) {
    const Bytes packet = from_hex(hex);
    ChunkReader reader(packet);
    EXPECT_EQ(count_chunks(reader), 0u) << hex;
    EXPECT_TRUE(reader.malformed()) << hex;
  }
}

TEST(ChunkReader, RandomBytesAlwaysEnd) {
  SeededRng rng(1);
  for (int round = 0; round < 2000; ++round) {
    Bytes packet(rng.below(200));
    for (std::uint8_t& byte : packet) byte = static_cast<std::uint8_t>(rng.below(12));
    ChunkReader reader(packet);
    EXPECT_LE(count_chunks(reader), packet.size() / 4 + 1);
  }
}

// RFC 9260 §3.2
TEST(UnknownAction, IsInTheTopTwoBits) {
  const UnknownAction stop = UnknownAction::of(ChunkType{0x3F});
  EXPECT_TRUE(!stop.skip && !stop.report);
  const UnknownAction stop_and_report = UnknownAction::of(ChunkType{0x7F});
  EXPECT_TRUE(!stop_and_report.skip && stop_and_report.report);
  const UnknownAction skip = UnknownAction::of(ChunkType{0xBF});
  EXPECT_TRUE(skip.skip && !skip.report);
  const UnknownAction skip_and_report = UnknownAction::of(ChunkType{0xFF});
  EXPECT_TRUE(skip_and_report.skip && skip_and_report.report);
}

}  // namespace
}  // namespace millrace::sctp
