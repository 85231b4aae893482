// SPDX-License-Identifier: Apache-2.0
//
// The set-up of a load generator's connections.
#include <algorithm>
#include <utility>

#include "engine/cli/flow_control.h"
#include "engine/cli/load_shard.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kMaxErrors = 8;
constexpr std::uint64_t kControlWord = UINT64_MAX;
constexpr std::uint64_t kProbeWord = UINT64_MAX - 1;

const char* label_of(report::Pattern pattern) {
  switch (pattern) {
    case report::Pattern::kEcho:
      return "echo";
    case report::Pattern::kUpload:
      return "sink";
    case report::Pattern::kDownload:
      return "source";
    case report::Pattern::kIdle:
      break;
  }
  return "idle";
}

ChannelOptions options_of(const report::LoadConfig& config) {
  ChannelOptions options;
  options.ordered = config.ordered;
  options.max_retransmits = config.max_retransmits;
  options.max_packet_life_time = config.max_packet_life_time;
  return options;
}

}  // namespace

void LoadShard::dial(Engine& engine, Signaller& signaller, unsigned connections) {
  engine_ = &engine;
  signaller_ = &signaller;
  connections_.resize(connections);
  dial_from_ = context_.now();
  // Each shard has its part of the rate, as it has of the connections.
  const double share = static_cast<double>(connections) / config_.connections;
  if (plan_.dial_rate > 0 && share > 0) dial_interval_ns_ = 1e9 / (plan_.dial_rate * share);
  if (connections == 0) dialled_.store(true, std::memory_order_release);
  dial_more();
}

Time LoadShard::dial_due() const {
  if (dial_interval_ns_ == 0) return Time();
  const double after = static_cast<double>(next_) * dial_interval_ns_;
  return dial_from_ + Duration(static_cast<std::int64_t>(after));
}

Time LoadShard::next_set_up() const {
  const Time close = held_.empty() ? kNever : held_.front().first;
  const bool waits = dialling_ < plan_.dialling && next_ < connections_.size();
  return waits ? std::min(close, dial_due()) : close;
}

void LoadShard::close_held(Time now) {
  while (!held_.empty() && held_.front().first <= now) {
    engine_->close_session(held_.front().second);
    held_.pop_front();
  }
}

void LoadShard::dial_more() {
  while (dialling_ < plan_.dialling && next_ < connections_.size()) {
    if (dial_due() > context_.now()) break;
    const std::size_t index = next_++;
    ++dialling_;
    Engine::OfferOptions options;
    options.shard = context_.index();
    options.local_ip = plan_.local_ip;
    engine_->create_offer(options, [this, index](Result<Description, SignalError> offer) {
      on_offer(index, std::move(offer));
    });
  }
  if (const Time next = next_set_up(); phase_ == Phase::kIdle && next != kNever) {
    context_.wake_at(next);
  }
}

void LoadShard::on_offer(std::size_t index, Result<Description, SignalError> offer) {
  if (!offer.ok()) return refused(index, offer.error().reason);
  Connection& connection = connections_[index];
  const SessionId session = connection.session = offer.value().session;
  by_session_[static_cast<std::uint64_t>(session)] = index;
  connection.began = context_.precise_now();
  // What the other end says comes on any thread.
  const auto refuse = [this, index](const std::string& reason) {
    engine_->post(context_.index(), [this, index, reason] { refused(index, reason); });
  };
  signaller_->offer(offer.value().sdp,
                    [this, session, refuse](Result<std::string, std::string> answer) {
                      if (!answer.ok()) return refuse(answer.error());
                      engine_->accept_answer(session, std::move(answer).value(),
                                             [refuse](std::optional<SignalError> error) {
                                               if (error) refuse(error->reason);
                                             });
                    });
}

void LoadShard::refused(std::size_t index, const std::string& reason) {
  Connection& connection = connections_[index];
  if (connection.stage != Stage::kDialling) return;
  note_error(reason);
  settle(index, Stage::kFailed);
  if (connection.session != SessionId::kNone) engine_->close_session(connection.session);
}

void LoadShard::note_error(const std::string& text) {
  if (errors_.size() >= kMaxErrors) return;
  if (std::find(errors_.begin(), errors_.end(), text) == errors_.end()) errors_.push_back(text);
}

void LoadShard::settle(std::size_t index, Stage stage) {
  connections_[index].stage = stage;
  --dialling_;
  settled_.fetch_add(1, std::memory_order_relaxed);
  if (stage == Stage::kOpen) opened_.fetch_add(1, std::memory_order_relaxed);
  if (stage == Stage::kOpen && plan_.hold) {
    held_.emplace_back(context_.now() + *plan_.hold, connections_[index].session);
  }
  dial_more();
  if (settled() == connections_.size()) dialled_.store(true, std::memory_order_release);
}

void LoadShard::on_session_open(SessionId session) {
  const auto found = by_session_.find(static_cast<std::uint64_t>(session));
  if (found == by_session_.end()) return;
  const std::size_t index = found->second;
  if (connections_[index].stage != Stage::kDialling) return;
  if (config_.pattern != report::Pattern::kDownload) {
    for (unsigned i = 0; i < config_.channels; ++i) {
      if (connections_[index].stage != Stage::kDialling) return;
      open_channel(index, label_of(config_.pattern), "");
    }
    return;
  }
  // A source would send from the start: it is opened in `prepare`, and until then a sink
  // shows that channels open.
  ChannelOptions options;
  options.label = "sink";
  auto opened = context_.open_channel(session, options);
  if (!opened.ok()) return refused(index, opened.error().message);
  opened.value().set_user_data(kProbeWord);
  connections_[index].opening = 1;
}

void LoadShard::open_channel(std::size_t index, const std::string& label,
                             const std::string& protocol) {
  ChannelOptions options = options_of(config_);
  options.label = label;
  options.protocol = protocol;
  auto opened = context_.open_channel(connections_[index].session, options);
  if (!opened.ok()) return refused(index, opened.error().message);
  channels_.push_back(std::make_unique<LoadChannel>());
  LoadChannel& channel = *channels_.back();
  channel.channel = opened.value();
  channel.connection = index;
  channel.channel.set_user_data(channels_.size());
  ++connections_[index].opening;
}

void LoadShard::on_session_close(SessionId session, CloseReason reason) {
  const auto found = by_session_.find(static_cast<std::uint64_t>(session));
  if (found == by_session_.end()) return;
  const std::size_t index = found->second;
  by_session_.erase(found);
  Connection& connection = connections_[index];
  if (connection.stage == Stage::kDialling) {
    note_error(std::string("a connection did not open: ") + millrace::to_string(reason));
    settle(index, Stage::kFailed);
  } else if (connection.stage == Stage::kOpen && phase_ != Phase::kFinished &&
             reason != CloseReason::kLocal) {
    note_error(std::string("a connection ended early: ") + millrace::to_string(reason));
    connection.stage = Stage::kDropped;
    // With nobody left there is nothing to measure.
    if (by_session_.empty()) cut_short();
  }
}

void LoadShard::on_channel_open(Channel channel) {
  if (channel == control_) {
    control_open_ = true;
    return check_prepared();
  }
  std::size_t index = 0;
  if (channel.user_data() == kProbeWord) {
    const auto found = by_session_.find(static_cast<std::uint64_t>(channel.session()));
    if (found == by_session_.end()) return;
    index = found->second;
  } else {
    LoadChannel* const state = find(channel);
    if (state == nullptr) return;
    state->open = true;
    channel.set_buffered_amount_low_threshold(kLowWater);
    index = state->connection;
  }
  Connection& connection = connections_[index];
  if (--connection.opening > 0) return;
  if (connection.stage == Stage::kDialling) {
    setup_.record(context_.precise_now() - connection.began);
    settle(index, Stage::kOpen);
    return;
  }
  if (opening_ > 0) --opening_;
  check_prepared();
}

void LoadShard::prepare(bool with_control) {
  if (config_.pattern == report::Pattern::kDownload) {
    unsigned open = 0;
    for (const Connection& connection : connections_) open += connection.stage == Stage::kOpen;
    // The rate is over all channels; this shard knows only its own, evenly spread.
    const double each = config_.rate / (config_.connections * config_.channels);
    const std::string protocol = "size=" + std::to_string(config_.size) + "&count=0&rate=" +
                                 (config_.rate > 0 ? std::to_string(each) : std::string("0"));
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i].stage != Stage::kOpen) continue;
      for (unsigned n = 0; n < config_.channels; ++n) open_channel(i, "source", protocol);
    }
    opening_ = open;
  }
  // A connection that is held for a while alone may be gone before it answers.
  if (with_control && !plan_.hold) open_control();
  check_prepared();
}

void LoadShard::open_control() {
  for (const Connection& connection : connections_) {
    if (connection.stage != Stage::kOpen) continue;
    ChannelOptions options;
    options.label = "sink";
    auto opened = context_.open_channel(connection.session, options);
    if (!opened.ok()) return;
    control_ = opened.value();
    control_.set_user_data(kControlWord);
    control_wanted_ = true;
    return;
  }
}

void LoadShard::check_prepared() {
  if (opening_ == 0 && (!control_wanted_ || control_open_)) {
    prepared_.store(true, std::memory_order_release);
  }
}

}  // namespace millrace::cli
