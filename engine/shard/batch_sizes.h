// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace millrace::engine {

// BatchSizes counts the records that each call of the record layer was given. What a shard
// gains from batches shows in their median.
class BatchSizes {
 public:
  static constexpr std::size_t kLargest = 256;  // Larger ones count as this.

  void note(std::size_t records) {
    if (records > 0) ++calls_[std::min(records, kLargest)];
  }

  // Of the calls that had any records; 0 before the first.
  std::uint64_t median() const {
    std::uint64_t total = 0;
    for (const std::uint64_t calls : calls_) total += calls;
    std::uint64_t below = 0;
    for (std::size_t size = 1; size <= kLargest; ++size) {
      below += calls_[size];
      if (2 * below > total) return size;
    }
    return 0;
  }

 private:
  std::array<std::uint64_t, kLargest + 1> calls_{};
};

}  // namespace millrace::engine
