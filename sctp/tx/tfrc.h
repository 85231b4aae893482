// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sctp/tx/congestion_control.h"
#include "sctp/tx/loss_event_history.h"

namespace millrace::sctp {

// Tfrc is TCP-friendly rate control (RFC 5348): the rate is what a TCP would reach at the loss
// event rate and round trip measured, and it changes smoothly. SACKs tell the sender all that
// the RFC's receiver would have reported, so both of its halves are here; a round trip stands
// for the feedback interval. The window is a second bound, at twice what the rate needs.
class Tfrc final : public CongestionControl {
 public:
  explicit Tfrc(const CongestionControlOptions& options);

  void on_sent(Time now, std::size_t bytes, std::size_t flight_after) override;
  void on_ack(const AckSample& sample) override;
  void on_lost(Time now, std::size_t bytes, const SentState& sent) override;
  void on_fast_recovery(Time now, bool window_used) override;
  void on_spurious_loss(Time now) override;
  void on_timeout(Time now) override;
  void on_idle(Duration idle, Duration rto) override;
  void set_mtu(std::size_t mtu_bytes) override;

  std::size_t cwnd() const override;
  std::size_t ssthresh() const override;
  bool bounds_flight_itself() const override { return true; }
  std::size_t send_quantum() const override;
  std::uint64_t pacing_rate(Duration srtt) const override;

  double loss_event_rate() const { return history_.loss_event_rate(); }
  double allowed_rate() const { return rate_; }  // X, bytes a second.

  // RFC 5348 §3.1: X_Bps of a segment of `bytes`, at the round trip and loss event rate.
  static double throughput(double bytes, double rtt_seconds, double loss_event_rate);

 private:
  struct ReceiveRate {
    Time at{};
    double rate = 0;
  };

  double rtt_seconds() const;
  double initial_rate() const;
  double least_rate() const;
  double equation_rate() const;
  double most_received() const;
  void handle_feedback(const AckSample& sample);
  void add_receive_rate(Time now, double rate, bool alone);
  void limit_receive_rate(double rate);
  void set_rate(double receive_limit);
  void seed_history();

  std::size_t mtu_;
  std::size_t max_cwnd_;
  std::size_t initial_packets_;

  double rate_ = 0;           // X; zero before there is a round trip.
  double damping_ = 1;        // §4.5: X_inst / X.
  double rtt_root_mean_ = 0;  // R_sqmean.
  double most_ever_received_ = 0;
  double receive_limit_ = 0;
  Duration rtt_{};
  Time doubled_at_{};  // tld.

  Time interval_began_{};
  std::uint64_t interval_delivered_ = 0;  // C.delivered where the interval began.
  bool data_limited_ = true;              // In the whole of it so far.
  bool event_in_interval_ = false;

  std::array<ReceiveRate, 3> received_{};  // X_recv_set; a rate of zero is no member.
  bool receive_unlimited_ = true;          // X_recv_set holds Infinity.

  LossEventHistory history_;
  LossEventHistory before_event_;  // For undoing the last event,
  double rate_before_event_ = 0;   // and what it cost.
};

}  // namespace millrace::sctp
