// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "sctp/dcep/basic_data_channels.h"

// How channels are opened here (RFC 8832 §6); see basic_data_channels_inl.h.

namespace millrace::sctp {

template <ChannelTransport T>
std::optional<OpenError> BasicDataChannels<T>::refuse_open(const ChannelConfig& config) {
  const auto is_valid = [](std::string_view text) {
    return text.size() <= OpenMessage::kMaxStringBytes && is_utf8(text);
  };
  const ChannelReliability& service = config.reliability;
  if (closed_) return OpenError::kClosed;
  const int limits = service.max_retransmits.has_value() +
                     service.max_packet_life_time_ms.has_value() +
                     config.buffer_priority.has_value();
  if (limits > 1) return OpenError::kBadConfig;
  if (!is_valid(config.label) || !is_valid(config.protocol)) return OpenError::kBadConfig;
  const std::size_t string_bytes = config.label.size() + config.protocol.size();
  if (table_.size() >= limits_.max_channels ||
      table_.string_bytes() + string_bytes > limits_.max_string_bytes) {
    return OpenError::kTooManyChannels;
  }
  if (config.negotiated_id) {
    if (!is_usable(*config.negotiated_id)) return OpenError::kInvalidStream;
    if (table_.find(*config.negotiated_id) != nullptr) return OpenError::kStreamInUse;
  } else if (connected_ && !free_stream()) {
    return OpenError::kInvalidStream;
  }
  return std::nullopt;
}

template <ChannelTransport T>
Result<ChannelHandle, OpenError> BasicDataChannels<T>::open(Time now, const ChannelConfig& config) {
  if (const std::optional<OpenError> error = refuse_open(config)) return Failure(*error);
  Channel& channel = table_.create();
  channel.announced = true;
  channel.reliability = config.reliability;
  channel.priority = config.priority;
  channel.buffer_priority = config.buffer_priority;
  table_.set_strings(channel, config.label, config.protocol);
  if (config.negotiated_id) {
    channel.negotiated = true;
    bind(channel, *config.negotiated_id);
  }
  const ChannelHandle handle = channel.handle;
  if (connected_) start(now, channel);
  return handle;
}

template <ChannelTransport T>
void BasicDataChannels<T>::start(Time now, Channel& channel) {
  if (channel.negotiated) {
    if (!is_usable(channel.stream)) return forget(channel, ChannelError::kNoFreeStream);
    announce_open(channel);
    return;
  }
  const std::optional<StreamId> stream = free_stream();
  if (!stream) return forget(channel, ChannelError::kNoFreeStream);
  bind(channel, *stream);
  send_open(now, channel);
}

template <ChannelTransport T>
std::optional<StreamId> BasicDataChannels<T>::free_stream() const {
  // RFC 8832 §6: the DTLS client takes even ids, the server odd ones.
  return table_.lowest_free(role_ == DtlsRole::kClient ? 0 : 1, usable_streams_);
}

template <ChannelTransport T>
void BasicDataChannels<T>::bind(Channel& channel, StreamId stream) {
  table_.bind(channel, stream);
  channel.incoming_generation = transport_.incoming_generation(stream);
  channel.outgoing_generation = transport_.outgoing_generation(stream);
  transport_.set_buffered_amount_low_threshold(stream, channel.low_threshold);
  // RFC 8831 §6.4 knows no priority of zero; ends that have none send it.
  transport_.set_stream_priority(stream,
                                 channel.priority == 0 ? kNormalPriority : channel.priority);
}

template <ChannelTransport T>
void BasicDataChannels<T>::announce_open(Channel& channel) {
  channel.state = ChannelState::kOpen;
  ++stats_.opened;
  push(ChannelEventKind::kOpened, channel);
}

template <ChannelTransport T>
void BasicDataChannels<T>::send_open(Time now, Channel& channel) {
  const OpenMessage open{channel.reliability, channel.priority, channel.label, channel.protocol};
  if (open.size() > limits_.max_message_bytes) return forget(channel, ChannelError::kOpenRefused);
  scratch_.resize(open.size());
  open.write(scratch_);
  // RFC 8832 §6: DCEP messages are ordered and reliable whatever the channel is.
  switch (transport_.send(now, channel.stream, kPpidDcep, scratch_, SendOptions())) {
    case SendStatus::kOk:
      channel.ack_expected = true;
      announce_open(channel);
      return;
    case SendStatus::kWouldBlock:
      channel.open_unsent = true;
      ++unsent_;
      return;
    case SendStatus::kClosed:
      return;  // The association's kClosed follows and ends the channel.
    case SendStatus::kTooLarge:
    case SendStatus::kEmpty:
    case SendStatus::kInvalidStream:
    case SendStatus::kStreamClosing:
    case SendStatus::kAbandoned:
      return forget(channel, ChannelError::kOpenRefused);
  }
}

template <ChannelTransport T>
void BasicDataChannels<T>::send_ack(Time now, Channel& channel) {
  const SendStatus status =
      transport_.send(now, channel.stream, kPpidDcep, AckMessage::kBytes, SendOptions());
  if (status == SendStatus::kWouldBlock) {
    channel.ack_unsent = true;
    ++unsent_;
  }
}

// Sends what found no room before; whatever finds none again is marked anew.
template <ChannelTransport T>
void BasicDataChannels<T>::resume(Time now) {
  if (unsent_ == 0) return;
  unsent_ = 0;
  table_.for_each([this, now](Channel& channel) {
    if (std::exchange(channel.ack_unsent, false)) send_ack(now, channel);
    if (std::exchange(channel.open_unsent, false)) send_open(now, channel);
  });
}

template <ChannelTransport T>
bool BasicDataChannels<T>::is_usable(StreamId stream) const {
  // RFC 8831 §6.2: a channel needs the stream in both directions; 65535 is none.
  return stream.value() < (connected_ ? usable_streams_ : 0xFFFF);
}

template <ChannelTransport T>
bool BasicDataChannels<T>::is_peers(StreamId stream) const {
  return (stream.value() % 2 == 0) == (role_ == DtlsRole::kServer);
}

}  // namespace millrace::sctp
