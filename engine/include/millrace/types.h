// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/result.h"
#include "engine/base/time.h"

namespace millrace {

// Error says in one line what was wrong and with which value: fit to print as it is.
struct Error {
  std::string message;
};

// SessionId names a session of one Engine for as long as the Engine lives; it is never
// used again for another session. Zero is no session.
enum class SessionId : std::uint64_t { kNone = 0 };

// SendStatus is the outcome of `Channel::send`. Only kOk has taken the message.
enum class [[nodiscard]] SendStatus : std::uint8_t{
    kOk,
    kWouldBlock,  // The send buffer, or the channel's part of it, is full; `on_writable`
                  // follows once it is not.
    kTooLarge,    // Above the peer's max-message-size.
    kAbandoned,   // `send_part` alone: the message was given up by the channel's limits.
    kClosed,      // The channel or its session is closing or gone.
};

// MessagePart says which part of its message a part is.
struct MessagePart {
  bool last = false;
  // Of the whole message where it is known with the first part, else 0: one above the peer's
  // max-message-size is then refused at once.
  std::size_t total_bytes = 0;
};

// Profile is a set of timers for associations: for any path, or for those where a lost packet
// must cost as little time as can be.
enum class Profile : std::uint8_t { kInternet, kLatency };

// StreamScheduling is how channels of a session that have something to send take turns (RFC
// 8260 §3): message by message, or fragment by fragment with peers that interleave.
enum class StreamScheduling : std::uint8_t {
  kFirstComeFirstServed,
  kRoundRobin,
  kWeightedFair,    // Bytes in proportion to ChannelOptions::priority (RFC 8831 §6.4).
  kStrictPriority,  // The highest priority alone; equals by turns.
};

// CloseReason says why a session ended.
enum class CloseReason : std::uint8_t {
  kLocal,                // close() was called here, or the engine stopped.
  kPeer,                 // The peer closed: SHUTDOWN, ABORT, or close_notify.
  kConsentLost,          // No authenticated check within the consent time-out (RFC 7675).
  kPeerTimeout,          // SCTP gave up: Association.Max.Retrans (RFC 9260 §8.1).
  kHandshakeTimeout,     // ICE, DTLS or SCTP set-up did not end in time.
  kFingerprintMismatch,  // The certificate was not the one signalled (RFC 8122).
  kHandshakeFailed,      // DTLS failed otherwise.
  kProtocolViolation,    // The peer broke SCTP or DCEP beyond repair.
  kIceFailed,            // No candidate pair answered.
  kResourceLimit,        // A limit of this process ended it.
};
const char* to_string(CloseReason reason);

// MessageKind follows the payload protocol identifiers of RFC 8831 §8.
enum class MessageKind : std::uint8_t { kBinary, kString };

// WaitPolicy is what a shard's thread does when a turn found no work.
enum class WaitPolicy : std::uint8_t {
  kBlock,          // Sleep in the kernel until a datagram or a timer; behind a burst, 30 us later.
  kSpinThenBlock,  // Spin for `EngineOptions::spin`, then sleep.
  kSpin,           // Never sleep: lowest latency, a whole core.
};

// CongestionControl decides how much of an association may be in flight.
enum class CongestionControl : std::uint8_t {
  kCubic,      // RFC 9438.
  kNewReno,    // RFC 9260 §7.2.
  kBbr,        // draft-ietf-ccwg-bbr (version 3): random loss does not slow it down.
  kTfrc,       // RFC 5348: as much as NewReno, and evenly.
  kFixedRate,  // A given rate, whatever is lost: for laboratories, never for shared networks.
};

// IoBackend is the packet I/O of an engine.
enum class IoBackend : std::uint8_t {
  // io_uring, or sockets with one log line where it is forbidden; sockets with
  // WaitPolicy::kSpin, for whose lone datagrams they are the shorter way.
  kAuto,
  kUring,
  kSockets,
  kSim,   // A simulated network in virtual time; see Simulation.
  kDpdk,  // A device past the kernel: EngineOptions::device.
};

}  // namespace millrace
