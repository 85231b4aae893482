// SPDX-License-Identifier: Apache-2.0
#include "test/support/bottleneck_model.h"

#include <algorithm>

namespace millrace::test {
namespace {

constexpr Duration kMinTimeout = milliseconds(200);
constexpr std::uint64_t kReordering = 3;  // Packets overtaking one that is thereby lost.

Duration time_for(std::size_t bytes, double rate) {
  return Duration(static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / rate));
}

}  // namespace

ModelFlow::ModelFlow(std::unique_ptr<sctp::CongestionControl> control, std::size_t packet_bytes)
    : control_(std::move(control)), packet_bytes_(packet_bytes) {}

Duration ModelFlow::rtt_percentile(double share) {
  if (rtts_.empty()) return Duration::zero();
  const auto index = static_cast<std::size_t>(share * static_cast<double>(rtts_.size() - 1));
  std::nth_element(rtts_.begin(), rtts_.begin() + static_cast<std::ptrdiff_t>(index), rtts_.end());
  return rtts_[index];
}

std::size_t ModelFlow::supply(Time now) {
  if (application_rate_ == std::numeric_limits<double>::infinity()) return ~std::size_t{0};
  if (supply_from_ == Time::min()) supply_from_ = now;
  const double all = application_rate_ * std::chrono::duration<double>(now - supply_from_).count();
  return static_cast<std::size_t>(std::max(all - static_cast<double>(supplied_), 0.0));
}

bool ModelFlow::may_send(Time now) {
  if (supply(now) < packet_bytes_) {
    // draft-ietf-ccwg-bbr §4.1.2.4.
    if (flight_ < control_->cwnd())
      app_limited_until_ = std::max<std::uint64_t>(delivered_ + flight_, 1);
    return false;
  }
  if (flight_ > 0 && flight_ + packet_bytes_ > control_->cwnd()) {
    limited_now_ = true;
    return false;
  }
  return true;
}

Time ModelFlow::next_event(const Bottleneck& path) const {
  Time next = kNever;
  for (const Packet& packet : packets_) {
    if (packet.arrives == kNever) continue;
    next = packet.arrives + path.ack_every;
    break;
  }
  // Where all is lost that is in flight.
  if (next == kNever && !packets_.empty()) {
    next = progress_at_ + std::max<Duration>(3 * srtt_, kMinTimeout);
  }
  const bool window_open = flight_ == 0 || flight_ + packet_bytes_ <= control_->cwnd();
  if (!window_open || application_rate_ <= 0) return next;
  if (supply_from_ == Time::min()) return std::min(next, next_send_);
  Time sends = next_send_;
  if (application_rate_ != std::numeric_limits<double>::infinity()) {
    sends = std::max(
        sends, supply_from_ + time_for(supplied_ + packet_bytes_, application_rate_) + Duration(1));
  }
  return std::min(next, sends);
}

void ModelFlow::fill_rate(Time now, const Packet& newest, sctp::AckSample& sample) {
  // draft-ietf-ccwg-bbr §4.1.2.3.
  sctp::RateSample& rate = sample.rate;
  rate.prior_delivered = newest.sent.delivered;
  rate.delivered = delivered_ - newest.sent.delivered;
  rate.lost = lost_ - newest.sent.lost;
  rate.tx_in_flight = newest.sent.in_flight;
  rate.app_limited = newest.sent.app_limited;
  rate.interval =
      std::max(newest.sent.sent_at - newest.sent.first_sent_at, now - newest.sent.delivered_at);
  rate.valid = rate.interval >= min_rtt_;
}

void ModelFlow::take_arrivals(Time now, sctp::AckSample& sample) {
  Packet newest;
  while (!packets_.empty()) {
    // Those dropped stay, until they are found lost, before those that arrived.
    auto at = std::find_if(packets_.begin(), packets_.end(),
                           [](const Packet& packet) { return packet.arrives != kNever; });
    if (at == packets_.end() || at->arrives > now) break;
    newest = *at;
    packets_.erase(at);
    sample.rtt = now - newest.sent.sent_at;
    sample.acked_bytes += packet_bytes_;
    ++sample.acked_chunks;
    flight_ -= packet_bytes_;
    delivered_ += packet_bytes_;
    highest_acked_ = newest.number;
    first_sent_at_ = newest.sent.sent_at;
  }
  delivered_at_ = progress_at_ = now;
  min_rtt_ = std::min(min_rtt_, sample.rtt);
  rtts_.push_back(sample.rtt);
  srtt_ = srtt_ == Duration::zero() ? sample.rtt : srtt_ + (sample.rtt - srtt_) / 8;
  if (app_limited_until_ > 0 && delivered_ > app_limited_until_) app_limited_until_ = 0;
  find_losses(now, sample);
  fill_rate(now, newest, sample);
}

void ModelFlow::find_losses(Time now, sctp::AckSample& sample) {
  while (!packets_.empty() && packets_.front().arrives == kNever &&
         packets_.front().number + kReordering <= highest_acked_) {
    const Packet lost = packets_.front();
    packets_.pop_front();
    flight_ -= packet_bytes_;
    lost_ += packet_bytes_;
    sample.newly_lost += packet_bytes_;
    control_->on_lost(now, packet_bytes_, lost.sent);
  }
}

void ModelFlow::handle_ack(Time now) {
  sctp::AckSample sample{.now = now,
                         .flight_before = flight_,
                         .cumulative_advanced = true,
                         .in_recovery = in_recovery_};
  const Time lost_sent_at = packets_.front().sent.sent_at;
  take_arrivals(now, sample);
  if (in_recovery_ && highest_acked_ >= recovery_exit_) {
    in_recovery_ = false;
    control_->on_recovery_end(now);
  }
  sample.round_ended = highest_acked_ >= round_exit_;
  if (sample.round_ended) {
    round_exit_ = next_number_;
    limited_before_ = limited_now_;
    limited_now_ = false;
  }
  sample.cwnd_limited = limited_now_ || limited_before_;
  sample.flight_after = flight_;
  sample.srtt = srtt_;
  sample.delivered = delivered_;
  sample.lost = lost_;
  control_->on_ack(sample);
  if (sample.newly_lost == 0 || (in_recovery_ && lost_sent_at < recovery_began_)) return;
  in_recovery_ = true;
  recovery_began_ = now;
  recovery_exit_ = next_number_;
  control_->on_fast_recovery(now, true);
}

void ModelFlow::handle_timeout(Time now) {
  for (const Packet& packet : packets_) {
    lost_ += packet_bytes_;
    control_->on_lost(now, packet_bytes_, packet.sent);
  }
  packets_.clear();
  flight_ = 0;
  in_recovery_ = true;
  recovery_exit_ = next_number_;
  progress_at_ = now;
  control_->on_timeout(now);
}

ModelFlow& BottleneckModel::add(const sctp::CongestionControlOptions& options) {
  return add(sctp::make_congestion_control(options), options.mtu_bytes);
}

ModelFlow& BottleneckModel::add(std::unique_ptr<sctp::CongestionControl> control,
                                std::size_t packet_bytes) {
  flows_.push_back(std::make_unique<ModelFlow>(std::move(control), packet_bytes));
  flows_.back()->next_send_ = flows_.back()->progress_at_ = now_;
  flows_.back()->supply_from_ = now_;
  return *flows_.back();
}

// When the packet's SACK comes back, or kNever.
Time BottleneckModel::transmit() {
  const std::size_t bytes = flows_.front()->packet_bytes_;
  if (path_.loss > 0 && static_cast<double>(rng_.below(1u << 30)) < path_.loss * (1u << 30)) {
    return kNever;
  }
  link_free_at_ = std::max(link_free_at_, now_);
  const double waiting = std::chrono::duration<double>(link_free_at_ - now_).count() * path_.rate;
  if (waiting + static_cast<double>(bytes) > static_cast<double>(path_.queue_bytes)) return kNever;
  link_free_at_ += time_for(bytes, path_.rate);
  return link_free_at_ + path_.rtt;
}

void BottleneckModel::send(ModelFlow& flow) {
  if (now_ < flow.next_send_ || !flow.may_send(now_)) return;
  const std::size_t quantum = std::max(flow.control_->send_quantum(), flow.packet_bytes_);
  if (flow.flight_ == 0) {
    flow.first_sent_at_ = flow.delivered_at_ = now_;
    flow.progress_at_ = now_;
  }
  sctp::SentState state{.sent_at = now_,
                        .first_sent_at = flow.first_sent_at_,
                        .delivered_at = flow.delivered_at_,
                        .delivered = flow.delivered_,
                        .lost = flow.lost_,
                        .app_limited = flow.app_limited_until_ != 0};
  const std::uint64_t rate = flow.control_->pacing_rate(flow.srtt_);
  for (std::size_t sent = 0; sent + flow.packet_bytes_ <= quantum && flow.may_send(now_);
       sent += flow.packet_bytes_) {
    flow.flight_ += flow.packet_bytes_;
    flow.sent_ += flow.packet_bytes_;
    flow.supplied_ += flow.packet_bytes_;
    state.in_flight = flow.flight_;
    flow.packets_.push_back({state, transmit(), flow.next_number_++});
    flow.control_->on_sent(now_, flow.packet_bytes_, flow.flight_);
    if (rate == sctp::CongestionControl::kUnpaced) continue;
    flow.next_send_ =
        std::max(flow.next_send_, now_) + time_for(flow.packet_bytes_, static_cast<double>(rate));
  }
}

bool BottleneckModel::run_until(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (!done()) {
    Time next = kNever;
    ModelFlow* first = nullptr;
    for (const auto& flow : flows_) {
      const Time at = std::max(flow->next_event(path_), now_);
      if (at < next) {
        next = at;
        first = flow.get();
      }
    }
    if (first == nullptr || next > end) {
      now_ = end;
      return false;
    }
    now_ = next;
    const auto arrived =
        std::find_if(first->packets_.begin(), first->packets_.end(),
                     [](const ModelFlow::Packet& packet) { return packet.arrives != kNever; });
    if (arrived != first->packets_.end()) {
      if (arrived->arrives + path_.ack_every <= now_) first->handle_ack(now_);
    } else if (!first->packets_.empty() &&
               now_ >= first->progress_at_ + std::max<Duration>(3 * first->srtt_, kMinTimeout)) {
      first->handle_timeout(now_);
    }
    send(*first);
  }
  return true;
}

void BottleneckModel::start_measuring() {
  for (const auto& flow : flows_) {
    flow->delivered_mark_ = flow->delivered_;
    flow->lost_mark_ = flow->lost_;
    flow->rtts_.clear();
  }
}

}  // namespace millrace::test
