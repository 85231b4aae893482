// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/tfrc.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sctp/tx/rate_terms.h"

namespace millrace::sctp {
namespace {

constexpr double kMaxBackOffSeconds = 64;  // RFC 5348 §4.3: t_mbi.
constexpr double kRttRootWeight = 0.9;     // RFC 5348 §4.5: q2.

}  // namespace

Tfrc::Tfrc(const CongestionControlOptions& options)
    : mtu_(options.mtu_bytes),
      max_cwnd_(std::max(options.max_cwnd_bytes, 4 * options.mtu_bytes)),
      initial_packets_(options.initial_window_packets) {}

double Tfrc::throughput(double bytes, double rtt_seconds, double loss_event_rate) {
  // RFC 5348 §3.1: b is 1 and t_RTO is 4 R, as recommended there.
  const double p = loss_event_rate;
  const double time_out = 4 * rtt_seconds;
  const double denominator = rtt_seconds * std::sqrt(2 * p / 3) +
                             time_out * (3 * std::sqrt(3 * p / 8)) * p * (1 + 32 * p * p);
  return bytes / denominator;
}

double Tfrc::rtt_seconds() const {
  return in_seconds(rtt_ > Duration::zero() ? rtt_ : kNominalRtt);
}

// RFC 5348 §4.2, with the initial window that is in use today.
double Tfrc::initial_rate() const {
  return static_cast<double>(initial_packets_ * mtu_) / rtt_seconds();
}

double Tfrc::least_rate() const { return static_cast<double>(mtu_) / kMaxBackOffSeconds; }

double Tfrc::equation_rate() const {
  return throughput(static_cast<double>(mtu_), rtt_seconds(), history_.loss_event_rate());
}

double Tfrc::most_received() const {
  double most = 0;
  for (const ReceiveRate& received : received_) most = std::max(most, received.rate);
  return most;
}

void Tfrc::on_sent(Time now, std::size_t, std::size_t) {
  if (interval_began_ == Time{}) interval_began_ = now;
}

void Tfrc::on_ack(const AckSample& sample) {
  if (sample.srtt > Duration::zero()) rtt_ = sample.srtt;
  history_.advance(static_cast<double>(sample.delivered + sample.lost) / static_cast<double>(mtu_));
  if (rtt_ <= Duration::zero()) return;
  if (rate_ == 0) {
    // RFC 5348 §4.2: the first round trip measured.
    rate_ = initial_rate();
    doubled_at_ = interval_began_ = sample.now;
    interval_delivered_ = sample.delivered;
    return;
  }
  if (sample.acked_bytes > 0 && !sample.rate.app_limited) data_limited_ = false;
  // RFC 5348 §6.2: where nothing was received there is no report.
  const bool any = sample.delivered > interval_delivered_;
  if (any && sample.now - interval_began_ >= rtt_) handle_feedback(sample);
}

// RFC 5348 §4.3, step 4, once a round trip.
void Tfrc::handle_feedback(const AckSample& sample) {
  const double elapsed = in_seconds(sample.now - interval_began_);
  // RFC 5348 §6.2: what came within the last round trip, and so a packet at least: below that the
  // loss event rate is what holds the sender back, not this.
  const double least = static_cast<double>(std::min(sample.acked_bytes, mtu_)) / rtt_seconds();
  double received =
      std::max(static_cast<double>(sample.delivered - interval_delivered_) / elapsed, least);
  most_ever_received_ = std::max(most_ever_received_, received);
  double growth = 2;
  if (data_limited_ && event_in_interval_) {
    for (ReceiveRate& entry : received_) entry.rate /= 2;
    received *= 0.85;
    growth = 1;
  }
  add_receive_rate(sample.now, received, data_limited_);
  receive_limit_ =
      receive_unlimited_ ? std::numeric_limits<double>::infinity() : growth * most_received();
  if (!history_.empty()) {
    set_rate(receive_limit_);
  } else if (sample.now - doubled_at_ >= rtt_) {
    rate_ = std::max(std::min(2 * rate_, receive_limit_), initial_rate());
    doubled_at_ = sample.now;
  }
  if (sample.rtt > Duration::zero()) {
    // RFC 5348 §4.5.
    const double root = std::sqrt(in_seconds(sample.rtt));
    rtt_root_mean_ =
        rtt_root_mean_ == 0 ? root : kRttRootWeight * rtt_root_mean_ + (1 - kRttRootWeight) * root;
    damping_ = rtt_root_mean_ / root;
  }
  interval_began_ = sample.now;
  interval_delivered_ = sample.delivered;
  data_limited_ = true;
  event_in_interval_ = false;
}

// RFC 5348 §4.3: Update X_recv_set or, where `alone`, Maximize X_recv_set.
void Tfrc::add_receive_rate(Time now, double rate, bool alone) {
  // The first report is of a connection that had only begun to send.
  receive_unlimited_ = receive_unlimited_ && !alone && received_[0].rate == 0;
  if (alone) {
    received_ = {ReceiveRate{now, std::max(most_received(), rate)}};
    return;
  }
  std::move_backward(received_.begin(), received_.end() - 1, received_.end());
  received_[0] = {now, rate};
  for (ReceiveRate& entry : received_) {
    if (now - entry.at > 2 * rtt_) entry.rate = 0;
  }
}

void Tfrc::set_rate(double receive_limit) {
  rate_ = std::max(std::min(equation_rate(), receive_limit), least_rate());
}

void Tfrc::on_lost(Time, std::size_t, const SentState& sent) {
  const std::uint64_t position = sent.delivered + sent.lost + sent.in_flight;
  const LossEventHistory before = history_;
  if (!history_.handle_loss(sent.sent_at, static_cast<double>(position) / static_cast<double>(mtu_),
                            rtt_)) {
    return;
  }
  before_event_ = before;
  rate_before_event_ = rate_;
  event_in_interval_ = true;
  if (before.empty()) seed_history();
  // RFC 5348 §6.2: a new event is answered at once.
  if (rate_ > 0) rate_ = std::min(rate_, std::max(equation_rate(), least_rate()));
}

// RFC 5348 §6.3.1: the interval at which the equation gives what has been received.
void Tfrc::seed_history() {
  const double segment = static_cast<double>(mtu_);
  const double target = std::max(most_ever_received_, 0.5 * segment / rtt_seconds());
  // The equation falls as p rises: halve the range of its logarithm until it is narrow.
  double low = std::log(1e-12);
  double high = 0;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (throughput(segment, rtt_seconds(), std::exp(middle)) > target ? low : high) = middle;
  }
  history_.seed(std::exp(-high));
}

void Tfrc::on_fast_recovery(Time, bool) {}

// RFC 5348 §5.1: a packet that did arrive takes its loss event out of the history.
void Tfrc::on_spurious_loss(Time) {
  if (rate_before_event_ == 0) return;
  history_ = before_event_;
  rate_ = std::max(rate_, rate_before_event_);
  rate_before_event_ = 0;
}

// RFC 5348 §4.4: T3-rtx is the nofeedback timer.
void Tfrc::on_timeout(Time) {
  rate_before_event_ = 0;
  if (rate_ == 0) return;
  if (history_.empty()) {
    rate_ = std::max(rate_ / 2, least_rate());
    return;
  }
  const double received = receive_unlimited_ ? rate_ : most_received();
  const double equation = equation_rate();
  limit_receive_rate(equation > 2 * received ? received : equation / 2);
}

// RFC 5348 §4.4: Update_Limits.
void Tfrc::limit_receive_rate(double rate) {
  rate = std::max(rate, least_rate());
  receive_unlimited_ = false;
  received_ = {ReceiveRate{interval_began_, rate / 2}};
  set_rate(rate);
}

// RFC 5348 §4.4: halved for each nofeedback timer that silence lets expire, but to no less than
// what a new association begins with.
void Tfrc::on_idle(Duration idle, Duration rto) {
  // Between packets that the rate itself keeps apart for longer than a time-out nothing is idle.
  if (in_seconds(idle) * rate_ <= static_cast<double>(send_quantum())) return;
  const double floor = std::min(rate_, initial_rate());
  for (; idle >= rto && rate_ > floor; idle -= rto) rate_ = std::max(rate_ / 2, floor);
  if (!receive_unlimited_) received_ = {ReceiveRate{interval_began_, rate_ / 2}};
  interval_began_ = Time{};
}

void Tfrc::set_mtu(std::size_t mtu_bytes) { mtu_ = mtu_bytes; }

std::size_t Tfrc::cwnd() const {
  const double rate = rate_ > 0 ? rate_ : initial_rate();
  const double needed = 2 * std::min(rate, kMostBytes) * rtt_seconds();
  return std::clamp(static_cast<std::size_t>(needed), 4 * mtu_, std::max(max_cwnd_, 4 * mtu_));
}

std::size_t Tfrc::ssthresh() const { return history_.empty() ? max_cwnd_ : cwnd(); }

std::size_t Tfrc::send_quantum() const {
  const double of_millisecond = std::min(rate_ / 1000, static_cast<double>(kMaxSendQuantum));
  return std::max(static_cast<std::size_t>(of_millisecond), 2 * mtu_);
}

std::uint64_t Tfrc::pacing_rate(Duration srtt) const {
  if (rate_ == 0) {
    const double rtt = in_seconds(srtt > Duration::zero() ? srtt : kNominalRtt);
    return static_cast<std::uint64_t>(static_cast<double>(initial_packets_ * mtu_) / rtt);
  }
  const double paced = std::clamp(rate_ * damping_, least_rate(), kMostBytes);
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(paced), 1);
}

}  // namespace millrace::sctp
