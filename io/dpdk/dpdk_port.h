// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "io/datapath.h"
#include "io/dpdk/eal.h"
#include "io/dpdk/kernel_link.h"
#include "io/dpdk/memif_guard.h"
#include "io/dpdk/port_space.h"
#include "io/net/net_options.h"
#include "io/net/net_stats.h"
#include "io/net/rss_map.h"
#include "io/waker.h"

struct rte_mempool;
struct rte_ring;

namespace millrace::io {

// DpdkPortOptions are the settings of one device. Addresses, gateways, VLAN, neighbours and
// the MAC address are those of `net`; its MTU 0 is the device's, its MAC of zeros too.
struct DpdkPortOptions {
  EalOptions eal;
  EalLogTarget::Log log;  // Of what DPDK says while the device is open.
  // "0000:3b:00.0", "net_memif0,role=client,...", with whatever arguments the driver takes; a
  // memif's `bsize` and `zero-copy=yes` are refused.
  std::string device;
  std::uint16_t queues = 1;  // Pairs of them: one a shard.
  NetOptions net;
  std::uint16_t rx_descriptors = 1024;  // Wishes: the driver has bounds of its own.
  std::uint16_t tx_descriptors = 1024;
  // Received datagrams that may be lent or held at once, of a queue: a page each at an MTU
  // of 1500. Beyond that receiving stops until some come home; beyond half of it they are
  // marked as scarce (RxBuffer), so that it need not come to that.
  std::size_t rx_buffers = 8192;
  // Datagrams reserved, queued and with the device, of a queue.
  std::size_t tx_buffers = 4096;
  // Whether UDP over IPv4 goes with a checksum. Without a wish it goes without one where frames
  // never leave the machine's memory (net_memif, net_ring), as over the kernel's loopback.
  std::optional<bool> udp_checksum;
  // Let a shard that waits be woken by the device, where its driver has receive interrupts.
  bool interrupts = true;
  // Without interrupts a waiting shard looks at its queue at least so often.
  Duration idle = microseconds(100);
  // How long a card's link may take to come up; virtual devices are not waited for.
  Duration link_wait = seconds(5);
  Duration gateway_wait = seconds(3);
  // How datagrams are spread over the queues, where that is known and the device does not tell.
  std::optional<RssMap> spread;
};

// DpdkPort is one started device with a queue pair for each shard. It outlives the
// datapaths that are made of it (they hold it), and stops the device when it dies. A device has
// one DpdkPort in a process at a time; one that was there, and that nobody ran, becomes its own.
class DpdkPort {
 public:
  // One line tells what is wrong: no device, one that is in use, too few queues, no receive side
  // scaling for several, an MTU out of bounds, link down, no memory.
  static Result<std::shared_ptr<DpdkPort>, IoError> create(DpdkPortOptions options);
  ~DpdkPort();
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;

  // A queue's share of it.
  struct Queue {
    rte_mempool* rx_pool = nullptr;
    rte_mempool* tx_pool = nullptr;
    rte_ring* handed_over = nullptr;  // Frames from other queues' shards; null for a lone one.
    // Of the queue, whichever datapath has it: those who hand over need not know it.
    std::shared_ptr<WakeState> wake;
  };

  std::uint16_t id() const { return id_; }
  const std::string& name() const { return name_; }
  const DpdkPortOptions& options() const { return options_; }
  const Queue& queue(std::uint16_t index) const { return queues_[index]; }
  std::uint16_t queues() const { return static_cast<std::uint16_t>(queues_.size()); }
  PortSpace& ports() { return ports_; }
  // Bytes of a frame that one buffer holds.
  std::size_t frame_room() const { return frame_room_; }
  // How the device spreads datagrams over its queues; null where that is unknown, or there is one.
  const RssMap* spread() const { return spread_ ? &*spread_ : nullptr; }
  bool has_rx_interrupts() const { return rx_interrupts_; }
  bool link_up() const;
  // False while a memif has no other end to start with: bursts carry nothing. For a burst it
  // holds to its end if asked within its BurstScope.
  bool running() const { return running_.load(std::memory_order_seq_cst); }
  // How often the link has come up: `note_link_up` is for the first queue's thread.
  unsigned link_ups() const { return link_ups_.load(std::memory_order_relaxed); }
  void note_link_up() { link_ups_.fetch_add(1, std::memory_order_relaxed); }
  // A memif that has lost its other end, or never had one, looks for it anew: its driver does
  // not by itself. For the first queue's thread, while the link is down.
  // Returns at once: it is done in the driver's thread, and the link tells.
  void revive();
  // What bursts of a memif go through; null for other devices.
  MemifGuard* guard() const { return guard_.get(); }
  // One line for the log: driver, MAC address, MTU, queues, offloads, link.
  std::string describe() const;

  // The device's own counters, by the names that its driver gives them. Any thread.
  std::vector<std::pair<std::string, std::uint64_t>> extended_stats() const;
  // What the queues' network layers have dropped, as last noted, by reason; only reasons that
  // occurred. Any thread.
  std::vector<std::pair<std::string, std::uint64_t>> net_drops() const;
  // Frames that came to one queue and went to another's shard, as last noted. Any thread.
  std::uint64_t handed_over() const;
  // For a queue's thread, now and then.
  void note_stats(std::uint16_t queue, const NetStats& net, const IoStats& io);
  // Buffers that no shard, queue or device has, of all queues: receive, transmit.
  std::pair<std::size_t, std::size_t> free_buffers() const;

 private:
  explicit DpdkPort(DpdkPortOptions options) : options_(std::move(options)), log_(options_.log) {}
  std::optional<IoError> open();
  std::optional<IoError> check_device();
  std::optional<IoError> configure(bool interrupts);
  std::optional<IoError> set_up_queues();
  std::optional<IoError> start();
  // Asks the device for frames to our addresses and to groups.
  void open_filters();
  bool receive_groups();
  void receive_all();
  // What outlives the device: it is left as it was found.
  void restore_filters();
  std::optional<IoError> await_link();
  std::optional<RssMap> read_spread() const;
  std::vector<std::uint16_t> read_redirection() const;
  void choose_mac();
  void choose_udp_checksum();
  // Runs `task` where the driver's own doings cannot cross it.
  void control(const std::function<void()>& task) const;
  static void restart(void* port);
  // For the driver's thread: the device stops when no burst is under way, and none begins.
  void stop();
  IoError error(const std::string& what, int code) const;

  DpdkPortOptions options_;
  const EalLogTarget log_;
  std::string name_;
  std::string driver_;
  std::uint16_t id_ = 0;
  bool claimed_ = false;
  bool ours_ = false;  // To close: nobody else runs it.
  std::atomic<bool> running_{false};
  std::atomic<bool> reviving_{false};
  std::atomic<unsigned> link_ups_{0};
  bool rx_interrupts_ = false;
  bool sets_mac_ = false;
  bool made_promiscuous_ = false;
  bool made_allmulticast_ = false;
  bool nominal_mtu_ = false;  // The driver carries more than it takes as a setting.
  int numa_node_ = -1;
  std::size_t frame_room_ = 0;
  std::uint64_t rx_offloads_ = 0;
  std::uint64_t tx_offloads_ = 0;
  std::uint64_t rss_types_ = 0;
  std::uint8_t rss_key_bytes_ = 0;
  std::unique_ptr<MemifGuard> guard_;
  std::unique_ptr<KernelLink> kernel_link_;  // Of a device that is the kernel's, too.
  std::vector<Queue> queues_;
  std::optional<RssMap> spread_;
  struct Noted {
    std::array<std::atomic<std::uint64_t>, kNetDropCount> net_drops{};
    std::atomic<std::uint64_t> handed_over{0};
  };
  std::unique_ptr<Noted[]> noted_;  // By queue.
  PortSpace ports_;
};

}  // namespace millrace::io
