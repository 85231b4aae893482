// SPDX-License-Identifier: Apache-2.0
#include "io/socket_datapath.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/direct_calls.h"
#include "io/io_error.h"
#include "io/monotonic_clock.h"

namespace millrace::io {

Result<std::unique_ptr<SocketDatapath>, IoError> SocketDatapath::create(
    const KernelOptions& options) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return Failure(io_error("epoll_create1", errno));
  const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    const int error = errno;
    close(epoll_fd);
    return Failure(io_error("eventfd", error));
  }
  return std::unique_ptr<SocketDatapath>(new SocketDatapath(options, epoll_fd, event_fd));
}

SocketDatapath::SocketDatapath(const KernelOptions& options, int epoll_fd, int event_fd)
    : options_(options),
      epoll_fd_(epoll_fd),
      wake_(std::make_shared<WakeState>(event_fd)),
      rx_(options.rx_buffers),
      splitter_(options.rx_buffers),
      tx_(options.tx_chunks, options.gso) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kNoSocket;
  CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd, &event) == 0);
}

SocketDatapath::~SocketDatapath() {
  for (std::size_t i = used_; i < ready_; ++i) rx_.put(*buffers_[i]);
  close(epoll_fd_);
}

Result<SocketId, IoError> SocketDatapath::open_socket(const Address& local,
                                                      const SocketOptions& options) {
  Result<SocketId, IoError> opened = sockets_.open(local, options, options_.gro, stats_);
  if (!opened) return opened;
  unwatched_.push_back(*opened);
  if (!watching_ && sockets_.slots().size() <= kPolledSockets) return opened;
  if (const int error = watch_sockets(); error != 0) {
    close_socket(*opened);
    return Failure(io_error("epoll_ctl udp " + local.to_string(), error));
  }
  return opened;
}

// A shard that never sleeps, and has few sockets, has no need of epoll: the senders are
// spared the notice at each datagram.
int SocketDatapath::watch_sockets() {
  watching_ = true;
  while (!unwatched_.empty()) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = unwatched_.back();
    const int fd = sockets_.find(unwatched_.back())->fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return errno;
    unwatched_.pop_back();
  }
  return 0;
}

bool SocketDatapath::begin_wait() {
  // A sleep that nothing would end is none.
  return (unwatched_.empty() || watch_sockets() == 0) && wake_->begin_wait();
}

void SocketDatapath::close_socket(SocketId socket) {
  if (sockets_.find(socket) == nullptr) return;
  flush();
  tx_.discard_socket(socket, stats_);
  std::erase(unwatched_, socket);
  sockets_.close(socket);
}

void SocketDatapath::prepare(std::size_t i, RxBuffer& buffer) {
  std::uint8_t* const slot = rx_.slot(buffer.index);
  buffers_[i] = &buffer;
  vectors_[i] = {slot + RxPool::kPayloadOffset, RxPool::kPayloadBytes};
  msghdr& header = messages_[i].msg_hdr;
  header.msg_name = slot + RxPool::kNameOffset;
  header.msg_namelen = RxPool::kNameBytes;
  header.msg_iov = &vectors_[i];
  header.msg_iovlen = 1;
  header.msg_control = slot + RxPool::kControlOffset;
  header.msg_controllen = kRxControlBytes;
}

void SocketDatapath::refill() {
  std::size_t end = ready_;
  for (std::size_t i = 0; i < used_; ++i) {
    RxBuffer* fresh = rx_.take();
    // None left: one that is ready, further on, fills the gap.
    if (fresh == nullptr && end > used_) fresh = buffers_[--end];
    if (fresh == nullptr) {
      end = i;
      break;
    }
    prepare(i, *fresh);
  }
  while (end < kBatch) {
    RxBuffer* const fresh = rx_.take();
    if (fresh == nullptr) break;
    prepare(end++, *fresh);
  }
  ready_ = end;
  used_ = 0;
}

std::size_t SocketDatapath::rx_burst(std::span<RxView> in) {
  splitter_.done();
  std::size_t n = splitter_.fill(in);
  std::vector<KernelSocket>& slots = sockets_.slots();
  if (slots.size() <= kPolledSockets) {
    ++next_socket_;
    for (std::size_t i = 0; i < slots.size() && n < in.size(); ++i) {
      KernelSocket& socket = slots[(next_socket_ + i) % slots.size()];
      if (socket.fd >= 0) n += receive(socket, in.subspan(n));
    }
    return n;
  }
  if (n == in.size()) return n;
  const int most = static_cast<int>(std::min(events_.size(), in.size() - n));
  ++stats_.syscalls;
  const int ready = epoll_wait(epoll_fd_, events_.data(), most, 0);
  for (int i = 0; i < ready && n < in.size(); ++i) {
    KernelSocket* const socket =
        sockets_.find(static_cast<SocketId>(events_[static_cast<std::size_t>(i)].data.u64));
    if (socket != nullptr) n += receive(*socket, in.subspan(n));
  }
  return n;
}

int SocketDatapath::fetch_one(const KernelSocket& socket) {
  ++stats_.syscalls;
  const ssize_t length = receive_message(socket.fd, messages_[0].msg_hdr, MSG_DONTWAIT);
  if (length < 0) return -1;
  messages_[0].msg_len = static_cast<unsigned>(length);
  return 1;
}

int SocketDatapath::fetch_many(const KernelSocket& socket) {
  ++stats_.syscalls;
  return recvmmsg(socket.fd, messages_.data(), static_cast<unsigned>(ready_), MSG_DONTWAIT,
                  nullptr);
}

std::size_t SocketDatapath::receive(KernelSocket& socket, std::span<RxView> in) {
  std::size_t n = 0;
  for (bool dry = false; !dry && n < in.size();) {
    if (used_ > 0 || ready_ < kBatch) refill();
    if (ready_ == 0) {
      ++stats_.rx_starved;
      break;
    }
    // Of many sockets each has one datagram, or a coalesced buffer, as a rule.
    const bool one = streak_ < kStreak || sockets_.slots().size() > kPolledSockets;
    const int got = one ? fetch_one(socket) : fetch_many(socket);
    streak_ = got > 0 ? streak_ + 1 : 0;
    if (got <= 0) {
      if (got < 0 && errno != EAGAIN && errno != EINTR) {
        // An ICMP error of an earlier send; the datagrams behind it come next time.
        ++stats_.rx_refused;
      }
      break;
    }
    used_ = static_cast<std::size_t>(got);
    dry = one || used_ < ready_;
    for (std::size_t i = 0; i < used_; ++i) accept(socket, *buffers_[i], messages_[i]);
    n += splitter_.fill(in.subspan(n));
  }
  return n;
}

void SocketDatapath::accept(KernelSocket& socket, RxBuffer& buffer, const mmsghdr& message) {
  const msghdr& header = message.msg_hdr;
  const std::uint8_t* const slot = rx_.slot(buffer.index);
  const bool taken =
      accept_buffer({.name = reinterpret_cast<const KernelAddress*>(slot + RxPool::kNameOffset),
                     .name_length = header.msg_namelen,
                     .control = slot + RxPool::kControlOffset,
                     .control_length = header.msg_controllen,
                     .flags = header.msg_flags,
                     .length = message.msg_len},
                    socket, buffer, splitter_, stats_);
  if (!taken) rx_.put(buffer);
}

void SocketDatapath::flush() {
  int blocked_fd = -1;
  for (std::size_t left = tx_.queue().size(); left > 0;) left -= send_batch(left, blocked_fd);
}

std::size_t SocketDatapath::send_batch(std::size_t limit, int& blocked_fd) {
  PodRing<std::uint16_t>& queue = tx_.queue();
  const int fd = tx_.at(queue.front()).fd;
  if (fd == blocked_fd) {
    const std::uint16_t send = queue.front();
    queue.pop_front();
    queue.push_back(send);
    return 1;
  }
  std::size_t n = 1;
  const auto joins = [&](std::size_t i) {
    const TxSend& send = tx_.at(queue[i]);
    return send.fd == fd && !send.may_fragment;
  };
  while (n < std::min(limit, kBatch) && joins(0) && joins(n)) ++n;
  ++stats_.syscalls;
  if (n == 1) {
    const std::uint16_t send = queue.front();
    queue.pop_front();
    if (tx_.complete(send, tx_.at(send).send_now(), stats_)) blocked_fd = fd;
    return 1;
  }
  for (std::size_t i = 0; i < n; ++i) sends_[i].msg_hdr = tx_.at(queue[i]).header;
  const int sent =
      sendmmsg(fd, sends_.data(), static_cast<unsigned>(n), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent <= 0) {
    const int error = sent < 0 ? errno : EAGAIN;
    const std::uint16_t send = queue.front();
    queue.pop_front();
    if (tx_.complete(send, -error, stats_)) blocked_fd = fd;
    return 1;
  }
  for (int i = 0; i < sent; ++i) {
    const std::uint16_t send = queue.front();
    queue.pop_front();
    tx_.complete(send, static_cast<int>(sends_[static_cast<std::size_t>(i)].msg_len), stats_);
  }
  return static_cast<std::size_t>(sent);
}

void SocketDatapath::wait(Time until) {
  flush();
  if (splitter_.pending()) return;
  Duration timeout = until == kNever ? Duration::max() : until - monotonic_now();
  if (!tx_.queue().empty()) timeout = std::min(timeout, kRetryInterval);
  if (begin_wait()) sleep(timeout);
  end_wait();
}

void SocketDatapath::sleep(Duration timeout) {
  ++stats_.sleeps;
  ++stats_.syscalls;
  if (ready_ == used_ && rx_.free() == 0) {
    // The sockets may be readable, but there is nothing to read into.
    pollfd waker{.fd = wake_->event_fd(), .events = POLLIN, .revents = 0};
    const timespec most = to_timespec(std::min(timeout, kRetryInterval));
    ppoll(&waker, 1, &most, nullptr);
    return;
  }
  const timespec most = to_timespec(timeout);
  const timespec* const limit = timeout == Duration::max() ? nullptr : &most;
  if (epoll_pwait2(epoll_fd_, events_.data(), 1, limit, nullptr) < 0 && errno == ENOSYS) {
    const auto ms = std::min<Duration::rep>(
        (std::max<Duration::rep>(timeout.count(), 0) + 999'999) / 1'000'000, 1 << 30);
    epoll_wait(epoll_fd_, events_.data(), 1, limit == nullptr ? -1 : static_cast<int>(ms));
  }
}

}  // namespace millrace::io
