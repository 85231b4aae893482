// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 3    |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Cumulative TSN Ack                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Advertised Receiver Window Credit (a_rwnd)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                              ...                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                       Duplicate TSN #1                        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                              ...                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.3.4.

// GapAckBlock is a run of received TSNs, as offsets from the cumulative TSN ack, both
// ends included.
struct GapAckBlock {
  std::uint16_t start = 0;
  std::uint16_t end = 0;
  friend bool operator==(const GapAckBlock&, const GapAckBlock&) = default;
};

// SackChunkView is a received SACK. The counts and the chunk's length agree, but
// nothing else is checked: TSNs and blocks may be nonsense.
class SackChunkView {
 public:
  static constexpr std::size_t kFixedBytes = 16;

  static std::optional<SackChunkView> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kSack, kFixedBytes)) return std::nullopt;
    const std::size_t blocks = load_be16(chunk.data() + 12);
    const std::size_t duplicates = load_be16(chunk.data() + 14);
    if (chunk.size() != kFixedBytes + 4 * (blocks + duplicates)) return std::nullopt;
    return SackChunkView(chunk);
  }

  Tsn cumulative_tsn_ack() const { return Tsn(load_be32(chunk_.data() + 4)); }
  std::uint32_t a_rwnd() const { return load_be32(chunk_.data() + 8); }
  std::size_t gap_block_count() const { return load_be16(chunk_.data() + 12); }
  std::size_t duplicate_count() const { return load_be16(chunk_.data() + 14); }

  // `i` is below gap_block_count().
  GapAckBlock gap_block(std::size_t i) const {
    DCHECK(i < gap_block_count());
    const std::uint8_t* const p = chunk_.data() + kFixedBytes + 4 * i;
    return {load_be16(p), load_be16(p + 2)};
  }
  // `i` is below duplicate_count().
  Tsn duplicate(std::size_t i) const {
    DCHECK(i < duplicate_count());
    return Tsn(load_be32(chunk_.data() + kFixedBytes + 4 * (gap_block_count() + i)));
  }
  // Says whether every block has start <= end, none begins at 0, and each begins behind
  // the one before: a SACK of which this is false must change nothing.
  bool gap_blocks_are_ordered() const;

 private:
  explicit SackChunkView(ByteSpan chunk) : chunk_(chunk) {}
  ByteSpan chunk_;
};

// SackChunk builds a SACK from lists that the caller keeps.
struct SackChunk {
  Tsn cumulative_tsn_ack;
  std::uint32_t a_rwnd = 0;
  std::span<const GapAckBlock> gap_blocks;
  std::span<const Tsn> duplicates;

  std::size_t size() const {
    return SackChunkView::kFixedBytes + 4 * (gap_blocks.size() + duplicates.size());
  }
  // Drops duplicates, then the last gap blocks, until the chunk has at most `space`
  // bytes. False, and unchanged, if not even the fixed part fits.
  bool fit(std::size_t space);
  void write(MutableByteSpan out) const;
};

}  // namespace millrace::sctp
