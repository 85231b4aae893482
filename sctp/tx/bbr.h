// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// Bbr is BBR version 3 as draft-ietf-ccwg-bbr writes it: a model of the path, its bandwidth and
// its shortest round trip, sets the pacing rate and bounds the flight; loss corrects the model.
// Names are the draft's. Rates are bytes a second, volumes bytes, SMSS is the largest packet.
// Decision 0009 says where it departs from the draft.
//
//   bbr.cc            §5.2, §5.6: events, pacing rate, send quantum, window
//   bbr_model.cc      §5.5.1 to §5.5.9: rounds, bandwidth, shortest round trip, aggregation
//   bbr_states.cc     §5.3.1 to §5.3.3: Startup, Drain, ProbeBW
//   bbr_probe_rtt.cc  §5.3.4, §5.4: ProbeRTT, restart from idle
//   bbr_loss.cc       §5.3.1.3, §5.5.10, §5.5.11: what a loss says, and its undoing
class Bbr final : public CongestionControl {
 public:
  enum class State : std::uint8_t {
    kStartup,
    kDrain,
    kProbeBwDown,
    kProbeBwCruise,
    kProbeBwRefill,
    kProbeBwUp,
    kProbeRtt,
  };
  static constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

  explicit Bbr(const CongestionControlOptions& options);

  void on_sent(Time now, std::size_t bytes, std::size_t flight_after) override;
  void on_ack(const AckSample& sample) override;
  void on_fast_recovery(Time now, bool window_used) override;
  void on_lost(Time now, std::size_t bytes, const SentState& sent) override;
  void on_recovery_end(Time now) override;
  void on_spurious_loss(Time now) override;
  void on_timeout(Time now) override;
  void on_idle(Duration idle, Duration rto) override;
  void set_mtu(std::size_t mtu_bytes) override;

  std::size_t cwnd() const override { return static_cast<std::size_t>(cwnd_); }
  // There is no such threshold; what the path was found to bear stands in for it.
  std::size_t ssthresh() const override;
  bool bounds_flight_itself() const override { return true; }
  std::size_t send_quantum() const override { return send_quantum_; }
  std::uint64_t pacing_rate(Duration srtt) const override;

  State state() const { return state_; }
  double max_bw() const;             // Of this and the last probing cycle.
  double bw() const { return bw_; }  // After what losses have taken off it.
  Duration min_rtt() const { return min_rtt_; }
  bool full_bw_reached() const { return full_bw_reached_; }
  std::uint64_t inflight_longterm() const { return inflight_longterm_; }
  std::uint64_t inflight_shortterm() const { return inflight_shortterm_; }
  std::uint64_t extra_acked() const;
  double pacing_gain() const;

 private:
  // §2.3: where the acknowledgements that come in stand towards the last probe.
  enum class AckPhase : std::uint8_t { kInit, kRefilling, kStarting, kFeedback, kStopping };
  static constexpr Duration kNoRtt = Duration::max();
  static constexpr double kPacingMargin = 0.01;

  // Rs is the draft's RS, of the SACK or the lost transmission at hand.
  struct Rs {
    double delivery_rate = 0;
    std::uint64_t prior_delivered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t tx_in_flight = 0;
    std::uint64_t newly_acked = 0;
    Duration rtt = kNoRtt;
    bool app_limited = false;
  };

  // bbr.cc
  void start(Time now);
  void take_sample(const AckSample& sample);
  void init_pacing_rate(Duration srtt);
  void set_pacing_rate_with_gain(double gain);
  void set_send_quantum();
  void set_cwnd();
  void bound_cwnd_for_model();
  double cwnd_gain() const;
  double bdp_multiple(double bw, double gain) const;
  std::uint64_t quantization_budget(double inflight_cap) const;
  std::uint64_t inflight(double bw, double gain) const;
  std::uint64_t target_inflight() const;
  std::uint64_t inflight_with_headroom() const;
  std::uint64_t probe_rtt_cwnd() const;
  std::uint64_t min_pipe_cwnd() const { return 4 * smss_; }

  // bbr_model.cc
  void update_latest_delivery_signals();
  void advance_latest_delivery_signals();
  void update_round();
  void start_round();
  void update_max_bw();
  void advance_max_bw_filter();
  void update_ack_aggregation();
  void update_min_rtt();
  void reset_congestion_signals();
  void reset_short_term_model();
  void bound_bw_for_model();

  // bbr_states.cc
  bool is_in_probe_bw() const {
    return state_ >= State::kProbeBwDown && state_ <= State::kProbeBwUp;
  }
  bool is_probing_bw() const;
  void reset_full_bw();
  void check_full_bw_reached();
  void check_startup_done();
  void enter_drain();
  void check_drain_done();
  void start_probe_bw_down();
  void start_probe_bw_refill();
  void start_probe_bw_up();
  void update_probe_bw_cycle_phase();
  bool adapt_long_term_model();
  bool check_time_to_probe_bw();
  bool is_time_to_cruise() const;
  bool is_time_to_go_down();
  void pick_probe_wait();
  void raise_inflight_longterm_slope();
  void probe_inflight_longterm_upward();
  std::uint64_t draw();

  // bbr_probe_rtt.cc
  void check_probe_rtt();
  void handle_probe_rtt();
  void check_probe_rtt_done();
  void exit_probe_rtt();
  void restart_from_idle();
  void mark_app_limited();

  // bbr_loss.cc
  void check_startup_high_loss(bool in_recovery);
  bool is_inflight_too_high() const;
  double tolerable_loss(double inflight) const;
  void handle_inflight_too_high();
  void note_loss();
  std::uint64_t inflight_at_loss(std::size_t bytes) const;
  void update_congestion_signals();
  void adapt_lower_bounds();
  void save_cwnd();
  void restore_cwnd();
  void save_state_upon_loss();

  std::uint64_t smss_;
  std::uint64_t max_cwnd_;
  std::uint64_t initial_cwnd_;
  std::uint64_t random_;

  Rs rs_;
  Time now_{};
  std::uint64_t delivered_ = 0;  // C.delivered, C.lost, C.inflight, C.is_cwnd_limited.
  std::uint64_t lost_ = 0;
  std::uint64_t inflight_ = 0;
  std::uint64_t inflight_before_ = 0;
  bool cwnd_limited_ = false;
  bool started_ = false;
  bool quiet_ = false;  // The application let what was in flight run out.

  std::uint64_t cwnd_;
  std::uint64_t prior_cwnd_ = 0;
  double pacing_rate_ = 0;  // Zero before there is a round trip.
  std::size_t send_quantum_ = 0;

  State state_ = State::kStartup;
  AckPhase ack_phase_ = AckPhase::kInit;
  bool round_start_ = false;
  bool idle_restart_ = false;
  std::uint64_t next_round_delivered_ = 0;
  std::uint64_t round_count_ = 0;
  std::uint64_t drain_start_round_ = 0;

  std::array<double, 2> max_bw_filter_{};  // The last probing cycle and this one.
  double bw_ = 0;
  double bw_shortterm_ = std::numeric_limits<double>::infinity();
  double bw_latest_ = 0;
  std::uint64_t inflight_longterm_ = kUnbounded;
  std::uint64_t inflight_shortterm_ = kUnbounded;
  std::uint64_t inflight_latest_ = 0;
  std::uint64_t loss_round_delivered_ = 0;
  bool loss_round_start_ = false;
  bool is_loss_in_round_ = false;
  bool loss_awaits_ack_ = false;  // Of a loss whose SACK is not processed yet.
  int loss_events_in_round_ = 0;  // Flushes of which something was lost.
  Time last_lost_flush_{};

  Time extra_acked_interval_start_{};
  std::uint64_t extra_acked_delivered_ = 0;
  std::array<std::uint64_t, 2> extra_acked_filter_{};
  std::uint64_t extra_acked_round_ = 0;  // Where the newer half of the filter began.

  bool full_bw_reached_ = false;
  bool full_bw_now_ = false;
  int full_bw_count_ = 0;
  double full_bw_ = 0;

  bool is_bw_probe_sample_ = false;
  bool prev_probe_too_high_ = false;
  bool prev_probe_precautionary_ = false;
  int bw_probe_up_rounds_ = 0;
  std::uint64_t bw_probe_up_acked_ = 0;
  std::uint64_t probe_up_acked_per_inc_ = kUnbounded;
  std::uint64_t rounds_since_probe_up_ = 0;
  Duration bw_probe_wait_{};
  Time cycle_stamp_{};

  Duration min_rtt_ = kNoRtt;
  Time min_rtt_stamp_{};
  Duration probe_rtt_min_delay_ = kNoRtt;
  Time probe_rtt_min_stamp_{};
  Time probe_rtt_done_stamp_{};  // Time{}: not set.
  bool probe_rtt_expired_ = false;
  bool probe_rtt_round_done_ = false;
  std::uint64_t app_limited_from_ = 1;  // C.delivered of transmissions that ProbeRTT held back.
  std::uint64_t app_limited_until_ = 0;

  bool in_loss_recovery_ = false;
  bool episode_saved_ = false;
  State undo_state_ = State::kProbeRtt;  // kProbeRtt: none.
  double undo_bw_shortterm_ = 0;
  std::uint64_t undo_inflight_shortterm_ = 0;
  std::uint64_t undo_inflight_longterm_ = 0;
};

}  // namespace millrace::sctp
