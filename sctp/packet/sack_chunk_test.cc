// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/sack_chunk.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kSack = from_hex(
    "03 00 00 20  00 00 10 00  00 50 00 00  00 02 00 02"
    "00 02 00 03  00 05 ff ff  00 00 0f fe  00 00 0f ff");
const std::array<GapAckBlock, 2> kBlocks = {GapAckBlock{2, 3}, GapAckBlock{5, 65535}};
const std::array<Tsn, 2> kDuplicates = {Tsn(0xFFE), Tsn(0xFFF)};
const SackChunk kBuilder{Tsn(0x1000), 0x500000, kBlocks, kDuplicates};

bool is_ordered(std::vector<GapAckBlock> blocks) {
  const Bytes chunk = build(SackChunk{Tsn(1), 0, blocks, {}});
  return SackChunkView::parse(chunk)->gap_blocks_are_ordered();
}

// RFC 9260 §3.3.4
TEST(SackChunk, ReadsAGolden) {
  const std::optional<SackChunkView> view = SackChunkView::parse(kSack);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->cumulative_tsn_ack(), Tsn(0x1000));
  EXPECT_EQ(view->a_rwnd(), 0x500000u);
  ASSERT_EQ(view->gap_block_count(), 2u);
  EXPECT_EQ(view->gap_block(0), kBlocks[0]);
  EXPECT_EQ(view->gap_block(1), kBlocks[1]);
  ASSERT_EQ(view->duplicate_count(), 2u);
  EXPECT_EQ(view->duplicate(0), kDuplicates[0]);
  EXPECT_EQ(view->duplicate(1), kDuplicates[1]);
}

TEST(SackChunk, WritesTheGolden) { EXPECT_EQ(build(kBuilder), kSack); }

TEST(SackChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<SackChunkView>(kSack); }

// The counts come from the peer: they must never reach past the chunk.
TEST(SackChunk, RejectsCountsThatDoNotFillTheChunk) {
  Bytes hostile = kSack;
  for (std::uint32_t blocks = 0; blocks <= 0xFFFF; blocks += 257) {
    for (std::uint32_t duplicates = 0; duplicates <= 0xFFFF; duplicates += 257) {
      store_be16(&hostile[12], static_cast<std::uint16_t>(blocks));
      store_be16(&hostile[14], static_cast<std::uint16_t>(duplicates));
      EXPECT_FALSE(SackChunkView::parse(hostile));
    }
  }
  store_be16(&hostile[12], 4);
  store_be16(&hostile[14], 0);
  EXPECT_TRUE(SackChunkView::parse(hostile));
}

TEST(SackChunk, TellsOrderedBlocksFromNonsense) {
  EXPECT_TRUE(is_ordered({}));
  EXPECT_TRUE(is_ordered({{1, 1}, {2, 9}, {65535, 65535}}));
  EXPECT_FALSE(is_ordered({{0, 4}})) << "offset 0 is the cumulative ack itself";
  EXPECT_FALSE(is_ordered({{4, 3}})) << "reversed";
  EXPECT_FALSE(is_ordered({{2, 5}, {5, 7}})) << "overlapping";
  EXPECT_FALSE(is_ordered({{6, 7}, {2, 3}})) << "out of order";
}

TEST(SackChunk, FitDropsDuplicatesFirst) {
  SackChunk sack = kBuilder;
  ASSERT_TRUE(sack.fit(27));
  EXPECT_EQ(sack.gap_blocks.size(), 2u);
  EXPECT_EQ(sack.duplicates.size(), 0u);
  ASSERT_TRUE(sack.fit(20));
  EXPECT_EQ(sack.gap_blocks.size(), 1u);
  EXPECT_EQ(sack.gap_blocks[0], kBlocks[0]);
  EXPECT_EQ(sack.size(), 20u);
  EXPECT_FALSE(sack.fit(15));
}

TEST(SackChunk, FitKeepsWhatHasRoom) {
  SackChunk sack = kBuilder;
  ASSERT_TRUE(sack.fit(32));
  EXPECT_EQ(build(sack), kSack);
}

TEST(SackChunk, FitNeverExceedsTheLengthField) {
  const std::vector<GapAckBlock> many(20000, GapAckBlock{1, 1});
  SackChunk sack{Tsn(1), 0, many, {}};
  ASSERT_TRUE(sack.fit(1 << 20));
  EXPECT_LE(sack.size(), kMaxChunkBytes);
  EXPECT_TRUE(parses<SackChunkView>(build(sack)));
}

TEST(SackChunk, ChangedBytesNeverReachPastTheChunk) {
  with_random_changes(kSack, [](ByteSpan chunk) {
    const std::optional<SackChunkView> view = SackChunkView::parse(chunk);
    if (!view) return;
    for (std::size_t i = 0; i < view->gap_block_count(); ++i) view->gap_block(i);
    for (std::size_t i = 0; i < view->duplicate_count(); ++i) view->duplicate(i);
    view->gap_blocks_are_ordered();
  });
}

}  // namespace
}  // namespace millrace::sctp
