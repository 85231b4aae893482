// SPDX-License-Identifier: Apache-2.0
#include "io/uring_datapath.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/io_error.h"
#include "io/monotonic_clock.h"
#include "io/rx_accept.h"

namespace millrace::io {

namespace {

constexpr unsigned kSubmissions = 256;
constexpr unsigned kCompletions = 4096;
constexpr int kReceiveCalls = 8;  // In one burst.

static_assert(sizeof(io_uring_recvmsg_out) == RxPool::kNameOffset);

}  // namespace

Result<std::unique_ptr<UringDatapath>, IoError> UringDatapath::create(
    const KernelOptions& options) {
  Result<std::unique_ptr<Uring>, IoError> ring =
      Uring::create(kSubmissions, kCompletions, static_cast<unsigned>(options.rx_buffers));
  if (!ring) return Failure(ring.error());
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) return Failure(io_error("eventfd", errno));
  return std::unique_ptr<UringDatapath>(new UringDatapath(options, std::move(*ring), event_fd));
}

UringDatapath::UringDatapath(const KernelOptions& options, std::unique_ptr<Uring> ring,
                             int event_fd)
    : options_(options),
      ring_(std::move(ring)),
      wake_(std::make_shared<WakeState>(event_fd)),
      rx_(options.rx_buffers),
      splitter_(options.rx_buffers),
      supply_(options.rx_buffers),
      tx_(options.tx_chunks, options.gso) {
  layout_.msg_namelen = RxPool::kNameBytes;
  layout_.msg_controllen = kRxControlBytes;
}

UringDatapath::~UringDatapath() {
  // The kernel must be done with our memory before that goes.
  ring_->cancel(-1);
  ring_.reset();
  if (epoll_fd_ >= 0) close(epoll_fd_);
}

Result<SocketId, IoError> UringDatapath::open_socket(const Address& local,
                                                     const SocketOptions& options) {
  Result<SocketId, IoError> opened = sockets_.open(local, options, options_.gro, stats_);
  if (opened) unarmed_.push_back(*opened);
  return opened;
}

void UringDatapath::close_socket(SocketId id) {
  const KernelSocket* const socket = sockets_.find(id);
  if (socket == nullptr) return;
  if (started_) {
    flush();
    // Sends are done by now, as a rule: then only the receive is in the way.
    UringCompletion completion;
    while (ring_->next(completion)) handle(completion);
    if (socket->sending > 0) {
      ring_->cancel(socket->fd);
    } else if (socket->armed) {
      ring_->cancel_receive(id);
    }
  }
  tx_.discard_socket(id, stats_);
  sockets_.close(id);  // In `unarmed_` its id finds nothing from here on.
}

void UringDatapath::start() {
  CHECK(!started_);
  started_ = true;
  ring_->enable();
  ring_->poll_multishot(wake_->event_fd(), 0);
  flush();
}

std::size_t UringDatapath::rx_burst(std::span<RxView> in) {
  splitter_.done();
  std::size_t n = splitter_.fill(in);
  UringCompletion completion;
  // The kernel looks after some twenty sockets a call.
  int calls = 0;
  while (n < in.size()) {
    if (ring_->next(completion)) {
      handle(completion);
      n += splitter_.fill(in.subspan(n));
    } else if (calls < kReceiveCalls && provided_ > 0 && ring_->work_waiting()) {
      ++calls;
      stats_.syscalls += ring_->submit();
    } else {
      break;
    }
  }
  return n;
}

void UringDatapath::handle(const UringCompletion& completion) {
  switch (completion.tag) {
    case UringTag::kReceive:
      handle_receive(completion);
      break;
    case UringTag::kSend: {
      const auto slot = static_cast<std::uint16_t>(completion.value);
      KernelSocket* const socket = sockets_.find(tx_.at(slot).socket);
      if (socket != nullptr) --socket->sending;
      tx_.complete(slot, completion.result, stats_);
      break;
    }
    case UringTag::kWake:
      if ((completion.flags & IORING_CQE_F_MORE) == 0) {
        ring_->poll_multishot(wake_->event_fd(), 0);
      }
      break;
    case UringTag::kTimer:
      timer_at_ = kNever;
      break;
    case UringTag::kCancel:
      break;
  }
}

void UringDatapath::handle_receive(const UringCompletion& completion) {
  KernelSocket* const socket = sockets_.find(completion.value);
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    RxBuffer& buffer = rx_.at(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    --provided_;
    if (socket == nullptr) {
      stats_.drop(IoDrop::kRxClosedSocket);
      rx_.put(buffer);
    } else if (completion.result < 0) {
      rx_.put(buffer);
    } else {
      accept(*socket, buffer, static_cast<std::size_t>(completion.result));
    }
  }
  if (socket == nullptr) return;
  if (completion.result == -ENOBUFS) {
    supply_.note_dry();
    // Else it has as many as it was to have, and goes on at the next flush.
    if (rx_.free() == 0) ++stats_.rx_starved;
  } else if (completion.result < 0 && completion.result != -ECANCELED) {
    ++stats_.rx_refused;
  }
  if ((completion.flags & IORING_CQE_F_MORE) == 0 && socket->armed) {
    socket->armed = false;
    unarmed_.push_back(socket->id);
  }
}

void UringDatapath::accept(KernelSocket& socket, RxBuffer& buffer, std::size_t length) {
  if (length < RxPool::kPayloadOffset) {
    stats_.drop(IoDrop::kRxTruncated);
    return rx_.put(buffer);
  }
  supply_.note_filled(length);
  const std::uint8_t* const slot = rx_.slot(buffer.index);
  const auto& out = *reinterpret_cast<const io_uring_recvmsg_out*>(slot);
  const bool taken =
      accept_buffer({.name = reinterpret_cast<const KernelAddress*>(slot + RxPool::kNameOffset),
                     .name_length = out.namelen,
                     .control = slot + RxPool::kControlOffset,
                     .control_length = std::min<std::size_t>(out.controllen, kRxControlBytes),
                     .flags = static_cast<int>(out.flags),
                     .length = length - RxPool::kPayloadOffset},
                    socket, buffer, splitter_, stats_);
  if (!taken) rx_.put(buffer);
}

void UringDatapath::provide_buffers() {
  const std::size_t wanted = supply_.wanted(sockets_.size());
  while (provided_ < wanted) {
    RxBuffer* const buffer = rx_.take();
    if (buffer == nullptr) break;
    ring_->provide(static_cast<std::uint16_t>(buffer->index), rx_.slot(buffer->index),
                   RxPool::kSlotBytes);
    ++provided_;
  }
  ring_->publish();
}

// Arms no more sockets than there are buffers: with thousands readable at once the rest
// would end with ENOBUFS on the spot, and each turn would arm them all for nothing.
void UringDatapath::arm_sockets() {
  for (std::size_t room = provided_; room > 0 && next_unarmed_ < unarmed_.size();) {
    KernelSocket* const socket = sockets_.find(unarmed_[next_unarmed_++]);
    if (socket == nullptr) continue;
    socket->armed = true;
    ring_->receive_multishot(socket->fd, layout_, socket->id);
    --room;
  }
  // What was taken goes at the latest when it is the larger part: constant work a socket.
  if (next_unarmed_ * 2 < unarmed_.size()) return;
  unarmed_.erase(unarmed_.begin(), unarmed_.begin() + static_cast<std::ptrdiff_t>(next_unarmed_));
  next_unarmed_ = 0;
}

// A datagram that leaves alone, as an answer does that somebody waits for, is not worth a
// request: that costs half a microsecond more than the call itself.
bool UringDatapath::send_alone() {
  PodRing<std::uint16_t>& queue = tx_.queue();
  const std::uint16_t slot = queue.front();
  const TxSend& send = tx_.at(slot);
  const KernelSocket* const socket = sockets_.find(send.socket);
  // What went before it on its socket stays before it.
  if (send.segments > 1 || socket == nullptr || socket->sending > 0) return false;
  ++stats_.syscalls;
  const int result = send.send_now();
  if (result == -EAGAIN) return false;  // A request waits for room.
  queue.pop_front();
  tx_.complete(slot, result, stats_);
  return true;
}

void UringDatapath::queue_sends() {
  PodRing<std::uint16_t>& queue = tx_.queue();
  if (queue.size() == 1 && send_alone()) return;
  for (std::size_t left = queue.size(); left > 0; --left) {
    const std::uint16_t slot = queue.front();
    const TxSend& send = tx_.at(slot);
    queue.pop_front();
    if (send.may_fragment) {
      // The socket is changed around the call, which no request can do.
      ++stats_.syscalls;
      tx_.complete(slot, send.send_now(), stats_);
      continue;
    }
    if (KernelSocket* const socket = sockets_.find(send.socket)) ++socket->sending;
    ring_->send(send.fd, send.header, slot);
  }
}

void UringDatapath::flush() {
  provide_buffers();
  if (arming_due()) arm_sockets();
  queue_sends();
  stats_.syscalls += ring_->submit();
}

// The timer stays in force from one sleep to the next and is moved to an earlier time alone:
// most sleeps end by a datagram, and to set and cancel a timer for each of them would be
// two more exits of a virtual machine. One that goes off too early costs a turn.
void UringDatapath::wait(Time until) {
  flush();
  // Nothing would tell of what a socket receives that is not armed.
  while (arming_due() && !ring_->completion_waiting()) flush();
  if (splitter_.pending() || ring_->completion_waiting()) return;
  if (wake_->begin_wait()) {
    ++stats_.sleeps;
    ++stats_.syscalls;
    if (!tx_.queue().empty()) until = std::min(until, monotonic_now() + kRetryInterval);
    if (until < timer_at_) ring_->set_timer(until, std::exchange(timer_at_, until) != kNever);
    ring_->submit_and_wait();
  }
  wake_->end_wait();
}

int UringDatapath::native_handle() {
  if (epoll_fd_ >= 0) return epoll_fd_;
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  CHECK(epoll_fd_ >= 0);
  // The waker's descriptor directly: a write to it that has to pass through the ring
  // first does not reliably reach the ring's own eventfd.
  for (const int fd : {ring_->notify_fd(), wake_->event_fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
  }
  return epoll_fd_;
}

bool UringDatapath::begin_wait() {
  ring_->notify(true);
  // Only what comes after that is notified.
  return wake_->begin_wait() && !splitter_.pending() && !ring_->completion_waiting() &&
         !ring_->work_waiting() && !arming_due();
}

void UringDatapath::end_wait() {
  wake_->end_wait();
  ring_->notify(false);
}

}  // namespace millrace::io
