// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/cubic.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sctp/tx/rate_terms.h"

namespace millrace::sctp {
namespace {

constexpr double kBeta = 0.7;  // RFC 9438 §4.6.
constexpr double kC = 0.4;     // RFC 9438 §5.1: segments per second cubed.
constexpr double kRenoAlpha = 3 * (1 - kBeta) / (1 + kBeta);  // RFC 9438 §4.3.

}  // namespace

Cubic::Cubic(const CongestionControlOptions& options)
    : mtu_(options.mtu_bytes),
      max_cwnd_(static_cast<double>(std::max(options.max_cwnd_bytes, 4 * options.mtu_bytes))),
      initial_packets_(options.initial_window_packets),
      cwnd_(std::min(static_cast<double>(options.initial_window_packets * options.mtu_bytes),
                     max_cwnd_)),
      ssthresh_(static_cast<std::size_t>(max_cwnd_)) {}

void Cubic::on_sent(Time now, std::size_t bytes, std::size_t flight_after) {
  // RFC 9438 §4.2: time in which nothing was in flight is not of the epoch.
  if (!epoch_ || flight_after > bytes) return;
  epoch_->start += now - last_growth_;
  last_growth_ = now;
}

void Cubic::on_ack(const AckSample& sample) {
  if (sample.cumulative_advanced) timed_out_ = false;
  // RFC 9260 §7.2.1, §7.2.2: no growth in fast recovery, nor without progress.
  if (sample.in_recovery || !sample.cumulative_advanced) return;
  if (in_slow_start()) {
    slow_start(sample);
  } else {
    avoid_congestion(sample);
  }
  cwnd_ = std::min(cwnd_, max_cwnd_);
}

void Cubic::slow_start(const AckSample& sample) {
  const std::size_t growth = hystart_ ? hystart_->handle_ack(sample) : sample.acked_bytes;
  if (sample.window_used(cwnd())) cwnd_ += static_cast<double>(growth);
  // RFC 9438 §4.10: the curve starts flat, where the delay began to rise.
  if (hystart_ && hystart_->finished()) {
    ssthresh_ = cwnd();
    hystart_.reset();
  }
}

void Cubic::avoid_congestion(const AckSample& sample) {
  if (!epoch_) begin_epoch(sample.now);
  if (!sample.window_used(cwnd())) {
    // RFC 9438 §4.2: t MUST NOT include times in which the application limits the window.
    epoch_->start += sample.now - last_growth_;
    last_growth_ = sample.now;
    return;
  }
  last_growth_ = sample.now;
  const double t = in_seconds(sample.now - epoch_->start);
  const double share = std::min(static_cast<double>(sample.acked_bytes) / cwnd_, 1.0);
  // RFC 9438 §4.3 (figure 4).
  const double alpha = epoch_->w_est >= cwnd_prior_ ? 1.0 : kRenoAlpha;
  epoch_->w_est += alpha * static_cast<double>(mtu_) * share;
  if (window_at(t) < epoch_->w_est) {
    cwnd_ = std::max(cwnd_, epoch_->w_est);
    return;
  }
  // RFC 9438 §4.2, §4.4, §4.5: the bounds keep growth below that of slow start.
  const double target = std::clamp(window_at(t + in_seconds(sample.srtt)), cwnd_, 1.5 * cwnd_);
  cwnd_ += (target - cwnd_) * share;
}

void Cubic::begin_epoch(Time now) {
  // RFC 9438 §4.8, §4.10: after a time-out, or where slow start ended without a loss, W_max
  // is the window as it is and K is 0.
  const double origin = std::max(w_max_, cwnd_);
  const double segments = (origin - cwnd_) / static_cast<double>(mtu_);
  epoch_ = Epoch{.start = now, .k = std::cbrt(segments / kC), .origin = origin, .w_est = cwnd_};
  last_growth_ = now;
  if (cwnd_prior_ == 0) cwnd_prior_ = cwnd_;
}

// RFC 9438 §4.2 (figure 1): W_cubic.
double Cubic::window_at(double seconds) const {
  const double from_flat = seconds - epoch_->k;
  return epoch_->origin + kC * from_flat * from_flat * from_flat * static_cast<double>(mtu_);
}

void Cubic::reduce(bool window_used) {
  // Of several reductions in an episode the first is what an undo must reach.
  if (!in_episode_) undo_ = Undo{cwnd_, ssthresh_, w_max_, cwnd_prior_, epoch_};
  in_episode_ = true;
  // RFC 9438 §4.7: a flow whose window shrinks from one loss to the next leaves room.
  w_max_ = cwnd_ < w_max_ ? cwnd_ * (1 + kBeta) / 2 : cwnd_;
  cwnd_prior_ = cwnd_;
  // RFC 9438 §4.6; the floor is that of RFC 9260 §7.2.3. cwnd stands for the flight, since
  // it does not grow beyond what is used.
  ssthresh_ = std::max(static_cast<std::size_t>(cwnd_ * kBeta),
                       least_after_loss(window_used, cwnd(), initial_packets_, mtu_));
  epoch_.reset();
  hystart_.reset();
}

void Cubic::on_fast_recovery(Time, bool window_used) {
  reduce(window_used);
  cwnd_ = std::min(cwnd_, static_cast<double>(ssthresh_));
}

void Cubic::on_timeout(Time) {
  // RFC 5681 §3.1 (by way of RFC 9438 §4.8): what was sent again and lost again, with nothing
  // acknowledged in between, tells of an outage or of a packet too large, not of a queue, and
  // holds ssthresh.
  if (!std::exchange(timed_out_, true)) reduce(true);
  // RFC 9438 §4.8.
  w_max_ = 0;
  cwnd_ = static_cast<double>(mtu_);
}

void Cubic::on_recovery_end(Time) { in_episode_ = timed_out_ = false; }

// RFC 9438 §4.9.2. HyStart++ does not come back: what it had measured is out of date.
void Cubic::on_spurious_loss(Time) {
  in_episode_ = timed_out_ = false;
  if (!undo_) return;
  if (cwnd_ < undo_->cwnd) {
    cwnd_ = undo_->cwnd;
    ssthresh_ = undo_->ssthresh;
    w_max_ = undo_->w_max;
    cwnd_prior_ = undo_->cwnd_prior;
    epoch_ = undo_->epoch;
  }
  undo_.reset();
}

void Cubic::on_idle(Duration idle, Duration rto) {
  // RFC 9260 §7.2.1: halved for every RTO of silence, down to four packets, or to the
  // initial window where that is larger (RFC 5681 §4.1): silence proves no less than birth.
  const double floor =
      std::min(cwnd_, static_cast<double>(std::max<std::size_t>(4, initial_packets_) * mtu_));
  for (; idle >= rto && cwnd_ > floor; idle -= rto) cwnd_ = std::max(cwnd_ / 2, floor);
  // RFC 9438 §5.8: what the curve was measured from holds no longer.
  epoch_.reset();
  undo_.reset();
}

void Cubic::set_mtu(std::size_t mtu_bytes) {
  // Lowered where nothing has arrived since the time-out, the packets were too large for the path:
  // cwnd has answered for their loss, which tells nothing of how many there is room for.
  if (mtu_bytes < mtu_ && timed_out_ && undo_) {
    cwnd_ = static_cast<double>(mtu_bytes);
    ssthresh_ = undo_->ssthresh;
  }
  mtu_ = mtu_bytes;
}

std::uint64_t Cubic::pacing_rate(Duration srtt) const {
  const bool doubling = in_slow_start() && !(hystart_ && hystart_->conservative());
  return window_rate(cwnd(), srtt, doubling);
}

}  // namespace millrace::sctp
