// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/memif_guard.h"

#include <rte_alarm.h>
#include <rte_interrupts.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "engine/base/check.h"

struct rte_eth_dev;

namespace millrace::io {
namespace {

std::mutex g_guard_mutex;
std::vector<MemifGuard*> g_guards;
// This thread is within the driver's own connecting to a memif's server.
thread_local bool t_connecting = false;

struct SerialTask {
  const std::function<void()>& run;
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
};

void run_task(void* argument) {
  auto& task = *static_cast<SerialTask*>(argument);
  task.run();
  // Under the lock: who waits takes the task with it.
  const std::lock_guard lock(task.mutex);
  task.done = true;
  task.ended.notify_one();
}

}  // namespace

MemifGuard::MemifGuard(std::uint16_t queues)
    : queues_(queues), marks_(std::make_unique<Mark[]>(queues)) {
  const std::lock_guard lock(g_guard_mutex);
  g_guards.push_back(this);
}

MemifGuard::~MemifGuard() {
  const std::lock_guard lock(g_guard_mutex);
  std::erase(g_guards, this);
}

void MemifGuard::run_serially(const std::function<void()>& task) {
  SerialTask serial{.run = task, .mutex = {}, .ended = {}, .done = false};
  CHECK(rte_eal_alarm_set(1, &run_task, &serial) == 0);
  std::unique_lock lock(serial.mutex);
  serial.ended.wait(lock, [&] { return serial.done; });
}

bool MemifGuard::run_later(void (*task)(void*), void* argument) {
  return rte_eal_alarm_set(1, task, argument) == 0;
}

void MemifGuard::cancel(void (*task)(void*), void* argument) {
  rte_eal_alarm_cancel(task, argument);
}

// A burst takes microseconds, unless its thread was pushed aside, by this one even.
void MemifGuard::await_bursts() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::lock_guard lock(g_guard_mutex);
  for (const MemifGuard* const guard : g_guards) {
    for (std::uint16_t i = 0; i < guard->queues_; ++i) {
      while (guard->marks_[i].in_burst.load(std::memory_order_acquire)) sched_yield();
    }
  }
}

}  // namespace millrace::io

// In place of the driver's, by the linker's --wrap, which makes the names.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void __real_memif_free_regions(rte_eth_dev* device);
void __wrap_memif_free_regions(rte_eth_dev* device);

int __real_rte_intr_callback_unregister(const rte_intr_handle* handle,
                                        rte_intr_callback_fn callback, void* argument);
int __wrap_rte_intr_callback_unregister(const rte_intr_handle* handle,
                                        rte_intr_callback_fn callback, void* argument);
int __real_rte_intr_callback_unregister_pending(const rte_intr_handle* handle,
                                                rte_intr_callback_fn callback, void* argument,
                                                rte_intr_unregister_callback_fn after);
int __wrap_rte_intr_callback_unregister_pending(const rte_intr_handle* handle,
                                                rte_intr_callback_fn callback, void* argument,
                                                rte_intr_unregister_callback_fn after);
int __real_memif_connect_client(rte_eth_dev* device);
int __wrap_memif_connect_client(rte_eth_dev* device);
int __real_connect(int fd, const sockaddr* address, socklen_t size);
int __wrap_connect(int fd, const sockaddr* address, socklen_t size);

void __wrap_memif_free_regions(rte_eth_dev* device) {
  millrace::io::MemifGuard::await_bursts();
  __real_memif_free_regions(device);
}

// The driver has marked the memif as disconnected, and will close the descriptors that bursts
// raise interrupts by: their numbers may be another file's at once.
int __wrap_rte_intr_callback_unregister(const rte_intr_handle* handle,
                                        rte_intr_callback_fn callback, void* argument) {
  millrace::io::MemifGuard::await_bursts();
  return __real_rte_intr_callback_unregister(handle, callback, argument);
}

int __wrap_rte_intr_callback_unregister_pending(const rte_intr_handle* handle,
                                                rte_intr_callback_fn callback, void* argument,
                                                rte_intr_unregister_callback_fn after) {
  millrace::io::MemifGuard::await_bursts();
  return __real_rte_intr_callback_unregister_pending(handle, callback, argument, after);
}

int __wrap_memif_connect_client(rte_eth_dev* device) {
  millrace::io::t_connecting = true;
  const int result = __real_memif_connect_client(device);
  millrace::io::t_connecting = false;
  return result;
}

// The listener of a frozen process fills up, and then connecting to it takes for ever, as does
// talking to it: not here (unix(7): SO_SNDTIMEO). What else connects in the process is let be.
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  if (millrace::io::t_connecting) {
    constexpr auto kPatience =
        std::chrono::duration_cast<std::chrono::microseconds>(millrace::io::MemifGuard::kPatience);
    const timeval most{.tv_sec = 0, .tv_usec = kPatience.count()};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
  }
  return __real_connect(fd, address, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)
