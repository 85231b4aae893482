// SPDX-License-Identifier: Apache-2.0
//
// The phases of a load generator's run: warm-up, measuring, waiting for what is missing.
#include <algorithm>
#include <string>
#include <string_view>

#include "engine/cli/load_shard.h"

namespace millrace::cli {
namespace {

using report::Pattern;

constexpr milliseconds kCheckEvery{50};
// A question that an unreliable channel may have lost is asked again after this; the
// echoes of one that is silent for so long are given up.
constexpr milliseconds kAskAgain{500};
constexpr milliseconds kStalled{1000};

std::string text_of(const MessageView& message) {
  std::string text;
  if (message.kind != MessageKind::kString) return text;
  for (const auto& piece : message.pieces) text.append(piece.begin(), piece.end());
  return text;
}

}  // namespace

void LoadShard::start(double share) {
  started_ = progress_ = context_.now();
  measure_from_ = started_ + config_.warmup;
  measure_to_ = measure_from_ + config_.duration;
  if (config_.rate > 0 &&
      (config_.pattern == Pattern::kEcho || config_.pattern == Pattern::kUpload)) {
    interval_ns_ = 1e9 / (config_.rate * share);
  }
  phase_ = Phase::kWarmup;
  next_check_ = started_;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) channel->progress = started_;
  on_wakeup(started_);
  if (interval_ns_ == 0) {
    for (const std::unique_ptr<LoadChannel>& channel : channels_) pump(*channel);
  }
}

void LoadShard::cut_short() {
  const Time now = context_.now();
  if (phase_ == Phase::kWarmup) measure_from_ = now;
  if (phase_ != Phase::kWarmup && phase_ != Phase::kMeasuring) return;
  measure_to_ = std::min(measure_to_, std::max(now, measure_from_ + nanoseconds(1)));
  context_.wake_at(now);
}

void LoadShard::on_wakeup(Time now) {
  close_held(now);
  if (phase_ == Phase::kIdle) dial_more();
  if (phase_ == Phase::kIdle || phase_ == Phase::kFinished) return;
  if (phase_ == Phase::kWarmup && now >= measure_from_) begin_measuring(now);
  if (phase_ == Phase::kMeasuring && now >= measure_to_) {
    if (interval_ns_ > 0 && !channels_.empty()) send_due(now);
    end_measuring(now);
  }
  if (phase_ != Phase::kWaiting && interval_ns_ > 0 && !channels_.empty()) send_due(now);
  pumping_.swap(pump_next_);
  for (LoadChannel* const channel : pumping_) {
    channel->queued = false;
    pump(*channel);
  }
  pumping_.clear();
  if (now >= next_check_) {
    next_check_ = now + kCheckEvery;
    revive_stalled(now);
    if (phase_ == Phase::kWaiting) check_finished(now);
  }
  arm(now);
}

void LoadShard::arm(Time now) {
  if (phase_ == Phase::kFinished) return;
  Time next = std::min(next_check_, next_set_up());
  if (phase_ == Phase::kWarmup) next = std::min(next, measure_from_);
  if (phase_ == Phase::kMeasuring) next = std::min(next, measure_to_);
  if (phase_ != Phase::kWaiting && interval_ns_ > 0 && !channels_.empty()) {
    next = std::min(next, intended_time(next_due_));
  }
  if (!pump_next_.empty()) next = now;
  context_.wake_at(next);
}

void LoadShard::begin_measuring(Time) {
  phase_ = Phase::kMeasuring;
  if (plan_.cpu_time != nullptr) client_cpu_begin_ = plan_.cpu_time();
  if (control_open_) (void)control_.send("report");
  if (config_.pattern != Pattern::kUpload) return;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) {
    ask_sink(*channel, LoadChannel::Ask::kBegin);
  }
}

void LoadShard::end_measuring(Time now) {
  phase_ = Phase::kWaiting;
  if (plan_.cpu_time != nullptr) client_cpu_ = plan_.cpu_time().since(client_cpu_begin_);
  if (control_open_) (void)control_.send("report");
  progress_ = now;
  if (config_.pattern != Pattern::kUpload) return;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) {
    ask_sink(*channel, LoadChannel::Ask::kEnd);
  }
}

void LoadShard::on_control(const MessageView& message) {
  const auto report = SinkReport::parse(text_of(message));
  if (!report) return;
  auto& slot = server_cpu_begin_ ? server_cpu_end_ : server_cpu_begin_;
  slot = report->cpu;
}

void LoadShard::ask_sink(LoadChannel& channel, LoadChannel::Ask ask) {
  channel.ask = ask;
  channel.ask_unsent = true;
  if (channel.open) send_ask(channel);
}

// The question travels behind the data, so on an ordered channel the answer counts
// exactly what was sent before it. False when there is no room.
bool LoadShard::send_ask(LoadChannel& channel) {
  if (channel.channel.send("report") == SendStatus::kWouldBlock) return false;
  channel.ask_unsent = false;
  channel.asked_at = context_.now();
  return true;
}

void LoadShard::take_sink_report(LoadChannel& channel, const MessageView& message) {
  const std::optional<SinkReport> report = SinkReport::parse(text_of(message));
  if (!report) return;
  if (report->messages > channel.confirmed) progress_ = context_.now();
  channel.confirmed = report->messages;
  // The question stands between two messages.
  const bool exact = pattern_ && config_.reliable() && config_.ordered;
  if (exact && report->bytes != report->messages * config_.size) ++damaged_;
  if (!channel.begin) {
    channel.begin = report;
  } else if (channel.ask == LoadChannel::Ask::kEnd && !channel.end) {
    channel.end = report;
  }
  if (channel.ask == LoadChannel::Ask::kBegin) channel.ask = LoadChannel::Ask::kNothing;
}

// A message without its echo on an unreliable channel is noticed when a later one comes;
// when none comes, after a while.
void LoadShard::revive_stalled(Time now) {
  if (config_.pattern != Pattern::kEcho || config_.reliable()) return;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) {
    if (!channel->open || now - channel->progress < kStalled) continue;
    channel->written_off = channel->sent;
    channel->part_bytes_echoed = channel->part_bytes_sent;
    channel->progress = now;
    pump(*channel);
  }
}

bool LoadShard::still_waiting(LoadChannel& channel, Time now) {
  if (!channel.open) return false;
  if (config_.pattern == Pattern::kEcho) {
    return channel.part_offset > 0 || channel.outstanding(config_.reliable()) > 0;
  }
  if (config_.pattern != Pattern::kUpload) return false;
  // Unordered, the question may overtake data: it is asked until all is counted.
  const bool complete = !config_.reliable() || channel.confirmed >= channel.sent;
  if (channel.end && complete) return false;
  if (!channel.ask_unsent && now - channel.asked_at >= kAskAgain) {
    ask_sink(channel, LoadChannel::Ask::kEnd);
  }
  return true;
}

void LoadShard::check_finished(Time now) {
  bool waiting = control_open_ && control_.open() && !server_cpu_end_;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) {
    waiting |= still_waiting(*channel, now);
  }
  if (waiting && now - progress_ < plan_.patience) return;
  phase_ = Phase::kFinished;
  finished_.store(true, std::memory_order_release);
}

void LoadShard::add_to(report::LoadReport& report) const {
  for (const Connection& connection : connections_) {
    report.opened += connection.stage == Stage::kOpen || connection.stage == Stage::kDropped;
    report.failed += connection.stage == Stage::kFailed || connection.stage == Stage::kDialling;
    report.dropped += connection.stage == Stage::kDropped;
  }
  report.setup.merge(setup_);
  report.latency.merge(latency_);
  report.sent.messages += sent_.messages;
  report.sent.bytes += sent_.bytes;
  report.duplicated += duplicated_;
  report.reordered += reordered_;
  report.damaged += damaged_;
  if (client_cpu_.used > report.client_cpu.used) report.client_cpu = client_cpu_;
  if (server_cpu_begin_ && server_cpu_end_) {
    report.server_cpu = server_cpu_end_->since(*server_cpu_begin_);
  }
  report.errors.insert(report.errors.end(), errors_.begin(), errors_.end());
  const double seconds = std::chrono::duration<double>(measure_to_ - measure_from_).count();
  report::Traffic delivered = delivered_;
  double per_second = seconds > 0 ? static_cast<double>(delivered.messages) / seconds : 0;
  double bytes_per_second = seconds > 0 ? static_cast<double>(delivered.bytes) / seconds : 0;
  for (const std::unique_ptr<LoadChannel>& channel : channels_) {
    report.unsent += channel->due > channel->sent ? channel->due - channel->sent : 0;
    if (config_.pattern == Pattern::kEcho && channel->sent > channel->received) {
      report.lost += channel->sent - channel->received;
    }
    if (config_.pattern != Pattern::kUpload) continue;
    if (channel->sent > channel->confirmed) report.lost += channel->sent - channel->confirmed;
    if (channel->confirmed > channel->sent) report.duplicated += channel->confirmed - channel->sent;
    if (!channel->begin || !channel->end) continue;
    // The sink's own clock, between two of its own counts.
    const report::Traffic counted{channel->end->messages - channel->begin->messages,
                                  channel->end->bytes - channel->begin->bytes};
    const double span = channel->end->seconds - channel->begin->seconds;
    delivered.messages += counted.messages;
    delivered.bytes += counted.bytes;
    if (span <= 0) continue;
    per_second += static_cast<double>(counted.messages) / span;
    bytes_per_second += static_cast<double>(counted.bytes) / span;
  }
  report.delivered.messages += delivered.messages;
  report.delivered.bytes += delivered.bytes;
  report.messages_per_second += per_second;
  report.goodput_mbps += bytes_per_second * 8e-6;
}

}  // namespace millrace::cli
