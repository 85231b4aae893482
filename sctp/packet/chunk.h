// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/byte_writer.h"

namespace millrace::sctp {

// ChunkType is the first byte of a chunk (RFC 9260 §3.2, RFC 3758, 6525, 4820, 8260).
enum class ChunkType : std::uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14,
  kIData = 64,
  kReconfig = 130,
  kPad = 132,
  kForwardTsn = 192,
  kIForwardTsn = 194,
};

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Chunk Type   |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                          Chunk Value                          /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.2. The length counts header and value but no padding; chunks begin at
// multiples of four bytes.
inline constexpr std::size_t kChunkHeaderBytes = 4;
inline constexpr std::size_t kMaxChunkBytes = 0xFFFF;

constexpr std::size_t padded_to_four(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

// ChunkView is one chunk as found in a packet: `bytes` begins with the chunk header,
// is as long as its length field says, and excludes padding. It lives as long as the
// packet. The typed views (`DataChunkView::parse(chunk.bytes)` and so on) read it.
struct ChunkView {
  ChunkType type;  // May be none of the enumerators.
  std::uint8_t flags;
  ByteSpan bytes;

  ByteSpan value() const { return bytes.subspan(kChunkHeaderBytes); }
};

// ChunkReader walks the chunks of a packet. The padding of the last chunk may be
// missing, as some senders leave it out; what padding holds is not looked at.
class ChunkReader {
 public:
  // `chunks` is the packet behind its common header.
  explicit ChunkReader(ByteSpan chunks) : rest_(chunks) {}

  // Returns nothing at the end and at the first chunk that is shorter than its header
  // or longer than the packet; `malformed` tells the two apart. Nothing behind a
  // malformed chunk can be trusted, so reading ends there.
  std::optional<ChunkView> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t length = rest_.size() < kChunkHeaderBytes ? 0 : load_be16(rest_.data() + 2);
    if (length < kChunkHeaderBytes || length > rest_.size()) {
      malformed_ = true;
      rest_ = {};
      return std::nullopt;
    }
    const ChunkView chunk{ChunkType{rest_[0]}, rest_[1], rest_.first(length)};
    const std::size_t padded = padded_to_four(length);
    rest_ = padded < rest_.size() ? rest_.subspan(padded) : ByteSpan();
    return chunk;
  }
  bool malformed() const { return malformed_; }

 private:
  ByteSpan rest_;
  bool malformed_ = false;
};

// UnknownAction says what to do with a chunk or parameter of unknown type; the two
// high bits of the type encode it (RFC 9260 §3.2, §3.2.1).
struct UnknownAction {
  bool skip;    // Go on behind it; else stop and discard the rest.
  bool report;  // Tell the sender, by ERROR or Unrecognized Parameter.

  static constexpr UnknownAction of(ChunkType type) {
    const auto bits = static_cast<std::uint8_t>(type);
    return {(bits & 0x80) != 0, (bits & 0x40) != 0};
  }
  static constexpr UnknownAction of_parameter(std::uint16_t type) {
    return {(type & 0x8000) != 0, (type & 0x4000) != 0};
  }
};

// is_chunk says whether `chunk` is one whole chunk of `type` with at least `min_bytes`,
// its length field and its real length being the same. Every typed view begins with it.
inline bool is_chunk(ByteSpan chunk, ChunkType type, std::size_t min_bytes) {
  return chunk.size() >= min_bytes && chunk[0] == static_cast<std::uint8_t>(type) &&
         load_be16(chunk.data() + 2) == chunk.size();
}

// begin_chunk writes a chunk header into `out`, which is exactly the chunk without its
// padding, and returns a writer for the value.
inline ByteWriter begin_chunk(MutableByteSpan out, ChunkType type, std::uint8_t flags = 0) {
  CHECK(out.size() <= kMaxChunkBytes);
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(type));
  writer.u8(flags);
  writer.u16(static_cast<std::uint16_t>(out.size()));
  return writer;
}

}  // namespace millrace::sctp
