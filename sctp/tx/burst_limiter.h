// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"
#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// BurstLimiter bounds what leaves at one instant. It stands in for RFC 9260 §6.1 (D),
// whose Max.Burst of four packets a SACK would starve a sender that gets one SACK per
// burst: credit up to a burst comes back with time, at the pacing rate. A burst is half
// the window, where that is more than `min_burst`: a driver whose turns come late, by the
// scheduler's will or a coarse clock, has the whole window in flight with two of them, and a
// receiver whose buffer such a burst overflows shrinks it by shrinking the window. On long
// paths four milliseconds, which no turn is late by for long, are enough: half a window there
// is more than a bottleneck's queue.
class BurstLimiter {
 public:
  explicit BurstLimiter(std::size_t min_burst)
      : min_burst_(min_burst), max_burst_(min_burst), credit_(burst()) {}

  // The congestion window or the pacing rate changed. A controller's own `quantum`, where it
  // is not 0, takes the place of what they make.
  void set_window(std::size_t cwnd, std::uint64_t rate, std::size_t quantum = 0) {
    const std::uint64_t of_rate = std::min(rate, kMaxRate) / 250;
    max_burst_ = std::max<std::size_t>(min_burst_, std::min<std::uint64_t>(cwnd / 2, of_rate));
    if (quantum > 0) max_burst_ = quantum;
    credit_ = std::min(credit_, burst());
  }

  // What a flush at `now` may still send.
  std::size_t available(Time now, std::uint64_t rate) const {
    const std::int64_t credit = std::min(burst(), credit_ + earned(now, rate));
    return credit > 0 ? static_cast<std::size_t>(credit) : 0;
  }
  void refill(Time now, std::uint64_t rate) {
    const std::int64_t gain = earned(now, rate);
    // Time too short for a byte is kept for the next call.
    if (gain == 0) return;
    credit_ = std::min(burst(), credit_ + gain);
    refilled_at_ = now;
  }
  // The last packet of a burst may be larger than what was left: the rest is a debt. Forgotten,
  // it would make a small burst a fifth faster than the rate, which a model of the path relies on.
  void spend(std::size_t bytes) {
    credit_ = std::max(credit_ - static_cast<std::int64_t>(bytes), -burst());
  }

  // When half a burst will have come back: waking for less would waste the turn.
  Time refilled_at(std::uint64_t rate) const {
    const std::int64_t goal = burst() / 2;
    if (credit_ >= goal || rate == CongestionControl::kUnpaced || rate == 0)
      return refilled_at_ + Duration(1);
    const auto missing = static_cast<std::uint64_t>(goal - credit_);
    const std::uint64_t nanos = missing * std::uint64_t{1'000'000'000} / rate + 1;
    return refilled_at_ + Duration(static_cast<std::int64_t>(nanos));
  }

 private:
  std::int64_t burst() const { return static_cast<std::int64_t>(max_burst_); }
  // Twice a burst at most: that pays any debt.
  std::int64_t earned(Time now, std::uint64_t rate) const {
    if (now <= refilled_at_) return 0;
    if (rate == CongestionControl::kUnpaced) return 2 * burst();
    const auto nanos = static_cast<std::uint64_t>((now - refilled_at_).count());
    constexpr std::uint64_t kSecond = 1'000'000'000;
    // An hour refills any burst; that and the cap on the rate keep the products below 2^64.
    if (nanos >= 3600 * kSecond) return 2 * burst();
    const std::uint64_t capped = std::min(rate, kMaxRate);
    const std::uint64_t bytes = capped * (nanos / kSecond) + capped * (nanos % kSecond) / kSecond;
    return std::min(static_cast<std::int64_t>(bytes), 2 * burst());
  }

  static constexpr std::uint64_t kMaxRate = 16'000'000'000;  // 128 Gbit/s.

  std::size_t min_burst_;
  std::size_t max_burst_;
  std::int64_t credit_;
  Time refilled_at_{};
};

}  // namespace millrace::sctp
