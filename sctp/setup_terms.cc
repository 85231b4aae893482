// SPDX-License-Identifier: Apache-2.0
#include "sctp/setup_terms.h"

#include <array>
#include <span>

namespace millrace::sctp {
namespace {

// RFC 9260 §3.3.2: a smaller window makes an INIT or INIT-ACK invalid.
constexpr std::uint32_t kMinWindow = 1500;

}  // namespace

VerificationTag fresh_tag(Rng& rng) {
  for (;;) {
    const VerificationTag tag(rng.next_u32());
    if (!tag.is_zero()) return tag;
  }
}

bool has_valid_fields(const InitFields& init) {
  return init.outbound_streams > 0 && init.inbound_streams > 0 && init.a_rwnd >= kMinWindow;
}

// For zero checksum one end's offer would do (RFC 9653 §5.2), but an end that wants the CRC
// has it both ways.
Extensions in_common(const Extensions& offered, const PeerExtensions& peer) {
  // RFC 8260 §2.2.1: negotiated where both list I-DATA. §2.3.1: its partial reliability is
  // another extension, never FORWARD-TSN's.
  const bool i_data = offered.i_data && peer.i_data;
  const bool peer_abandons = i_data ? peer.i_forward_tsn : peer.forward_tsn;
  return {.forward_tsn = offered.forward_tsn && peer_abandons,
          .reconfig = offered.reconfig && peer.reconfig,
          .zero_checksum = offered.zero_checksum && peer.zero_checksum_edmid == kEdmidDtls,
          .i_data = i_data,
          .pad = offered.pad && peer.pad};
}

InitFields init_fields(const Options& options, VerificationTag tag, Tsn initial_tsn,
                       ByteSpan parameters) {
  return {.initiate_tag = tag,
          .a_rwnd = static_cast<std::uint32_t>(options.receive_window_bytes),
          .outbound_streams = options.outgoing_streams,
          .inbound_streams = options.incoming_streams,
          .initial_tsn = initial_tsn,
          .parameters = parameters};
}

void append_extensions(const Extensions& extensions, TlvWriter& out) {
  std::array<ChunkType, 5> types{};
  std::size_t count = 0;
  if (extensions.forward_tsn) {
    out.append(ForwardTsnSupportedParameter{});
    types[count++] = ChunkType::kForwardTsn;
  }
  if (extensions.reconfig) types[count++] = ChunkType::kReconfig;
  if (extensions.i_data) {
    types[count++] = ChunkType::kIData;
    if (extensions.forward_tsn) types[count++] = ChunkType::kIForwardTsn;
  }
  if (extensions.pad) types[count++] = ChunkType::kPad;
  if (count > 0) out.append(SupportedExtensionsParameter{std::span(types).first(count)});
  if (extensions.zero_checksum) out.append(ZeroChecksumParameter{});
}

}  // namespace millrace::sctp
