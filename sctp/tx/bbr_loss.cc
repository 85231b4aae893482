// SPDX-License-Identifier: Apache-2.0
// Bbr's draft-ietf-ccwg-bbr §5.3.1.3, §5.5.10 and §5.5.11: losses, recovery and its undoing.
#include <algorithm>
#include <cmath>

#include "sctp/tx/bbr.h"

namespace millrace::sctp {
namespace {

constexpr double kLossThresh = 0.02;
constexpr double kLossDeviations = 3;
constexpr double kLossBeta = 0.7;
constexpr int kStartupFullLossCnt = 6;

std::uint64_t scaled(std::uint64_t bytes, double factor) {
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * factor);
}

}  // namespace

// draft-ietf-ccwg-bbr §5.3.1.3: a round in recovery has lost more than is tolerable, and in so
// many places that it was no burst. Losses of two flushes are two places.
void Bbr::check_startup_high_loss(bool in_recovery) {
  if (!loss_round_start_) return;
  const int events = loss_events_in_round_;
  loss_events_in_round_ = 0;
  if (!in_recovery || state_ != State::kStartup || full_bw_reached_) return;
  if (events < kStartupFullLossCnt || !is_inflight_too_high()) return;
  undo_state_ = State::kStartup;
  full_bw_reached_ = true;
  const auto bdp = static_cast<std::uint64_t>(bdp_multiple(bw_, 1.0));
  inflight_longterm_ = std::max(bdp, inflight_latest_);
}

// draft-ietf-ccwg-bbr §5.5.10.2.
bool Bbr::is_inflight_too_high() const {
  return static_cast<double>(rs_.lost) > tolerable_loss(static_cast<double>(rs_.tx_in_flight));
}

// A mean of LossThresh loses more than that in every second round, and in a small flight one
// packet is more: what chance makes of it is tolerated too (decision 0009).
double Bbr::tolerable_loss(double inflight) const {
  const double expected = inflight * kLossThresh;
  return expected + kLossDeviations * std::sqrt(expected * static_cast<double>(smss_));
}

void Bbr::handle_inflight_too_high() {
  prev_probe_too_high_ = true;
  is_bw_probe_sample_ = false;
  if (!rs_.app_limited) {
    inflight_longterm_ = std::max(rs_.tx_in_flight, scaled(target_inflight(), kLossBeta));
  }
  if (state_ == State::kProbeBwUp) {
    undo_state_ = State::kProbeBwUp;
    start_probe_bw_down();
  }
}

// draft-ietf-ccwg-bbr §5.5.10.2.
void Bbr::note_loss() {
  if (!is_loss_in_round_) {
    loss_round_delivered_ = delivered_;
    loss_awaits_ack_ = true;
  }
  is_loss_in_round_ = true;
  if (!episode_saved_) save_state_upon_loss();
}

void Bbr::on_lost(Time now, std::size_t bytes, const SentState& sent) {
  now_ = now;
  lost_ += bytes;
  note_loss();
  if (sent.sent_at != last_lost_flush_) {
    last_lost_flush_ = sent.sent_at;
    ++loss_events_in_round_;
  }
  // Of one that left so long ago that its flight is forgotten there is nothing to learn.
  if (!is_bw_probe_sample_ || sent.in_flight == 0) return;
  rs_.tx_in_flight = sent.in_flight;
  rs_.lost = lost_ - std::min(sent.lost, lost_);
  rs_.app_limited = sent.app_limited;
  if (!is_inflight_too_high()) return;
  rs_.tx_in_flight = inflight_at_loss(bytes);
  handle_inflight_too_high();
}

// draft-ietf-ccwg-bbr §5.5.10.2: what was in flight where losses crossed the threshold.
std::uint64_t Bbr::inflight_at_loss(std::size_t bytes) const {
  const auto size = static_cast<double>(bytes);
  const double inflight_prev = std::max(static_cast<double>(rs_.tx_in_flight) - size, 0.0);
  const double lost_prev = std::max(static_cast<double>(rs_.lost) - size, 0.0);
  const double lost_prefix = (tolerable_loss(inflight_prev) - lost_prev) / (1 - kLossThresh);
  return static_cast<std::uint64_t>(std::max(inflight_prev + lost_prefix, 0.0));
}

// draft-ietf-ccwg-bbr §5.5.10.3.
void Bbr::update_congestion_signals() {
  update_max_bw();
  if (!loss_round_start_) return;
  if (is_loss_in_round_ && !is_probing_bw()) adapt_lower_bounds();
  is_loss_in_round_ = false;
}

void Bbr::adapt_lower_bounds() {
  if (bw_shortterm_ == std::numeric_limits<double>::infinity()) bw_shortterm_ = max_bw();
  if (inflight_shortterm_ == kUnbounded) inflight_shortterm_ = cwnd_;
  // Of a flow paced a hundredth below its estimate no more can arrive. Taken for the path's doing,
  // that hundredth would come off in every round with a loss: one random loss in a thousand
  // packets would cost half the rate between two probes.
  const double due = std::min(bw_latest_ / (1 - kPacingMargin), bw_shortterm_);
  bw_shortterm_ = std::max({bw_latest_, due, kLossBeta * bw_shortterm_});
  inflight_shortterm_ = std::max(inflight_latest_, scaled(inflight_shortterm_, kLossBeta));
}

// draft-ietf-ccwg-bbr §5.6.4.4.
void Bbr::save_cwnd() {
  if (!in_loss_recovery_ && state_ != State::kProbeRtt) {
    prior_cwnd_ = cwnd_;
  } else {
    prior_cwnd_ = std::max(prior_cwnd_, cwnd_);
  }
}

void Bbr::restore_cwnd() { cwnd_ = std::max(cwnd_, prior_cwnd_); }

// draft-ietf-ccwg-bbr §5.5.11.1, once an episode: a later loss of it would save what the first
// has changed already.
void Bbr::save_state_upon_loss() {
  save_cwnd();
  episode_saved_ = true;
  undo_state_ = State::kProbeRtt;
  undo_bw_shortterm_ = bw_shortterm_;
  undo_inflight_shortterm_ = inflight_shortterm_;
  undo_inflight_longterm_ = inflight_longterm_;
}

// draft-ietf-ccwg-bbr §5.6.4.4. `on_lost` has come before and saved what there is to save.
void Bbr::on_fast_recovery(Time now, bool) {
  now_ = now;
  if (!episode_saved_) save_state_upon_loss();
  in_loss_recovery_ = true;
}

void Bbr::on_timeout(Time now) {
  now_ = now;
  if (!episode_saved_) save_state_upon_loss();
  in_loss_recovery_ = true;
  quiet_ = false;
  // Nothing of what was sent is in flight: one packet.
  cwnd_ = smss_;
}

void Bbr::on_recovery_end(Time now) {
  now_ = now;
  in_loss_recovery_ = false;
  episode_saved_ = false;
  restore_cwnd();
  bound_cwnd_for_model();
}

// draft-ietf-ccwg-bbr §5.5.11.2.
void Bbr::on_spurious_loss(Time now) {
  now_ = now;
  in_loss_recovery_ = false;
  episode_saved_ = false;
  restore_cwnd();
  is_loss_in_round_ = false;
  reset_full_bw();
  bw_shortterm_ = std::max(bw_shortterm_, undo_bw_shortterm_);
  inflight_shortterm_ = std::max(inflight_shortterm_, undo_inflight_shortterm_);
  inflight_longterm_ = std::max(inflight_longterm_, undo_inflight_longterm_);
  if (undo_state_ == State::kStartup && state_ != State::kStartup) {
    full_bw_reached_ = false;
    if (state_ != State::kProbeRtt) state_ = State::kStartup;
  } else if (undo_state_ == State::kProbeBwUp && state_ != State::kProbeBwUp) {
    if (state_ != State::kProbeRtt) start_probe_bw_refill();
  }
  undo_state_ = State::kProbeRtt;
}

}  // namespace millrace::sctp
