// SPDX-License-Identifier: Apache-2.0
// The association's traffic: it hands chunks to its two halves, which know RFC 9260 §6,
// and to the procedures that watch the streams.
#include <array>
#include <utility>

#include "sctp/association.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/error_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/packet/reconfig_chunk.h"
#include "sctp/packet/sack_chunk.h"

namespace millrace::sctp {

SendStatus Association::may_send(StreamId stream, std::size_t size) const {
  if (dead_ || shutdown_requested_ || state_ > State::kEstablished) return SendStatus::kClosed;
  if (size == 0) return SendStatus::kEmpty;
  if (size > options_.max_message_bytes) return SendStatus::kTooLarge;
  if (stream.value() >= outgoing_streams_) return SendStatus::kInvalidStream;
  return SendStatus::kOk;
}

SendStatus Association::send(Time now, StreamId stream, Ppid ppid, ByteSpan payload,
                             const SendOptions& options) {
  const SendStatus status = may_send(stream, payload.size());
  if (status != SendStatus::kOk) return status;
  return sender_->send(now, stream, ppid, payload, options);
}

SendStatus Association::send(Time now, StreamId stream, Ppid ppid, OwnedBytes&& payload,
                             const SendOptions& options) {
  const SendStatus status = may_send(stream, payload.bytes().size());
  if (status != SendStatus::kOk) return status;
  return sender_->send(now, stream, ppid, std::move(payload), options);
}

SendStatus Association::send_part(Time now, StreamId stream, Ppid ppid, ByteSpan part,
                                  const MessagePart& which, const SendOptions& options) {
  // How large it is, or whether empty, its other parts decide.
  const SendStatus status = may_send(stream, 1);
  if (status != SendStatus::kOk) return status;
  return sender_->send_part(now, stream, ppid, part, which, options);
}

bool Association::abort_message(Time now, StreamId stream) {
  return sender_->abort_message(now, stream);
}

void Association::reset_streams(Time, std::span<const StreamId> streams) {
  if (!dead_) stream_reset_.request(streams, *sender_);
}

void Association::add_streams(std::uint16_t outgoing, std::uint16_t incoming) {
  if (!dead_) stream_reset_.request_streams(outgoing, incoming);
}

void Association::set_stream_priority(StreamId stream, std::uint16_t priority) {
  sender_->set_stream_priority(stream, priority);
}

void Association::discard_queued(StreamId stream) { sender_->discard_queued(stream); }

std::size_t Association::buffered_amount() const { return sender_->total_buffered_amount(); }

std::size_t Association::buffered_amount(StreamId stream) const {
  return sender_->buffered_amount(stream);
}

void Association::set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes) {
  sender_->set_buffered_amount_low_threshold(stream, bytes);
}

void Association::set_total_buffered_amount_low_threshold(std::size_t bytes) {
  sender_->set_total_buffered_amount_low_threshold(bytes);
}

std::uint32_t Association::outgoing_generation(StreamId stream) const {
  return stream_reset_.outgoing_generation(stream);
}

std::uint32_t Association::incoming_generation(StreamId stream) const {
  return stream_reset_.incoming_generation(stream);
}

bool Association::is_connected() const { return state_ == State::kEstablished; }

// RFC 9260 §6: DATA is received in these states; in any other it is discarded.
bool Association::expects_data() const {
  return state_ == State::kEstablished || state_ == State::kShutdownPending ||
         state_ == State::kShutdownSent;
}

// What DATA and I-DATA have in common; `View` tells them apart.
template <class View>
[[gnu::always_inline]] inline Association::Next Association::take_data(Time now,
                                                                       const ChunkView& chunk,
                                                                       const BufferRef& buffer) {
  if (!expects_data()) {
    drop(DropReason::kUnexpectedState);
    return Next::kContinue;
  }
  if (extensions_.i_data != View::kInterleaved) return reject_flavour();
  const auto data = View::parse(chunk.bytes);
  if (!data) {
    drop(DropReason::kMalformedChunk);
    return Next::kContinue;
  }
  packet_had_data_ = true;
  // RFC 9260 §9.2: in SHUTDOWN-SENT each packet with DATA is answered by SACK and SHUTDOWN.
  if (state_ == State::kShutdownSent) shutdown_due_ = true;
  const DataResult result = receiver_->handle_data(now, *data, buffer);
  if (result == DataResult::kAccepted) return Next::kContinue;
  return conclude_data(result, data->header.stream, data->header.tsn);
}

Association::Next Association::handle_data(Time now, const ChunkView& chunk,
                                           const BufferRef& buffer) {
  return take_data<DataChunkView>(now, chunk, buffer);
}

Association::Next Association::handle_i_data(Time now, const ChunkView& chunk,
                                             const BufferRef& buffer) {
  return take_data<IDataChunkView>(now, chunk, buffer);
}

// RFC 8260 §2.2.3, §2.3.1: DATA and FORWARD-TSN, or I-DATA and I-FORWARD-TSN, as set-up
// has settled; the others end the association.
Association::Next Association::reject_flavour() {
  abort_with(CloseReason::kProtocolViolation, CauseCode::kProtocolViolation);
  return Next::kDiscardPacket;
}

// What follows from a chunk that the receiver did not take.
Association::Next Association::conclude_data(DataResult result, StreamId stream, Tsn tsn) {
  switch (result) {
    case DataResult::kAccepted:
      break;
    case DataResult::kDuplicate:
      drop(DropReason::kDuplicateData);
      break;
    case DataResult::kOutsideWindow:
      drop(DropReason::kDataOutsideWindow);
      break;
    case DataResult::kInvalidStream: {
      // RFC 9260 §6.5: acknowledged, discarded and reported; the association lives.
      drop(DropReason::kInvalidStream);
      std::array<std::uint8_t, 8> memory;
      TlvWriter causes(memory);
      causes.append(InvalidStreamIdentifierCause{stream});
      queue(ErrorChunk{causes.bytes()});
      break;
    }
    case DataResult::kNoUserData: {
      // RFC 9260 §6.2.
      std::array<std::uint8_t, 4> value;
      store_be32(value.data(), tsn.value());
      abort_with(CloseReason::kProtocolViolation, CauseCode::kNoUserData, value);
      return Next::kDiscardPacket;
    }
    case DataResult::kViolation:
      abort_with(CloseReason::kProtocolViolation, CauseCode::kProtocolViolation);
      return Next::kDiscardPacket;
  }
  return Next::kContinue;
}

void Association::handle_sack(Time now, const ChunkView& chunk) {
  if (!may_carry_data() || state_ == State::kCookieEchoed) {
    // In SHUTDOWN-SENT everything is acknowledged already: there a late SACK is no noise.
    if (state_ != State::kShutdownSent) drop(DropReason::kUnexpectedState);
    return;
  }
  const auto sack = SackChunkView::parse(chunk.bytes);
  if (!sack) return drop(DropReason::kMalformedChunk);
  const SackOutcome outcome = sender_->handle_sack(now, *sack);
  if (outcome.status != SackOutcome::Status::kProcessed) return drop(DropReason::kBadSack);
  // RFC 9260 §8.1: new acknowledgement proves that the peer is there.
  if (outcome.newly_acked) clear_errors(now);
  if (outcome.cumulative_advanced) note_advance(now);
  if (sender_->take_black_hole()) leave_black_hole(now);
}

template <class View>
Association::Next Association::take_forward_tsn(const ChunkView& chunk) {
  if (!expects_data()) {
    drop(DropReason::kUnexpectedState);
    return Next::kContinue;
  }
  if (extensions_.i_data != View::kInterleaved) return reject_flavour();
  if (!extensions_.forward_tsn) {
    // RFC 3758 §3.3.1: as one that this end does not know, whose type asks for a report.
    report_unknown(chunk);
    drop(DropReason::kBadForwardTsn);
    return Next::kContinue;
  }
  const auto forward = View::parse(chunk.bytes);
  if (!forward) {
    drop(DropReason::kMalformedChunk);
  } else {
    packet_had_data_ = true;
    if (!receiver_->handle_forward_tsn(*forward)) drop(DropReason::kBadForwardTsn);
  }
  return Next::kContinue;
}

Association::Next Association::handle_forward_tsn(const ChunkView& chunk) {
  return take_forward_tsn<ForwardTsnChunkView>(chunk);
}

Association::Next Association::handle_i_forward_tsn(const ChunkView& chunk) {
  return take_forward_tsn<IForwardTsnChunkView>(chunk);
}

void Association::handle_reconfig(Time now, const ChunkView& chunk) {
  if (!receiver_ || state_ < State::kEstablished || state_ == State::kShutdownAckSent) {
    return drop(DropReason::kUnexpectedState);
  }
  if (!extensions_.reconfig) return drop(DropReason::kBadReconfig);
  const auto reconfig = ReconfigChunk::parse(chunk.bytes);
  if (!reconfig) return drop(DropReason::kMalformedChunk);
  if (!stream_reset_.handle_reconfig(now, *reconfig, *sender_, *receiver_, options_.rto_max)) {
    drop(DropReason::kBadReconfig);
  }
  // RFC 9260 §8.1 counts retransmissions in a row, and RFC 6525 §5.1.1 adds its own to them: who
  // answers is there.
  if (stream_reset_.take_answered()) clear_errors(now);
}

bool Association::poll_reset_event(Event& out) {
  if (!stream_reset_.has_event()) return false;
  reset_event_ = stream_reset_.take_event();
  switch (reset_event_.kind) {
    case StreamReset::EventKind::kDone:
      out.kind = EventKind::kStreamResetDone;
      break;
    case StreamReset::EventKind::kRefused:
      out.kind = EventKind::kStreamResetRefused;
      break;
    case StreamReset::EventKind::kIncoming:
      receiver_->poll_reset();
      out.kind = EventKind::kIncomingStreamReset;
      break;
    case StreamReset::EventKind::kAdded:
      out.kind = EventKind::kStreamsAdded;
      out.incoming_streams = incoming_streams_ = stream_reset_.incoming_streams();
      out.outgoing_streams = outgoing_streams_ = stream_reset_.outgoing_streams();
      break;
    case StreamReset::EventKind::kAdditionRefused:
      out.kind = EventKind::kStreamAdditionRefused;
      break;
  }
  out.streams = reset_event_.streams;
  return true;
}

bool Association::poll_progress(Event& out) {
  out.kind = EventKind::kMessageProgress;
  return sender_->poll_progress(out.progress, out.stream);
}

bool Association::poll_sender_event(Event& out) {
  SendEvent event;
  if (!sender_->poll_event(event)) return false;
  switch (event.kind) {
    case SendEvent::Kind::kWritable:
      out.kind = EventKind::kWritable;
      break;
    case SendEvent::Kind::kStreamWritable:
      out.kind = EventKind::kStreamWritable;
      out.stream = event.stream;
      break;
    case SendEvent::Kind::kBufferedAmountLow:
      out.kind = EventKind::kBufferedAmountLow;
      out.stream = event.stream;
      break;
    case SendEvent::Kind::kTotalBufferedAmountLow:
      out.kind = EventKind::kTotalBufferedAmountLow;
      break;
  }
  return true;
}

}  // namespace millrace::sctp
