// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// NewReno is the congestion control of RFC 9260 §7.2, with growth counted in bytes newly
// acknowledged: a SACK that covers a whole burst grows the window by the whole burst.
class NewReno final : public CongestionControl {
 public:
  explicit NewReno(const CongestionControlOptions& options);

  void on_sent(Time now, std::size_t bytes, std::size_t flight_after) override;
  void on_ack(const AckSample& sample) override;
  void on_fast_recovery(Time now, bool window_used) override;
  void on_recovery_end(Time now) override;
  void on_spurious_loss(Time now) override;
  void on_timeout(Time now) override;
  void on_idle(Duration idle, Duration rto) override;
  void set_mtu(std::size_t mtu_bytes) override;

  std::size_t cwnd() const override { return cwnd_; }
  std::size_t ssthresh() const override { return ssthresh_; }
  std::uint64_t pacing_rate(Duration srtt) const override;

 private:
  // Undo is what an episode of recovery began with; of zeros, where there is nothing to undo.
  struct Undo {
    std::size_t cwnd = 0;
    std::size_t ssthresh = 0;
  };

  bool in_slow_start() const { return cwnd_ <= ssthresh_; }
  void reduce(bool window_used);

  std::size_t mtu_;
  std::size_t max_cwnd_;
  std::size_t initial_packets_;
  std::size_t cwnd_;
  std::size_t ssthresh_;
  std::size_t partial_bytes_acked_ = 0;
  Undo undo_;
  bool in_episode_ = false;
};

}  // namespace millrace::sctp
