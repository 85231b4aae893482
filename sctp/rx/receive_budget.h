// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

namespace millrace::sctp {

// ReceiveBudget is what the associations of one shard may promise to their peers together,
// beyond the windows that they begin with. It outlives them; not thread-safe.
class ReceiveBudget {
 public:
  explicit ReceiveBudget(std::size_t bytes) : left_(bytes) {}
  ReceiveBudget(const ReceiveBudget&) = delete;
  ReceiveBudget& operator=(const ReceiveBudget&) = delete;

  // Takes `wanted` bytes, or what there is.
  std::size_t take(std::size_t wanted) {
    const std::size_t taken = std::min(wanted, left_);
    left_ -= taken;
    return taken;
  }
  void give_back(std::size_t bytes) { left_ += bytes; }
  std::size_t left() const { return left_; }

 private:
  std::size_t left_;
};

}  // namespace millrace::sctp
