// SPDX-License-Identifier: Apache-2.0
// Bbr's draft-ietf-ccwg-bbr §5.2 (what happens when) and §5.6 (control parameters).
#include "sctp/tx/bbr.h"

#include <algorithm>

#include "sctp/tx/rate_terms.h"

namespace millrace::sctp {
namespace {

constexpr double kStartupPacingGain = 2.77;
constexpr double kDrainPacingGain = 0.5;
constexpr double kHeadroom = 0.15;
constexpr double kProbeRttCwndGain = 0.5;

std::uint64_t as_bytes(double bytes) {
  return static_cast<std::uint64_t>(std::clamp(bytes, 0.0, kMostBytes));
}

}  // namespace

Bbr::Bbr(const CongestionControlOptions& options)
    : smss_(options.mtu_bytes),
      max_cwnd_(std::max(options.max_cwnd_bytes, 4 * options.mtu_bytes)),
      initial_cwnd_(std::min<std::uint64_t>(
          std::uint64_t{options.initial_window_packets} * options.mtu_bytes, max_cwnd_)),
      random_(options.seed),
      cwnd_(initial_cwnd_) {}

// draft-ietf-ccwg-bbr §5.2.1: what OnInit takes from the clock, which the first event brings.
void Bbr::start(Time now) {
  started_ = true;
  min_rtt_stamp_ = probe_rtt_min_stamp_ = extra_acked_interval_start_ = cycle_stamp_ = now;
}

// draft-ietf-ccwg-bbr §5.2.2.
void Bbr::on_sent(Time now, std::size_t bytes, std::size_t flight_after) {
  now_ = now;
  if (!started_) start(now);
  if (quiet_ && flight_after <= bytes) restart_from_idle();
  quiet_ = false;
}

// draft-ietf-ccwg-bbr §5.4.1: the window stays as it is, however long the silence.
void Bbr::on_idle(Duration, Duration) { quiet_ = true; }

void Bbr::take_sample(const AckSample& sample) {
  now_ = sample.now;
  if (!started_) start(now_);
  delivered_ = sample.delivered;
  lost_ = sample.lost;
  inflight_before_ = sample.flight_before;
  inflight_ = sample.flight_after;
  cwnd_limited_ = sample.cwnd_limited;
  rs_ = Rs{
      .delivery_rate = static_cast<double>(sample.rate.bytes_per_second()),
      .prior_delivered = sample.rate.prior_delivered,
      .delivered = sample.rate.delivered,
      .lost = sample.rate.lost,
      .tx_in_flight = sample.rate.tx_in_flight,
      .newly_acked = sample.acked_bytes,
      .rtt = sample.rtt > Duration::zero() ? sample.rtt : kNoRtt,
      .app_limited = sample.rate.app_limited,
  };
  // §5.3.4.3: what ProbeRTT held back counts as if the application had.
  if (rs_.prior_delivered >= app_limited_from_ && rs_.prior_delivered <= app_limited_until_) {
    rs_.app_limited = true;
  }
  quiet_ = inflight_ == 0 && rs_.app_limited;
}

// draft-ietf-ccwg-bbr §5.2.3.
void Bbr::on_ack(const AckSample& sample) {
  take_sample(sample);
  if (sample.acked_bytes == 0) return;
  if (pacing_rate_ == 0) init_pacing_rate(sample.srtt);
  update_latest_delivery_signals();
  update_congestion_signals();
  update_ack_aggregation();
  check_full_bw_reached();
  check_startup_high_loss(sample.in_recovery);
  check_startup_done();
  check_drain_done();
  update_probe_bw_cycle_phase();
  update_min_rtt();
  check_probe_rtt();
  advance_latest_delivery_signals();
  bound_bw_for_model();

  set_pacing_rate_with_gain(pacing_gain());
  set_send_quantum();
  set_cwnd();
}

void Bbr::set_mtu(std::size_t mtu_bytes) { smss_ = mtu_bytes; }

std::size_t Bbr::ssthresh() const {
  return static_cast<std::size_t>(std::min(inflight_longterm_, max_cwnd_));
}

// draft-ietf-ccwg-bbr §5.6.1.
double Bbr::pacing_gain() const {
  switch (state_) {
    case State::kStartup:
      return kStartupPacingGain;
    case State::kDrain:
      return kDrainPacingGain;
    case State::kProbeBwDown:
      return 0.90;
    case State::kProbeBwUp:
      return 1.25;
    case State::kProbeBwCruise:
    case State::kProbeBwRefill:
    case State::kProbeRtt:
      break;
  }
  return 1.0;
}

// draft-ietf-ccwg-bbr §5.6.1.
double Bbr::cwnd_gain() const {
  if (state_ == State::kProbeRtt) return kProbeRttCwndGain;
  return state_ == State::kProbeBwUp ? 2.25 : 2.0;
}

// draft-ietf-ccwg-bbr §5.6.2.
void Bbr::init_pacing_rate(Duration srtt) {
  if (srtt <= Duration::zero()) return;
  pacing_rate_ = kStartupPacingGain * static_cast<double>(initial_cwnd_) * 1e9 /
                 static_cast<double>(srtt.count());
}

void Bbr::set_pacing_rate_with_gain(double gain) {
  const double rate = gain * bw_ * (1 - kPacingMargin);
  if (full_bw_reached_ || rate > pacing_rate_) pacing_rate_ = rate;
}

std::uint64_t Bbr::pacing_rate(Duration srtt) const {
  if (pacing_rate_ > 0) return std::max<std::uint64_t>(as_bytes(pacing_rate_), 1);
  // §5.6.2: nothing is acknowledged yet.
  const Duration nominal = srtt > Duration::zero() ? srtt : Duration(milliseconds(1));
  return as_bytes(kStartupPacingGain * static_cast<double>(initial_cwnd_) * 1e9 /
                  static_cast<double>(nominal.count()));
}

// draft-ietf-ccwg-bbr §5.6.3.
void Bbr::set_send_quantum() {
  const std::uint64_t of_millisecond = as_bytes(pacing_rate_ / 1000);
  send_quantum_ = static_cast<std::size_t>(
      std::max<std::uint64_t>(std::min<std::uint64_t>(of_millisecond, kMaxSendQuantum), 2 * smss_));
}

// draft-ietf-ccwg-bbr §5.6.4.2.
double Bbr::bdp_multiple(double bw, double gain) const {
  if (min_rtt_ == kNoRtt) return static_cast<double>(initial_cwnd_);
  return gain * bw * static_cast<double>(min_rtt_.count()) / 1e9;
}

std::uint64_t Bbr::quantization_budget(double inflight_cap) const {
  // §5.5.8.1: a quantum that is being written, one on the way, one that waits for its SACK.
  const std::uint64_t offload_budget = 3 * std::uint64_t{send_quantum_};
  std::uint64_t cap = std::max({as_bytes(inflight_cap), offload_budget, min_pipe_cwnd()});
  if (state_ == State::kProbeBwUp) cap += 2 * smss_;
  return cap;
}

std::uint64_t Bbr::inflight(double bw, double gain) const {
  return quantization_budget(bdp_multiple(bw, gain));
}

// draft-ietf-ccwg-bbr §5.3.3.8.3.
std::uint64_t Bbr::target_inflight() const {
  return std::min(as_bytes(bdp_multiple(bw_, 1.0)), cwnd_);
}

// draft-ietf-ccwg-bbr §5.3.3.9.
std::uint64_t Bbr::inflight_with_headroom() const {
  if (inflight_longterm_ == kUnbounded) return kUnbounded;
  const std::uint64_t headroom =
      std::max(smss_, as_bytes(kHeadroom * static_cast<double>(inflight_longterm_)));
  return std::max(inflight_longterm_ - std::min(headroom, inflight_longterm_), min_pipe_cwnd());
}

// draft-ietf-ccwg-bbr §5.6.4.5.
std::uint64_t Bbr::probe_rtt_cwnd() const {
  return std::max(as_bytes(bdp_multiple(bw_, kProbeRttCwndGain)), min_pipe_cwnd());
}

// draft-ietf-ccwg-bbr §5.6.4.6.
void Bbr::set_cwnd() {
  const double cap = bdp_multiple(bw_, cwnd_gain()) + static_cast<double>(extra_acked());
  const std::uint64_t max_inflight = quantization_budget(cap);
  if (full_bw_reached_) {
    cwnd_ = std::min(cwnd_ + rs_.newly_acked, max_inflight);
  } else if (cwnd_ < max_inflight || delivered_ < initial_cwnd_) {
    cwnd_ += rs_.newly_acked;
  }
  cwnd_ = std::min(std::max(cwnd_, min_pipe_cwnd()), max_cwnd_);
  if (state_ == State::kProbeRtt) cwnd_ = std::min(cwnd_, probe_rtt_cwnd());
  bound_cwnd_for_model();
}

// draft-ietf-ccwg-bbr §5.6.4.7.
void Bbr::bound_cwnd_for_model() {
  std::uint64_t cap = kUnbounded;
  if (state_ == State::kProbeRtt || state_ == State::kProbeBwCruise) {
    cap = inflight_with_headroom();
  } else if (is_in_probe_bw()) {
    cap = inflight_longterm_;
  }
  cwnd_ = std::min(cwnd_, std::max(std::min(cap, inflight_shortterm_), min_pipe_cwnd()));
}

}  // namespace millrace::sctp
