// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>

#include "engine/base/result.h"
#include "engine/base/time.h"
#include "io/datapath.h"
#include "io/mapped_memory.h"

namespace millrace::io {

// UringTag says what a completion answers; it travels in the request's user data.
enum class UringTag : std::uint8_t { kReceive, kSend, kWake, kTimer, kCancel };

struct UringCompletion {
  UringTag tag;
  std::uint32_t value;  // SocketId or send slot.
  std::int32_t result;
  std::uint32_t flags;  // IORING_CQE_F_*.
};

// Uring is an io_uring instance with one ring of provided buffers, without the parts
// that liburing 2.3 lacks. It is created disabled; `enable` makes the calling thread
// its single issuer. See UringDatapath for the rules of threads.
class Uring {
 public:
  static Result<std::unique_ptr<Uring>, IoError> create(unsigned submissions, unsigned completions,
                                                        unsigned buffers);
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  void enable();

  // An eventfd that is written when there is something to take, while `notify` is on.
  // The ring's own descriptor will not do: polling it does not run deferred work.
  int notify_fd();
  void notify(bool on);

  // Requests; each is submitted by the next `submit`, or at once when the queue is full.
  void receive_multishot(int fd, msghdr& layout, std::uint32_t value);
  void send(int fd, const msghdr& message, std::uint32_t value);
  void poll_multishot(int fd, std::uint32_t value);
  // Sets the one timer, which completes at `at` (CLOCK_MONOTONIC); `armed`: it is set already,
  // and is moved.
  void set_timer(Time at, bool armed);
  // Cancels every request on `fd` (-1: on any) and returns when they are done. The kernel
  // looks at every request that there is.
  void cancel(int fd);
  // The same for the one receive that carries `value`, which the kernel finds at once.
  void cancel_receive(std::uint32_t value);

  // Hands requests over and runs the kernel's deferred work; one system call, none
  // when there is nothing to do. Returns the calls made.
  unsigned submit();
  // True when the kernel has work to run that only a system call will run.
  bool work_waiting() const;
  // Submits, then sleeps until there is a completion, for `timeout` at most.
  void submit_and_wait();
  void submit_and_wait(Duration timeout);

  // Takes the next completion, if there is one.
  bool next(UringCompletion& out);
  bool completion_waiting() const { return io_uring_cq_ready(&ring_) != 0; }

  // Appends a buffer to the provided ring; `publish` shows those added to the kernel.
  void provide(std::uint16_t id, std::uint8_t* data, std::size_t bytes);
  void publish();

 private:
  explicit Uring(unsigned buffers);
  io_uring_sqe* next_sqe();
  void cancel(io_uring_sync_cancel_reg& request);

  io_uring ring_{};
  __kernel_timespec timer_{};  // The kernel reads it when the request is submitted.
  MappedMemory buffer_ring_;
  unsigned buffer_mask_;
  unsigned added_ = 0;
  int notify_fd_ = -1;
  bool ring_ready_ = false;
  bool enabled_ = false;
};

}  // namespace millrace::io
