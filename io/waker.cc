// SPDX-License-Identifier: Apache-2.0
#include "io/waker.h"

#include <unistd.h>

namespace millrace::io {

WakeState::~WakeState() {
  if (event_fd_ >= 0) close(event_fd_);
}

void WakeState::wake() {
  if (state_.exchange(kNotified, std::memory_order_acq_rel) != kSleeping) return;
  if (event_fd_ < 0) return;
  const std::uint64_t one = 1;
  // The counter cannot overflow: one write per sleep. A failed write has no remedy.
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof(one));
}

bool WakeState::begin_wait() {
  std::uint32_t expected = kRunning;
  if (state_.compare_exchange_strong(expected, kSleeping, std::memory_order_acq_rel)) return true;
  // Notified since the last sleep: consume that, and let the shard look at its inboxes.
  state_.exchange(kRunning, std::memory_order_acq_rel);
  return false;
}

void WakeState::end_wait() {
  if (state_.exchange(kRunning, std::memory_order_acq_rel) == kNotified) ++unread_;
  if (unread_ == 0 || event_fd_ < 0) return;
  std::uint64_t count = 0;
  // Nothing to read: a waker has marked the state and writes later. That ends some later
  // sleep for nothing, and is read back then.
  if (read(event_fd_, &count, sizeof(count)) == sizeof(count)) unread_ -= count;
}

}  // namespace millrace::io
