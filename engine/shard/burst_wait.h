// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

#include "engine/base/time.h"

namespace millrace::engine {

// BurstWait is whether a shard that would block stays awake a little longer: behind a burst of
// datagrams the next one is mostly on its way, and to wake a shard costs its sender more than
// the whole burst did. Where the next one does not come in time it is not waited for again
// before twice as many bursts have gone by, 64 at most; so it costs a paced flow next to nothing.
class BurstWait {
 public:
  static constexpr std::size_t kBurst = 48;  // Datagrams of a turn, behind which more may wait.
  static constexpr Duration kWindow = microseconds(30);
  static constexpr Duration kLookInterval = microseconds(5);

  // Each turn: what it has received.
  void note_received(std::size_t datagrams) {
    if (datagrams == 0) return;
    if (waiting_) missed_ = 0;
    waiting_ = armed_ = false;
    if (datagrams < kBurst) return;
    if (skipped_ > 0) {
      --skipped_;
    } else {
      armed_ = true;
    }
  }

  // There is nothing to do. True: look again instead of going to sleep.
  bool stays_awake(Time now) {
    if (!armed_) return false;
    if (!waiting_) until_ = now + kWindow;
    waiting_ = true;
    if (now < until_) return true;
    waiting_ = armed_ = false;
    missed_ = std::min(missed_ + 1, kMostMissed);
    skipped_ = 1u << missed_;
    return false;
  }

 private:
  static constexpr unsigned kMostMissed = 6;

  bool armed_ = false;    // The last datagrams came as a burst that is worth it.
  bool waiting_ = false;  // For the next, until then.
  Time until_{};
  unsigned missed_ = 0;   // In a row.
  unsigned skipped_ = 0;  // Bursts that are still to go by.
};

}  // namespace millrace::engine
