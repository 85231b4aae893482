// SPDX-License-Identifier: Apache-2.0
//
// The units that reports are written in.
#pragma once

#include <chrono>

#include "engine/base/histogram.h"
#include "engine/base/time.h"

namespace millrace::report {

inline double seconds_of(Duration span) { return std::chrono::duration<double>(span).count(); }

// Of a histogram of nanoseconds.
inline double microseconds_at(const Histogram& histogram, double percent) {
  return 1e-3 * static_cast<double>(histogram.percentile(percent));
}

}  // namespace millrace::report
