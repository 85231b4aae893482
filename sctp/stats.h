// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::sctp {

// DropReason says why a packet, or a chunk of one, was ignored. None is an error: it is
// what a lossy, duplicating network or a hostile peer may send at any time.
enum class DropReason : std::uint8_t {
  kMalformedPacket,       // Shorter than a header, or chunks that do not add up.
  kWrongChecksum,         // RFC 9260 §6.8.
  kWrongPort,             // RFC 8261 §5: not the ports of this association.
  kWrongVerificationTag,  // RFC 9260 §8.5.
  kMalformedChunk,        // A chunk whose value does not parse.
  kMalformedParameter,    // A parameter that does not add up; the chunk is ignored.
  kBundledInit,           // RFC 9260 §6.10: INIT, INIT-ACK, SHUTDOWN-COMPLETE stand alone.
  kUnknownChunk,          // Skipped or refused by its top two bits, §3.2.
  kUnexpectedState,       // A known chunk that this state does not allow.
  kOutOfTheBlue,          // RFC 9260 §8.4: no association to give it to.
  kBadCookie,             // State cookie that this end did not sign.
  kStaleCookie,           // RFC 9260 §5.2.6.
  kCookieTagMismatch,     // RFC 9260 §5.2.4: the action table's last row, or case C.
  kUnknownHeartbeat,      // HEARTBEAT-ACK that answers nothing outstanding.
  kDuplicateData,         // DATA received before.
  kDataOutsideWindow,     // DATA too far ahead, or over the memory high-water mark.
  kInvalidStream,         // DATA on a stream that was not negotiated.
  kBadSack,               // A SACK older than the last, or for data never sent.
  kBadForwardTsn,         // FORWARD-TSN behind the cumulative TSN, or not negotiated.
  kBadReconfig,           // RE-CONFIG out of sequence, or not negotiated.
  kControlQueueFull,      // An answer that the bounded control queue had no room for.
};
inline constexpr std::size_t kDropReasonCount =
    static_cast<std::size_t>(DropReason::kControlQueueFull) + 1;

// to_string names a reason as metrics spell it ("wrong_checksum"). The view is static.
std::string_view to_string(DropReason reason);

// Stats counts what an association has done since it was made; counters only grow, a
// restart of the peer does not reset them.
struct Stats {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_received = 0;  // SCTP packets, common header included.
  std::uint64_t bytes_sent = 0;
  std::uint64_t data_chunks_received = 0;
  std::uint64_t data_chunks_sent = 0;  // Retransmissions included.
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;  // Accepted by `send`.
  // Given up by their limits, or `abort_message`, before their delivery: before any part of them
  // was sent, and after (RFC 7496 §4.4).
  std::uint64_t messages_abandoned_unsent = 0;
  std::uint64_t messages_abandoned_sent = 0;
  std::uint64_t t3_expiries = 0;
  std::uint64_t fast_retransmits = 0;
  std::uint64_t retransmitted_chunks = 0;
  std::uint64_t heartbeats_sent = 0;
  std::uint64_t heartbeats_acked = 0;
  std::uint64_t restarts = 0;
  // Path MTU discovery (RFC 8899): HEARTBEATs that probe are no part of the two above.
  std::uint64_t mtu_probes_sent = 0;
  std::uint64_t mtu_probes_acked = 0;
  std::uint64_t mtu_probes_lost = 0;
  std::uint64_t mtu_black_holes = 0;
  std::uint64_t mtu_refused = 0;  // Sizes that this host's interface did not take.
  std::uint64_t mtu_hints = 0;    // Routers' words that a packet was too large, made use of.
  std::uint64_t mtu_hints_ignored = 0;
  std::array<std::uint64_t, kDropReasonCount> drops{};

  std::uint64_t dropped(DropReason reason) const { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace millrace::sctp
