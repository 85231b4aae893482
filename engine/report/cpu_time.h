// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace millrace::report {

// CpuTime is what a process's (or thread's) threads had of the processors, in seconds.
struct CpuTime {
  double used = 0;  // User and system.
  // Ready to run, and something else had the processor: what a shard that spins cannot help. 0
  // where the kernel keeps no account of it.
  double waited = 0;

  // What came after `earlier`. Threads that have ended since took their waiting along.
  CpuTime since(const CpuTime& earlier) const {
    return {.used = std::max(0.0, used - earlier.used),
            .waited = std::max(0.0, waited - earlier.waited)};
  }
};

}  // namespace millrace::report
