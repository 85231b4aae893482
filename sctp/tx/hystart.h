// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "engine/base/time.h"
#include "sctp/tx/congestion_control.h"

namespace millrace::sctp {

// HyStart ends the first slow start where the round trip begins to grow, before a queue
// overflows: HyStart++, RFC 9406. It is told of every SACK of slow start and says how fast
// the window may grow; its owner forgets it at the first loss.
class HyStart {
 public:
  // Returns by how many of the bytes that `sample` acknowledges the window may grow.
  std::size_t handle_ack(const AckSample& sample);

  // RFC 9406 §4.2: CSS_ROUNDS are over, and slow start with them.
  bool finished() const { return css_rounds_ >= kCssRounds; }
  // In Conservative Slow Start.
  bool conservative() const { return css_baseline_ != kNoRtt; }

 private:
  // RFC 9406 §4.3.
  static constexpr Duration kMinRttThreshold = milliseconds(4);
  static constexpr Duration kMaxRttThreshold = milliseconds(16);
  static constexpr std::size_t kRttSamples = 8;
  static constexpr std::size_t kCssGrowthDivisor = 4;
  static constexpr int kCssRounds = 5;
  static constexpr Duration kNoRtt = Duration::max();

  void take_rtt(const AckSample& sample);
  void look_for_delay();
  void end_round();

  Duration last_round_rtt_ = kNoRtt;  // The least of each round.
  Duration round_rtt_ = kNoRtt;
  std::size_t samples_ = 0;  // Of this round.
  Duration css_baseline_ = kNoRtt;
  int css_rounds_ = 0;
};

}  // namespace millrace::sctp
