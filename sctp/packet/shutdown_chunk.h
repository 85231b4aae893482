// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 7    |  Chunk Flags  |          Length = 8           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Cumulative TSN Ack                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// ShutdownChunk says that its sender has nothing more to send (RFC 9260 §3.3.8).
struct ShutdownChunk {
  static constexpr std::size_t kBytes = 8;

  Tsn cumulative_tsn_ack;

  static std::optional<ShutdownChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kShutdown, kBytes) || chunk.size() != kBytes) {
      return std::nullopt;
    }
    return ShutdownChunk{Tsn(load_be32(chunk.data() + kChunkHeaderBytes))};
  }
  std::size_t size() const { return kBytes; }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == kBytes);
    begin_chunk(out, ChunkType::kShutdown).u32(cumulative_tsn_ack.value());
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 8    |  Chunk Flags  |          Length = 4           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// ShutdownAckChunk (type 8) has no value (RFC 9260 §3.3.9).
struct ShutdownAckChunk {
  static std::optional<ShutdownAckChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kShutdownAck, kChunkHeaderBytes)) return std::nullopt;
    return ShutdownAckChunk{};
  }
  std::size_t size() const { return kChunkHeaderBytes; }
  void write(MutableByteSpan out) const { begin_chunk(out, ChunkType::kShutdownAck); }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 14   |  Reserved   |T|          Length = 4           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// ShutdownCompleteChunk (type 14) has no value (RFC 9260 §3.3.13).
struct ShutdownCompleteChunk {
  bool tag_reflected = false;  // T: the packet bears the receiver's own tag (§8.5.1).

  static std::optional<ShutdownCompleteChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kShutdownComplete, kChunkHeaderBytes)) return std::nullopt;
    return ShutdownCompleteChunk{(chunk[1] & 1) != 0};
  }
  std::size_t size() const { return kChunkHeaderBytes; }
  void write(MutableByteSpan out) const {
    begin_chunk(out, ChunkType::kShutdownComplete, tag_reflected ? 1 : 0);
  }
};

}  // namespace millrace::sctp
