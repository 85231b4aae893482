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
// |  Type = 1, 2  |  Chunk Flags  |         Chunk Length          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                         Initiate Tag                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |          Advertised Receiver Window Credit (a_rwnd)           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Number of Outbound Streams   |   Number of Inbound Streams   |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                          Initial TSN                          |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \              Optional/Variable-Length Parameters              /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 9260 §3.3.2 (INIT) and §3.3.3 (INIT ACK).

// InitFields are what INIT and INIT ACK have in common. `parameters` is an encoded list
// (see `InitParameters` to read it and `TlvWriter` to make it).
struct InitFields {
  static constexpr std::size_t kFixedBytes = 20;

  VerificationTag initiate_tag;
  std::uint32_t a_rwnd = 0;
  std::uint16_t outbound_streams = 0;
  std::uint16_t inbound_streams = 0;
  Tsn initial_tsn;
  ByteSpan parameters;
};

// BasicInitChunk is an INIT or INIT ACK, received (then `parameters` points into the
// packet) or to be sent. Values are not judged: an initiate tag of zero or no streams
// are the association's to refuse.
template <ChunkType kType>
struct BasicInitChunk : InitFields {
  static std::optional<BasicInitChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, kType, kFixedBytes)) return std::nullopt;
    const std::uint8_t* const p = chunk.data();
    return BasicInitChunk{{VerificationTag(load_be32(p + 4)), load_be32(p + 8), load_be16(p + 12),
                           load_be16(p + 14), Tsn(load_be32(p + 16)), chunk.subspan(kFixedBytes)}};
  }

  std::size_t size() const { return kFixedBytes + parameters.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    ByteWriter writer = begin_chunk(out, kType);
    writer.u32(initiate_tag.value());
    writer.u32(a_rwnd);
    writer.u16(outbound_streams);
    writer.u16(inbound_streams);
    writer.u32(initial_tsn.value());
    writer.bytes(parameters);
  }
};

using InitChunk = BasicInitChunk<ChunkType::kInit>;
using InitAckChunk = BasicInitChunk<ChunkType::kInitAck>;

}  // namespace millrace::sctp
