// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §9.2: the end in good order, from either side or from both at once.
#include "sctp/association.h"
#include "sctp/packet/shutdown_chunk.h"

namespace millrace::sctp {

void Association::shutdown(Time now) {
  if (dead_) return;
  switch (state_) {
    case State::kClosed:
    case State::kCookieWait:
      // RFC 9260 §9.2: there is no association yet.
      return close(CloseReason::kShutdown);
    case State::kCookieEchoed:
      // The peer may be established already: it is told as soon as this end is.
      shutdown_requested_ = true;
      return;
    case State::kEstablished:
      shutdown_requested_ = true;
      if (!stop_sending(now)) return;
      state_ = State::kShutdownPending;
      start_guard(now);
      return progress_shutdown(now);
    default:
      return;  // Under way.
  }
}

// No more is taken to be sent, so what was to come in parts cannot be finished. Where the peer
// cannot be told to skip it either, that is the end: false.
bool Association::stop_sending(Time now) {
  sender_->stop_accepting();
  if (sender_->abort_open_messages(now)) return true;
  abort(now, "a message was left unfinished");
  return false;
}

// RFC 9260 §9.2: T5-shutdown-guard bounds the shutdown sequence, which begins with SHUTDOWN or
// its answer. Until this end sends that it goes on with its data, and is ended only where that
// stands still; see `note_advance`.
void Association::start_guard(Time now) { t5_ = now + options_.shutdown_guard; }

// RFC 9260 §9.2: data that was queued is sent to its end, for however long the peer takes it.
void Association::note_advance(Time now) {
  if (state_ == State::kShutdownPending || state_ == State::kShutdownReceived) start_guard(now);
}

// Takes the step that waits for all data to be acknowledged.
void Association::progress_shutdown(Time now) {
  if (state_ != State::kShutdownPending && state_ != State::kShutdownReceived) return;
  if (!sender_->all_acknowledged()) return;
  if (state_ == State::kShutdownReceived) {
    start_guard(now);
    return send_shutdown_ack(now);
  }
  state_ = State::kShutdownSent;
  shutdown_due_ = true;
  start_guard(now);
  t2_.start(now, sender_->rto().rto(), options_.rto_max);
}

void Association::send_shutdown_ack(Time now) {
  state_ = State::kShutdownAckSent;
  shutdown_due_ = true;
  t2_.start(now, sender_->rto().rto(), options_.rto_max);
}

void Association::append_shutdown(PacketWriter& packet) {
  bool written = false;
  if (state_ == State::kShutdownAckSent) {
    written = packet.append(ShutdownAckChunk{});
  } else if (state_ == State::kShutdownSent) {
    written = packet.append(ShutdownChunk{receiver_->cumulative_tsn()});
  }
  if (written) shutdown_due_ = false;
}

// RFC 9260 §9.2: a peer that still sends is there, and gets the time to send all it has.
void Association::restart_t2(Time now) {
  error_count_ = 0;
  t2_.start(now, sender_->rto().rto(), options_.rto_max);
}

void Association::handle_shutdown(Time now, const ChunkView& chunk) {
  const auto shutdown_chunk = ShutdownChunk::parse(chunk.bytes);
  if (!shutdown_chunk) return drop(DropReason::kMalformedChunk);
  switch (state_) {
    case State::kEstablished:
    case State::kShutdownPending: {
      if (!stop_sending(now)) return;
      if (state_ == State::kEstablished) start_guard(now);
      state_ = State::kShutdownReceived;
      Event event;
      event.kind = EventKind::kPeerShutdown;
      events_.push_back(event);
      [[fallthrough]];
    }
    case State::kShutdownReceived: {
      // RFC 9260 §9.2: its cumulative TSN acknowledges as a SACK does.
      const SackOutcome outcome =
          sender_->handle_cumulative_ack(now, shutdown_chunk->cumulative_tsn_ack);
      if (outcome.newly_acked) clear_errors(now);
      if (outcome.cumulative_advanced) note_advance(now);
      return progress_shutdown(now);
    }
    case State::kShutdownSent:
      // RFC 9260 §9.2: both asked at once.
      return send_shutdown_ack(now);
    case State::kShutdownAckSent:
      shutdown_due_ = true;  // The SHUTDOWN-ACK was lost.
      return;
    default:
      // RFC 9260 §9.2: discarded while the association is being made.
      return drop(DropReason::kUnexpectedState);
  }
}

void Association::handle_shutdown_ack(const CommonHeader& header) {
  switch (state_) {
    case State::kShutdownSent:
    case State::kShutdownAckSent:
      control_.clear();
      queue_alone(peer_tag_, ShutdownCompleteChunk{.tag_reflected = false});
      return close(shutdown_requested_ ? CloseReason::kShutdown : CloseReason::kPeerShutdown);
    case State::kCookieWait:
    case State::kCookieEchoed:
      // RFC 9260 §8.5.1 (E), §8.4 (5): of an association that this end has forgotten.
      drop(DropReason::kOutOfTheBlue);
      return queue_alone(header.verification_tag, ShutdownCompleteChunk{.tag_reflected = true});
    default:
      return drop(DropReason::kUnexpectedState);
  }
}

void Association::handle_shutdown_complete(const CommonHeader& header, const ChunkView& chunk) {
  const auto complete = ShutdownCompleteChunk::parse(chunk.bytes);
  if (!complete) return drop(DropReason::kMalformedChunk);
  // RFC 9260 §8.5.1 (C).
  const VerificationTag expected = complete->tag_reflected ? peer_tag_ : local_tag_;
  if (header.verification_tag != expected || expected.is_zero()) {
    return drop(DropReason::kWrongVerificationTag);
  }
  if (state_ != State::kShutdownAckSent) return drop(DropReason::kUnexpectedState);
  close(shutdown_requested_ ? CloseReason::kShutdown : CloseReason::kPeerShutdown);
}

void Association::expire_shutdown_timers(Time now) {
  if (now >= t5_) {
    // RFC 9260 §9.2: T5-shutdown-guard ends in ABORT.
    constexpr std::string_view kReason = "shutdown took too long";
    abort_with(CloseReason::kShutdownTimeout, CauseCode::kUserInitiatedAbort,
               {reinterpret_cast<const std::uint8_t*>(kReason.data()), kReason.size()});
    return;
  }
  if (!t2_.expire(now)) return;
  shutdown_due_ = true;
  count_error();
}

}  // namespace millrace::sctp
