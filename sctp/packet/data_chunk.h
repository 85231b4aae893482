// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 0    |  Res  |I|U|B|E|            Length             |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Stream Identifier S      |   Stream Sequence Number n    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                  Payload Protocol Identifier                  |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                 User Data (seq n of Stream S)                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.3.1.

// DataFlags are the chunk flags that DATA and I-DATA share.
struct DataFlags {
  bool immediate = false;  // I: acknowledge without delay (RFC 7053).
  bool unordered = false;  // U
  bool beginning = false;  // B
  bool ending = false;     // E

  static constexpr DataFlags from_byte(std::uint8_t flags) {
    return {(flags & 0x08) != 0, (flags & 0x04) != 0, (flags & 0x02) != 0, (flags & 0x01) != 0};
  }
  constexpr std::uint8_t to_byte() const {
    return static_cast<std::uint8_t>((immediate ? 0x08 : 0) | (unordered ? 0x04 : 0) |
                                     (beginning ? 0x02 : 0) | (ending ? 0x01 : 0));
  }
  friend constexpr bool operator==(DataFlags, DataFlags) = default;
};

// DataChunkHeader is all of a DATA chunk but its payload.
struct DataChunkHeader {
  static constexpr std::size_t kBytes = 16;

  Tsn tsn;
  StreamId stream;
  Ssn ssn;  // Means nothing in an unordered chunk.
  Ppid ppid;
  DataFlags flags;

  // Writes kBytes for a chunk that carries `payload_bytes`.
  void write(std::uint8_t* out, std::size_t payload_bytes) const {
    out[0] = static_cast<std::uint8_t>(ChunkType::kData);
    out[1] = flags.to_byte();
    store_be16(out + 2, static_cast<std::uint16_t>(kBytes + payload_bytes));
    store_be32(out + 4, tsn.value());
    store_be16(out + 8, stream.value());
    store_be16(out + 10, ssn.value());
    store_be32(out + 12, ppid.value());
  }
  friend bool operator==(const DataChunkHeader&, const DataChunkHeader&) = default;
};

// DataChunkView is a received DATA chunk. `payload` points into the packet and may be
// empty: the association must answer that with ABORT (RFC 9260 §6.2, No User Data).
struct DataChunkView {
  static constexpr bool kInterleaved = false;
  DataChunkHeader header;
  ByteSpan payload;

  static std::optional<DataChunkView> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kData, DataChunkHeader::kBytes)) return std::nullopt;
    const std::uint8_t* const p = chunk.data();
    return DataChunkView{{Tsn(load_be32(p + 4)), StreamId(load_be16(p + 8)), Ssn(load_be16(p + 10)),
                          Ppid(load_be32(p + 12)), DataFlags::from_byte(p[1])},
                         chunk.subspan(DataChunkHeader::kBytes)};
  }
};

}  // namespace millrace::sctp
