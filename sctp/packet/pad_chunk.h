// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// | Type = 0x84   |   Flags=0     |             Length            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                         Padding Data                          /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// PadChunk fills a packet to a wanted size, for path MTU probes (RFC 4820 §3, RFC 8899).
struct PadChunk {
  std::size_t padding_bytes = 0;  // Header apart; zeros.

  static std::optional<PadChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kPad, kChunkHeaderBytes)) return std::nullopt;
    return PadChunk{chunk.size() - kChunkHeaderBytes};
  }
  std::size_t size() const { return kChunkHeaderBytes + padding_bytes; }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    begin_chunk(out, ChunkType::kPad);
    std::ranges::fill(out.subspan(kChunkHeaderBytes), std::uint8_t{0});
  }
};

}  // namespace millrace::sctp
