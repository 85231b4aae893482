// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "sctp/dcep/basic_data_channels.h"

// How messages are sent and received (RFC 8831 §6.6, RFC 8832 §6); see basic_data_channels_inl.h.

namespace millrace::sctp {

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::send(Time now, ChannelHandle handle, MessageKind kind,
                                             ByteSpan payload) {
  return send_message(now, handle, kind, payload.size(), payload, 0);
}

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::send(Time now, ChannelHandle handle, MessageKind kind,
                                             OwnedBytes&& payload) {
  return send_message(now, handle, kind, payload.bytes().size(), std::move(payload), 0);
}

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::send(Time now, ChannelHandle handle, MessageKind kind,
                                             ByteSpan payload, std::uint64_t id) {
  return send_message(now, handle, kind, payload.size(), payload, id);
}

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::send(Time now, ChannelHandle handle, MessageKind kind,
                                             OwnedBytes&& payload, std::uint64_t id) {
  return send_message(now, handle, kind, payload.bytes().size(), std::move(payload), id);
}

template <ChannelTransport T>
template <class Payload>
[[gnu::always_inline]] inline ChannelSendStatus BasicDataChannels<T>::send_message(
    Time now, ChannelHandle handle, MessageKind kind, std::size_t bytes, Payload&& payload,
    std::uint64_t id) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr || channel->state == ChannelState::kClosing) {
    return ChannelSendStatus::kClosed;
  }
  if (channel->state == ChannelState::kConnecting) return ChannelSendStatus::kWouldBlock;
  if (bytes > limits_.max_message_bytes) return ChannelSendStatus::kTooLarge;

  // RFC 8831 §6.6: SCTP has no empty message; a zero byte stands for it.
  static constexpr std::uint8_t kZero[] = {0};
  const SendOptions options = options_of(*channel, id);
  const bool text = kind == MessageKind::kText;
  const SendStatus status =
      bytes == 0 ? transport_.send(now, channel->stream, text ? kPpidStringEmpty : kPpidBinaryEmpty,
                                   ByteSpan(kZero), options)
                 : transport_.send(now, channel->stream, text ? kPpidString : kPpidBinary,
                                   std::forward<Payload>(payload), options);
  if (status == SendStatus::kOk) {
    ++channel->messages_sent;
    channel->bytes_sent += bytes;
  }
  return status_of(status);
}

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::send_part(Time now, ChannelHandle handle, MessageKind kind,
                                                  ByteSpan part, const MessagePart& which,
                                                  std::uint64_t id) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr || channel->state == ChannelState::kClosing) {
    return ChannelSendStatus::kClosed;
  }
  const bool first = channel->part_bytes == 0;
  if (first && which.last) return send(now, handle, kind, part, id);
  if (channel->state == ChannelState::kConnecting) return ChannelSendStatus::kWouldBlock;
  if (part.size() > limits_.max_message_bytes - channel->part_bytes ||
      (first && which.total_bytes > limits_.max_message_bytes)) {
    return ChannelSendStatus::kTooLarge;
  }
  const SendStatus status = transport_.send_part(
      now, channel->stream, kind == MessageKind::kText ? kPpidString : kPpidBinary, part, which,
      options_of(*channel, id));
  if (status == SendStatus::kAbandoned) channel->part_bytes = 0;
  if (status == SendStatus::kOk) {
    channel->bytes_sent += part.size();
    channel->part_bytes = which.last ? 0 : channel->part_bytes + part.size();
    if (which.last) ++channel->messages_sent;
  }
  return status_of(status);
}

template <ChannelTransport T>
bool BasicDataChannels<T>::abort_message(Time now, ChannelHandle handle) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr || !channel->has_stream) return true;
  if (!transport_.abort_message(now, channel->stream)) return false;
  channel->part_bytes = 0;
  return true;
}

template <ChannelTransport T>
bool BasicDataChannels<T>::set_buffer_priority(ChannelHandle handle,
                                               std::optional<std::uint32_t> priority) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr) return false;
  const ChannelReliability& service = channel->reliability;
  if (priority && (service.max_retransmits || service.max_packet_life_time_ms)) return false;
  channel->buffer_priority = priority;
  return true;
}

template <ChannelTransport T>
SendOptions BasicDataChannels<T>::options_of(const Channel& channel, std::uint64_t id) {
  const ChannelReliability& service = channel.reliability;
  SendOptions options;
  // RFC 8832 §6: ordered until the peer has shown that it knows the channel, as OPEN
  // could be overtaken otherwise.
  options.unordered = !service.ordered && (channel.acknowledged || channel.negotiated);
  options.max_retransmits = service.max_retransmits;
  options.priority = channel.buffer_priority;
  if (id != 0) [[unlikely]]
    options.tag = {.id = id, .owner = channel.handle.word()};
  if (service.max_packet_life_time_ms) {
    options.max_lifetime = milliseconds(*service.max_packet_life_time_ms);
  }
  return options;
}

template <ChannelTransport T>
ChannelSendStatus BasicDataChannels<T>::status_of(SendStatus status) {
  switch (status) {
    case SendStatus::kOk:
      return ChannelSendStatus::kOk;
    case SendStatus::kWouldBlock:
      return ChannelSendStatus::kWouldBlock;
    case SendStatus::kTooLarge:
      return ChannelSendStatus::kTooLarge;
    case SendStatus::kAbandoned:
      return ChannelSendStatus::kAbandoned;
    case SendStatus::kEmpty:
    case SendStatus::kInvalidStream:
    case SendStatus::kStreamClosing:
    case SendStatus::kClosed:
      break;
  }
  return ChannelSendStatus::kClosed;
}

template <ChannelTransport T>
std::size_t BasicDataChannels<T>::buffered_amount(ChannelHandle handle) const {
  const Channel* const channel = table_.find(handle);
  return channel != nullptr && channel->has_stream ? transport_.buffered_amount(channel->stream)
                                                   : 0;
}

template <ChannelTransport T>
bool BasicDataChannels<T>::is_full(ChannelHandle handle) const {
  const Channel* const channel = table_.find(handle);
  return channel != nullptr && channel->has_stream && transport_.stream_is_full(channel->stream);
}

template <ChannelTransport T>
void BasicDataChannels<T>::set_buffered_amount_low_threshold(ChannelHandle handle,
                                                             std::size_t bytes) {
  Channel* const channel = table_.find(handle);
  if (channel == nullptr) return;
  channel->low_threshold = bytes;
  if (channel->has_stream) transport_.set_buffered_amount_low_threshold(channel->stream, bytes);
}

template <ChannelTransport T>
bool BasicDataChannels<T>::is_current(const Channel* channel, std::uint32_t incoming_generation) {
  return channel != nullptr && channel->incoming_generation == incoming_generation;
}

template <ChannelTransport T>
bool BasicDataChannels<T>::handle_message(Time now, const Event& event, ChannelEvent& out) {
  const MessageView& message = event.message;
  if (message.ppid == kPpidDcep) {
    handle_dcep(now, event);
    return false;
  }
  Channel* const channel = table_.find(message.stream);
  if (is_current(channel, event.generation)) {
    if (channel->state == ChannelState::kOpen ||
        (channel->state == ChannelState::kConnecting && channel->opened_by_peer)) {
      return deliver(now, *channel, message, out);
    }
    drop(channel->state == ChannelState::kClosing ? ChannelDrop::kLate
                                                  : ChannelDrop::kUnusedStream);
    return false;
  }
  drop(ChannelDrop::kUnusedStream);
  // RFC 8832 §6: data on an unused stream is an error and closes it. An unordered message
  // proves nothing, for it may have overtaken its OPEN.
  if (channel == nullptr && !message.unordered) reject(now, message.stream, event.generation);
  return false;
}

template <ChannelTransport T>
bool BasicDataChannels<T>::deliver(Time now, Channel& channel, const MessageView& message,
                                   ChannelEvent& out) {
  const Ppid ppid = message.ppid;
  const bool text = ppid == kPpidString || ppid == kPpidStringEmpty || ppid == kPpidStringPartial;
  const bool partial = ppid == kPpidStringPartial || ppid == kPpidBinaryPartial;
  const bool empty = ppid == kPpidStringEmpty || ppid == kPpidBinaryEmpty;
  if (!text && !partial && !empty && ppid != kPpidBinary) {
    // RFC 8831 §6.6: an unsupported PPID closes the channel.
    drop(ChannelDrop::kUnsupportedPpid);
    begin_close(now, channel, ChannelError::kUnsupportedPpid);
    return false;
  }
  out.kind = ChannelEventKind::kMessage;
  out.error = ChannelError::kNone;
  out.channel = channel.handle;
  out.message_kind = text ? MessageKind::kText : MessageKind::kBinary;
  out.message = message;
  if (empty) {
    out.message.size = 0;
    out.message.pieces = {};
  }
  out.message.offset += channel.partial_offset;
  out.message.last = message.last && !partial;
  if (out.message.last || message.aborted) {
    channel.partial_offset = 0;
  } else if (message.last) {
    channel.partial_offset = out.message.offset + out.message.size;
  }
  channel.acknowledged = true;
  channel.bytes_received += out.message.size;
  if (out.message.last) ++channel.messages_received;
  return true;
}

template <ChannelTransport T>
ByteSpan BasicDataChannels<T>::gather(const MessageView& message) {
  if (message.offset != 0 || !message.last || message.size > OpenMessage::kMaxBytes) return {};
  if (message.pieces.size() == 1) return message.pieces[0];
  scratch_.clear();
  for (const ByteSpan piece : message.pieces) {
    scratch_.insert(scratch_.end(), piece.begin(), piece.end());
  }
  return scratch_;
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_dcep(Time now, const Event& event) {
  const StreamId stream = event.message.stream;
  const ByteSpan message = gather(event.message);
  if (AckMessage::parse(message)) {
    Channel* const channel = table_.find(stream);
    return handle_ack(is_current(channel, event.generation) ? channel : nullptr);
  }
  if (const std::optional<OpenMessage> open = OpenMessage::parse(message)) {
    return handle_open(now, stream, event.generation, *open);
  }
  handle_garbage(now, stream, event.generation);
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_ack(Channel* channel) {
  if (channel == nullptr || !channel->ack_expected) return drop(ChannelDrop::kUnexpectedAck);
  channel->ack_expected = false;
  channel->acknowledged = true;
  if (channel->state == ChannelState::kOpen) push(ChannelEventKind::kAcknowledged, *channel);
}

// RFC 8832 §6: what is not well formed closes the channel, or the stream if it has none.
template <ChannelTransport T>
void BasicDataChannels<T>::handle_garbage(Time now, StreamId stream, std::uint32_t generation) {
  drop(ChannelDrop::kMalformedDcep);
  Channel* const channel = table_.find(stream);
  if (channel == nullptr) return reject(now, stream, generation);
  if (!is_current(channel, generation) || channel->state == ChannelState::kClosing) return;
  begin_close(now, *channel, ChannelError::kMalformedDcep);
}

template <ChannelTransport T>
void BasicDataChannels<T>::handle_open(Time now, StreamId stream, std::uint32_t generation,
                                       const OpenMessage& open) {
  bool former_reset_unanswered = false;
  if (Channel* const old = table_.find(stream)) {
    const bool next_life = old->incoming_reset && old->incoming_generation < generation;
    if (!next_life || !is_peers(stream)) {
      // RFC 8832 §6: OPEN on a used stream closes the channel that uses it.
      drop(ChannelDrop::kDuplicateOpen);
      if (old->state != ChannelState::kClosing) {
        begin_close(now, *old, ChannelError::kDuplicateOpen);
      }
      return;
    }
    // The peer uses the id again, so it has performed our reset: only its answer is late.
    former_reset_unanswered = !old->unusable;
    forget(*old, old->error);
  }
  if (!is_usable(stream)) return drop(ChannelDrop::kUnusedStream);
  const std::size_t string_bytes = open.label.size() + open.protocol.size();
  const bool too_many = table_.size() >= limits_.max_channels ||
                        table_.string_bytes() + string_bytes > limits_.max_string_bytes;
  if (!is_peers(stream) || too_many) {
    drop(too_many ? ChannelDrop::kTooManyChannels : ChannelDrop::kWrongParity);
    return reject(now, stream, generation);
  }
  Channel& channel = table_.create();
  table_.set_strings(channel, open.label, open.protocol);  // `open` is lent: copied first.
  channel.opened_by_peer = true;
  channel.acknowledged = true;
  channel.announced = true;
  channel.reliability = open.reliability;
  channel.priority = open.priority;
  bind(channel, stream);
  channel.incoming_generation = generation;
  ++stats_.opened;
  push(ChannelEventKind::kOpenedByPeer, channel);
  if (former_reset_unanswered) {
    ++channel.outgoing_generation;
    return;
  }
  channel.state = ChannelState::kOpen;
  send_ack(now, channel);
}

}  // namespace millrace::sctp
