// SPDX-License-Identifier: Apache-2.0
//
// The traffic of a load generator: what is sent when, and what comes back.
#include "engine/cli/load_shard.h"

#include <algorithm>

#include "engine/cli/flow_control.h"

namespace millrace::cli {
namespace {

using report::Pattern;

// At full rate a channel gives way to the rest of the turn after so much.
constexpr std::size_t kBurstBytes = 256u << 10;
constexpr unsigned kBurstMessages = 256;
// From here on a message's memory is handed over, not copied.
constexpr std::size_t kLargeMessage = 4096;

}  // namespace

LoadShard::LoadShard(ShardContext& context, const LoadPlan& plan)
    : context_(context), plan_(plan), config_(plan.config) {
  if (config_.size > kLargestWhole) {
    pattern_.emplace();
    return;
  }
  message_.resize(config_.size);
  // Not all alike, for the links and logs that compress.
  std::uint8_t next = 1;
  for (std::uint8_t& byte : message_) byte = next = static_cast<std::uint8_t>(next * 73 + 41);
  if (config_.pattern == Pattern::kUpload && config_.size >= kLargeMessage) {
    buffers_.emplace(message_);
  }
}

LoadChannel* LoadShard::find(const Channel& channel) {
  const std::uint64_t word = channel.user_data();
  return word >= 1 && word <= channels_.size() ? channels_[word - 1].get() : nullptr;
}

void LoadShard::on_channel_close(Channel channel) {
  LoadChannel* const state = find(channel);
  if (state == nullptr) return;
  state->open = false;
  if (plan_.hold || phase_ == Phase::kFinished || phase_ == Phase::kIdle) return;
  note_error("a channel was closed");
}

void LoadShard::on_writable(Channel channel) {
  if (LoadChannel* const state = find(channel)) pump(*state);
}

void LoadShard::on_buffered_amount_low(Channel channel) { on_writable(channel); }

Time LoadShard::intended_time(std::uint64_t index) const {
  return started_ + Duration(static_cast<std::int64_t>(static_cast<double>(index) * interval_ns_));
}

// Sends what may be sent on a channel: what is due, or as much as window and buffer take.
void LoadShard::pump(LoadChannel& channel) {
  if (!channel.open || (channel.ask_unsent && !send_ask(channel))) return;
  if (phase_ != Phase::kWarmup && phase_ != Phase::kMeasuring) {
    // What was begun is finished.
    if (phase_ == Phase::kWaiting && channel.part_offset > 0) send(channel, Time());
    return;
  }
  if (interval_ns_ > 0) {
    const std::uint64_t position = channel.channel.user_data() - 1;
    while (channel.sent < channel.due) {
      const Time intended = intended_time(position + channel.sent * channels_.size());
      if (!send(channel, intended)) return;
    }
    return;
  }
  if (config_.pattern == Pattern::kEcho) {
    const auto may_send = [&] {
      return channel.part_offset > 0 ||
             channel.outstanding(config_.reliable()) < config_.outstanding;
    };
    if (!may_send()) return;
    const Time now = context_.precise_now();
    while (may_send()) {
      if (!send(channel, now)) return;
    }
    return;
  }
  if (config_.pattern != Pattern::kUpload) return;
  // `on_buffered_amount_low` goes on.
  if (channel.channel.buffered_amount() >= kHighWater) return;
  std::size_t bytes = 0;
  for (unsigned sent = 0; sent < kBurstMessages && bytes < kBurstBytes; ++sent) {
    if (!send(channel, Time())) return;
    bytes += config_.size;
  }
  pump_later(channel);
}

void LoadShard::pump_later(LoadChannel& channel) {
  if (channel.queued) return;
  channel.queued = true;
  pump_next_.push_back(&channel);
  context_.wake_at(context_.now());
}

SendStatus LoadShard::send_stamped(LoadChannel& channel, Time intended) {
  const std::span<std::uint8_t> message = buffers_ ? buffers_->next() : std::span(message_);
  write_stamp(message, channel.sent, intended);
  return buffers_ ? channel.channel.send(buffers_->hand_over())
                  : channel.channel.send(std::span<const std::uint8_t>(message));
}

// As much of a message as there is room for. One that its limits end has been sent and is lost.
SendStatus LoadShard::send_parts(LoadChannel& channel, Time intended) {
  if (channel.part_offset == 0) channel.part_intended = intended;
  const bool echo = config_.pattern == Pattern::kEcho;
  for (;;) {
    // `on_buffered_amount_low` goes on, or what comes of the echo.
    if (channel.channel.buffered_amount() >= kHighWater) return SendStatus::kWouldBlock;
    if (echo && channel.part_bytes_sent >= channel.part_bytes_echoed + kEchoWindow) {
      return SendStatus::kWouldBlock;
    }
    const std::uint64_t rest = config_.size - channel.part_offset;
    const std::size_t bytes = std::min<std::uint64_t>(rest, PartPattern::kPartBytes);
    const MessagePart which{.last = bytes == rest, .total_bytes = config_.size};
    const auto part =
        pattern_->part(channel.sent, channel.part_intended, channel.part_offset, bytes);
    const SendStatus status = channel.channel.send_part(part, which);
    if (status == SendStatus::kAbandoned) {
      channel.part_bytes_echoed = channel.part_bytes_sent;
    } else if (status != SendStatus::kOk) {
      return status;
    } else {
      channel.part_offset += bytes;
      channel.part_bytes_sent += bytes;
      if (!which.last) continue;
    }
    channel.part_offset = 0;
    return SendStatus::kOk;
  }
}

bool LoadShard::send(LoadChannel& channel, Time intended) {
  const SendStatus status =
      pattern_ ? send_parts(channel, intended) : send_stamped(channel, intended);
  if (pattern_) intended = channel.part_intended;
  if (status != SendStatus::kOk) {
    if (status == SendStatus::kTooLarge) {
      note_error("messages of " + std::to_string(config_.size) + " bytes are above the peer's " +
                 std::to_string(channel.channel.max_message_size()));
      ++damaged_;
      cut_short();
    }
    return false;
  }
  if (config_.pattern == Pattern::kEcho) channel.note_sent(config_.size, intended);
  if (config_.pattern != Pattern::kEcho) ++channel.sent;
  const bool measured = interval_ns_ > 0 && config_.pattern == Pattern::kEcho
                            ? intended >= measure_from_ && intended < measure_to_
                            : phase_ == Phase::kMeasuring;
  if (measured) {
    ++sent_.messages;
    sent_.bytes += config_.size;
  }
  if (config_.pattern == Pattern::kUpload) {
    ++recent_traffic_.messages;
    recent_traffic_.bytes += config_.size;
  }
  return true;
}

// Open loop: message i of the shard is due at i intervals, and goes to each channel in turn.
void LoadShard::send_due(Time now) {
  const Time until = std::min(now, measure_to_);
  while (intended_time(next_due_) <= until) {
    LoadChannel& channel = *channels_[next_due_ % channels_.size()];
    ++next_due_;
    ++channel.due;
    pump(channel);
  }
}

void LoadShard::on_message(Channel channel, const MessageView& message) {
  if (channel == control_) return on_control(message);
  LoadChannel* const state = find(channel);
  if (state == nullptr || phase_ == Phase::kFinished) return;
  switch (config_.pattern) {
    case Pattern::kEcho:
      take_echo(*state, message);
      return pump(*state);
    case Pattern::kUpload:
      return take_sink_report(*state, message);
    case Pattern::kDownload:
      return take_download(*state, message);
    case Pattern::kIdle:
      return;
  }
}

void LoadShard::take_echo(LoadChannel& channel, const MessageView& message) {
  const auto whole = channel.take(message, pattern_ ? &*pattern_ : nullptr);
  const Time now = context_.precise_now();
  channel.progress = progress_ = now;
  if (pattern_) channel.part_bytes_echoed += message.size();
  if (!whole) return;
  const LoadChannel::Echo echo = channel.take_echo(*whole, config_.size, config_.ordered);
  if (echo.damaged) {
    ++damaged_;
    return;
  }
  if (echo.verdict == SequenceTracker::Verdict::kDuplicate) {
    // The message itself was counted when it came first.
    --channel.received;
    ++duplicated_;
    return;
  }
  if (echo.verdict == SequenceTracker::Verdict::kReordered) ++reordered_;
  ++recent_traffic_.messages;
  recent_traffic_.bytes += config_.size;
  if (phase_ == Phase::kMeasuring) {
    ++delivered_.messages;
    delivered_.bytes += config_.size;
  }
  if (echo.intended == Time()) return;
  recent_.record(now - echo.intended);
  if (echo.intended >= measure_from_ && echo.intended < measure_to_) {
    latency_.record(now - echo.intended);
  }
}

void LoadShard::take_download(LoadChannel& channel, const MessageView& message) {
  if (pattern_) {
    const auto arrival = channel.take(message, &*pattern_);
    if (arrival && (arrival->damaged || arrival->bytes != config_.size)) ++damaged_;
  }
  const std::uint64_t whole = message.last && !message.aborted ? 1 : 0;
  const std::uint64_t bytes = message.size();
  recent_traffic_.messages += whole;
  recent_traffic_.bytes += bytes;
  if (phase_ != Phase::kMeasuring) return;
  delivered_.messages += whole;
  delivered_.bytes += bytes;
}

ShardSample LoadShard::take_sample() {
  ShardSample sample{recent_traffic_, recent_};
  recent_traffic_ = {};
  recent_.clear();
  return sample;
}

}  // namespace millrace::cli
