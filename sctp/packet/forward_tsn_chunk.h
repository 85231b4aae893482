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
// |   Type = 192  |  Flags = 0x00 |        Length = Variable      |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      New Cumulative TSN                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |         Stream-1              |       Stream Sequence-1       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                              ...                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3758 §3.2.

// SkippedStream is a stream on which ordered messages up to `ssn` were given up.
struct SkippedStream {
  StreamId stream;
  Ssn ssn;
  friend bool operator==(const SkippedStream&, const SkippedStream&) = default;
};

// ForwardTsnChunkView is a received FORWARD TSN. A stream may be listed twice.
class ForwardTsnChunkView {
 public:
  static constexpr bool kInterleaved = false;
  static constexpr std::size_t kFixedBytes = 8;

  static std::optional<ForwardTsnChunkView> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kForwardTsn, kFixedBytes) || chunk.size() % 4 != 0) {
      return std::nullopt;
    }
    return ForwardTsnChunkView(chunk);
  }
  Tsn new_cumulative_tsn() const { return Tsn(load_be32(chunk_.data() + 4)); }
  std::size_t skipped_count() const { return (chunk_.size() - kFixedBytes) / 4; }
  // `i` is below skipped_count().
  SkippedStream skipped(std::size_t i) const {
    DCHECK(i < skipped_count());
    const std::uint8_t* const p = chunk_.data() + kFixedBytes + 4 * i;
    return {StreamId(load_be16(p)), Ssn(load_be16(p + 2))};
  }

 private:
  explicit ForwardTsnChunkView(ByteSpan chunk) : chunk_(chunk) {}
  ByteSpan chunk_;
};

// ForwardTsnChunk builds a FORWARD TSN from a list that the caller keeps.
struct ForwardTsnChunk {
  Tsn new_cumulative_tsn;
  std::span<const SkippedStream> skipped;

  std::size_t size() const { return ForwardTsnChunkView::kFixedBytes + 4 * skipped.size(); }
  void write(MutableByteSpan out) const;
};

}  // namespace millrace::sctp
