// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "engine/report/cpu_time.h"

namespace millrace::cli {

// Says what is wrong in one line on standard error, and returns the exit code.
int complain(const std::string& message, int code);

// Of all threads of the process that live, or of the calling one. Reads a file of each thread.
report::CpuTime process_cpu_time();
report::CpuTime thread_cpu_time();

// Whether the machine has a processor of that number.
bool is_processor(std::uint64_t number);

// StopSignals blocks SIGTERM, SIGINT and, unless it is ignored (nohup), SIGHUP for this thread
// and those it starts, so that they can be waited for. Make it before any thread.
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
