// SPDX-License-Identifier: Apache-2.0
//
// From the events of SCTP and DCEP to the application's handler, and the end of a session.
#include <utility>
#include <vector>

#include "engine/shard/shard_core.h"

namespace millrace::engine {
namespace {

CloseReason reason_of(sctp::CloseReason reason, bool open) {
  switch (reason) {
    case sctp::CloseReason::kNone:
    case sctp::CloseReason::kShutdown:
    case sctp::CloseReason::kAborted:
    case sctp::CloseReason::kShutdownTimeout:
      return CloseReason::kLocal;
    case sctp::CloseReason::kPeerShutdown:
    case sctp::CloseReason::kPeerAborted:
      return open ? CloseReason::kPeer : CloseReason::kHandshakeFailed;
    case sctp::CloseReason::kSetupTimeout:
      return CloseReason::kHandshakeTimeout;
    case sctp::CloseReason::kSetupRefused:
      return CloseReason::kHandshakeFailed;
    case sctp::CloseReason::kTooManyRetransmits:
      return CloseReason::kPeerTimeout;
    case sctp::CloseReason::kProtocolViolation:
      break;
  }
  return CloseReason::kProtocolViolation;
}

MessageProgress::Stage stage_of(sctp::MessageStage stage) {
  using Stage = MessageProgress::Stage;
  switch (stage) {
    case sctp::MessageStage::kSent:
      return Stage::kSent;
    case sctp::MessageStage::kDelivered:
      return Stage::kDelivered;
    case sctp::MessageStage::kAbandoned:
      return Stage::kAbandoned;
    case sctp::MessageStage::kEnded:
      break;
  }
  return Stage::kEnded;
}

MessageProgress::Extent extent_of(sctp::MessageExtent extent) {
  using Extent = MessageProgress::Extent;
  switch (extent) {
    case sctp::MessageExtent::kNone:
      return Extent::kNone;
    case sctp::MessageExtent::kPart:
      return Extent::kPart;
    case sctp::MessageExtent::kWhole:
      break;
  }
  return Extent::kWhole;
}

}  // namespace

Channel ShardCore::channel_of(const Session& session, sctp::ChannelHandle handle) {
  // What is ready made is copied by whole registers, which what was just written member by
  // member is not: the copy would wait for all stores before it.
  const std::vector<Sctp::Note>& notes = session.sctp->notes;
  if (handle.slot < notes.size() && notes[handle.slot].generation == handle.generation &&
      notes[handle.slot].channel) {
    return *notes[handle.slot].channel;
  }
  Channel channel;
  channel.shard_ = this;
  channel.session_ = session.id;
  channel.session_slot_ = session.slot;
  channel.slot_ = handle.slot;
  channel.generation_ = handle.generation;
  return channel;
}

void ShardCore::drain_events(Time now, Session& session) {
  // A handler may end the session from within an event; the outer loop goes on then.
  if (session.draining || !session.sctp) return;
  sctp::DataChannels& channels = session.sctp->channels;
  if (channels.may_have_event()) {
    session.draining = true;
    sctp::ChannelEvent event;
    while (channels.poll_event(now, event)) handle_event(session, event);
    session.draining = false;
  }
  if (session.over && session.phase != Session::Phase::kClosed) conclude(session);
}

void ShardCore::handle_event(Session& session, const sctp::ChannelEvent& event) {
  using Kind = sctp::ChannelEventKind;
  switch (event.kind) {
    case Kind::kMessage:
      deliver_message(session, event);
      break;
    case Kind::kAssociation:
      handle_association_event(session, *event.association);
      break;
    case Kind::kOpened:
    case Kind::kOpenedByPeer: {
      const Channel channel = channel_of(session, event.channel);
      Sctp::Note* const note = note_of(channel);
      if (note != nullptr && std::exchange(note->open, true)) {
        // The peer opened it before the stream's former life had ended on our side: only
        // now may it be sent on.
        std::erase(session.sctp->blocked, event.channel);
        handler_->on_writable(channel);
        break;
      }
      ++counters_.channels;
      handler_->on_channel_open(channel);
      break;
    }
    case Kind::kWritable:
      std::erase(session.sctp->blocked, event.channel);
      handler_->on_writable(channel_of(session, event.channel));
      break;
    case Kind::kMessageProgress:
      tell_progress(session, event);
      break;
    case Kind::kBufferedAmountLow:
      handler_->on_buffered_amount_low(channel_of(session, event.channel));
      break;
    case Kind::kClosed: {
      const Channel channel = channel_of(session, event.channel);
      handler_->on_channel_close(channel);
      std::erase(session.sctp->blocked, event.channel);
      Sctp::Note* const note = note_of(channel);
      if (note != nullptr && note->open) --counters_.channels;
      // The generation stays: a stale handle finds this and not the next channel's note.
      if (note != nullptr)
        *note = Sctp::Note{.generation = event.channel.generation, .channel = std::nullopt};
      break;
    }
    case Kind::kAcknowledged:
    case Kind::kClosing:
      break;
  }
}

void ShardCore::deliver_message(Session& session, const sctp::ChannelEvent& event) {
  MessageView message;
  message.kind =
      event.message_kind == sctp::MessageKind::kText ? MessageKind::kString : MessageKind::kBinary;
  message.offset = event.message.offset;
  message.last = event.message.last;
  message.aborted = event.message.aborted;
  message.pieces = event.message.pieces;
  if (message.offset == 0) ++counters_.messages_received;
  last_message_ = now_;
  handler_->on_message(channel_of(session, event.channel), message);
}

void ShardCore::tell_progress(Session& session, const sctp::ChannelEvent& event) {
  const sctp::MessageProgress& progress = event.association->progress;
  handler_->on_message_progress(
      channel_of(session, event.channel),
      {.id = progress.tag.id, .stage = stage_of(progress.stage), .sent = extent_of(progress.sent)});
}

void ShardCore::handle_association_event(Session& session, const sctp::Event& event) {
  switch (event.kind) {
    case sctp::EventKind::kConnected:
      if (session.phase != Session::Phase::kAssociating) break;
      session.phase = Session::Phase::kOpen;
      session.deadline = kNever;
      ++counters_.sessions_opened;
      handler_->on_session_open(session.id);
      break;
    case sctp::EventKind::kWritable:
      tell_writable(session);
      break;
    case sctp::EventKind::kClosed:
      if (session.over) break;
      session.over = true;
      // However the peer answers our SHUTDOWN: it was closed here.
      session.close_reason =
          session.phase == Session::Phase::kClosing
              ? CloseReason::kLocal
              : reason_of(event.close_reason, session.phase == Session::Phase::kOpen);
      break;
    default:
      break;
  }
}

void ShardCore::tell_writable(Session& session) {
  // A handler that fills the buffer again is entered in the list anew. Two lists take
  // turns, so that neither allocates once it has found its size.
  Sctp& sctp = *session.sctp;
  sctp.unblocked.swap(sctp.blocked);
  for (const sctp::ChannelHandle handle : sctp.unblocked) {
    if (sctp.channels.find(handle) == nullptr) continue;
    if (sctp.channels.is_full(handle)) {
      sctp.blocked.push_back(handle);
      continue;
    }
    handler_->on_writable(channel_of(session, handle));
  }
  sctp.unblocked.clear();
}

// Ends a session whatever its state; the handler hears of its channels first.
void ShardCore::finish(Session& session, CloseReason reason) {
  if (session.over) return;
  session.over = true;
  session.close_reason = session.phase == Session::Phase::kClosing ? CloseReason::kLocal : reason;
  // RFC 7675 §5.1: without consent nothing more is sent, not even a farewell.
  session.silent = reason == CloseReason::kConsentLost;
  touch(session);
  if (!session.sctp) return conclude(session);
  session.sctp->association.abort(now_, to_string(reason));
  drain_events(now_, session);
}

void ShardCore::conclude(Session& session) {
  const bool was_open =
      session.phase == Session::Phase::kOpen || session.phase == Session::Phase::kClosing;
  session.phase = Session::Phase::kClosed;
  // One that waits for a worker would keep the session in the shard's list.
  session.flight.reset();
  session.alert_due = !session.silent && session.dtls && session.dtls->established();
  if (was_open) ++counters_.sessions_closed;
  touch(session);
  handler_->on_session_close(session.id, session.close_reason);
}

}  // namespace millrace::engine
