// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "sctp/tx/congestion_control.h"
#include "sctp/tx/hystart.h"

namespace millrace::sctp {

// Cubic is the congestion control of RFC 9438, in bytes. Growth counts the bytes that a
// SACK newly acknowledges, so it does not depend on how often the peer sends one; see
// engine/docs/decisions/0004-window-growth-per-byte.md.
class Cubic final : public CongestionControl {
 public:
  explicit Cubic(const CongestionControlOptions& options);

  void on_sent(Time now, std::size_t bytes, std::size_t flight_after) override;
  void on_ack(const AckSample& sample) override;
  void on_fast_recovery(Time now, bool window_used) override;
  void on_recovery_end(Time now) override;
  void on_spurious_loss(Time now) override;
  void on_timeout(Time now) override;
  void on_idle(Duration idle, Duration rto) override;
  void set_mtu(std::size_t mtu_bytes) override;

  std::size_t cwnd() const override { return static_cast<std::size_t>(cwnd_); }
  std::size_t ssthresh() const override { return ssthresh_; }
  std::uint64_t pacing_rate(Duration srtt) const override;

 private:
  // Epoch is one stage of congestion avoidance. Windows are bytes, times seconds.
  struct Epoch {
    Time start;
    double k = 0;       // From its start to `origin`.
    double origin = 0;  // W_max: where the curve is flat.
    double w_est = 0;   // What Reno would have reached.
  };

  // Undo is what an episode of recovery began with (RFC 9438 §4.9.2).
  struct Undo {
    double cwnd = 0;
    std::size_t ssthresh = 0;
    double w_max = 0;
    double cwnd_prior = 0;
    std::optional<Epoch> epoch;
  };

  bool in_slow_start() const { return cwnd() < ssthresh_; }
  void slow_start(const AckSample& sample);
  void avoid_congestion(const AckSample& sample);
  void begin_epoch(Time now);
  double window_at(double seconds) const;
  void reduce(bool window_used);

  std::size_t mtu_;
  double max_cwnd_;
  std::size_t initial_packets_;
  double cwnd_;  // Growth of less than a byte a SACK must not be lost.
  std::size_t ssthresh_;
  double w_max_ = 0;       // Zero: none, the curve starts flat.
  double cwnd_prior_ = 0;  // At the last congestion event.
  std::optional<Epoch> epoch_;
  std::optional<Undo> undo_;
  bool in_episode_ = false;
  bool timed_out_ = false;                     // And nothing was acknowledged since.
  std::optional<HyStart> hystart_{HyStart()};  // Of the first slow start.
  Time last_growth_{};                         // Until here the epoch has advanced.
};

}  // namespace millrace::sctp
