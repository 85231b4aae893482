// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/mac.h"
#include "engine/base/rng.h"
#include "engine/base/rx_buffer.h"
#include "engine/base/time.h"
#include "sctp/event.h"
#include "sctp/options.h"
#include "sctp/send_options.h"
#include "sctp/stats.h"
#include "sctp/types.h"

namespace millrace::sctp {

// Association is one end of an SCTP association (RFC 9260, 3758, 6525) over DTLS
// (RFC 8261): one path, no multi-homing. Both ends may `connect` at once.
//
// It performs no I/O, reads no clock and starts no thread. After any call that takes
// `now`, or a burst of them, drain it: `handle_burst_end` once where packets came in,
// `poll_event` until false, `poll_packet` until it returns 0, then re-arm for
// `next_timeout`. After kClosed it is inert but for a last packet or two.
//
//   association.cc           packets in, chunks to their procedures, packets out
//   association_setup.cc     RFC 9260 §5: INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK
//   association_data.cc      RFC 9260 §6, RFC 3758: DATA, SACK, FORWARD-TSN, send
//   association_errors.cc    RFC 9260 §3.2, §8: ERROR, ABORT, unknown and stray chunks
//   association_shutdown.cc  RFC 9260 §9.2: SHUTDOWN
//   heartbeat.cc             RFC 9260 §8.3
//   stream_reset.cc          RFC 6525
class Association {
 public:
  // `rng` and `mac` must outlive the association.
  Association(const Options& options, Rng& rng, const Mac& mac);
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;
  ~Association();

  // Begins set-up with INIT. An association that never connects waits for the peer's.
  void connect(Time now);

  // Consumes one decrypted packet. Malformed or stale input is counted in `stats()` and
  // otherwise ignored: a peer cannot make this call fail. `buffer` is what `packet` lies
  // in; messages received keep a reference to it, or copy where that would pin too much.
  void handle_packet(Time now, ByteSpan packet, const BufferRef& buffer);
  // Ends a burst of `handle_packet`: decides on the one SACK that answers it.
  void handle_burst_end(Time now);
  void handle_timeout(Time now);

  // Writes one packet, checksum included, into `out`, of which at most
  // `Options::max_packet_bytes` are used; returns the bytes written, 0 when idle. Full
  // packets of a bulk transfer are of equal size.
  std::size_t poll_packet(Time now, MutableByteSpan out);
  bool poll_event(Event& out);
  Time next_timeout() const;

  // Queues one message, copied. Allowed before the association is up. An empty payload
  // is refused: SCTP has no empty message (RFC 8831 §6.6 says how to send one).
  SendStatus send(Time now, StreamId stream, Ppid ppid, ByteSpan payload,
                  const SendOptions& options = {});

  // Asks the peer to reset the outgoing side of the streams (RFC 6525). What was queued
  // on them is sent first; what is sent from here on waits and starts at SSN 0. Each
  // stream ends up in kStreamResetDone or kStreamResetRefused.
  void reset_streams(Time now, std::span<const StreamId> streams);

  // Closes in order: what is queued is delivered, `send` is refused from here on.
  void shutdown(Time now);
  // Closes at once; the peer is told `reason` in an ABORT.
  void abort(Time now, std::string_view reason);

  // Payload bytes taken by `send` and not yet written into a packet for the first time
  // (W3C bufferedAmount); what is in flight does not count.
  std::size_t buffered_amount() const;
  std::size_t buffered_amount(StreamId stream) const;
  // kBufferedAmountLow fires when the stream's amount falls from above to at most this.
  void set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes);

  // Resets of the stream completed so far, see Event::generation.
  std::uint32_t outgoing_generation(StreamId stream) const;
  std::uint32_t incoming_generation(StreamId stream) const;

  bool is_connected() const;
  bool is_closed() const;
  Stats stats() const;
};

}  // namespace millrace::sctp
