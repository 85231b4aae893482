// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/hystart.h"

#include <algorithm>

namespace millrace::sctp {

std::size_t HyStart::handle_ack(const AckSample& sample) {
  // RFC 9406 §4.2: L is unbounded where packets are paced.
  const std::size_t growth =
      conservative() ? sample.acked_bytes / kCssGrowthDivisor : sample.acked_bytes;
  take_rtt(sample);
  if (sample.round_ended) end_round();
  return growth;
}

void HyStart::take_rtt(const AckSample& sample) {
  if (sample.rtt <= Duration::zero()) return;
  // A sample is that of the newest chunk acknowledged. The others of the same SACK took
  // longer, so that they count and cannot change the least.
  samples_ += sample.acked_chunks;
  round_rtt_ = std::min(round_rtt_, sample.rtt);
  if (samples_ >= kRttSamples) look_for_delay();
}

void HyStart::look_for_delay() {
  if (conservative()) {
    // RFC 9406 §4.2: the delay was a passing one; slow start goes on.
    if (round_rtt_ < css_baseline_) {
      css_baseline_ = kNoRtt;
      css_rounds_ = 0;
    }
    return;
  }
  if (last_round_rtt_ == kNoRtt) return;
  const Duration threshold = std::clamp(last_round_rtt_ / 8, kMinRttThreshold, kMaxRttThreshold);
  if (round_rtt_ >= last_round_rtt_ + threshold) css_baseline_ = round_rtt_;
}

void HyStart::end_round() {
  // RFC 9406 §4.2: the round in which CSS begins counts.
  if (conservative()) ++css_rounds_;
  last_round_rtt_ = round_rtt_;
  round_rtt_ = kNoRtt;
  samples_ = 0;
}

}  // namespace millrace::sctp
