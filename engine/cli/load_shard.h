// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/cli/load_channel.h"
#include "engine/cli/message_buffers.h"
#include "engine/cli/signaller.h"
#include "engine/report/load_report.h"
#include "millrace/engine.h"

namespace millrace::cli {

// LoadPlan is what every shard of a run needs to know; it outlives them.
struct LoadPlan {
  report::LoadConfig config;
  unsigned dialling = 64;            // Connections being set up at once, on each shard.
  double dial_rate = 0;              // Connections begun a second; 0: as `dialling` allows.
  std::optional<milliseconds> hold;  // Idle: a connection is closed so long after it opened.
  std::string local_ip = "127.0.0.1";
  milliseconds patience{10'000};            // How long to wait for what is missing at the end.
  report::CpuTime (*cpu_time)() = nullptr;  // The client's.
};

// ShardSample is what happened on a shard since the last one.
struct ShardSample {
  report::Traffic traffic;
  Histogram latency;
};

// LoadShard is one shard of the load generator: it dials its connections, sends by the
// plan and keeps the accounts. Its life, each step begun by a call on the shard's thread:
//
//   dial      -> dialled() once every connection is open or has failed
//   prepare   -> prepared() once the channels that only the traffic needs are open
//   start     -> warm-up, measured time, then waiting for what is missing -> finished()
class LoadShard final : public Handler {
 public:
  LoadShard(ShardContext& context, const LoadPlan& plan);

  void dial(Engine& engine, Signaller& signaller, unsigned connections);
  // `with_control`: this shard asks the server for its CPU time.
  void prepare(bool with_control);
  // `share` is this shard's part of all channels, for the rate.
  void start(double share);
  // Ends the measured time at once.
  void cut_short();
  ShardSample take_sample();

  // Any thread.
  bool dialled() const { return dialled_.load(std::memory_order_acquire); }
  bool prepared() const { return prepared_.load(std::memory_order_acquire); }
  bool finished() const { return finished_.load(std::memory_order_acquire); }
  unsigned settled() const { return settled_.load(std::memory_order_relaxed); }
  unsigned opened() const { return opened_.load(std::memory_order_relaxed); }
  unsigned channels() const { return static_cast<unsigned>(channels_.size()); }

  // Adds what this shard measured, once it has finished.
  void add_to(report::LoadReport& report) const;

  void on_session_open(SessionId session) override;
  void on_session_close(SessionId session, CloseReason reason) override;
  void on_channel_open(Channel channel) override;
  void on_channel_close(Channel channel) override;
  void on_message(Channel channel, const MessageView& message) override;
  void on_writable(Channel channel) override;
  void on_buffered_amount_low(Channel channel) override;
  void on_wakeup(Time now) override;

 private:
  enum class Phase : std::uint8_t { kIdle, kWarmup, kMeasuring, kWaiting, kFinished };
  enum class Stage : std::uint8_t { kDialling, kOpen, kFailed, kDropped };
  struct Connection {
    SessionId session = SessionId::kNone;
    Stage stage = Stage::kDialling;
    Time began{};
    unsigned opening = 0;  // Channels that are not open yet.
  };

  // Set-up: load_dial.cc.
  void dial_more();
  void close_held(Time now);
  Time dial_due() const;     // Of the next connection; the beginning of time: at once.
  Time next_set_up() const;  // When there is something to dial or to close by the clock.
  void on_offer(std::size_t index, Result<Description, SignalError> offer);
  void refused(std::size_t index, const std::string& reason);
  void settle(std::size_t index, Stage stage);
  void open_channel(std::size_t index, const std::string& label, const std::string& protocol);
  void open_control();
  void on_control(const MessageView& message);
  void check_prepared();
  void note_error(const std::string& text);

  // Traffic: load_shard.cc and load_phases.cc.
  LoadChannel* find(const Channel& channel);
  void pump(LoadChannel& channel);
  void pump_later(LoadChannel& channel);
  bool send(LoadChannel& channel, Time intended);
  SendStatus send_stamped(LoadChannel& channel, Time intended);
  SendStatus send_parts(LoadChannel& channel, Time intended);
  void send_due(Time now);
  Time intended_time(std::uint64_t index) const;
  void take_echo(LoadChannel& channel, const MessageView& message);
  void take_download(LoadChannel& channel, const MessageView& message);
  void take_sink_report(LoadChannel& channel, const MessageView& message);
  void ask_sink(LoadChannel& channel, LoadChannel::Ask ask);
  bool send_ask(LoadChannel& channel);
  void begin_measuring(Time now);
  void end_measuring(Time now);
  bool still_waiting(LoadChannel& channel, Time now);
  void revive_stalled(Time now);
  void check_finished(Time now);
  void arm(Time now);

  ShardContext& context_;
  const LoadPlan& plan_;
  const report::LoadConfig& config_;
  Engine* engine_ = nullptr;
  Signaller* signaller_ = nullptr;

  std::vector<Connection> connections_;
  std::unordered_map<std::uint64_t, std::size_t> by_session_;
  std::size_t next_ = 0;
  std::size_t dialling_ = 0;
  Time dial_from_{};
  double dial_interval_ns_ = 0;
  std::deque<std::pair<Time, SessionId>> held_;  // Open, and when to close them.
  std::vector<std::unique_ptr<LoadChannel>> channels_;
  std::size_t opening_ = 0;  // Channels of `prepare` that are not open yet.
  std::vector<LoadChannel*> pump_next_;
  std::vector<LoadChannel*> pumping_;

  Channel control_;
  bool control_wanted_ = false;
  bool control_open_ = false;
  std::optional<report::CpuTime> server_cpu_begin_;
  std::optional<report::CpuTime> server_cpu_end_;
  report::CpuTime client_cpu_begin_;
  report::CpuTime client_cpu_;

  Phase phase_ = Phase::kIdle;
  Time started_{};
  Time measure_from_{};
  Time measure_to_{};
  Time progress_{};
  Time next_check_ = kNever;
  double interval_ns_ = 0;      // Between two messages of this shard; 0: full rate.
  std::uint64_t next_due_ = 0;  // Open loop: the message that is due next.
  std::vector<std::uint8_t> message_;
  std::optional<MessageBuffers> buffers_;  // Of large messages to upload.
  std::optional<PartPattern> pattern_;     // Of messages that are sent in parts.

  Histogram setup_;
  Histogram latency_;
  Histogram recent_;
  report::Traffic recent_traffic_;
  report::Traffic sent_;
  report::Traffic delivered_;
  std::uint64_t duplicated_ = 0;
  std::uint64_t reordered_ = 0;
  std::uint64_t damaged_ = 0;
  std::vector<std::string> errors_;
  std::atomic<unsigned> settled_{0};  // Connections that are open or have failed.
  std::atomic<unsigned> opened_{0};
  std::atomic<bool> dialled_{false};
  std::atomic<bool> prepared_{false};
  std::atomic<bool> finished_{false};
};

}  // namespace millrace::cli
