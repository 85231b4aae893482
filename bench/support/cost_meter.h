// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "bench/support/instruction_counter.h"
#include "engine/base/bytes.h"
#include "io/allocation_count.h"

namespace millrace::bench {

// Cost is what a stretch of code took besides time.
struct Cost {
  std::optional<std::uint64_t> instructions;  // Nothing where the CPU's counter is not to be had.
  std::uint64_t allocations = 0;              // Calls of operator new, of all threads.
  std::uint64_t copied = 0;                   // Payload bytes, by `copy_payload` on this thread.
};

// CostMeter adds up the cost of what runs between `start` and `stop`, which may be called
// again and again. A program that links it counts every operator new.
class CostMeter {
 public:
  void start() { begin_ = read(); }
  void stop() {
    const Cost end = read();
    cost_.allocations += end.allocations - begin_.allocations;
    cost_.copied += end.copied - begin_.copied;
    if (end.instructions) {
      cost_.instructions =
          cost_.instructions.value_or(0) + *end.instructions - *begin_.instructions;
    }
  }
  const Cost& cost() const { return cost_; }

 private:
  Cost read() const {
    const CopyCounters& copies = copy_counters();
    return {counter_.read(), io::allocation_count(),
            copies.send + copies.build + copies.in_order + copies.held};
  }

  InstructionCounter counter_;
  Cost begin_;
  Cost cost_;
};

}  // namespace millrace::bench
