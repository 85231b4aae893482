// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/tlv.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |  Type = 4, 5  |  Chunk Flags  |       Heartbeat Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |    Heartbeat Info Type = 1    |         HB Info Length        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// \                Sender-Specific Heartbeat Info                 /
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// BasicHeartbeatChunk is a HEARTBEAT or HEARTBEAT ACK (RFC 9260 §3.3.5, §3.3.6). The
// answer returns `info` unchanged; `info` of a received one points into the packet.
template <ChunkType kType>
struct BasicHeartbeatChunk {
  static constexpr std::uint16_t kInfoType = 1;
  static constexpr std::size_t kFixedBytes = kChunkHeaderBytes + kTlvHeaderBytes;

  ByteSpan info;

  // Returns nothing unless the value begins with a whole Heartbeat Info parameter.
  static std::optional<BasicHeartbeatChunk> parse(ByteSpan chunk) {
    if (!is_chunk(chunk, kType, kFixedBytes)) return std::nullopt;
    TlvReader reader(chunk.subspan(kChunkHeaderBytes));
    const std::optional<TlvView> parameter = reader.next();
    if (!parameter || parameter->type != kInfoType) return std::nullopt;
    return BasicHeartbeatChunk{parameter->value()};
  }
  std::size_t size() const { return kFixedBytes + info.size(); }
  void write(MutableByteSpan out) const {
    CHECK(out.size() == size());
    ByteWriter writer = begin_chunk(out, kType);
    writer.u16(kInfoType);
    writer.u16(static_cast<std::uint16_t>(kTlvHeaderBytes + info.size()));
    writer.bytes(info);
  }
};

using HeartbeatChunk = BasicHeartbeatChunk<ChunkType::kHeartbeat>;
using HeartbeatAckChunk = BasicHeartbeatChunk<ChunkType::kHeartbeatAck>;

}  // namespace millrace::sctp
