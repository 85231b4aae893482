// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "sctp/dcep/basic_data_channels.h"
#include "sctp/dcep/channel_closing_inl.h"
#include "sctp/dcep/channel_messages_inl.h"
#include "sctp/dcep/channel_opening_inl.h"

// The definitions of BasicDataChannels, for the one place that instantiates it over the
// association and for tests.

namespace millrace::sctp {

template <ChannelTransport T>
bool BasicDataChannels<T>::poll_event(Time now, ChannelEvent& out) {
  for (;;) {
    if (take_pending(out)) return true;
    if (!transport_.poll_event(event_)) return false;
    if (handle_event(now, out)) return true;
  }
}

// Returns true if `out` holds an event at once; others are pending.
template <ChannelTransport T>
bool BasicDataChannels<T>::handle_event(Time now, ChannelEvent& out) {
  const Event& event = event_;
  switch (event.kind) {
    case EventKind::kMessage:
      return handle_message(now, event, out);
    case EventKind::kBufferedAmountLow:
      return tell_channel(ChannelEventKind::kBufferedAmountLow, out);
    case EventKind::kMessageProgress:
      return tell_progress(out);
    case EventKind::kStreamWritable:
      resume(now);
      return tell_channel(ChannelEventKind::kWritable, out);
    case EventKind::kStreamResetDone:
      handle_reset_done(now, event);
      return false;
    case EventKind::kStreamResetRefused:
      handle_reset_refused(now, event);
      return false;
    case EventKind::kStreamsAdded:
      usable_streams_ = std::min(event_.incoming_streams, event_.outgoing_streams);
      return false;
    case EventKind::kIncomingStreamReset:
      handle_incoming_reset(now, event);
      return false;
    case EventKind::kConnected:
      push(ChannelEventKind::kAssociation);
      connect(now);
      return false;
    case EventKind::kRestarted:
      close_all(ChannelError::kPeerRestarted);
      push(ChannelEventKind::kAssociation);
      connect(now);
      return false;
    case EventKind::kWritable:
      resume(now);
      break;
    case EventKind::kPeerShutdown:
      closed_ = true;
      break;
    case EventKind::kClosed:
      closed_ = true;
      close_all(ChannelError::kAssociationClosed);
      break;
    case EventKind::kPeerError:
    case EventKind::kTotalBufferedAmountLow:
    case EventKind::kStreamAdditionRefused:
      break;
  }
  push(ChannelEventKind::kAssociation);
  return false;
}

template <ChannelTransport T>
void BasicDataChannels<T>::connect(Time now) {
  connected_ = true;
  usable_streams_ = std::min(event_.incoming_streams, event_.outgoing_streams);
  table_.for_each([this, now](Channel& channel) { start(now, channel); });
}

// The event is that of a stream: its channel's.
template <ChannelTransport T>
bool BasicDataChannels<T>::tell_channel(ChannelEventKind kind, ChannelEvent& out) {
  const Channel* const channel = table_.find(event_.stream);
  if (channel == nullptr || channel->state != ChannelState::kOpen) return false;
  out.kind = kind;
  out.error = ChannelError::kNone;
  out.channel = channel->handle;
  return true;
}

// The message knows its channel, which may have ended and have another in its place.
template <ChannelTransport T>
bool BasicDataChannels<T>::tell_progress(ChannelEvent& out) {
  out.kind = ChannelEventKind::kMessageProgress;
  out.error = ChannelError::kNone;
  out.channel = ChannelHandle::from_word(event_.progress.tag.owner);
  out.association = &event_;
  return true;
}

template <ChannelTransport T>
void BasicDataChannels<T>::push(ChannelEventKind kind, const Channel& channel, ChannelError error) {
  pending_.push_back({kind, error, channel.handle});
}

template <ChannelTransport T>
void BasicDataChannels<T>::push(ChannelEventKind kind) {
  pending_.push_back({kind, ChannelError::kNone, ChannelHandle()});
}

template <ChannelTransport T>
bool BasicDataChannels<T>::take_pending(ChannelEvent& out) {
  if (next_pending_ == pending_.size()) {
    pending_.clear();
    next_pending_ = 0;
    return false;
  }
  const Pending& pending = pending_[next_pending_++];
  out.kind = pending.kind;
  out.error = pending.error;
  out.channel = pending.channel;
  if (pending.kind == ChannelEventKind::kAssociation) out.association = &event_;
  return true;
}

}  // namespace millrace::sctp
