// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/sack_chunk.h"

#include <algorithm>

namespace millrace::sctp {

bool SackChunkView::gap_blocks_are_ordered() const {
  std::uint32_t previous_end = 0;
  for (std::size_t i = 0, n = gap_block_count(); i < n; ++i) {
    const GapAckBlock block = gap_block(i);
    if (block.start <= previous_end || block.end < block.start) return false;
    previous_end = block.end;
  }
  return true;
}

bool SackChunk::fit(std::size_t space) {
  space = std::min(space, kMaxChunkBytes);
  if (space < SackChunkView::kFixedBytes) return false;
  const std::size_t entries = (space - SackChunkView::kFixedBytes) / 4;
  gap_blocks = gap_blocks.first(std::min(gap_blocks.size(), entries));
  duplicates = duplicates.first(std::min(duplicates.size(), entries - gap_blocks.size()));
  return true;
}

void SackChunk::write(MutableByteSpan out) const {
  CHECK(out.size() == size());
  ByteWriter writer = begin_chunk(out, ChunkType::kSack);
  writer.u32(cumulative_tsn_ack.value());
  writer.u32(a_rwnd);
  writer.u16(static_cast<std::uint16_t>(gap_blocks.size()));
  writer.u16(static_cast<std::uint16_t>(duplicates.size()));
  for (const GapAckBlock& block : gap_blocks) {
    writer.u16(block.start);
    writer.u16(block.end);
  }
  for (const Tsn tsn : duplicates) writer.u32(tsn.value());
}

}  // namespace millrace::sctp
