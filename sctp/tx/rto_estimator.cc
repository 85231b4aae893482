// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/rto_estimator.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::sctp {

RtoEstimator::RtoEstimator(const RtoOptions& options)
    : options_(options), rto_(std::clamp(options.rto_initial, options.rto_min, options.rto_max)) {}

void RtoEstimator::observe(Duration rtt) {
  CHECK(rtt >= Duration::zero());
  latest_ = rtt;
  if (!srtt_) {
    // RFC 9260 §6.3.1 (C2): the first sample seeds both estimates.
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {
    // RFC 9260 §6.3.1 (C3): RTTVAR first, it needs the old SRTT.
    const Duration error = std::chrono::abs(*srtt_ - rtt);
    rttvar_ += (error - rttvar_) / 4;
    srtt_ = *srtt_ + (rtt - *srtt_) / 8;
  }
  timeouts_ = 0;
  // RFC 9260 §6.3.1 (C6, C7): clamp.
  rto_ =
      std::clamp(*srtt_ + std::max(4 * rttvar_, granularity()), options_.rto_min, options_.rto_max);
}

void RtoEstimator::back_off() {
  if (timeouts_ < options_.linear_timeouts) {
    ++timeouts_;
    return;
  }
  // RFC 9260 §6.3.3 (E2).
  rto_ = std::min(2 * rto_, options_.rto_max);
}

}  // namespace millrace::sctp
