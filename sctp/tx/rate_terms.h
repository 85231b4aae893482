// SPDX-License-Identifier: Apache-2.0
//
// What congestion controllers that reckon with rates and times have in common.
#pragma once

#include <chrono>
#include <cstddef>

#include "engine/base/time.h"

namespace millrace::sctp {

// The most that leaves in one burst, however high the rate.
inline constexpr std::size_t kMaxSendQuantum = std::size_t{64} << 10;
// Before there is a sample.
inline constexpr Duration kNominalRtt = milliseconds(100);
// Above every rate and window there is; below it doubles convert.
inline constexpr double kMostBytes = 1e15;

inline double in_seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace millrace::sctp
