// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sctp/message_progress.h"
#include "sctp/message_view.h"
#include "sctp/types.h"

namespace millrace::sctp {

// CloseReason says why an association ended.
enum class CloseReason : std::uint8_t {
  kNone,                // It has not.
  kShutdown,            // SHUTDOWN, asked for by this end, completed (RFC 9260 §9.2).
  kPeerShutdown,        // SHUTDOWN, begun by the peer, completed.
  kAborted,             // `abort` was called here.
  kPeerAborted,         // The peer sent ABORT.
  kSetupTimeout,        // Max.Init.Retransmits: the peer never answered.
  kSetupRefused,        // The peer's INIT-ACK cannot be used (no cookie, no streams).
  kTooManyRetransmits,  // Association.Max.Retrans: the peer is out of reach (§8.1).
  kShutdownTimeout,     // T5-shutdown-guard (§9.2).
  kProtocolViolation,   // The peer broke the protocol beyond repair; it was told so.
};
// to_string names a reason as logs and metrics spell it. The view is static.
std::string_view to_string(CloseReason reason);

// EventKind tells which fields of an Event hold something.
enum class EventKind : std::uint8_t {
  kConnected,            // incoming_streams, outgoing_streams: as negotiated.
  kRestarted,            // The peer lost its state and began anew (RFC 9260 §5.2.4 A):
                         // nothing sent or held before survives; stream counts as above.
  kMessage,              // message.
  kMessageProgress,      // stream, progress: of a message that was sent with an id. It comes before
                         // the kStreamResetDone, kRestarted or kClosed that ends the message.
  kStreamResetDone,      // streams: their outgoing side starts at SSN 0 again.
  kStreamResetRefused,   // streams: they go on as before the request.
  kIncomingStreamReset,  // streams: the peer has reset its outgoing side of them; none
                         // listed means all.
  kStreamsAdded,         // incoming_streams, outgoing_streams: as they are from here on.
  kStreamAdditionRefused,   // By the peer, or for want of RE-CONFIG or numbers.
  kWritable,                // `send` had said kWouldBlock; there is room again.
  kStreamWritable,          // stream: the same, where it was for that stream's own bound.
  kBufferedAmountLow,       // stream: buffered amount fell to its threshold.
  kTotalBufferedAmountLow,  // The sum over all streams fell to its threshold, if one was set.
  kPeerShutdown,            // The peer began SHUTDOWN: `send` is refused from here on.
  kPeerError,               // error_cause: the code of a cause in an ERROR chunk (§3.3.10).
  kClosed,                  // close_reason, error_cause of an ABORT or 0. The last event.
};

// Event is one thing that happened, taken from `Association::poll_event`. What `message`
// and `streams` point to is lent until the next `poll_event`, `poll_packet` or `handle_…`
// call on the association; `send`, `reset_streams` and the getters leave it alone, so that
// an echo server may answer from within its event.
struct Event {
  EventKind kind = EventKind::kClosed;
  CloseReason close_reason = CloseReason::kNone;
  std::uint16_t error_cause = 0;
  std::uint16_t incoming_streams = 0;
  std::uint16_t outgoing_streams = 0;
  StreamId stream;
  // kMessage: how often the stream had been reset by the peer when this message came, so
  // that it can never be mistaken for one of the id's earlier or later life.
  std::uint32_t generation = 0;
  std::span<const StreamId> streams;
  MessageView message;
  MessageProgress progress;
};

}  // namespace millrace::sctp
