// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "sctp/association.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/sack_chunk.h"
#include "test/support/association_pair.h"
#include "test/support/sctp_packets.h"

// What the tests of test/conformance/ have in common: a pair of associations of which the
// test plays one end where it must say what no end of ours would.
namespace millrace::test {

inline constexpr int kA = AssociationPair::kA;
inline constexpr int kB = AssociationPair::kB;

inline bool nothing_passes(int, ByteSpan) { return false; }

// What an end said of itself in its INIT or INIT-ACK, its parameters copied.
struct Introduction {
  sctp::InitFields fields;
  Bytes parameters;
  Bytes cookie;
};

template <class Chunk>
Introduction introduction_in(ByteSpan packet) {
  const auto chunk = Chunk::parse(chunks_of(packet)[0].bytes);
  Introduction out{*chunk, {chunk->parameters.begin(), chunk->parameters.end()}, {}};
  out.fields.parameters = {};
  const auto read = sctp::InitParameters::parse(chunk->parameters);
  if (read && read->state_cookie) {
    out.cookie.assign(read->state_cookie->begin(), read->state_cookie->end());
  }
  return out;
}

// The peer that a test plays.
inline sctp::InitFields stranger(std::uint32_t tag = 0x01020304) {
  return {.initiate_tag = sctp::VerificationTag(tag),
          .a_rwnd = 1 << 20,
          .outbound_streams = 100,
          .inbound_streams = 100,
          .initial_tsn = sctp::Tsn(1000),
          .parameters = {}};
}
inline Bytes init_packet(const sctp::InitFields& fields) {
  return make_packet(sctp::VerificationTag(), sctp::InitChunk{fields});
}

// The last packet that left `end` with a chunk of `type` for `action`; nothing arrives anywhere.
template <class Action>
Bytes answer_of(AssociationPair& pair, int end, sctp::ChunkType type, Action action) {
  auto filter = std::exchange(pair.filter, nothing_passes);
  pair.sent(end).clear();
  action();
  pair.drain();
  pair.filter = std::move(filter);
  return last_with(pair.sent(end), type);
}

// The INIT-ACK of `end` for an INIT of a stranger.
inline Bytes init_ack_of(AssociationPair& pair, int end,
                         const sctp::InitFields& fields = stranger()) {
  return answer_of(pair, end, sctp::ChunkType::kInitAck,
                   [&] { pair.inject(end, init_packet(fields)); });
}

// Makes an association of `end` with a stranger of these fields; the tag of packets to it.
inline sctp::VerificationTag open_to_stranger(AssociationPair& pair, int end,
                                              const sctp::InitFields& fields = stranger()) {
  pair.filter = nothing_passes;
  const Introduction own = introduction_in<sctp::InitAckChunk>(init_ack_of(pair, end, fields));
  pair.inject(end, make_packet(own.fields.initiate_tag, sctp::CookieEchoChunk{own.cookie}));
  pair.drain();
  return own.fields.initiate_tag;
}

// A whole message in one chunk.
inline DataChunk whole_message(std::uint32_t tsn, std::uint16_t stream, std::uint16_t ssn,
                               Bytes payload = {1}) {
  return {{.tsn = sctp::Tsn(tsn),
           .stream = sctp::StreamId(stream),
           .ssn = sctp::Ssn(ssn),
           .ppid = sctp::kPpidBinary,
           .flags = {.beginning = true, .ending = true}},
          std::move(payload)};
}

inline std::uint64_t dropped(AssociationPair& pair, int end, sctp::DropReason reason) {
  return pair[end].stats().dropped(reason);
}

// The code of the first cause in the packet's ERROR or ABORT; 0 without one.
inline std::uint16_t cause_in(ByteSpan packet) {
  for (const sctp::ChunkView& chunk : chunks_of(packet)) {
    if (chunk.type != sctp::ChunkType::kAbort && chunk.type != sctp::ChunkType::kError) continue;
    const auto cause = sctp::TlvReader(chunk.value()).next();
    return cause ? cause->type : std::uint16_t{0};
  }
  return 0;
}

}  // namespace millrace::test
