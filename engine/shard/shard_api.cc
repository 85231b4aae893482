// SPDX-License-Identifier: Apache-2.0
//
// Behind the public handles: Channel and ShardContext.
#include <utility>

#include "engine/shard/shard_core.h"

namespace millrace {
namespace engine {
namespace {

Error open_error(sctp::OpenError error, const ChannelOptions& options) {
  switch (error) {
    case sctp::OpenError::kBadConfig:
      return Error{"channel '" + options.label +
                   "': more than one limit is set, or a string is too long or not UTF-8"};
    case sctp::OpenError::kInvalidStream:
      return Error{"channel '" + options.label + "': id " + std::to_string(options.id.value_or(0)) +
                   " is not a stream of the session"};
    case sctp::OpenError::kStreamInUse:
      return Error{"channel '" + options.label + "': id " + std::to_string(options.id.value_or(0)) +
                   " is in use"};
    case sctp::OpenError::kTooManyChannels:
      return Error{"channel '" + options.label + "': the session has its full number of channels"};
    case sctp::OpenError::kClosed:
      break;
  }
  return Error{"channel '" + options.label + "': the session is closing"};
}

sctp::ChannelReliability reliability_of(const ChannelOptions& options) {
  sctp::ChannelReliability reliability;
  reliability.ordered = options.ordered;
  if (options.max_retransmits) reliability.max_retransmits = *options.max_retransmits;
  if (options.max_packet_life_time) {
    reliability.max_packet_life_time_ms =
        static_cast<std::uint32_t>(options.max_packet_life_time->count());
  }
  return reliability;
}

sctp::MessageKind kind_of(MessageKind kind) {
  return kind == MessageKind::kString ? sctp::MessageKind::kText : sctp::MessageKind::kBinary;
}

}  // namespace

Session* ShardCore::session_of(const Channel& channel) const {
  if (channel.session_slot_ >= slots_.size()) return nullptr;
  Session* const session = slots_[channel.session_slot_].get();
  if (session == nullptr || session->id != channel.session_ || !session->sctp) return nullptr;
  return session;
}

const sctp::DataChannel* ShardCore::describe(const Channel& channel) const {
  const Session* const session = session_of(channel);
  return session == nullptr ? nullptr
                            : session->sctp->channels.find({channel.slot_, channel.generation_});
}

Result<Channel, Error> ShardCore::open_channel(SessionId id, const ChannelOptions& options) {
  Session* const session = find(id);
  if (session == nullptr || !session->sctp || session->over) {
    return Failure(Error{"channel '" + options.label + "': no such session"});
  }
  if (options.negotiated && !options.id) {
    return Failure(Error{"channel '" + options.label + "': negotiated needs an id"});
  }
  // RFC 8832 §5.1: the wire has 32 bits for it.
  if (const auto& limit = options.max_packet_life_time;
      limit && (limit->count() < 0 || limit->count() > UINT32_MAX)) {
    return Failure(Error{"channel '" + options.label + "': max_packet_life_time " +
                         std::to_string(limit->count()) + " ms is not in 0 to 2^32 - 1"});
  }
  sctp::ChannelConfig config;
  config.label = options.label;
  config.protocol = options.protocol;
  config.reliability = reliability_of(options);
  config.priority = options.priority;
  config.buffer_priority = options.buffer_priority;
  if (options.negotiated) config.negotiated_id = sctp::StreamId(*options.id);
  const auto opened = session->sctp->channels.open(now_, config);
  touch(*session);
  if (!opened.ok()) return Failure(open_error(opened.error(), options));
  return channel_of(*session, opened.value());
}

template <class... Id>
SendStatus ShardCore::send(const Channel& channel,
                           std::span<const std::span<const std::uint8_t>> pieces, MessageKind kind,
                           Id... id) {
  ByteSpan bytes = pieces.empty() ? ByteSpan{} : pieces.front();
  if (pieces.size() > 1) {
    gathered_.clear();
    for (const auto& piece : pieces) gathered_.insert(gathered_.end(), piece.begin(), piece.end());
    copy_counters().send += gathered_.size();
    bytes = gathered_;
  }
  return send_payload(channel, kind, bytes, id...);
}

template <class... Id>
SendStatus ShardCore::send(const Channel& channel, OwnedBytes&& bytes, MessageKind kind, Id... id) {
  return send_payload(channel, kind, std::move(bytes), id...);
}

template <class Payload, class... Id>
SendStatus ShardCore::send_payload(const Channel& channel, MessageKind kind, Payload&& payload,
                                   Id... id) {
  Session* const session = session_of(channel);
  if (session == nullptr) return SendStatus::kClosed;
  const sctp::ChannelHandle handle{channel.slot_, channel.generation_};
  const auto status = session->sctp->channels.send(now_, handle, kind_of(kind),
                                                   std::forward<Payload>(payload), id...);
  if (status == sctp::ChannelSendStatus::kOk) ++counters_.messages_sent;
  return conclude_send(*session, handle, status);
}

SendStatus ShardCore::send_part(const Channel& channel, ByteSpan part, const MessagePart& which,
                                MessageOptions options) {
  Session* const session = session_of(channel);
  if (session == nullptr) return SendStatus::kClosed;
  const sctp::ChannelHandle handle{channel.slot_, channel.generation_};
  const auto status = session->sctp->channels.send_part(
      now_, handle, kind_of(options.kind), part,
      {.last = which.last, .total_bytes = which.total_bytes}, options.id);
  if (status == sctp::ChannelSendStatus::kOk && which.last) ++counters_.messages_sent;
  return conclude_send(*session, handle, status);
}

bool ShardCore::abort_message(const Channel& channel) {
  Session* const session = session_of(channel);
  if (session == nullptr) return true;
  touch(*session);
  return session->sctp->channels.abort_message(now_, {channel.slot_, channel.generation_});
}

SendStatus ShardCore::conclude_send(Session& session, sctp::ChannelHandle handle,
                                    sctp::ChannelSendStatus status) {
  touch(session);
  switch (status) {
    case sctp::ChannelSendStatus::kOk:
      last_message_ = now_;
      return SendStatus::kOk;
    case sctp::ChannelSendStatus::kWouldBlock: {
      auto& blocked = session.sctp->blocked;
      for (const sctp::ChannelHandle other : blocked) {
        if (other == handle) return SendStatus::kWouldBlock;
      }
      blocked.push_back(handle);
      return SendStatus::kWouldBlock;
    }
    case sctp::ChannelSendStatus::kTooLarge:
      return SendStatus::kTooLarge;
    case sctp::ChannelSendStatus::kAbandoned:
      return SendStatus::kAbandoned;
    case sctp::ChannelSendStatus::kClosed:
      break;
  }
  return SendStatus::kClosed;
}

void ShardCore::close_channel(const Channel& channel) {
  Session* const session = session_of(channel);
  if (session == nullptr) return;
  session->sctp->channels.close(now_, {channel.slot_, channel.generation_});
  touch(*session);
}

std::size_t ShardCore::buffered_amount(const Channel& channel) const {
  const Session* const session = session_of(channel);
  if (session == nullptr) return 0;
  return session->sctp->channels.buffered_amount({channel.slot_, channel.generation_});
}

void ShardCore::set_low_threshold(const Channel& channel, std::size_t bytes) {
  Session* const session = session_of(channel);
  if (session == nullptr) return;
  session->sctp->channels.set_buffered_amount_low_threshold({channel.slot_, channel.generation_},
                                                            bytes);
}

bool ShardCore::set_buffer_priority(const Channel& channel, std::optional<std::uint32_t> priority) {
  Session* const session = session_of(channel);
  if (session == nullptr) return false;
  return session->sctp->channels.set_buffer_priority({channel.slot_, channel.generation_},
                                                     priority);
}

std::size_t ShardCore::max_message_bytes(const Channel& channel) const {
  const Session* const session = session_of(channel);
  return session == nullptr ? 0 : session->terms.max_message_bytes;
}

Sctp::Note* ShardCore::note_of(const Channel& channel) const {
  Session* const session = session_of(channel);
  if (session == nullptr) return nullptr;
  std::vector<Sctp::Note>& notes = session->sctp->notes;
  if (channel.slot_ < notes.size() && notes[channel.slot_].generation == channel.generation_) {
    return &notes[channel.slot_];
  }
  // The slot had another channel, or none: a living one begins its note.
  if (describe(channel) == nullptr) return nullptr;
  if (channel.slot_ >= notes.size()) notes.resize(channel.slot_ + 1);
  notes[channel.slot_] = Sctp::Note{.generation = channel.generation_, .channel = channel};
  return &notes[channel.slot_];
}

}  // namespace engine

SendStatus Channel::send(std::span<const std::uint8_t> bytes, MessageKind kind) {
  return send(std::span(&bytes, 1), kind);
}

SendStatus Channel::send(std::span<const std::uint8_t> bytes, MessageOptions options) {
  return send(std::span(&bytes, 1), options);
}

SendStatus Channel::send(std::string_view text) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return send(bytes, MessageKind::kString);
}

SendStatus Channel::send(std::span<const std::span<const std::uint8_t>> pieces, MessageKind kind) {
  return shard_ == nullptr ? SendStatus::kClosed : shard_->send(*this, pieces, kind);
}

SendStatus Channel::send(std::span<const std::span<const std::uint8_t>> pieces,
                         MessageOptions options) {
  if (shard_ == nullptr) return SendStatus::kClosed;
  return shard_->send(*this, pieces, options.kind, options.id);
}

SendStatus Channel::send(OwnedBytes&& bytes, MessageKind kind) {
  return shard_ == nullptr ? SendStatus::kClosed : shard_->send(*this, std::move(bytes), kind);
}

SendStatus Channel::send(OwnedBytes&& bytes, MessageOptions options) {
  if (shard_ == nullptr) return SendStatus::kClosed;
  return shard_->send(*this, std::move(bytes), options.kind, options.id);
}

SendStatus Channel::send_part(std::span<const std::uint8_t> part, const MessagePart& which,
                              MessageOptions options) {
  return shard_ == nullptr ? SendStatus::kClosed : shard_->send_part(*this, part, which, options);
}

bool Channel::abort_message() { return shard_ == nullptr || shard_->abort_message(*this); }

void Channel::close() {
  if (shard_ != nullptr) shard_->close_channel(*this);
}

bool Channel::open() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  return channel != nullptr && channel->state == sctp::ChannelState::kOpen;
}

std::optional<std::uint16_t> Channel::id() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  if (channel == nullptr || !channel->has_stream) return std::nullopt;
  return channel->stream.value();
}

std::string_view Channel::label() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  return channel == nullptr ? std::string_view() : channel->label;
}

std::string_view Channel::protocol() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  return channel == nullptr ? std::string_view() : channel->protocol;
}

bool Channel::ordered() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  return channel != nullptr && channel->reliability.ordered;
}

bool Channel::reliable() const {
  const sctp::DataChannel* const channel = shard_ == nullptr ? nullptr : shard_->describe(*this);
  return channel != nullptr && !channel->reliability.max_retransmits &&
         !channel->reliability.max_packet_life_time_ms && !channel->buffer_priority;
}

std::size_t Channel::max_message_size() const {
  return shard_ == nullptr ? 0 : shard_->max_message_bytes(*this);
}

std::size_t Channel::buffered_amount() const {
  return shard_ == nullptr ? 0 : shard_->buffered_amount(*this);
}

void Channel::set_buffered_amount_low_threshold(std::size_t bytes) {
  if (shard_ != nullptr) shard_->set_low_threshold(*this, bytes);
}

bool Channel::set_buffer_priority(std::optional<std::uint32_t> priority) {
  return shard_ != nullptr && shard_->set_buffer_priority(*this, priority);
}

std::uint64_t Channel::user_data() const {
  const engine::Sctp::Note* const note = shard_ == nullptr ? nullptr : shard_->note_of(*this);
  return note == nullptr ? 0 : note->word;
}

void Channel::set_user_data(std::uint64_t word) {
  if (engine::Sctp::Note* const note = shard_ == nullptr ? nullptr : shard_->note_of(*this)) {
    note->word = word;
  }
}

unsigned ShardContext::index() const { return core_->index(); }
Time ShardContext::now() const { return core_->now(); }
Time ShardContext::precise_now() const { return core_->precise_now(); }
void ShardContext::wake_at(Time when) { core_->wake_at(when); }

Result<Channel, Error> ShardContext::open_channel(SessionId session,
                                                  const ChannelOptions& options) {
  return core_->open_channel(session, options);
}

void ShardContext::close_session(SessionId session) { core_->close_session(session); }

std::uint64_t ShardContext::user_data(SessionId session) const {
  const engine::Session* const found = core_->find(session);
  return found == nullptr ? 0 : found->user_data;
}

void ShardContext::set_user_data(SessionId session, std::uint64_t word) {
  if (engine::Session* const found = core_->find(session)) found->user_data = word;
}

}  // namespace millrace
