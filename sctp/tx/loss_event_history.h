// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"

namespace millrace::sctp {

// LossEventHistory measures the loss event rate of RFC 5348 §5: losses of one round trip are
// one event, and the last eight intervals between events tell how far apart they are. Positions
// are segments sent since the association began; they need not be whole.
class LossEventHistory {
 public:
  // A segment that left at `sent_at` as the one at `position` was lost. True if that began a
  // loss event (§5.2).
  bool handle_loss(Time sent_at, double position, Duration rtt);
  // All up to `position` has arrived or is known to be lost.
  void advance(double position);
  // §6.3.1: replaces what came before the first event, which was slow start, by `segments`.
  void seed(double segments);

  bool empty() const { return count_ == 0; }
  // Loss events a segment; zero before the first (§5.4, §5.5).
  double loss_event_rate() const;

 private:
  // §5.4: SHOULD NOT be larger.
  static constexpr std::size_t kIntervals = 8;

  // Interval is a closed one and how much it has been discounted (§5.5).
  struct Interval {
    double segments = 0;
    double discount = 1;
  };

  static double weight(std::size_t index);
  double closed_mean() const;

  std::array<Interval, kIntervals> closed_;  // Newest first.
  std::size_t count_ = 0;
  double open_ = 0;      // I_0.
  double discount_ = 1;  // DF.
  double event_position_ = 0;
  Time event_at_{};
};

}  // namespace millrace::sctp
