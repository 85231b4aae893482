// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "io/datapath.h"
#include "io/kernel_options.h"
#include "io/rx_accept.h"
#include "io/rx_pool.h"
#include "io/socket_table.h"
#include "io/tx_pool.h"

namespace millrace::io {

// SocketDatapath is the datapath over plain sockets: recvmmsg and sendmmsg with GRO and
// GSO, epoll over many sockets and the waker. It asks nothing of the kernel that a
// sandbox forbids, so it is what remains where io_uring is not allowed.
class SocketDatapath {
 public:
  static Result<std::unique_ptr<SocketDatapath>, IoError> create(const KernelOptions& options);
  ~SocketDatapath();
  SocketDatapath(const SocketDatapath&) = delete;
  SocketDatapath& operator=(const SocketDatapath&) = delete;

  Result<SocketId, IoError> open_socket(const Address& local, const SocketOptions& options);
  void close_socket(SocketId socket);
  Address local_address(SocketId socket) const { return sockets_.local_address(socket); }
  void start() {}

  std::size_t rx_burst(std::span<RxView> in);
  void rx_done() { splitter_.done(); }
  TxRun reserve(const Destination& to, std::size_t segment_bytes, std::size_t n) {
    return tx_.reserve(to, segment_bytes, n, stats_);
  }
  void commit(TxRun& run) { tx_.commit(run, sockets_, stats_); }
  void flush();
  std::span<const RefusedSend> refused_sends() { return tx_.refused().take(); }

  void wait(Time until);
  Waker waker() const { return Waker(wake_); }
  int native_handle() const { return epoll_fd_; }
  bool begin_wait();
  void end_wait() { wake_->end_wait(); }
  const IoStats& stats() const { return stats_; }

 private:
  static constexpr std::size_t kBatch = 16;         // Messages a recvmmsg or sendmmsg.
  static constexpr std::size_t kPolledSockets = 4;  // Up to here epoll is not asked.
  // After so many receives in a row that found something there is more where it came from,
  // and several messages are asked for in one call: for a single one that is dearer.
  static constexpr unsigned kStreak = 2;

  SocketDatapath(const KernelOptions& options, int epoll_fd, int event_fd);
  void prepare(std::size_t i, RxBuffer& buffer);
  // Keeps a free buffer behind each of `messages_`, as far as there are any.
  void refill();
  // Receives from one socket until it is dry or `in` is full; returns the views filled.
  std::size_t receive(KernelSocket& socket, std::span<RxView> in);
  // Receive into `messages_`; return how many came, or -1 and errno.
  int fetch_one(const KernelSocket& socket);
  int fetch_many(const KernelSocket& socket);
  // Has epoll watch the sockets opened since; returns 0 or the first error.
  int watch_sockets();
  void accept(KernelSocket& socket, RxBuffer& buffer, const mmsghdr& message);
  // Sends up to `limit` of the queue that share a socket; returns how many it handled.
  std::size_t send_batch(std::size_t limit, int& blocked_fd);
  void sleep(Duration timeout);

  const KernelOptions options_;
  const int epoll_fd_;
  std::shared_ptr<WakeState> wake_;
  IoStats stats_;
  SocketTable sockets_;
  RxPool rx_;
  RxSplitter splitter_;
  TxPool tx_;
  // Receive: messages_[i] points into buffers_[i], the first `ready_` of them.
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<RxBuffer*, kBatch> buffers_{};
  std::size_t ready_ = 0;
  std::size_t used_ = 0;             // Of these, the first that the last call consumed.
  std::size_t next_socket_ = 0;      // Where polling begins: each in its turn is first.
  unsigned streak_ = 0;              // Receives in a row that found something.
  std::vector<SocketId> unwatched_;  // Open, and not with epoll.
  bool watching_ = false;            // Somebody has slept: sockets are watched from the start.
  std::array<mmsghdr, kBatch> sends_{};
  std::array<epoll_event, 64> events_{};
};

}  // namespace millrace::io
