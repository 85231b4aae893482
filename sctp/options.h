// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/time.h"
#include "sctp/congestion_algorithm.h"
#include "sctp/path_mtu_options.h"
#include "sctp/rx/receive_budget.h"
#include "sctp/stream_scheduling.h"

namespace millrace::sctp {

// Extensions names what this end offers in INIT and INIT-ACK (RFC 5061 §4.2.7). An
// extension is in use only where both ends offered it.
struct Extensions {
  bool forward_tsn = true;  // RFC 3758.
  bool reconfig = true;     // RFC 6525.
  // RFC 9653: no CRC32c where DTLS has authenticated the packet already (EDMID 1).
  bool zero_checksum = true;
  // RFC 8260: I-DATA in place of DATA, and I-FORWARD-TSN in place of FORWARD-TSN. Partial
  // reliability then needs both ends to list the latter (§2.3.1).
  bool i_data = false;
  // RFC 4820: PAD, which this end skips in any case. Listed, it tells the peer that probes of the
  // path's MTU do no harm here (RFC 8899 §6.2.1.2); some stacks fall over it.
  bool pad = true;
};

// Profile is a set of timers. The defaults of Options are those of kInternet.
enum class Profile : std::uint8_t {
  kInternet,  // Peers of any kind over paths of any kind.
  // Both ends are this implementation, or acknowledge at once when they are asked to, and
  // what counts is when a message arrives: a loss is found within a round trip and a few
  // milliseconds, and an outage of a few round trips costs no more than itself.
  kLatency,
};

// Options configures one association. The defaults are those of a data channel between
// browsers; they do not change while the association lives.
struct Options {
  // RFC 8261 §5: DTLS stands in for the ports, so both ends use the one of the SDP.
  std::uint16_t local_port = 5000;
  std::uint16_t remote_port = 5000;

  // Streams offered each way; what is in use is the minimum of both ends. Per-stream
  // state comes into being on first use, so a large number costs nothing.
  std::uint16_t outgoing_streams = 65535;
  std::uint16_t incoming_streams = 65535;
  // What additions may bring either number to, by whomever they are asked for (RFC 6525).
  std::uint16_t max_streams = 65535;

  // The largest SCTP packet, common header included: what a DTLS record carries in a
  // UDP datagram of 1200 bytes (37 bytes of record), rounded down to a multiple of 4.
  // Where the path's MTU is discovered it is the first size, not the last.
  std::size_t max_packet_bytes = 1160;
  PathMtuOptions path_mtu;

  // The receive window (a_rwnd) as INIT advertises it. It grows to what is read in a round
  // trip asks for, up to `max_receive_window_bytes` if that is larger, out of
  // `receive_budget`, which the associations of a shard share and which outlives them; null
  // is without limit.
  std::size_t receive_window_bytes = 1024 * 1024;
  std::size_t max_receive_window_bytes = 64 * 1024 * 1024;
  ReceiveBudget* receive_budget = nullptr;
  // The largest message taken, up to 1 GiB; a larger one ends the association. What our SDP
  // says.
  std::size_t max_received_message_bytes = 1024 * 1024 * 1024;
  // A message of which more is here is handed out in parts, or of which half of the window
  // is; smaller ones come whole, unless many of them fill it.
  std::size_t partial_delivery_bytes = 256 * 1024;
  // What `send` holds before it answers kWouldBlock.
  std::size_t send_buffer_bytes = 2 * 1024 * 1024;
  // What it holds of one stream before it does so for that stream; 0: no bound but the other.
  std::size_t stream_send_buffer_bytes = 0;
  // The largest message that `send` takes: what the peer's SDP allows.
  std::size_t max_message_bytes = 256 * 1024;

  // Which stream is next: RFC 8831 §6.4 asks for weighted fair queueing. With I-DATA it chooses
  // fragment by fragment, else message by message.
  StreamScheduling scheduling = StreamScheduling::kWeightedFair;

  CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
  std::uint64_t congestion_rate = 12'500'000;  // Bytes a second, of kFixedRate alone.

  // RFC 9260 §16. The initial value is low because the path has just carried a DTLS
  // handshake; the floor is what decides the cost of a lost packet.
  Duration rto_initial = milliseconds(500);
  Duration rto_min = milliseconds(50);
  Duration rto_max = seconds(60);
  // So many T3-rtx expiries in a row leave the time-out as it is before it is doubled.
  int linear_timeouts = 0;
  // How long the SACK for a lone packet waits for data that carries it; 0 sends one per burst.
  // Up to five times as long, but not beyond 200 ms, where data is sent at a steady pace: it
  // then waits for the next (sctp/rx/sack_delay.h).
  Duration sack_delay = milliseconds(20);
  // The last packet for now always asks for its SACK at once (RFC 7053), so that its loss is
  // noticed soon; else now and then, which saves the peer packets.
  bool always_ask_for_sack = false;

  int max_init_retransmits = 8;               // RFC 9260 §16, Max.Init.Retransmits.
  int max_retransmits = 10;                   // RFC 9260 §16, Association.Max.Retrans.
  Duration t1_max = seconds(3);               // Cap of the back-off of T1-init and T1-cookie.
  Duration cookie_lifetime = seconds(60);     // RFC 9260 §16, Valid.Cookie.Life.
  Duration heartbeat_interval = seconds(30);  // RFC 9260 §16, HB.interval; 0 is off.
  // RFC 9260 §9.2: T5-shutdown-guard ends a shutdown that never completes: so long after SHUTDOWN
  // or SHUTDOWN ACK was sent, and before that where none of what is queued gets on for as long.
  // The RFC recommends 5 times RTO.Max; a data channel's user has left long before that.
  Duration shutdown_guard = seconds(30);

  // Key of the state cookie's HMAC (RFC 9260 §5.1.3). It comes from a cryptographic
  // source, never from `Rng`; ends that answer for each other share it.
  std::array<std::uint8_t, 32> cookie_key{};

  Extensions extensions;

  // What RFC 9260 §6.2 and sense allow; see `problem_of`.
  static constexpr Duration kLeastRtoMin = milliseconds(1);
  static constexpr Duration kMostRtoMin = seconds(1);
  static constexpr Duration kMostSackDelay = milliseconds(200);
};

// Sets the timers of `options` to those of `profile`.
void apply_profile(Profile profile, Options& options);
// Says which timer of `options` is out of its range: a name as in Options, the value, the range.
// Empty if none is. For who takes them from elsewhere; an association does not ask.
std::string problem_of(const Options& options);

}  // namespace millrace::sctp
