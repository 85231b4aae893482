// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// FixedRate sends at the rate that it was given, whatever is lost: for laboratories, and for
// paths of one's own that are dimensioned for it. It is not fit for a shared network.
class FixedRate final : public CongestionControl {
 public:
  explicit FixedRate(const CongestionControlOptions& options);

  void on_sent(Time, std::size_t, std::size_t) override {}
  void on_ack(const AckSample& sample) override;
  void on_fast_recovery(Time, bool) override {}
  void on_timeout(Time) override {}
  void on_idle(Duration, Duration) override {}
  void set_mtu(std::size_t mtu_bytes) override { mtu_ = mtu_bytes; }

  // Twice what the rate needs for a round trip: a round trip in which nothing is heard does
  // not stop it, silence for longer does.
  std::size_t cwnd() const override;
  std::size_t ssthresh() const override { return max_cwnd_; }
  bool bounds_flight_itself() const override { return true; }
  std::size_t send_quantum() const override;
  std::uint64_t pacing_rate(Duration) const override { return rate_; }

 private:
  std::uint64_t rate_;
  std::size_t mtu_;
  std::size_t max_cwnd_;
  Duration rtt_;
};

}  // namespace millrace::sctp
