// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "engine/base/time.h"

namespace millrace::sctp {

// RetransmissionTimer is one of the association's slow timers (T1-init, T1-cookie,
// T2-shutdown, the re-configuration timer): it doubles at each expiry, up to a cap, and
// counts. T3-rtx is the DataSender's.
class RetransmissionTimer {
 public:
  void start(Time now, Duration initial, Duration cap) {
    duration_ = std::min(initial, cap);
    cap_ = cap;
    expires_ = now + duration_;
    expiries_ = 0;
  }
  void stop() { expires_ = kNever; }

  bool is_running() const { return expires_ != kNever; }
  Time expires() const { return expires_; }
  // Expiries since `start`.
  int expiries() const { return expiries_; }

  // Returns whether the timer has run out; if so it runs again, twice as long.
  // RFC 9260 §6.3.3 (E2), which §5.1.4, §9.2 and RFC 6525 §5.1.1 follow.
  bool expire(Time now) {
    if (now < expires_) return false;
    ++expiries_;
    duration_ = std::min(duration_ * 2, cap_);
    expires_ = now + duration_;
    return true;
  }

 private:
  Time expires_ = kNever;
  Duration duration_{};
  Duration cap_{};
  int expiries_ = 0;
};

}  // namespace millrace::sctp
