// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include "engine/base/check.h"

namespace millrace::io {

// PodRing is a first-in first-out queue that keeps its memory: it doubles when full and
// never shrinks, so a steady load allocates nothing.
template <class T>
class PodRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit PodRing(std::size_t capacity = 16) : items_(round_up(capacity)) {}

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  T& front() { return (*this)[0]; }
  T& operator[](std::size_t i) {
    DCHECK(i < count_);
    return items_[(head_ + i) & (items_.size() - 1)];
  }
  void push_back(const T& item) {
    if (count_ == items_.size()) grow();
    items_[(head_ + count_++) & (items_.size() - 1)] = item;
  }
  void pop_front() {
    DCHECK(count_ > 0);
    ++head_;
    --count_;
  }

 private:
  static std::size_t round_up(std::size_t n) {
    std::size_t power = 1;
    while (power < n) power *= 2;
    return power;
  }
  void grow() {
    std::vector<T> larger(items_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = (*this)[i];
    items_.swap(larger);
    head_ = 0;
  }

  std::vector<T> items_;  // A power of two.
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace millrace::io
