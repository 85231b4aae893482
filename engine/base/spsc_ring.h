// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "engine/base/check.h"

namespace millrace {

// kCacheLineBytes keeps what different threads write apart. A constant of our own: the
// standard's hardware_destructive_interference_size is missing from clang 14.
inline constexpr std::size_t kCacheLineBytes = 64;

// SpscRing is a bounded queue from one producer thread to one consumer thread. Neither
// ever waits; a push into a full ring fails and leaves its argument untouched. Each side
// keeps a copy of the other's index and looks at the shared one only when the copy says
// full or empty, so that in a steady flow the two lines are exchanged once per batch.
//
// The ring wakes nobody: a consumer that sleeps needs a signal of its own. T is default
// constructible and nothrow movable; a popped place holds a moved-from T until it is
// written again.
template <class T>
class SpscRing {
 public:
  // The capacity is rounded up to a power of two. The only allocation is here.
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 1)) - 1),
        slots_(std::make_unique<T[]>(mask_ + 1)) {}
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  std::size_t capacity() const { return mask_ + 1; }

  // Producer: moves from `value` and returns true, or returns false when full.
  [[nodiscard]] bool try_push(T&& value) { return push_batch(std::span<T>(&value, 1)) == 1; }
  [[nodiscard]] bool try_push(const T& value) { return try_push(T(value)); }

  // Producer: moves a prefix of `values` in, made visible at once; returns its length.
  std::size_t push_batch(std::span<T> values) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (capacity() - (tail - head_copy_) < values.size()) {
      // Acquire: the consumer has moved out of the places that its index gave back.
      head_copy_ = head_.load(std::memory_order_acquire);
    }
    const std::size_t n = std::min(values.size(), capacity() - (tail - head_copy_));
    for (std::size_t i = 0; i < n; ++i) slots_[(tail + i) & mask_] = std::move(values[i]);
    if (n != 0) tail_.store(tail + n, std::memory_order_release);
    return n;
  }

  // Consumer: moves the oldest into `out` and returns true, or returns false when empty.
  [[nodiscard]] bool try_pop(T& out) { return pop_batch(std::span<T>(&out, 1)) == 1; }

  // Consumer: moves up to `out.size()` of the oldest out; returns how many.
  std::size_t pop_batch(std::span<T> out) {
    const std::size_t n = available(out.size());
    const std::size_t head = head_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < n; ++i) out[i] = std::move(slots_[(head + i) & mask_]);
    if (n != 0) head_.store(head + n, std::memory_order_release);
    return n;
  }

  // Consumer: moves up to `budget` of the oldest out, one by one, and calls `visit(T&)` on
  // each; gives all their places back together and returns how many. `visit` must not pop.
  template <class Visitor>
  std::size_t consume(std::size_t budget, Visitor&& visit) {
    const std::size_t n = available(budget);
    const std::size_t head = head_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < n; ++i) {
      T value = std::move(slots_[(head + i) & mask_]);
      visit(value);
    }
    if (n != 0) head_.store(head + n, std::memory_order_release);
    return n;
  }

  // For the consumer: whether `try_pop` would fail. For others a moment's view.
  bool empty() const {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire);
  }

 private:
  std::size_t available(std::size_t wanted) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (tail_copy_ - head < wanted) {
      // Acquire: the values were written before the producer moved its index.
      tail_copy_ = tail_.load(std::memory_order_acquire);
    }
    return std::min(wanted, tail_copy_ - head);
  }

  const std::size_t mask_;
  const std::unique_ptr<T[]> slots_;
  // Indices only grow; a place is index & mask_.
  alignas(kCacheLineBytes) std::atomic<std::size_t> tail_{0};
  std::size_t head_copy_ = 0;  // The producer's.
  alignas(kCacheLineBytes) std::atomic<std::size_t> head_{0};
  std::size_t tail_copy_ = 0;  // The consumer's.
};

}  // namespace millrace
