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
// |  Type = 194   |  Flags = 0x00 |       Length = Variable       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      New Cumulative TSN                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |       Stream Identifier       |          Reserved           |U|
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Message Identifier                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                              ...                              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8260 §2.3.1.

// SkippedMessages says that on a stream messages up to `mid`, of one kind, were given up.
struct SkippedMessages {
  StreamId stream;
  bool unordered = false;
  Mid mid;
  friend bool operator==(const SkippedMessages&, const SkippedMessages&) = default;
};

// IForwardTsnChunkView is a received I-FORWARD-TSN.
class IForwardTsnChunkView {
 public:
  static constexpr bool kInterleaved = true;
  static constexpr std::size_t kFixedBytes = 8;
  static constexpr std::size_t kEntryBytes = 8;

  static std::optional<IForwardTsnChunkView> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kIForwardTsn, kFixedBytes) ||
        (chunk.size() - kFixedBytes) % kEntryBytes != 0) {
      return std::nullopt;
    }
    return IForwardTsnChunkView(chunk);
  }
  Tsn new_cumulative_tsn() const { return Tsn(load_be32(chunk_.data() + 4)); }
  std::size_t skipped_count() const { return (chunk_.size() - kFixedBytes) / kEntryBytes; }
  // `i` is below skipped_count().
  SkippedMessages skipped(std::size_t i) const {
    DCHECK(i < skipped_count());
    const std::uint8_t* const p = chunk_.data() + kFixedBytes + kEntryBytes * i;
    return {StreamId(load_be16(p)), (p[3] & 1) != 0, Mid(load_be32(p + 4))};
  }

 private:
  explicit IForwardTsnChunkView(ByteSpan chunk) : chunk_(chunk) {}
  ByteSpan chunk_;
};

// IForwardTsnChunk builds an I-FORWARD-TSN from a list that the caller keeps.
struct IForwardTsnChunk {
  Tsn new_cumulative_tsn;
  std::span<const SkippedMessages> skipped;

  std::size_t size() const {
    return IForwardTsnChunkView::kFixedBytes + IForwardTsnChunkView::kEntryBytes * skipped.size();
  }
  void write(MutableByteSpan out) const;
};

}  // namespace millrace::sctp
