// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace millrace::bench {

// InstructionCounter counts this thread's user-space instructions with the CPU's own counter
// (perf_event_open(2)). Where there is none, as in most virtual machines, or the kernel
// forbids it, `read` has nothing.
class InstructionCounter {
 public:
  InstructionCounter();
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  // Instructions since the counter was made; it is read by a system call.
  std::optional<std::uint64_t> read() const;

 private:
  int descriptor_ = -1;
};

}  // namespace millrace::bench
