// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "io/datapath.h"
#include "io/kernel_options.h"
#include "io/rx_pool.h"
#include "io/rx_supply.h"
#include "io/socket_table.h"
#include "io/tx_pool.h"
#include "io/uring.h"

namespace millrace::io {

// UringDatapath is the datapath over io_uring (kernel 6.0 or later): one multishot
// receive per socket, all fed from one ring of provided buffers, and sends submitted in
// one system call a turn.
//
// It may be created and given sockets in another thread than the one that calls
// `start`: the ring is set up disabled, and `start` enables it for the calling thread,
// its single issuer from then on. Destroy it in that thread, or after that thread has
// ended.
//
// A view that is held pins its buffer; when all buffers are held or lent, receiving
// stops (`rx_starved`), the sockets' own queues fill, and it goes on by itself when
// buffers come home. Where more sockets have something to read than there are buffers,
// they are served in turn, the longest waiting first.
class UringDatapath {
 public:
  // Fails with one line where io_uring is missing, forbidden (seccomp,
  // kernel.io_uring_disabled) or too old; SocketDatapath is the answer then.
  static Result<std::unique_ptr<UringDatapath>, IoError> create(const KernelOptions& options);
  ~UringDatapath();
  UringDatapath(const UringDatapath&) = delete;
  UringDatapath& operator=(const UringDatapath&) = delete;

  Result<SocketId, IoError> open_socket(const Address& local, const SocketOptions& options);
  void close_socket(SocketId socket);
  Address local_address(SocketId socket) const { return sockets_.local_address(socket); }
  void start();

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
  int native_handle();
  bool begin_wait();
  void end_wait();
  const IoStats& stats() const { return stats_; }

 private:
  UringDatapath(const KernelOptions& options, std::unique_ptr<Uring> ring, int event_fd);

  void handle(const UringCompletion& completion);
  void handle_receive(const UringCompletion& completion);
  void accept(KernelSocket& socket, RxBuffer& buffer, std::size_t length);
  void arm_sockets();
  bool arming_due() const { return unarmed_.size() > next_unarmed_ && provided_ > 0; }
  void provide_buffers();
  bool send_alone();
  void queue_sends();

  const KernelOptions options_;
  std::unique_ptr<Uring> ring_;
  std::shared_ptr<WakeState> wake_;
  IoStats stats_;
  SocketTable sockets_;
  RxPool rx_;
  RxSplitter splitter_;
  RxSupply supply_;
  TxPool tx_;
  msghdr layout_{};  // How a receive splits its buffer; no data.
  // Sockets whose multishot receive has ended, oldest first, from `next_unarmed_` on.
  std::vector<SocketId> unarmed_;
  std::size_t next_unarmed_ = 0;
  std::size_t provided_ = 0;  // Buffers that the kernel has.
  Time timer_at_ = kNever;    // When the ring's timer goes off.
  int epoll_fd_ = -1;         // For native_handle, once asked.
  bool started_ = false;
};

}  // namespace millrace::io
