// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 9    |  Chunk Flags  |            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                    one or more Error Causes                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// ErrorChunk reports errors that leave the association alive (RFC 9260 §3.3.10).
// `causes` is an encoded list: TlvReader reads it, TlvWriter and sctp/packet/
// error_cause.h make it. That of a received chunk points into the packet, may be empty,
// and is malformed if TlvReader says so.
struct ErrorChunk {
  ByteSpan causes;

  static std::optional<ErrorChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kError, kChunkHeaderBytes)) return std::nullopt;
    return ErrorChunk{chunk.subspan(kChunkHeaderBytes)};
  }
  std::size_t size() const { return kChunkHeaderBytes + causes.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    begin_chunk(out, ChunkType::kError).bytes(causes);
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 6    |  Reserved   |T|            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                   zero or more Error Causes                   /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// AbortChunk ends the association at once (RFC 9260 §3.3.7). `causes` as in ErrorChunk;
// malformed causes do not make the ABORT invalid.
struct AbortChunk {
  bool tag_reflected = false;  // T: the packet bears the receiver's own tag (§8.5.1).
  ByteSpan causes;

  static std::optional<AbortChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kAbort, kChunkHeaderBytes)) return std::nullopt;
    return AbortChunk{(chunk[1] & 1) != 0, chunk.subspan(kChunkHeaderBytes)};
  }
  std::size_t size() const { return kChunkHeaderBytes + causes.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    begin_chunk(out, ChunkType::kAbort, tag_reflected ? 1 : 0).bytes(causes);
  }
};

}  // namespace millrace::sctp
