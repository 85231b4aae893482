// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace millrace::io {

// WakeState is shared by a datapath and its wakers: whether the shard's thread runs,
// sleeps, or was notified, and the eventfd that ends its sleep.
//
// A wake is never lost: `wake` exchanges kNotified in, and `begin_wait` goes to sleep
// only by replacing kRunning. Whoever loses that race sees the other's value. The
// exchange orders what the waker wrote before (an inbox entry) ahead of what the
// shard's thread reads after `wait` returns.
class WakeState {
 public:
  // `event_fd` becomes the state's own; -1 for a datapath that never sleeps.
  explicit WakeState(int event_fd) : event_fd_(event_fd) {}
  ~WakeState();
  WakeState(const WakeState&) = delete;
  WakeState& operator=(const WakeState&) = delete;

  // Any thread. Costs one atomic exchange unless the shard sleeps.
  void wake();

  // Shard's thread. False: a wake is pending, do not sleep. `end_wait` follows always.
  bool begin_wait();
  void end_wait();

  int event_fd() const { return event_fd_; }

 private:
  enum : std::uint32_t { kRunning, kSleeping, kNotified };
  std::atomic<std::uint32_t> state_{kRunning};
  const int event_fd_;
  std::uint64_t unread_ = 0;  // Shard's thread: writes to event_fd_ not read back yet.
};

// Waker ends the `wait` of one datapath from any thread. Copy it freely; one that
// outlives its datapath does nothing. Write what the shard shall find first, then wake.
class Waker {
 public:
  Waker() = default;
  explicit Waker(std::shared_ptr<WakeState> state) : state_(std::move(state)) {}
  void wake() const {
    if (state_ != nullptr) state_->wake();
  }

 private:
  std::shared_ptr<WakeState> state_;
};

}  // namespace millrace::io
