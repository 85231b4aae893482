// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/base/time.h"

namespace millrace::sctp {

// SackDelay says how long the SACK of a lone packet may wait for data that carries it. Who
// sends at a steady pace, thirty times a second say, and is answered at once, has nothing to
// send within the usual delay, and a packet for each SACK alone: a third of all. Here such a
// SACK waits until the next data is overdue, up to five times the usual delay. A peer has to
// reckon with 200 ms (RFC 9260 §6.2), or asks for the SACK (RFC 7053).
class SackDelay {
 public:
  static constexpr int kPatience = 5;
  static constexpr Duration kMost = milliseconds(200);

  // Zero never waits; 4 s at most.
  explicit SackDelay(Duration usual) : usual_(ns(usual)) {}

  Duration usual() const { return Duration(usual_); }

  // Data has left, any number of packets at a time.
  void note_data_sent(Time now) {
    const Duration gap = now - last_sent_;
    if (2 * gap < usual()) return;  // Of the same burst.
    last_sent_ = now;
    if (gap > longest()) {
      steady_ = 0;
      gap_ = 0;
      return;
    }
    steady_ = std::min(steady_ + 1, kSteady);
    gap_ = std::max(ns(gap), gap_ - gap_ / 4 + ns(gap) / 4);
  }

  // When the SACK for a packet that has come alone leaves at the latest.
  Time due(Time now) const {
    const Time at_least = now + usual();
    if (steady_ < kSteady) return at_least;
    const Time overdue = last_sent_ + Duration(gap_ + gap_ / 4);
    return std::max(at_least, std::min(overdue, now + longest()));
  }

 private:
  static constexpr std::uint32_t kSteady = 4;

  static std::uint32_t ns(Duration time) { return static_cast<std::uint32_t>(time.count()); }
  Duration longest() const { return std::max(usual(), std::min(kPatience * usual(), kMost)); }

  Time last_sent_{};
  std::uint32_t usual_;
  std::uint32_t gap_ = 0;     // The longest of late between two bursts.
  std::uint32_t steady_ = 0;  // How many such gaps there were, kSteady at most.
};

}  // namespace millrace::sctp
