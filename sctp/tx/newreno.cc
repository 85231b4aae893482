// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/newreno.h"

#include <algorithm>

namespace millrace::sctp {

NewReno::NewReno(const CongestionControlOptions& options)
    : mtu_(options.mtu_bytes),
      max_cwnd_(std::max(options.max_cwnd_bytes, 4 * options.mtu_bytes)),
      initial_packets_(options.initial_window_packets),
      cwnd_(std::min(options.initial_window_packets * options.mtu_bytes, max_cwnd_)),
      ssthresh_(max_cwnd_) {}

void NewReno::on_sent(Time, std::size_t, std::size_t) {}

void NewReno::on_ack(const AckSample& sample) {
  // RFC 9260 §7.2.1, §7.2.2: no growth in fast recovery, nor without progress.
  if (sample.in_recovery || !sample.cumulative_advanced) return;
  if (in_slow_start()) {
    if (!sample.window_used(cwnd_)) return;
    cwnd_ = std::min(cwnd_ + sample.acked_bytes, max_cwnd_);
    return;
  }
  // RFC 9260 §7.2.2: one MTU per window acknowledged.
  partial_bytes_acked_ += sample.acked_bytes;
  while (partial_bytes_acked_ >= cwnd_) {
    partial_bytes_acked_ -= cwnd_;
    if (!sample.window_used(cwnd_)) continue;
    cwnd_ = std::min(cwnd_ + mtu_, max_cwnd_);
  }
  if (sample.flight_after == 0) partial_bytes_acked_ = 0;
}

// RFC 9260 §7.2.3.
void NewReno::reduce(bool window_used) {
  if (!in_episode_) undo_ = {cwnd_, ssthresh_};
  in_episode_ = true;
  ssthresh_ = std::max(cwnd_ / 2, least_after_loss(window_used, cwnd_, initial_packets_, mtu_));
  partial_bytes_acked_ = 0;
}

void NewReno::on_fast_recovery(Time, bool window_used) {
  reduce(window_used);
  cwnd_ = ssthresh_;
}

// RFC 9260 §7.2.3.
void NewReno::on_timeout(Time) {
  reduce(true);
  cwnd_ = mtu_;
}

void NewReno::on_recovery_end(Time) { in_episode_ = false; }

// RFC 4015: the window of before, and its threshold, all reductions of the episode undone.
void NewReno::on_spurious_loss(Time) {
  cwnd_ = std::max(cwnd_, undo_.cwnd);
  ssthresh_ = std::max(ssthresh_, undo_.ssthresh);
  undo_ = {};
  in_episode_ = false;
}

void NewReno::on_idle(Duration idle, Duration rto) {
  // RFC 9260 §7.2.1: halved for every RTO of silence, down to four packets, or to the
  // initial window where that is larger (RFC 5681 §4.1): silence proves no less than birth.
  const std::size_t floor = std::min(cwnd_, std::max<std::size_t>(4, initial_packets_) * mtu_);
  for (; idle >= rto && cwnd_ > floor; idle -= rto) cwnd_ = std::max(cwnd_ / 2, floor);
  partial_bytes_acked_ = 0;
  undo_ = {};
}

void NewReno::set_mtu(std::size_t mtu_bytes) { mtu_ = mtu_bytes; }

std::uint64_t NewReno::pacing_rate(Duration srtt) const {
  return window_rate(cwnd_, srtt, in_slow_start());
}

}  // namespace millrace::sctp
