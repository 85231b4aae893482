// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "io/datapath.h"
#include "io/dpdk/dpdk_port.h"
#include "io/mapped_memory.h"
#include "io/net/net_layer.h"

struct rte_mbuf;

namespace millrace::io {

// DpdkDatapath is the datapath over one queue pair of a device. Every segment and every
// received datagram is an mbuf of its own: records are sealed where the device reads them and
// opened where it wrote them. Addresses, neighbours and headers are a NetLayer's.
//
// "Sockets" are entries in a table: UDP ports of the device's own addresses, which the kernel
// knows nothing of. Where a datagram reaches a queue whose shard does not have its port, the
// frame goes to the shard that has it, by ring.
//
// Destroy it in the thread that called `start`, or after that thread has ended.
class DpdkDatapath final : private RxBufferHome {
 public:
  // A look at an empty queue takes some 25 ns, what a turn does besides, the clock's reading
  // among it, three times as long: of so few a datagram that comes meanwhile waits the less.
  static constexpr int kLooksPerTurn = 16;

  // `clock` is what its owner lives by, where that is not CLOCK_MONOTONIC: a simulation's, in
  // which nobody calls `wait`.
  using ReadClock = std::function<Time()>;
  static Result<std::unique_ptr<DpdkDatapath>, IoError> create(std::shared_ptr<DpdkPort> port,
                                                               std::uint16_t queue,
                                                               ReadClock clock = {});
  ~DpdkDatapath();
  DpdkDatapath(const DpdkDatapath&) = delete;
  DpdkDatapath& operator=(const DpdkDatapath&) = delete;

  Result<SocketId, IoError> open_socket(const Address& local, const SocketOptions& options);
  void close_socket(SocketId socket) { sockets_.close(socket); }
  Address local_address(SocketId socket) const {
    const DeviceSocket* const found = sockets_.find(socket);
    return found == nullptr ? Address{} : found->local;
  }
  bool is_home(SocketId socket, const Address& peer) const;
  void start();

  std::size_t rx_burst(std::span<RxView> in);
  void rx_done();
  TxRun reserve(const Destination& to, std::size_t segment_bytes, std::size_t n);
  void commit(TxRun& run);
  void flush();

  void wait(Time until);
  Waker waker() const { return Waker(wake_); }
  int native_handle();
  bool begin_wait();
  void end_wait();
  std::span<const RefusedSend> refused_sends() { return refused_.take(); }
  const IoStats& stats() const { return stats_; }
  const NetStats& net_stats() const { return layer_->stats(); }

  // Asks for the way to `remote` until it is known; false at `until`. Before `start`, from
  // any one thread: to tell early that a gateway does not answer.
  bool resolve(const IpAddress& remote, Time until);
  // Before `start` too: hears neighbours, who may answer one queue what another has asked, and
  // drops all else.
  void poll_control();

 private:
  static constexpr std::size_t kBurst = 64;  // Frames asked of the device at once.
  static constexpr std::size_t kEager = 16;  // Frames that a commit gives the device at once.
  static constexpr std::size_t kHandedOverShare = 32;  // Of these from other shards, at most.
  static constexpr std::size_t kRuns = 320;            // Open at once.
  static constexpr std::size_t kLargeRuns = 4;
  static constexpr std::size_t kLargeBytes = 65536;
  // What the device does not take for so long, in whole, is dropped.
  static constexpr Duration kStuck = milliseconds(100);
  static constexpr Duration kLinkInterval = milliseconds(250);
  static constexpr Duration kAnnounceInterval = seconds(2);
  static constexpr Duration kReviveInterval = seconds(1);

  struct Run {
    std::array<rte_mbuf*, TxRun::kMaxSegments> frames;
    std::array<std::uint8_t*, TxRun::kMaxSegments> data;
  };

  DpdkDatapath(std::shared_ptr<DpdkPort> port, std::uint16_t queue, ReadClock clock, Time now,
               std::unique_ptr<NetLayer> layer);
  Time read_clock() const;

  // Receive: dpdk_datapath.cc.
  std::size_t fetch_handed_over(std::span<rte_mbuf*> frames);
  std::size_t fetch_device(std::span<rte_mbuf*> frames);
  std::size_t take_waiting(std::span<RxView> in);
  std::size_t room(std::size_t wanted) const;
  std::size_t take(std::span<rte_mbuf*> frames, bool second_hand, std::span<RxView> in);
  bool accept(rte_mbuf* frame, const RxFlags& flags, RxFrame& received, RxView& view);
  bool deliver(rte_mbuf* frame, const RxFrame& received, RxView& view);
  void hand_over(rte_mbuf* frame, std::uint16_t port);
  void hear_router(const PathMtu& word);
  void tell_others(const rte_mbuf* frame);
  bool enqueue(std::uint16_t owner, rte_mbuf* frame);
  void wake_others();
  void release(RxBuffer& buffer) override;

  // Transmit: dpdk_transmit.cc.
  std::size_t allocate(Run& run, std::size_t wanted);
  TxRun reserve_large(const Destination& to, std::size_t segment_bytes, std::size_t n);
  void commit_large(TxRun& run, const DeviceSocket& socket);
  const NextHop* find_hop(const DeviceSocket& socket, const Destination& to, std::size_t datagrams);
  void queue_datagram(const NextHop& hop, const UdpSend& send, rte_mbuf* frame, std::size_t length);
  std::uint16_t next_fragment_id();
  void queue_control(ByteSpan frame);
  bool send_queued();
  struct SentBurst {
    std::uint16_t sent = 0;
    bool refused = false;  // The frame behind these can never be sent.
  };
  SentBurst send_burst(rte_mbuf** frames, std::uint16_t n);
  void drop_queued(IoDrop reason, std::size_t frames);
  void run_layer(Time now);
  void watch_link(Time now);
  void drop_stuck(Time now);

  // Waiting: dpdk_wait.cc.
  void sleep(Duration timeout);
  bool frame_waiting();
  bool make_poll_set();
  Time next_due(Time now) const;

  const std::shared_ptr<DpdkPort> port_;
  const std::uint16_t queue_;
  const ReadClock clock_;  // Empty: CLOCK_MONOTONIC.
  std::shared_ptr<WakeState> wake_;
  IoStats stats_;
  RefusedSends refused_;
  std::unique_ptr<NetLayer> layer_;
  DeviceSockets sockets_;
  Time now_{};  // As of the last flush or wait.

  std::vector<RxBuffer*> lent_;
  std::vector<rte_mbuf*> homecoming_;      // Lent frames whose loan has ended, freed together.
  std::array<rte_mbuf*, kBurst> early_{};  // Received by a wait, for the next burst.
  std::size_t early_begin_ = 0;
  std::size_t early_end_ = 0;
  bool early_second_hand_ = false;
  std::vector<char> handed_to_;  // By queue: it has frames of this burst, and must be told.
  bool handed_over_ = false;     // Any has.
  std::size_t held_ = 0;         // Frames lent or referred to.
  std::vector<std::uint8_t> reply_;

  std::vector<Run> runs_;
  std::vector<std::uint32_t> free_runs_;
  MappedMemory large_;  // Segments that no frame can hold, if ever asked for.
  std::vector<std::uint32_t> free_large_;
  std::vector<rte_mbuf*> queued_;  // From `queued_begin_` on: to be given to the device.
  std::size_t queued_begin_ = 0;
  std::uint16_t fragment_id_ = 0;
  Time blocked_since_ = kNever;
  Time link_due_{};
  Time revive_due_;
  Time announce_due_ = kNever;
  bool link_was_up_;
  unsigned link_ups_ = 0;     // Of the port, as seen last.
  std::uint64_t copied_ = 0;  // Of large segments that turned out to be small.

  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  Duration idle_{};  // How long the next sleep without interrupts is.
};

}  // namespace millrace::io
