// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                              TSN                              |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |        Stream Identifier      |           Reserved            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                      Message Identifier                       |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Payload Protocol Identifier / Fragment Sequence Number     |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                           User Data                           /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8260 §2.1. One field is the PPID in the first fragment, whose FSN is 0, and the
// FSN in all others.

// IDataChunkHeader is all of an I-DATA chunk but its payload.
struct IDataChunkHeader {
  static constexpr std::size_t kBytes = 20;

  Tsn tsn;
  StreamId stream;
  Mid mid;
  Ppid ppid;              // Only where flags.beginning.
  std::uint32_t fsn = 0;  // 0 where flags.beginning.
  DataFlags flags;

  // Writes kBytes for a chunk that carries `payload_bytes`.
  void write(std::uint8_t* out, std::size_t payload_bytes) const {
    out[0] = static_cast<std::uint8_t>(ChunkType::kIData);
    out[1] = flags.to_byte();
    store_be16(out + 2, static_cast<std::uint16_t>(kBytes + payload_bytes));
    store_be32(out + 4, tsn.value());
    store_be16(out + 8, stream.value());
    store_be16(out + 10, 0);
    store_be32(out + 12, mid.value());
    store_be32(out + 16, flags.beginning ? ppid.value() : fsn);
  }
  friend bool operator==(const IDataChunkHeader&, const IDataChunkHeader&) = default;
};

// IDataChunkView is a received I-DATA chunk. `payload` points into the packet and may
// be empty, which the association must answer as for DATA (RFC 8260 §2.1).
struct IDataChunkView {
  static constexpr bool kInterleaved = true;
  IDataChunkHeader header;
  ByteSpan payload;

  static std::optional<IDataChunkView> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, ChunkType::kIData, IDataChunkHeader::kBytes)) return std::nullopt;
    const std::uint8_t* const p = chunk.data();
    const DataFlags flags = DataFlags::from_byte(p[1]);
    const std::uint32_t shared = load_be32(p + 16);
    return IDataChunkView{
        {Tsn(load_be32(p + 4)), StreamId(load_be16(p + 8)), Mid(load_be32(p + 12)),
         Ppid(flags.beginning ? shared : 0), flags.beginning ? 0 : shared, flags},
        chunk.subspan(IDataChunkHeader::kBytes)};
  }
};

}  // namespace millrace::sctp
