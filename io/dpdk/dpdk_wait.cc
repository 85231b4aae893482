// SPDX-License-Identifier: Apache-2.0
//
// Waiting: by the device's receive interrupts where its driver has them, else by looking at
// the queue, at first often, then between short sleeps.
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "io/dpdk/dpdk_datapath.h"
#include "io/monotonic_clock.h"

namespace millrace::io {
namespace {

// After a burst the next is near, and a sleep takes longer than this to end.
constexpr Duration kLook = microseconds(50);
constexpr Duration kFirstSleep = microseconds(20);
// While frames wait for the device: nothing tells when that ends.
constexpr Duration kRetryInterval = milliseconds(1);

bool watch(int epoll_fd, int fd, std::uint32_t how = 0) {
  epoll_event event{};
  event.events = EPOLLIN | how;
  event.data.fd = fd;
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

bool DpdkDatapath::make_poll_set() {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0 || !watch(epoll_fd_, wake_->event_fd())) return false;
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timer_fd_ < 0 || !port_->has_rx_interrupts()) return timer_fd_ >= 0;
  // Edges alone: what a driver counts interrupts with need not be read then, and with some it
  // is what carries the frames.
  return watch(epoll_fd_, rte_eth_dev_rx_intr_ctl_q_get_fd(port_->id(), queue_), EPOLLET);
}

// When there is work that nothing but the clock tells of: neighbours' timers, a look at the
// link, frames that the device has not taken.
Time DpdkDatapath::next_due(Time now) const {
  const Time due = std::min(layer_->next_timeout(), link_due_);
  return queued_begin_ < queued_.size() ? std::min(due, now + kRetryInterval) : due;
}

// Takes what has come, if anything has: it is the next burst's.
bool DpdkDatapath::frame_waiting() {
  if (early_begin_ < early_end_) return true;
  // No more than a burst may take at once.
  const std::size_t room = std::min(early_.size(), port_->options().rx_buffers);
  early_begin_ = 0;
  early_end_ = 0;
  early_end_ = fetch_handed_over(std::span(early_).first(room));
  early_second_hand_ = early_end_ > 0;
  if (early_end_ == 0) early_end_ = fetch_device(std::span(early_).first(room));
  return early_end_ > 0;
}

void DpdkDatapath::wait(Time until) {
  flush();
  if (frame_waiting()) return;
  if (wake_->begin_wait()) {
    const Time started = monotonic_now();
    until = std::min(until, layer_->next_timeout());
    if (queued_begin_ < queued_.size()) until = std::min(until, started + kRetryInterval);
    idle_ = kFirstSleep;
    for (Time now = started; now < until && !frame_waiting(); now = monotonic_now()) {
      if (now >= link_due_) {
        now_ = now;
        flush();
      }
      if (!port_->has_rx_interrupts() && now - started < kLook) {
        for (int i = 0; i < 16; ++i) rte_pause();
        continue;
      }
      const std::uint64_t woken = stats_.sleeps;
      sleep(std::min(until, link_due_) - now);
      if (stats_.sleeps == woken) break;
    }
  }
  wake_->end_wait();
  now_ = read_clock();
}

// One sleep; it leaves `sleeps` alone where a waker has ended it.
void DpdkDatapath::sleep(Duration timeout) {
  const bool interrupts = port_->has_rx_interrupts();
  if (interrupts) {
    rte_eth_dev_rx_intr_enable(port_->id(), queue_);
    // What came before that raises none.
    if (frame_waiting()) {
      rte_eth_dev_rx_intr_disable(port_->id(), queue_);
      return;
    }
  } else {
    timeout = std::min(timeout, idle_);
    idle_ = std::min(2 * idle_, std::max(port_->options().idle, kFirstSleep));
  }
  timeout = std::min<Duration>(timeout, seconds(3600));
  ++stats_.syscalls;
  const timespec most = to_timespec(timeout);
  epoll_event event{};
  const int ready = epoll_pwait2(epoll_fd_, &event, 1, &most, nullptr);
  if (interrupts) rte_eth_dev_rx_intr_disable(port_->id(), queue_);
  if (ready == 0 || (ready > 0 && event.data.fd != wake_->event_fd())) ++stats_.sleeps;
}

int DpdkDatapath::native_handle() {
  watch(epoll_fd_, timer_fd_);
  return epoll_fd_;
}

// An embedder's loop knows nothing of the network layer's clock, and without interrupts it
// looks at the queue by the clock: both are the timer's to tell.
bool DpdkDatapath::begin_wait() {
  if (!wake_->begin_wait()) return false;
  const Time now = monotonic_now();
  Time until = next_due(now);
  if (port_->has_rx_interrupts()) {
    rte_eth_dev_rx_intr_enable(port_->id(), queue_);
  } else {
    until = std::min(until, now + std::max(port_->options().idle, kFirstSleep));
  }
  itimerspec in{};
  // Zero would be never.
  in.it_value = to_timespec(std::max(until - now, Duration(1)));
  timerfd_settime(timer_fd_, 0, &in, nullptr);
  return !frame_waiting();
}

void DpdkDatapath::end_wait() {
  wake_->end_wait();
  now_ = read_clock();
  // Setting a timer takes back what it had to tell.
  const itimerspec off{};
  timerfd_settime(timer_fd_, 0, &off, nullptr);
  if (!port_->has_rx_interrupts()) return;
  rte_eth_dev_rx_intr_disable(port_->id(), queue_);
  // Takes back what woke the loop.
  epoll_event event{};
  epoll_wait(epoll_fd_, &event, 1, 0);
}

}  // namespace millrace::io
