// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>

#include "engine/base/time.h"

namespace millrace::io {

// monotonic_now reads CLOCK_MONOTONIC: the time line of every back end but the simulator.
inline Time monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time(seconds(now.tv_sec) + nanoseconds(now.tv_nsec));
}

}  // namespace millrace::io
