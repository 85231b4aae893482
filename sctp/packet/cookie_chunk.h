// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 10   |  Chunk Flags  |            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                            Cookie                             /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// CookieEchoChunk returns a State Cookie to its maker (RFC 9260 §3.3.11). `cookie` of a
// received one points into the packet and may be empty.
struct CookieEchoChunk {
  ByteSpan cookie;

  static std::optional<CookieEchoChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kCookieEcho, kChunkHeaderBytes)) return std::nullopt;
    return CookieEchoChunk{chunk.subspan(kChunkHeaderBytes)};
  }
  std::size_t size() const { return kChunkHeaderBytes + cookie.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    begin_chunk(out, ChunkType::kCookieEcho).bytes(cookie);
  }
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 11   |  Chunk Flags  |          Length = 4           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// CookieAckChunk (type 11) has no value (RFC 9260 §3.3.12).
struct CookieAckChunk {
  static std::optional<CookieAckChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kCookieAck, kChunkHeaderBytes)) return std::nullopt;
    return CookieAckChunk{};
  }
  std::size_t size() const { return kChunkHeaderBytes; }
  void write(MutableByteSpan out) const { begin_chunk(out, ChunkType::kCookieAck); }
};

}  // namespace millrace::sctp
