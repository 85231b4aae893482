// SPDX-License-Identifier: Apache-2.0
#include "io/uring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/io_error.h"

namespace millrace::io {

namespace {

constexpr std::uint16_t kBufferGroup = 0;

constexpr std::uint64_t user_data(UringTag tag, std::uint32_t value) {
  return (std::uint64_t{static_cast<std::uint8_t>(tag)} << 32) | value;
}

std::size_t power_of_two(std::size_t n) {
  std::size_t power = 1;
  while (power < n) power *= 2;
  return power;
}

// Best first: completions are run when we ask and by no interrupt (6.1), or at the next
// system call of the thread (6.0). Older kernels lack multishot recvmsg anyway.
constexpr unsigned kCommonFlags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
                                  IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                                  IORING_SETUP_TASKRUN_FLAG;
constexpr unsigned kFlags[] = {kCommonFlags | IORING_SETUP_DEFER_TASKRUN,
                               kCommonFlags | IORING_SETUP_COOP_TASKRUN};

IoError set_up_error(int error) {
  if (error == EPERM || error == EACCES) {
    return {"io_uring: forbidden here (seccomp or kernel.io_uring_disabled)", error};
  }
  if (error == ENOSYS) return {"io_uring: not in this kernel, or forbidden by seccomp", error};
  if (error == EINVAL) return {"io_uring: kernel 6.0 or later is needed", error};
  return io_error("io_uring", error);
}

}  // namespace

Uring::Uring(unsigned buffers)
    : buffer_ring_(power_of_two(buffers) * sizeof(io_uring_buf)),
      buffer_mask_(static_cast<unsigned>(power_of_two(buffers)) - 1) {}

Result<std::unique_ptr<Uring>, IoError> Uring::create(unsigned submissions, unsigned completions,
                                                      unsigned buffers) {
  std::unique_ptr<Uring> uring(new Uring(buffers));
  int error = 0;
  for (const unsigned flags : kFlags) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = completions;
    error = -io_uring_queue_init_params(submissions, &uring->ring_, &params);
    if (error != EINVAL) break;
  }
  if (error != 0) return Failure(set_up_error(error));
  uring->ring_ready_ = true;

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(uring->buffer_ring_.data());
  registration.ring_entries = uring->buffer_mask_ + 1;
  registration.bgid = kBufferGroup;
  error = -io_uring_register_buf_ring(&uring->ring_, &registration, 0);
  if (error != 0) return Failure(set_up_error(error));
  return uring;
}

Uring::~Uring() {
  if (ring_ready_) io_uring_queue_exit(&ring_);
  if (notify_fd_ >= 0) close(notify_fd_);
}

void Uring::enable() {
  // Debian's liburing 2.3 declares io_uring_enable_rings and does not export it.
  CHECK(syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) >=
        0);
  enabled_ = true;
  // Saves the look-up of the descriptor at each call; fails harmlessly.
  io_uring_register_ring_fd(&ring_);
}

int Uring::notify_fd() {
  if (notify_fd_ >= 0) return notify_fd_;
  notify_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(notify_fd_ >= 0 && io_uring_register_eventfd(&ring_, notify_fd_) == 0);
  notify(false);
  return notify_fd_;
}

void Uring::notify(bool on) {
  if (notify_fd_ < 0) return;
  CHECK(io_uring_cq_eventfd_toggle(&ring_, on) == 0);
  if (on) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(notify_fd_, &count, sizeof(count));
}

io_uring_sqe* Uring::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    submit();
    sqe = io_uring_get_sqe(&ring_);
  }
  CHECK(sqe != nullptr);
  return sqe;
}

void Uring::receive_multishot(int fd, msghdr& layout, std::uint32_t value) {
  io_uring_sqe* const sqe = next_sqe();
  io_uring_prep_recvmsg_multishot(sqe, fd, &layout, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kBufferGroup;
  sqe->user_data = user_data(UringTag::kReceive, value);
}

void Uring::send(int fd, const msghdr& message, std::uint32_t value) {
  io_uring_sqe* const sqe = next_sqe();
  io_uring_prep_sendmsg(sqe, fd, &message, MSG_NOSIGNAL);
  sqe->user_data = user_data(UringTag::kSend, value);
}

void Uring::poll_multishot(int fd, std::uint32_t value) {
  io_uring_sqe* const sqe = next_sqe();
  io_uring_prep_poll_multishot(sqe, fd, POLLIN);
  sqe->user_data = user_data(UringTag::kWake, value);
}

void Uring::set_timer(Time at, bool armed) {
  io_uring_sqe* const sqe = next_sqe();
  const auto ns = std::max<Duration::rep>(at.time_since_epoch().count(), 0);
  timer_ = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  const std::uint64_t timer = user_data(UringTag::kTimer, 0);
  if (!armed) {
    io_uring_prep_timeout(sqe, &timer_, 0, IORING_TIMEOUT_ABS);
    sqe->user_data = timer;
    return;
  }
  io_uring_prep_timeout_update(sqe, &timer_, timer, IORING_TIMEOUT_ABS);
  // It fails where the timer goes off this instant, which the timer itself tells.
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = user_data(UringTag::kCancel, 0);
}

void Uring::cancel(int fd) {
  io_uring_sync_cancel_reg request{};
  request.fd = fd;
  request.flags =
      IORING_ASYNC_CANCEL_ALL | (fd < 0 ? IORING_ASYNC_CANCEL_ANY : IORING_ASYNC_CANCEL_FD);
  cancel(request);
}

void Uring::cancel_receive(std::uint32_t value) {
  io_uring_sync_cancel_reg request{};
  request.addr = user_data(UringTag::kReceive, value);
  cancel(request);
}

void Uring::cancel(io_uring_sync_cancel_reg& request) {
  if (!enabled_) return;
  submit();
  request.timeout.tv_sec = -1;
  request.timeout.tv_nsec = -1;
  // ENOENT: nothing was under way. The last references to the socket go when the
  // deferred work runs.
  io_uring_register_sync_cancel(&ring_, &request);
  io_uring_get_events(&ring_);
}

bool Uring::work_waiting() const {
  constexpr unsigned kWork = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
  return (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & kWork) != 0;
}

unsigned Uring::submit() {
  unsigned calls = 0;
  // A submission may stop short when completions overflow; it goes on once they are
  // taken, so one more try and then the next turn.
  while (calls < 2 && (io_uring_sq_ready(&ring_) > 0 || (calls == 0 && work_waiting()))) {
    io_uring_submit_and_get_events(&ring_);
    ++calls;
  }
  return calls;
}

void Uring::submit_and_wait() { io_uring_submit_and_wait(&ring_, 1); }

void Uring::submit_and_wait(Duration timeout) {
  io_uring_cqe* first = nullptr;
  const auto ns = std::max<Duration::rep>(timeout.count(), 0);
  __kernel_timespec limit{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
}

bool Uring::next(UringCompletion& out) {
  if (io_uring_cq_ready(&ring_) == 0) return false;
  const io_uring_cqe& cqe = ring_.cq.cqes[*ring_.cq.khead & ring_.cq.ring_mask];
  out = {.tag = static_cast<UringTag>(cqe.user_data >> 32),
         .value = static_cast<std::uint32_t>(cqe.user_data),
         .result = cqe.res,
         .flags = cqe.flags};
  io_uring_cq_advance(&ring_, 1);
  return true;
}

void Uring::provide(std::uint16_t id, std::uint8_t* data, std::size_t bytes) {
  auto* const ring = reinterpret_cast<io_uring_buf_ring*>(buffer_ring_.data());
  io_uring_buf_ring_add(ring, data, static_cast<unsigned>(bytes), id,
                        static_cast<int>(buffer_mask_), static_cast<int>(added_));
  ++added_;
}

void Uring::publish() {
  if (added_ == 0) return;
  auto* const ring = reinterpret_cast<io_uring_buf_ring*>(buffer_ring_.data());
  io_uring_buf_ring_advance(ring, static_cast<int>(added_));
  added_ = 0;
}

}  // namespace millrace::io
