// SPDX-License-Identifier: Apache-2.0
// Bbr's draft-ietf-ccwg-bbr §5.3.4 (ProbeRTT) and §5.4 (restart from idle).
#include "sctp/tx/bbr.h"

namespace millrace::sctp {
namespace {

constexpr Duration kProbeRttDuration = milliseconds(200);

}  // namespace

// draft-ietf-ccwg-bbr §5.3.4.3.
void Bbr::check_probe_rtt() {
  if (state_ != State::kProbeRtt && probe_rtt_expired_ && !idle_restart_) {
    state_ = State::kProbeRtt;
    save_cwnd();
    probe_rtt_done_stamp_ = Time{};
    ack_phase_ = AckPhase::kStopping;
    app_limited_from_ = delivered_;
    start_round();
  }
  if (state_ == State::kProbeRtt) handle_probe_rtt();
  if (rs_.delivered > 0) idle_restart_ = false;
}

// §4.1.2.4: transmissions are marked until what is in flight has arrived.
void Bbr::mark_app_limited() { app_limited_until_ = delivered_ + inflight_; }

void Bbr::handle_probe_rtt() {
  mark_app_limited();
  if (probe_rtt_done_stamp_ == Time{}) {
    if (inflight_ > probe_rtt_cwnd()) return;
    probe_rtt_done_stamp_ = now_ + kProbeRttDuration;
    probe_rtt_round_done_ = false;
    start_round();
    return;
  }
  if (round_start_) probe_rtt_round_done_ = true;
  if (probe_rtt_round_done_) check_probe_rtt_done();
}

void Bbr::check_probe_rtt_done() {
  if (probe_rtt_done_stamp_ == Time{} || now_ <= probe_rtt_done_stamp_) return;
  probe_rtt_min_stamp_ = now_;
  restore_cwnd();
  exit_probe_rtt();
}

// draft-ietf-ccwg-bbr §5.3.4.4: what is in flight is below the product already, so that DOWN
// has nothing to do but to start the clock.
void Bbr::exit_probe_rtt() {
  reset_short_term_model();
  if (!full_bw_reached_) {
    state_ = State::kStartup;
    return;
  }
  start_probe_bw_down();
  state_ = State::kProbeBwCruise;
}

// draft-ietf-ccwg-bbr §5.4.1.
void Bbr::restart_from_idle() {
  idle_restart_ = true;
  extra_acked_interval_start_ = now_;
  if (is_in_probe_bw()) {
    set_pacing_rate_with_gain(1.0);
  } else if (state_ == State::kProbeRtt) {
    check_probe_rtt_done();
  }
}

}  // namespace millrace::sctp
