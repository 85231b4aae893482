// SPDX-License-Identifier: Apache-2.0
// Bbr's draft-ietf-ccwg-bbr §5.3.1 to §5.3.3: Startup, Drain and ProbeBW.
#include <algorithm>

#include "sctp/tx/bbr.h"

namespace millrace::sctp {
namespace {

constexpr double kFullBwGrowth = 1.25;
constexpr int kFullBwRounds = 3;
constexpr std::uint64_t kDrainRounds = 3;
constexpr std::uint64_t kMostProbeRounds = 63;
constexpr int kMostUpRounds = 30;

}  // namespace

// draft-ietf-ccwg-bbr §5.3.3.9.
bool Bbr::is_probing_bw() const {
  return state_ == State::kStartup || state_ == State::kProbeBwRefill ||
         state_ == State::kProbeBwUp;
}

// draft-ietf-ccwg-bbr §5.3.1.2.
void Bbr::reset_full_bw() {
  full_bw_ = 0;
  full_bw_count_ = 0;
  full_bw_now_ = false;
}

void Bbr::check_full_bw_reached() {
  if (full_bw_now_ || !round_start_ || rs_.app_limited) return;
  if (rs_.delivery_rate >= full_bw_ * kFullBwGrowth) {
    reset_full_bw();
    full_bw_ = rs_.delivery_rate;
    return;
  }
  full_bw_now_ = ++full_bw_count_ >= kFullBwRounds;
  if (full_bw_now_) full_bw_reached_ = true;
}

// draft-ietf-ccwg-bbr §5.3.1.1.
void Bbr::check_startup_done() {
  if (state_ == State::kStartup && full_bw_reached_) enter_drain();
}

// draft-ietf-ccwg-bbr §5.3.2.
void Bbr::enter_drain() {
  state_ = State::kDrain;
  drain_start_round_ = round_count_;
}

void Bbr::check_drain_done() {
  if (state_ != State::kDrain) return;
  if (inflight_ <= inflight(bw_, 1.0) || round_count_ > drain_start_round_ + kDrainRounds) {
    start_probe_bw_down();
  }
}

// draft-ietf-ccwg-bbr §5.3.3.9.
void Bbr::start_probe_bw_down() {
  reset_congestion_signals();
  probe_up_acked_per_inc_ = kUnbounded;
  pick_probe_wait();
  cycle_stamp_ = now_;
  ack_phase_ = AckPhase::kStopping;
  start_round();
  state_ = State::kProbeBwDown;
}

void Bbr::start_probe_bw_refill() {
  reset_short_term_model();
  bw_probe_up_rounds_ = 0;
  bw_probe_up_acked_ = 0;
  prev_probe_precautionary_ = false;
  ack_phase_ = AckPhase::kRefilling;
  start_round();
  state_ = State::kProbeBwRefill;
}

void Bbr::start_probe_bw_up() {
  ack_phase_ = AckPhase::kStarting;
  start_round();
  reset_full_bw();
  full_bw_ = rs_.delivery_rate;
  state_ = State::kProbeBwUp;
  raise_inflight_longterm_slope();
}

void Bbr::update_probe_bw_cycle_phase() {
  if (!full_bw_reached_) return;
  if (adapt_long_term_model()) return;
  switch (state_) {
    case State::kProbeBwDown:
      if (!check_time_to_probe_bw() && is_time_to_cruise()) state_ = State::kProbeBwCruise;
      return;
    case State::kProbeBwCruise:
      check_time_to_probe_bw();
      return;
    case State::kProbeBwRefill:
      if (!round_start_) return;
      is_bw_probe_sample_ = true;
      start_probe_bw_up();
      return;
    case State::kProbeBwUp:
      if (!is_time_to_go_down()) return;
      prev_probe_too_high_ = false;
      start_probe_bw_down();
      return;
    case State::kStartup:
    case State::kDrain:
    case State::kProbeRtt:
      return;
  }
}

// draft-ietf-ccwg-bbr §5.3.3.9. Returns true if it decided on the next state.
bool Bbr::adapt_long_term_model() {
  if (ack_phase_ == AckPhase::kStarting && round_start_) ack_phase_ = AckPhase::kFeedback;
  if (ack_phase_ == AckPhase::kStopping && round_start_) {
    is_bw_probe_sample_ = false;
    ack_phase_ = AckPhase::kInit;
    if (is_in_probe_bw() && !rs_.app_limited) advance_max_bw_filter();
    // §5.3.3.6: the probe stopped short of what was too much before, and nothing was lost.
    if (is_in_probe_bw() && prev_probe_precautionary_ && !prev_probe_too_high_) {
      start_probe_bw_refill();
      return true;
    }
  }
  if (is_inflight_too_high() || inflight_longterm_ == kUnbounded) return false;
  inflight_longterm_ = std::max(inflight_longterm_, rs_.tx_in_flight);
  if (state_ == State::kProbeBwUp) probe_inflight_longterm_upward();
  return false;
}

bool Bbr::is_time_to_cruise() const {
  return inflight_ <= inflight_with_headroom() && inflight_ <= inflight(max_bw(), 1.0);
}

// draft-ietf-ccwg-bbr §5.3.3.7.
bool Bbr::is_time_to_go_down() {
  // In whole packets the flight may stay one short of the bound, and a SACK has just made it less.
  if (prev_probe_too_high_ && inflight_before_ + smss_ > inflight_longterm_) {
    prev_probe_precautionary_ = true;
    return true;
  }
  if (cwnd_limited_ && cwnd_ >= inflight_longterm_) {
    reset_full_bw();
    full_bw_ = rs_.delivery_rate;
    return false;
  }
  return full_bw_now_;
}

// draft-ietf-ccwg-bbr §5.3.3.8.3: by the clock or, as long as Reno needs to grow by as much,
// by rounds.
bool Bbr::check_time_to_probe_bw() {
  const std::uint64_t reno_rounds = std::min(target_inflight() / smss_, kMostProbeRounds);
  if (now_ <= cycle_stamp_ + bw_probe_wait_ && rounds_since_probe_up_ < reno_rounds) return false;
  start_probe_bw_refill();
  return true;
}

void Bbr::pick_probe_wait() {
  rounds_since_probe_up_ = draw() & 1;
  constexpr std::uint64_t kSpread = 1'000'000'000;
  bw_probe_wait_ = seconds(2) + Duration(static_cast<std::int64_t>(draw() % kSpread));
}

// SplitMix64: the waits of two flows must differ, no more.
std::uint64_t Bbr::draw() {
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = random_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

// draft-ietf-ccwg-bbr §5.3.3.5, §5.3.3.9: by 1, 2, 4 packets and so on a round.
void Bbr::raise_inflight_longterm_slope() {
  const std::uint64_t growth_this_round = std::uint64_t{1} << bw_probe_up_rounds_;
  bw_probe_up_rounds_ = std::min(bw_probe_up_rounds_ + 1, kMostUpRounds);
  probe_up_acked_per_inc_ = std::max(cwnd_ / growth_this_round, smss_);
}

void Bbr::probe_inflight_longterm_upward() {
  if (!cwnd_limited_ || cwnd_ < inflight_longterm_) return;
  bw_probe_up_acked_ += rs_.newly_acked;
  if (bw_probe_up_acked_ >= probe_up_acked_per_inc_) {
    const std::uint64_t delta = bw_probe_up_acked_ / probe_up_acked_per_inc_;
    bw_probe_up_acked_ -= delta * probe_up_acked_per_inc_;
    inflight_longterm_ += delta * smss_;
  }
  if (round_start_) raise_inflight_longterm_slope();
}

}  // namespace millrace::sctp
