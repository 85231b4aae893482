// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/types.h"

namespace millrace {

struct SignalError;

// What one session can tell of itself. Members are those of W3C's "Identifiers for WebRTC's
// Statistics API" (webrtc-stats) in this library's spelling, and more where it has no name;
// a string_view is a value of its enumerations, or a name of ours, and static.

// RTCDataChannelStats.
struct DataChannelStats {
  std::uint64_t key = 0;  // Names the channel for as long as its session lives.
  std::string label;
  std::string protocol;
  std::optional<std::uint16_t> data_channel_identifier;
  std::string_view state;           // "connecting", "open" or "closing".
  std::uint64_t messages_sent = 0;  // Of the application's; also those below.
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t buffered_amount = 0;
  // Of the channel's limits' making (RFC 7496 §4.3): before any part was sent, and after.
  std::uint64_t messages_abandoned_unsent = 0;
  std::uint64_t messages_abandoned_sent = 0;
};

// RTCSctpTransportStats, then the state of the association behind it. Sizes are bytes.
struct SctpTransportStats {
  std::optional<Duration> smoothed_round_trip_time;  // Nothing before the first sample.
  std::uint64_t congestion_window = 0;
  std::uint64_t receiver_window = 0;  // The peer's, as advertised last.
  std::uint64_t mtu = 0;              // The largest SCTP packet sent.
  std::uint64_t unacked_data = 0;     // DATA chunks that are not acknowledged.

  std::string_view state;      // "established": RFC 9260 §4 in lower case.
  std::uint64_t ssthresh = 0;  // As large as can be before slow start has ended.
  std::uint64_t flight = 0;
  std::uint64_t buffered = 0;  // Taken by `send`, and not yet sent once.
  std::uint64_t a_rwnd = 0;    // The window that this end advertises.
  Duration rto{};
  Duration rttvar{};
  std::uint16_t outgoing_streams = 0;
  std::uint16_t incoming_streams = 0;

  std::uint64_t packets_sent = 0;  // SCTP packets; counters, from here on.
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t data_chunks_sent = 0;  // Retransmissions included.
  std::uint64_t data_chunks_received = 0;
  std::uint64_t retransmitted_chunks = 0;
  std::uint64_t fast_retransmits = 0;  // Fast recoveries begun.
  std::uint64_t messages_abandoned_unsent = 0;
  std::uint64_t messages_abandoned_sent = 0;
  std::uint64_t t3_expiries = 0;
  std::uint64_t heartbeats_sent = 0;
  std::uint64_t heartbeats_acked = 0;
  // Path MTU discovery: probes that nobody answered, falls to a smaller size because what was sent
  // did not arrive, routers' words that a packet was too large, and those not made use of.
  std::uint64_t mtu_probes_lost = 0;
  std::uint64_t mtu_black_holes = 0;
  std::uint64_t mtu_hints = 0;
  std::uint64_t mtu_hints_ignored = 0;
  std::uint64_t restarts = 0;
  // Packets and chunks ignored, by reason; only reasons that occurred.
  std::vector<std::pair<std::string_view, std::uint64_t>> drops;
};

// RTCIceCandidateStats: where one end of a path is reached, by UDP.
struct CandidateStats {
  std::string address;  // "192.0.2.1" or "2001:db8::1"; of this end it may be unspecified.
  std::uint16_t port = 0;
  std::string_view candidate_type;  // "host", "srflx", "prflx" or "relay".
};

// RTCIceCandidatePairStats of the pair in use. Its checks are those of all pairs, since the
// session came to its shard.
struct CandidatePairStats {
  CandidateStats local;
  CandidateStats remote;
  std::string_view state;  // "succeeded", or "failed" once consent is lost.
  bool nominated = false;
  // Of the last check of ours, connectivity's or consent's, that was sent once and answered;
  // nothing where this end sends none. The other is the sum of all such.
  std::optional<Duration> current_round_trip_time;
  Duration total_round_trip_time{};
  std::uint64_t requests_sent = 0;  // Without retransmissions and consent.
  std::uint64_t requests_received = 0;
  std::uint64_t responses_sent = 0;
  std::uint64_t responses_received = 0;
  std::uint64_t consent_requests_sent = 0;
};

// RTCTransportStats. Packets are datagrams with DTLS in them, bytes their UDP payload.
struct TransportStats {
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::string_view dtls_state;   // "new", "connecting", "connected", "closed", "failed".
  std::string_view dtls_role;    // "client" or "server"; "unknown" before the answer.
  std::string_view dtls_cipher;  // As IANA has it; empty before DTLS is up.
  std::string_view tls_version;  // "FEFD" is DTLS 1.2; empty before DTLS is up.
  std::string_view ice_role;     // "controlling", "controlled"; "unknown" without ICE.
  std::string_view ice_state;    // Empty without ICE.
};

// SessionStats is one session at the instant `at` of its shard's clock.
struct SessionStats {
  SessionId session = SessionId::kNone;
  // "pending" (on no shard), "offered", "connecting" (ICE, DTLS), "associating" (SCTP),
  // "open", "closing" or "closed".
  std::string_view state;
  std::optional<unsigned> shard;
  Time at{};
  TransportStats transport;
  std::optional<CandidatePairStats> pair;  // Once there is one to send on.
  std::optional<SctpTransportStats> sctp;  // Once DTLS is up.
  std::vector<DataChannelStats> channels;
};
using SessionStatsDone = std::function<void(Result<SessionStats, SignalError>)>;

// SessionSummary is a line of a list of sessions.
struct SessionSummary {
  SessionId session = SessionId::kNone;
  std::string_view state;
  unsigned shard = 0;
  std::string remote;  // Empty before there is a pair to send on.
  std::uint64_t channels = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

// SessionCursor is a place in the list of an engine's sessions.
enum class SessionCursor : std::uint64_t { kBegin = 0 };

// SessionPage is a piece of that list. It may be short, even empty, and not be the last;
// the last has no `next`. Who lists from kBegin to the end meets each session once that
// was on its shard all that time.
struct SessionPage {
  std::vector<SessionSummary> sessions;
  std::optional<SessionCursor> next;
};
using SessionPageDone = std::function<void(Result<SessionPage, SignalError>)>;

}  // namespace millrace
