// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <utility>

#include "sctp/dcep/basic_data_channels.h"

// How channels are closed (RFC 8831 §6.7); see basic_data_channels_inl.h.

namespace millrace::sctp {

template <ChannelTransport T>
void BasicDataChannels<T>::close(Time now, ChannelHandle handle) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr || channel->state == ChannelState::kClosing) return;
  if (channel->state == ChannelState::kConnecting && !channel->opened_by_peer) {
    return forget(*channel, ChannelError::kNone);  // The peer never heard of it.
  }
  channel->state = ChannelState::kClosing;
  transport_.abort_message(now, channel->stream);
  transport_.reset_streams(now, std::span(&channel->stream, 1));
}

// Closes for a reason of the peer's making, which the owner is told.
template <ChannelTransport T>
void BasicDataChannels<T>::begin_close(Time now, Channel& channel, ChannelError error) {
  DCHECK(channel.has_stream && channel.state != ChannelState::kClosing);
  channel.state = ChannelState::kClosing;
  channel.error = error;
  push(ChannelEventKind::kClosing, channel, error);
  transport_.abort_message(now, channel.stream);
  transport_.reset_streams(now, std::span(&channel.stream, 1));
}

// Resets a stream that the peer uses against the rules. Until both directions are reset a
// place in the table keeps the id from being used here.
template <ChannelTransport T>
void BasicDataChannels<T>::reject(Time now, StreamId stream, std::uint32_t incoming_generation) {
  if (!is_usable(stream)) return;
  if (table_.size() < limits_.max_channels) {
    Channel& channel = table_.create();
    bind(channel, stream);
    channel.incoming_generation = incoming_generation;
    channel.state = ChannelState::kClosing;
  }
  transport_.reset_streams(now, std::span(&stream, 1));
}

template <ChannelTransport T>
void BasicDataChannels<T>::finish_if_reset(Channel& channel) {
  // RFC 8831 §6.7: the id is free when both directions have been reset.
  if (channel.incoming_reset && channel.outgoing_reset) forget(channel, channel.error);
}

template <ChannelTransport T>
void BasicDataChannels<T>::forget(Channel& channel, ChannelError error) {
  if (channel.announced) {
    if (channel.state != ChannelState::kConnecting || channel.opened_by_peer) ++stats_.closed;
    push(ChannelEventKind::kClosed, channel, error);
  }
  table_.erase(channel);
}

// The event's streams are lent until the next call on the association.
template <ChannelTransport T>
void BasicDataChannels<T>::collect_streams(const Event& event) {
  streams_.assign(event.streams.begin(), event.streams.end());
  if (!event.streams.empty()) return;
  table_.for_each([this](const Channel& channel) {
    if (channel.has_stream) streams_.push_back(channel.stream);
  });
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_incoming_reset(Time now, const Event& event) {
  collect_streams(event);
  for (const StreamId stream : streams_) {
    Channel* const channel = table_.find(stream);
    if (channel == nullptr) continue;
    const std::uint32_t generation = transport_.incoming_generation(stream);
    if (generation <= channel->incoming_generation) continue;  // Of an earlier life.
    if (channel->state == ChannelState::kConnecting && !channel->opened_by_peer) {
      channel->incoming_generation = generation;
      continue;
    }
    channel->incoming_reset = true;
    if (channel->state != ChannelState::kClosing) {
      begin_close(now, *channel, ChannelError::kNone);
    }
    finish_if_reset(*channel);
  }
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_reset_done(Time now, const Event& event) {
  collect_streams(event);
  for (const StreamId stream : streams_) {
    Channel* const channel = table_.find(stream);
    if (channel == nullptr) continue;
    const std::uint32_t generation = transport_.outgoing_generation(stream);
    if (generation <= channel->outgoing_generation) {
      finish_former_reset(now, *channel);
    } else if (channel->state == ChannelState::kClosing) {
      channel->outgoing_reset = true;
      finish_if_reset(*channel);
    }
  }
}

// The answer has come to a reset that belonged to the stream's former life, for which a
// channel that the peer opened early had to wait.
template <ChannelTransport T>
void BasicDataChannels<T>::finish_former_reset(Time now, Channel& channel) {
  if (channel.state == ChannelState::kClosing) {
    // While the former reset was under way the association had no use for another.
    transport_.reset_streams(now, std::span(&channel.stream, 1));
  } else if (channel.state == ChannelState::kConnecting && channel.opened_by_peer) {
    channel.state = ChannelState::kOpen;
    push(ChannelEventKind::kOpened, channel);
    send_ack(now, channel);
  }
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_reset_refused(Time now, const Event& event) {
  collect_streams(event);
  for (const StreamId stream : streams_) {
    Channel* const channel = table_.find(stream);
    if (channel == nullptr) continue;
    const std::uint32_t generation = transport_.outgoing_generation(stream);
    if (generation < channel->outgoing_generation || channel->state != ChannelState::kClosing) {
      channel->outgoing_generation = generation;
      finish_former_reset(now, *channel);
      continue;
    }
    // The stream is not reset and never will be: the owner is done with the channel, but
    // its id must not be used again.
    channel->unusable = true;
    table_.set_strings(*channel, {}, {});
    if (!std::exchange(channel->announced, false)) continue;
    ++stats_.closed;
    push(ChannelEventKind::kClosed, *channel, ChannelError::kResetRefused);
  }
}

template <ChannelTransport T>
void BasicDataChannels<T>::close_all(ChannelError error) {
  table_.for_each([this, error](Channel& channel) {
    forget(channel, channel.error == ChannelError::kNone ? error : channel.error);
  });
}

}  // namespace millrace::sctp
