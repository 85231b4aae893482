// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace millrace::cli {

// CPU seconds, user and system, that the process (or the calling thread) has used.
double process_cpu_seconds();
double thread_cpu_seconds();

// StopSignals blocks SIGTERM and SIGINT for this thread and those it starts, so that they
// can be waited for. Make it before any thread.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Returns the signal that came.
  int wait() const;
  // True once one has come; does not wait.
  bool came();

 private:
  bool came_ = false;
};

}  // namespace millrace::cli
