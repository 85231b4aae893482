// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace millrace::sctp {

// YieldingMessages sums up those of a stream's queued messages that make room for others (RFC
// 7496 §3.2). A priority is a number, and 0 is the highest: `first` is no more and `last` no less
// than any, and mostly there is but one.
struct YieldingMessages {
  std::size_t count = 0;
  std::size_t cost = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  void add(std::uint32_t priority, std::size_t message_cost) {
    first = count == 0 ? priority : std::min(first, priority);
    last = count == 0 ? priority : std::max(last, priority);
    ++count;
    cost += message_cost;
  }
  void remove(std::size_t message_cost) {
    --count;
    cost -= message_cost;
  }
};

}  // namespace millrace::sctp
