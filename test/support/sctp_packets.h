// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "sctp/packet/chunk.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/packet_writer.h"

namespace millrace::test {

// make_packet writes one SCTP packet with ports 5000 and a right checksum.
template <class... Chunks>
std::vector<std::uint8_t> make_packet(sctp::VerificationTag tag, const Chunks&... chunks) {
  std::array<std::uint8_t, 4096> out;
  sctp::PacketWriter packet(
      out, {.source_port = 5000, .destination_port = 5000, .verification_tag = tag, .checksum = 0});
  (packet.append(chunks), ...);
  const std::size_t size = packet.finish();
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

// RawChunk is a chunk given by its bytes, header included: for what no builder would write.
struct RawChunk {
  std::vector<std::uint8_t> bytes;
  std::size_t size() const { return bytes.size(); }
  void write(MutableByteSpan out) const { std::copy(bytes.begin(), bytes.end(), out.begin()); }
};

// DataChunk is a DATA chunk with a payload of its own.
struct DataChunk {
  sctp::DataChunkHeader header;
  std::vector<std::uint8_t> payload;
  std::size_t size() const { return sctp::DataChunkHeader::kBytes + payload.size(); }
  void write(MutableByteSpan out) const {
    header.write(out.data(), payload.size());
    std::copy(payload.begin(), payload.end(), out.begin() + sctp::DataChunkHeader::kBytes);
  }
};

// chunks_of lists the chunks of a packet.
inline std::vector<sctp::ChunkView> chunks_of(ByteSpan packet) {
  std::vector<sctp::ChunkView> chunks;
  sctp::ChunkReader reader(packet.subspan(sctp::CommonHeader::kBytes));
  while (const auto chunk = reader.next()) chunks.push_back(*chunk);
  return chunks;
}

inline sctp::VerificationTag tag_of(ByteSpan packet) {
  return sctp::CommonHeader::parse(packet)->verification_tag;
}

// find_chunk returns the packet's first chunk of `type`.
inline std::optional<sctp::ChunkView> find_chunk(ByteSpan packet, sctp::ChunkType type) {
  for (const sctp::ChunkView& chunk : chunks_of(packet)) {
    if (chunk.type == type) return chunk;
  }
  return std::nullopt;
}

inline bool has_chunk(ByteSpan packet, sctp::ChunkType type) {
  return find_chunk(packet, type).has_value();
}

// count_chunks counts the packets that carry a chunk of `type`.
inline std::size_t count_chunks(const std::vector<std::vector<std::uint8_t>>& packets,
                                sctp::ChunkType type) {
  std::size_t n = 0;
  for (const auto& packet : packets) n += has_chunk(packet, type) ? 1u : 0u;
  return n;
}

// last_with returns the latest packet that carries a chunk of `type`, or an empty one.
inline std::vector<std::uint8_t> last_with(const std::vector<std::vector<std::uint8_t>>& packets,
                                           sctp::ChunkType type) {
  for (auto at = packets.rbegin(); at != packets.rend(); ++at) {
    if (has_chunk(*at, type)) return *at;
  }
  return {};
}

}  // namespace millrace::test
