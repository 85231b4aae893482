// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/spsc_ring.h"

namespace millrace {

// MpscRing is a bounded queue from any number of producer threads to one consumer
// thread, after D. Vyukov's bounded queue: each cell carries the sequence number of the
// turn it is ready for, so that producers contend on one index alone. Neither side
// waits; a push into a full ring fails and leaves its argument untouched.
//
// Values of one producer stay in order. A producer that is suspended between taking its
// cell and filling it hides later values from the consumer until it goes on; nothing is
// lost and other producers still push. The ring wakes nobody. T is default constructible
// and nothrow movable.
template <class T>
class MpscRing {
 public:
  // The capacity is rounded up to a power of two. The only allocation is here.
  explicit MpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1),
        cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) {
      cells_[i].sequence.store(i, std::memory_order_relaxed);
    }
  }
  MpscRing(const MpscRing&) = delete;
  MpscRing& operator=(const MpscRing&) = delete;

  std::size_t capacity() const { return mask_ + 1; }

  // Any thread: moves from `value` and returns true, or returns false when full.
  [[nodiscard]] bool try_push(T&& value) {
    std::size_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[tail & mask_];
      // Acquire: the consumer has moved the last turn's value out.
      const std::size_t sequence = cell.sequence.load(std::memory_order_acquire);
      const auto ahead = static_cast<std::ptrdiff_t>(sequence - tail);
      if (ahead < 0) return false;  // Still holds the value of a turn ago.
      if (ahead > 0) {
        tail = tail_.load(std::memory_order_relaxed);  // Another producer took it.
      } else if (tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed)) {
        cell.value = std::move(value);
        cell.sequence.store(tail + 1, std::memory_order_release);
        return true;
      }
    }
  }
  [[nodiscard]] bool try_push(const T& value) { return try_push(T(value)); }

  // Consumer: moves the oldest into `out` and returns true, or returns false when empty.
  [[nodiscard]] bool try_pop(T& out) {
    Cell& cell = cells_[head_ & mask_];
    if (cell.sequence.load(std::memory_order_acquire) != head_ + 1) return false;
    out = std::move(cell.value);
    cell.sequence.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return true;
  }

  // Consumer: calls `visit(T&)` on up to `budget` of the oldest; returns how many.
  // `visit` may push into this ring.
  template <class Visitor>
  std::size_t consume(std::size_t budget, Visitor&& visit) {
    std::size_t n = 0;
    for (T value; n < budget && try_pop(value); ++n) visit(value);
    return n;
  }

  // Consumer: whether `try_pop` would fail.
  bool empty() const {
    return cells_[head_ & mask_].sequence.load(std::memory_order_acquire) != head_ + 1;
  }

 private:
  struct Cell {
    std::atomic<std::size_t> sequence{0};
    T value{};
  };

  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLineBytes) std::atomic<std::size_t> tail_{0};
  alignas(kCacheLineBytes) std::size_t head_ = 0;  // The consumer's.
};

}  // namespace millrace
