// SPDX-License-Identifier: Apache-2.0
#pragma once

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
};

// RtoEstimator turns round-trip samples into the retransmission time-out, RFC 9260 §6.3.
class RtoEstimator {
 public:
  explicit RtoEstimator(const RtoOptions& options);

  // Takes one sample; the caller sees to Karn's rule (C5). `rtt` is not negative.
  void observe(Duration rtt);
  // RFC 9260 §6.3.3 (E2): doubles the time-out, up to rto_max. The next sample ends it.
  void back_off();

  Duration rto() const { return rto_; }
  std::optional<Duration> srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }
  Duration latest_rtt() const { return latest_; }  // Zero before the first sample.

 private:
  RtoOptions options_;
  std::optional<Duration> srtt_;
  Duration rttvar_ = Duration::zero();
  Duration latest_ = Duration::zero();
  Duration rto_;
};

}  // namespace millrace::sctp
