// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "engine/base/time.h"

namespace millrace::sctp {

struct RtoOptions {
  Duration rto_initial = milliseconds(500);
  // RFC 9260 §16 says one second. Real peers delay a lone SACK by up to 200 ms, which is
  // what a lower floor would mistake for loss; this sender asks for an immediate SACK
  // (RFC 7053) whenever it falls silent, so 50 ms is safe and 1 ms is allowed.
  Duration rto_min = milliseconds(50);
  Duration rto_max = seconds(60);
  // So many time-outs in a row leave the time-out as it is before the next one doubles it: an
  // outage of a few round trips must not be followed by one of the sender's own making.
  int linear_timeouts = 0;
};

// RtoEstimator turns round-trip samples into the retransmission time-out, RFC 9260 §6.3.
class RtoEstimator {
 public:
  explicit RtoEstimator(const RtoOptions& options);

  // Takes one sample; the caller sees to Karn's rule (C5). `rtt` is not negative.
  void observe(Duration rtt);
  // RFC 9260 §6.3.3 (E2): doubles the time-out, up to rto_max, but for the first
  // `linear_timeouts` in a row. The next sample ends it.
  void back_off();

  Duration rto() const { return rto_; }
  std::optional<Duration> srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }
  Duration latest_rtt() const { return latest_; }  // Zero before the first sample.

 private:
  // RFC 6298 §2.3, G: what is left of the variance where samples have been alike for long.
  // A queue may fill within one round trip, and T3-rtx must not call that a loss.
  Duration granularity() const { return std::max<Duration>(options_.rto_min / 2, milliseconds(1)); }

  RtoOptions options_;
  int timeouts_ = 0;
  std::optional<Duration> srtt_;
  Duration rttvar_ = Duration::zero();
  Duration latest_ = Duration::zero();
  Duration rto_;
};

}  // namespace millrace::sctp
