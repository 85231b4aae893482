// SPDX-License-Identifier: Apache-2.0
// Bbr's draft-ietf-ccwg-bbr §5.5.1 to §5.5.9: what is known of the path.
#include <algorithm>

#include "sctp/tx/bbr.h"

namespace millrace::sctp {
namespace {

constexpr Duration kMinRttFilterLen = seconds(10);
constexpr Duration kProbeRttInterval = seconds(5);
constexpr std::uint64_t kExtraAckedFilterLen = 10;  // Rounds.

}  // namespace

// draft-ietf-ccwg-bbr §5.5.1.
void Bbr::start_round() { next_round_delivered_ = delivered_; }

void Bbr::update_round() {
  round_start_ = rs_.prior_delivered >= next_round_delivered_;
  if (!round_start_) return;
  start_round();
  ++round_count_;
  ++rounds_since_probe_up_;
}

// draft-ietf-ccwg-bbr §5.5.3: two slots are all that two cycles need.
double Bbr::max_bw() const { return std::max(max_bw_filter_[0], max_bw_filter_[1]); }

// draft-ietf-ccwg-bbr §5.5.4, §5.5.5: a rate that the application set says nothing, unless it
// is higher than any.
void Bbr::update_max_bw() {
  update_round();
  if (rs_.delivery_rate > 0 && (rs_.delivery_rate >= max_bw() || !rs_.app_limited)) {
    max_bw_filter_[1] = std::max(max_bw_filter_[1], rs_.delivery_rate);
  }
}

// draft-ietf-ccwg-bbr §5.5.6. A cycle without a sample is none: there would be no estimate.
void Bbr::advance_max_bw_filter() {
  if (max_bw_filter_[1] == 0) return;
  max_bw_filter_[0] = max_bw_filter_[1];
  max_bw_filter_[1] = 0;
}

// draft-ietf-ccwg-bbr §5.5.9.
void Bbr::update_ack_aggregation() {
  const double interval = static_cast<double>((now_ - extra_acked_interval_start_).count()) / 1e9;
  double expected = bw_ * interval;
  if (static_cast<double>(extra_acked_delivered_) <= expected) {
    extra_acked_delivered_ = 0;
    extra_acked_interval_start_ = now_;
    expected = 0;
  }
  extra_acked_delivered_ += rs_.newly_acked;
  const double beyond = static_cast<double>(extra_acked_delivered_) - expected;
  const auto extra =
      static_cast<std::uint64_t>(std::clamp(beyond, 0.0, static_cast<double>(cwnd_)));
  // Two halves of the window make it 5 to 10 rounds long; in Startup a round, and the next.
  const std::uint64_t half = full_bw_reached_ ? kExtraAckedFilterLen / 2 : 1;
  if (round_count_ - extra_acked_round_ >= half) {
    extra_acked_round_ = round_count_;
    extra_acked_filter_[0] = extra_acked_filter_[1];
    extra_acked_filter_[1] = 0;
  }
  extra_acked_filter_[1] = std::max(extra_acked_filter_[1], extra);
}

std::uint64_t Bbr::extra_acked() const {
  return std::max(extra_acked_filter_[0], extra_acked_filter_[1]);
}

// draft-ietf-ccwg-bbr §5.3.4.3, §5.5.7.2.
void Bbr::update_min_rtt() {
  probe_rtt_expired_ = now_ > probe_rtt_min_stamp_ + kProbeRttInterval;
  if (rs_.rtt != kNoRtt && (rs_.rtt < probe_rtt_min_delay_ || probe_rtt_expired_)) {
    probe_rtt_min_delay_ = rs_.rtt;
    probe_rtt_min_stamp_ = now_;
  }
  const bool min_rtt_expired = now_ > min_rtt_stamp_ + kMinRttFilterLen;
  if (probe_rtt_min_delay_ < min_rtt_ || min_rtt_expired) {
    min_rtt_ = probe_rtt_min_delay_;
    min_rtt_stamp_ = probe_rtt_min_stamp_;
  }
}

// draft-ietf-ccwg-bbr §5.5.10.3.
void Bbr::update_latest_delivery_signals() {
  if (loss_awaits_ack_) {
    loss_awaits_ack_ = false;
    loss_round_delivered_ = delivered_;
  }
  bw_latest_ = std::max(bw_latest_, rs_.delivery_rate);
  inflight_latest_ = std::max(inflight_latest_, rs_.delivered);
  loss_round_start_ = rs_.prior_delivered >= loss_round_delivered_;
  if (loss_round_start_) loss_round_delivered_ = delivered_;
}

void Bbr::advance_latest_delivery_signals() {
  if (!loss_round_start_) return;
  bw_latest_ = rs_.delivery_rate;
  inflight_latest_ = rs_.delivered;
}

void Bbr::reset_congestion_signals() {
  is_loss_in_round_ = false;
  bw_latest_ = 0;
  inflight_latest_ = 0;
}

void Bbr::reset_short_term_model() {
  bw_shortterm_ = std::numeric_limits<double>::infinity();
  inflight_shortterm_ = kUnbounded;
}

void Bbr::bound_bw_for_model() { bw_ = std::min(max_bw(), bw_shortterm_); }

}  // namespace millrace::sctp
