// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace::crypto {

// DropReason says why a record, or the rest of a datagram, was ignored.
enum class DropReason : std::uint8_t {
  kMalformed,         // No DTLS record, or cut short: the rest of the datagram is lost too.
  kBadVersion,        // The major version is not DTLS's.
  kUnexpectedType,    // A content type that this state or epoch does not carry.
  kUnexpectedEpoch,   // An epoch other than the handshake's and the session's.
  kReplayed,          // The number was seen, or lies behind the replay window.
  kUnauthentic,       // The AEAD refused it.
  kHandshakeOverrun,  // The bound on a handshake's input was reached.
  kEarlyOverrun,      // The bound on records held for the session's keys was reached.
  kQueueFull,         // The caller's OpenQueue had no room.
  kStaleHandshake,    // A handshake message that an established session does not answer.
  kClosed,            // The session is closed.
  kCount,
};
std::string_view to_string(DropReason reason);

// DtlsCounters are the figures of one shard's sessions; written by its thread alone.
struct DtlsCounters {
  std::array<std::uint64_t, static_cast<std::size_t>(DropReason::kCount)> drops{};
  std::uint64_t handshakes_completed = 0;
  std::uint64_t handshakes_failed = 0;
  std::uint64_t flights = 0;              // Visits to a worker.
  std::uint64_t last_flight_repeats = 0;  // Answers to a peer that repeated its Finished.
  std::uint64_t early_records_held = 0;   // For the session's keys, before there were any.

  void drop(DropReason reason) { ++drops[static_cast<std::size_t>(reason)]; }
  std::uint64_t dropped(DropReason reason) const { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace millrace::crypto
