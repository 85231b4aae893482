// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <ctime>

#include "engine/base/time.h"

namespace millrace::io {

// monotonic_now reads CLOCK_MONOTONIC: the time line of every back end but the simulator.
inline Time monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time(seconds(now.tv_sec) + nanoseconds(now.tv_nsec));
}

// to_timespec is how the kernel is told how long to sleep; a negative duration is none.
inline timespec to_timespec(Duration duration) {
  const auto ns = std::max<Duration::rep>(duration.count(), 0);
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

}  // namespace millrace::io
