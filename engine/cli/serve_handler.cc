// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/serve_handler.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "engine/base/bytes.h"
#include "engine/cli/flow_control.h"

namespace millrace::cli {
namespace {

// A source gives way to the rest of the turn after so many messages or bytes.
constexpr std::size_t kSourceBurstBytes = 256u << 10;
constexpr std::size_t kSourceBurstMessages = 256;
constexpr unsigned kMaxReportsOwed = 16;
constexpr Duration kCpuTimeAge = milliseconds(5);

bool is_report(const MessageView& message) {
  constexpr std::string_view kReport = "report";
  if (message.kind != MessageKind::kString || message.size() != kReport.size()) return false;
  // A sender that fills its packets may split even six bytes.
  std::size_t at = 0;
  for (const auto& piece : message.pieces) {
    for (const std::uint8_t byte : piece) {
      if (byte != static_cast<std::uint8_t>(kReport[at++])) return false;
    }
  }
  return true;
}

Duration interval_of(double rate, std::uint64_t messages) {
  constexpr double kCentury = 3.2e18;  // What is due later is never due; more would overflow.
  const double span = 1e9 * static_cast<double>(messages) / rate;
  return Duration(static_cast<std::int64_t>(std::min(span, kCentury)));
}

}  // namespace

// A channel's word is its slot and a part of its generation, so a stale one finds nothing.
ServeChannel* ServeHandler::find(const Channel& channel) {
  const std::uint64_t word = channel.user_data();
  const std::size_t slot = word & 0xffffffff;
  if (slot == 0 || slot > channels_.size()) return nullptr;
  ServeChannel* const found = channels_[slot - 1].get();
  return found != nullptr && found->generation == word >> 32 ? found : nullptr;
}

void ServeHandler::on_session_open(SessionId session) { options_.log.session(session, "open"); }

void ServeHandler::on_session_close(SessionId session, CloseReason reason) {
  options_.log.session(session, std::string("closed: ") + to_string(reason));
  counters_.sessions_closed[static_cast<std::size_t>(reason)].fetch_add(1,
                                                                        std::memory_order_relaxed);
}

void ServeHandler::on_channel_open(Channel channel) {
  if (free_.empty()) {
    free_.push_back(channels_.size());
    channels_.emplace_back();
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  channels_[slot] = std::make_unique<ServeChannel>();
  ServeChannel& state = *channels_[slot];
  state.channel = channel;
  state.slot = slot;
  state.generation = ++generations_ & 0xffffffff;
  state.reliable = channel.reliable();
  state.label = std::string(channel.label());
  state.behaviour = behaviour_of(state.label);
  channel.set_user_data(state.generation << 32 | (slot + 1));
  options_.log.opened(channel);
  if (state.behaviour == Behaviour::kRelay) relays_.join(state.label, context_.index());
  if (state.behaviour != Behaviour::kSource) return;
  const std::optional<SourceOrder> order = SourceOrder::parse(channel.protocol());
  if (!order || order->size > channel.max_message_size()) {
    counters_.channels_closed_refused.fetch_add(1, std::memory_order_relaxed);
    options_.log.channel(channel, state.label, "refused: its protocol asks for no such source");
    state.closing = true;
    channel.close();
    return;
  }
  state.order = *order;
  state.started = context_.now();
  channel.set_buffered_amount_low_threshold(kLowWater);
  run_source(state);
}

void ServeHandler::on_channel_close(Channel channel) {
  ServeChannel* const state = find(channel);
  if (state == nullptr) return;
  options_.log.channel(channel, state->label, "closed");
  if (state->behaviour == Behaviour::kRelay) relays_.leave(state->label, context_.index());
  drop_kept(*state);
  const bool scheduled = state->scheduled;
  free_.push_back(state->slot);
  channels_[state->slot].reset();
  if (scheduled) clear_stale();
}

void ServeHandler::on_message(Channel channel, const MessageView& message) {
  ServeChannel* const state = find(channel);
  if (state == nullptr) return;
  if (state->behaviour == Behaviour::kSink) return on_sink(*state, message);
  if (state->behaviour != Behaviour::kEcho && state->behaviour != Behaviour::kRelay) return;
  const auto whole = [&](const MessageView& view) {
    state->behaviour == Behaviour::kEcho ? pass_on(*state, view) : relay(*state, view);
  };
  if (message.offset == 0 && message.last && !message.aborted) return whole(message);
  if (state->behaviour == Behaviour::kEcho) return pass_on_part(*state, message);
  if (message.aborted) return (void)take_partial(*state);
  if (!keep_partial(*state, message)) return close_slow(*state);
  if (!message.last) return;
  const std::vector<std::uint8_t> bytes = take_partial(*state);
  const std::span<const std::uint8_t> piece(bytes);
  MessageView joined;
  joined.kind = message.kind;
  joined.pieces = std::span(&piece, 1);
  whole(joined);
}

void ServeHandler::on_writable(Channel channel) {
  ServeChannel* const state = find(channel);
  if (state == nullptr || state->closing || !drain(*state)) return;
  if (state->reports_owed > 0) answer_reports(*state);
  if (state->behaviour == Behaviour::kSource) {
    state->blocked = false;
    run_source(*state);
  }
}

void ServeHandler::on_buffered_amount_low(Channel channel) {
  ServeChannel* const state = find(channel);
  if (state == nullptr || state->behaviour != Behaviour::kSource) return;
  state->blocked = false;
  run_source(*state);
}

void ServeHandler::on_sink(ServeChannel& channel, const MessageView& message) {
  if (is_report(message)) {
    channel.reports_owed = std::min(channel.reports_owed + 1, kMaxReportsOwed);
    return answer_reports(channel);
  }
  if (channel.messages == 0 && channel.bytes == 0) channel.first_message = context_.now();
  channel.bytes += message.size();
  if (message.last && !message.aborted) ++channel.messages;
}

// Reading it takes as long as many messages do, and any peer may ask as often as it likes.
report::CpuTime ServeHandler::cpu_time() {
  if (options_.cpu_time != nullptr && (!cpu_read_ || context_.now() - *cpu_read_ > kCpuTimeAge)) {
    cpu_read_ = context_.now();
    cpu_time_ = options_.cpu_time();
  }
  return cpu_time_;
}

void ServeHandler::answer_reports(ServeChannel& channel) {
  const bool any = channel.messages > 0 || channel.bytes > 0;
  const Duration span = any ? context_.now() - channel.first_message : Duration(0);
  const report::CpuTime cpu = cpu_time();
  char text[224];
  std::snprintf(text, sizeof(text),
                R"({"messages":%llu,"bytes":%llu,"seconds":%.9f,"cpu_seconds":%.6f,)"
                R"("cpu_waited_seconds":%.9f})",
                static_cast<unsigned long long>(channel.messages),
                static_cast<unsigned long long>(channel.bytes),
                std::chrono::duration<double>(span).count(), cpu.used, cpu.waited);
  while (channel.reports_owed > 0 &&
         channel.channel.send(std::string_view(text)) != SendStatus::kWouldBlock) {
    --channel.reports_owed;
  }
}

// Sends what is due, in bursts; the rest follows in later turns.
void ServeHandler::run_source(ServeChannel& channel) {
  if (channel.closing || channel.blocked) return;
  const SourceOrder& order = channel.order;
  std::size_t burst_bytes = 0;
  std::size_t burst_messages = 0;
  while (order.count == 0 || channel.sent < order.count) {
    const Time when =
        order.rate > 0 ? channel.started + interval_of(order.rate, channel.sent) : context_.now();
    if (when > context_.now()) return schedule(channel, when);
    if (burst_bytes >= kSourceBurstBytes || burst_messages >= kSourceBurstMessages) {
      return schedule(channel, context_.now());
    }
    const bool full = order.rate == 0 && channel.channel.buffered_amount() >= kHighWater;
    const SendStatus status = full ? SendStatus::kWouldBlock : send_from_source(channel);
    if (status == SendStatus::kWouldBlock) {
      channel.blocked = true;
      return;
    }
    if (status != SendStatus::kOk) return;
    ++channel.sent;
    ++burst_messages;
    burst_bytes += order.size;
  }
}

SendStatus ServeHandler::send_from_source(ServeChannel& channel) {
  const std::size_t size = channel.order.size;
  if (size <= kLargestWhole) {
    if (source_bytes_.size() < size) source_bytes_.resize(size);
    return channel.channel.send(std::span<const std::uint8_t>(source_bytes_.data(), size));
  }
  if (!pattern_) pattern_.emplace();
  for (;;) {
    if (channel.channel.buffered_amount() >= kHighWater) return SendStatus::kWouldBlock;
    const std::uint64_t rest = size - channel.part_offset;
    const std::size_t bytes = std::min<std::uint64_t>(rest, PartPattern::kPartBytes);
    const auto part = pattern_->part(channel.sent, context_.now(), channel.part_offset, bytes);
    const SendStatus status =
        channel.channel.send_part(part, {.last = bytes == rest, .total_bytes = size});
    const bool over = status == SendStatus::kAbandoned || bytes == rest;
    if (status != SendStatus::kOk && status != SendStatus::kAbandoned) return status;
    channel.part_offset = over ? 0 : channel.part_offset + bytes;
    if (over) return SendStatus::kOk;
  }
}

void ServeHandler::schedule(ServeChannel& channel, Time when) {
  if (channel.scheduled) return;
  channel.scheduled = true;
  due_.push_back(Due{when, channel.slot, channel.generation});
  std::push_heap(due_.begin(), due_.end(), std::greater<>());
  context_.wake_at(due_.front().when);
}

bool ServeHandler::is_stale(const Due& due) const {
  const ServeChannel* const channel = channels_[due.slot].get();
  return channel == nullptr || channel->generation != due.generation;
}

// The entry of a channel that has closed may be due in years: there are never more of them
// than of others, and to clear them away costs each as little as its entry did.
void ServeHandler::clear_stale() {
  if (++stale_ <= due_.size() / 2) return;
  std::erase_if(due_, [this](const Due& due) { return is_stale(due); });
  std::make_heap(due_.begin(), due_.end(), std::greater<>());
  stale_ = 0;
}

void ServeHandler::on_wakeup(Time now) {
  // What is scheduled anew at `now` waits for the next turn.
  ready_.clear();
  while (!due_.empty() && due_.front().when <= now) {
    std::pop_heap(due_.begin(), due_.end(), std::greater<>());
    const Due due = due_.back();
    due_.pop_back();
    if (is_stale(due)) {
      --stale_;
    } else {
      channels_[due.slot]->scheduled = false;
      ready_.push_back(due);
    }
  }
  for (const Due& due : ready_) {
    if (!is_stale(due)) run_source(*channels_[due.slot]);
  }
  if (!due_.empty()) context_.wake_at(due_.front().when);
}

void ServeHandler::relay(ServeChannel& from, const MessageView& message) {
  for (const std::unique_ptr<ServeChannel>& other : channels_) {
    if (other == nullptr || other.get() == &from || other->label != from.label) continue;
    pass_on(*other, message);
  }
  const unsigned refused = relays_.broadcast(from.label, context_.index(), message);
  if (refused > 0) {
    counters_.messages_dropped_slow.fetch_add(refused, std::memory_order_relaxed);
  }
}

void ServeHandler::relay_from_afar(const std::string& label, const StoredMessage& message) {
  const std::span<const std::uint8_t> piece(message.bytes);
  MessageView view;
  view.kind = message.kind;
  view.pieces = std::span(&piece, 1);
  for (const std::unique_ptr<ServeChannel>& channel : channels_) {
    if (channel != nullptr && channel->label == label) pass_on(*channel, view);
  }
}

}  // namespace millrace::cli
