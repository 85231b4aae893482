// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "engine/base/time.h"

namespace millrace::io {

// MemifGuard keeps apart what memif's driver lets run into each other. The thread that DPDK
// has for interrupts closes a memif's descriptors and unmaps its shared memory when the other
// end goes, whoever is in the middle of a burst: here it waits until nobody is (the program is
// linked so that what the driver calls first, and last, is ours). And it must not meet itself:
// devices are stopped, started and closed in that same thread, where nothing waits for the other
// end longer than kPatience, be it frozen.
class MemifGuard {
 public:
  static constexpr Duration kPatience = milliseconds(100);

  explicit MemifGuard(std::uint16_t queues);
  ~MemifGuard();
  MemifGuard(const MemifGuard&) = delete;
  MemifGuard& operator=(const MemifGuard&) = delete;

  // Around each burst of a queue. What the driver marks as disconnected before it frees memory
  // is seen by a burst that begins after it: the exchange is a full barrier.
  void enter(std::uint16_t queue) {
    marks_[queue].in_burst.exchange(true, std::memory_order_seq_cst);
  }
  void leave(std::uint16_t queue) {
    marks_[queue].in_burst.store(false, std::memory_order_release);
  }

  // Runs `task` in DPDK's interrupt thread, and returns when it has run. Not for that thread.
  static void run_serially(const std::function<void()>& task);
  // Runs `task` there too, later: before what is run serially after this. False: it will not.
  static bool run_later(void (*task)(void*), void* argument);
  // What has not run by then does not.
  static void cancel(void (*task)(void*), void* argument);
  // Waits, in the interrupt thread, until every burst that had begun has ended.
  static void await_bursts();

 private:
  struct alignas(64) Mark {
    std::atomic<bool> in_burst{false};
  };
  const std::uint16_t queues_;
  const std::unique_ptr<Mark[]> marks_;
};

// BurstScope is one burst; of a device that needs no guard it does nothing.
class BurstScope {
 public:
  BurstScope(MemifGuard* guard, std::uint16_t queue) : guard_(guard), queue_(queue) {
    if (guard_ != nullptr) guard_->enter(queue_);
  }
  ~BurstScope() {
    if (guard_ != nullptr) guard_->leave(queue_);
  }
  BurstScope(const BurstScope&) = delete;
  BurstScope& operator=(const BurstScope&) = delete;

 private:
  MemifGuard* const guard_;
  const std::uint16_t queue_;
};

}  // namespace millrace::io
