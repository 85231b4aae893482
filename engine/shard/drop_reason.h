// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace::engine {

// DropReason says why a shard ignored a datagram before any protocol core saw it, or had
// to give something up for want of room. The layers below count drops of their own.
enum class DropReason : std::uint8_t {
  kUnknownFirstByte,  // Neither STUN nor DTLS (RFC 7983).
  kUnknownSource,     // DTLS from an address that no session knows.
  kUnauthenticated,   // DTLS from a path that ICE has not authenticated.
  kMalformedStun,     // Not a STUN message, or one that a lite agent has no use for.
  kUnknownUfrag,      // A check for a session that is not here.
  kRefusedCheck,      // A check whose credentials do not match.
  kForwardFull,       // Another shard's inbox had no room for its datagram, or its address.
  kControlFull,       // More handshake and STUN datagrams than a turn sends.
  kBeforeAnswer,      // A datagram for a session whose answer has not come.
  kTableFull,         // The association table had no room for an address.
  kSessionLimit,      // DTLS of a session for which the shard has no place.
  kUnknownTooBig,     // A router's word on a datagram that no session here has sent lately.
  kCount,
};

constexpr std::string_view to_string(DropReason reason) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(DropReason::kCount)> kNames = {
      "unknown_first_byte", "unknown_source", "unauthenticated", "malformed_stun",
      "unknown_ufrag",      "refused_check",  "forward_full",    "control_full",
      "before_answer",      "table_full",     "session_limit",   "unknown_too_big"};
  return kNames[static_cast<std::size_t>(reason)];
}

// DropCounters counts by reason; one shard's, written by its thread alone.
struct DropCounters {
  std::array<std::uint64_t, static_cast<std::size_t>(DropReason::kCount)> counts{};
  void add(DropReason reason) { ++counts[static_cast<std::size_t>(reason)]; }
};

}  // namespace millrace::engine
