// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/loss_event_history.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

constexpr double kDiscountThreshold = 0.25;  // RFC 5348 §5.5.

}  // namespace

bool LossEventHistory::handle_loss(Time sent_at, double position, Duration rtt) {
  // RFC 5348 §5.2: within a round trip of the event's first loss, or before it.
  if (count_ > 0 && sent_at < event_at_ + rtt) return false;
  // RFC 5348 §5.5: what the open interval took off the older ones stays off them.
  for (Interval& interval : closed_) interval.discount *= discount_;
  std::move_backward(closed_.begin(), closed_.end() - 1, closed_.end());
  // RFC 5348 §5.3: from the first loss of one event to the first of the next.
  closed_[0] = {std::max(position - event_position_, 1.0), 1.0};
  count_ = std::min(count_ + 1, kIntervals);
  discount_ = 1;
  open_ = 1;
  event_at_ = sent_at;
  event_position_ = position;
  return true;
}

void LossEventHistory::advance(double position) {
  if (count_ == 0) return;
  open_ = std::max(position - event_position_, 1.0);
  const double mean = closed_mean();
  discount_ = open_ > 2 * mean ? std::max(2 * mean / open_, kDiscountThreshold) : 1.0;
}

void LossEventHistory::seed(double segments) { closed_[0] = {std::max(segments, 1.0), 1.0}; }

// RFC 5348 §5.4.
double LossEventHistory::weight(std::size_t index) {
  if (index < kIntervals / 2) return 1;
  return 2.0 * static_cast<double>(kIntervals - index) / static_cast<double>(kIntervals + 2);
}

double LossEventHistory::closed_mean() const {
  double total = 0;
  double weights = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    total += closed_[i].segments * weight(i) * closed_[i].discount;
    weights += weight(i) * closed_[i].discount;
  }
  return total / weights;
}

// RFC 5348 §5.4, §5.5: the open interval counts where it makes the mean larger.
double LossEventHistory::loss_event_rate() const {
  if (count_ == 0) return 0;
  double total = open_ * weight(0);
  double weights = weight(0);
  for (std::size_t i = 0; i + 1 < kIntervals && i < count_; ++i) {
    const double share = weight(i + 1) * closed_[i].discount * discount_;
    total += closed_[i].segments * share;
    weights += share;
  }
  return 1 / std::max(total / weights, closed_mean());
}

}  // namespace millrace::sctp
