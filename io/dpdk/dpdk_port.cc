// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/dpdk_port.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

#include "engine/base/rx_buffer.h"
#include "io/dpdk/memif_device.h"
#include "io/dpdk/pool_sizes.h"
#include "io/dpdk/ring_pair.h"
#include "io/io_error.h"
#include "io/monotonic_clock.h"
#include "io/net/next_hop.h"
#include "io/net/rss_hash.h"

namespace millrace::io {
namespace {

constexpr unsigned kHandOverDepth = 1024;
constexpr std::uint16_t kDefaultMtu = 1500;
// What a network layer of IPv4 and IPv6 bears.
constexpr std::size_t kMinMtu = 1280;
constexpr std::size_t kMaxMtu = 9216;
constexpr std::uint64_t kUdpRss = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;

constexpr const char* kRing = "net_ring";

// These send through an interface that stays the kernel's.
bool is_of_kernel(std::string_view driver) {
  return driver == "net_af_packet" || driver == "net_af_xdp";
}

// Queues of such a device are its peer's to choose, who has one a flow or one a shard: a
// session stays on its queue without RSS.
bool peer_chooses_queue(std::string_view driver) {
  return driver == kMemif || driver == kRing || driver == "net_vhost";
}

// A receive buffer's header lies in the mbuf's private area, behind it.
constexpr std::uint16_t kPrivateBytes =
    (sizeof(RxBuffer) + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE * RTE_CACHE_LINE_SIZE;

// What a buffer holds, for frames of an MTU: cards count it in kilobytes.
std::size_t frame_room_for(std::size_t mtu) {
  const std::size_t frame = kEthernetBytes + kVlanTagBytes + mtu;
  return std::max<std::size_t>(2048, (frame + 1023) / 1024 * 1024);
}

// A name that no other pool or ring of the process has or had.
std::string fresh_name(const char* kind) {
  static std::atomic<unsigned> made{0};
  return std::string("millrace_") + kind + std::to_string(made++);
}

// PoolGraveyard frees pools when all of their buffers are home. Over a pair of rings a port's
// frames are held by the other's owner, who may outlive it.
class PoolGraveyard {
 public:
  static void bury(rte_mempool* pool) {
    static PoolGraveyard graveyard;
    const std::lock_guard lock(graveyard.mutex_);
    if (pool != nullptr) graveyard.pools_.push_back(pool);
    std::erase_if(graveyard.pools_, [](rte_mempool* each) {
      const bool home = rte_mempool_full(each) == 1;
      if (home) rte_mempool_free(each);
      return home;
    });
  }

 private:
  std::mutex mutex_;
  std::vector<rte_mempool*> pools_;
};

}  // namespace

IoError DpdkPort::error(const std::string& what, int code) const {
  return io_error("dpdk: " + name_ + ": " + what, code < 0 ? -code : code);
}

void DpdkPort::control(const std::function<void()>& task) const {
  if (guard_ != nullptr) {
    MemifGuard::run_serially(task);
  } else {
    task();
  }
}

Result<std::shared_ptr<DpdkPort>, IoError> DpdkPort::create(DpdkPortOptions options) {
  if (options.device.empty()) return Failure(IoError{"dpdk: no device is stated", EINVAL});
  if (is_card(options.device)) {
    std::vector<std::string>& cards = options.eal.devices;
    if (std::find(cards.begin(), cards.end(), options.device) == cards.end()) {
      cards.push_back(options.device);
    }
  }
  if (std::optional<IoError> failed = start_eal(options.eal)) return Failure(*failed);
  std::shared_ptr<DpdkPort> port(new DpdkPort(std::move(options)));
  if (std::optional<IoError> failed = port->open()) return Failure(*failed);
  return port;
}

std::optional<IoError> DpdkPort::open() {
  name_ = options_.device.substr(0, options_.device.find(','));
  const bool memif = name_.rfind(kMemif, 0) == 0;
  if (const auto refusal = memif ? memif_argument_refusal(options_.device) : std::nullopt) {
    return IoError{"dpdk: " + name_ + ": " + *refusal, EINVAL};
  }
  const std::size_t mtu = options_.net.mtu == 0 ? kDefaultMtu : options_.net.mtu;
  auto claimed = claim_device(memif ? with_memif_buffers(options_.device, frame_room_for(mtu))
                                    : options_.device);
  if (!claimed) return claimed.error();
  id_ = claimed.value().id;
  claimed_ = true;
  ours_ = claimed.value().attached || is_of_ring_pair(name_);
  const EalSetUp set_up;
  if (auto failed = check_device()) return failed;
  choose_mac();
  if (const auto refused = check_options(options_.net)) {
    return IoError{"dpdk: " + name_ + ": " + refused->message, EINVAL};
  }
  auto failed = configure(options_.interrupts);
  if (!failed) failed = set_up_queues();
  if (!failed) failed = start();
  // Some drivers take the wish for interrupts as an order.
  if (failed && options_.interrupts) {
    failed = configure(false);
    if (!failed) failed = set_up_queues();
    if (!failed) failed = start();
  }
  if (failed) return failed;
  spread_ = options_.spread ? options_.spread : read_spread();
  return await_link();
}

std::optional<IoError> DpdkPort::check_device() {
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(id_, &info); code != 0) return error("query", code);
  driver_ = info.driver_name;
  if (driver_ == kMemif) guard_ = std::make_unique<MemifGuard>(options_.queues);
  if (is_of_kernel(driver_)) kernel_link_ = KernelLink::find(info.if_index);
  numa_node_ = rte_eth_dev_socket_id(id_);
  const unsigned most = std::min(info.max_rx_queues, info.max_tx_queues);
  if (options_.queues < 1 || options_.queues > most) {
    return IoError{"dpdk: " + name_ + ": " + std::to_string(options_.queues) +
                       " shards are one queue pair each, and the device has " +
                       std::to_string(most),
                   EINVAL};
  }
  rss_types_ = info.flow_type_rss_offloads & kUdpRss;
  rss_key_bytes_ = info.hash_key_size != 0 ? info.hash_key_size : 40;
  if (options_.queues > 1 && !peer_chooses_queue(driver_) &&
      ((rss_types_ & RTE_ETH_RSS_NONFRAG_IPV4_UDP) == 0 || rss_key_bytes_ > kRssKeyBytes)) {
    return IoError{"dpdk: " + name_ + ": driver " + driver_ +
                       " spreads nothing over queues (no RSS of UDP): use one shard, not " +
                       std::to_string(options_.queues),
                   EINVAL};
  }
  std::uint16_t mtu = kDefaultMtu;
  rte_eth_dev_get_mtu(id_, &mtu);
  if (options_.net.mtu == 0) options_.net.mtu = std::clamp<std::size_t>(mtu, kMinMtu, kMaxMtu);
  // What memif's driver calls its largest frame has nothing to do with what it carries.
  nominal_mtu_ = driver_ == kMemif || driver_ == kRing;
  if (options_.net.mtu < info.min_mtu || options_.net.mtu > info.max_mtu) {
    return IoError{"dpdk: " + name_ + ": mtu " + std::to_string(options_.net.mtu) +
                       " is not in the device's " + std::to_string(info.min_mtu) + " to " +
                       std::to_string(info.max_mtu),
                   EINVAL};
  }
  if (driver_ == kMemif &&
      !memif_minds_lengths(rte_dev_devargs(info.device)->args, frame_room_for(options_.net.mtu))) {
    return IoError{"dpdk: " + name_ + ": \"" + rte_dev_devargs(info.device)->args +
                       "\", as others have attached it, trusts the other end with lengths of "
                       "frames; leave it to millrace to attach",
                   EINVAL};
  }
  const auto offered = [&](std::uint64_t wanted, std::uint64_t capable) {
    return (capable & wanted) == wanted ? wanted : 0;
  };
  rx_offloads_ =
      offered(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM, info.rx_offload_capa);
  tx_offloads_ =
      offered(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM, info.tx_offload_capa) |
      offered(RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, info.tx_offload_capa);
  options_.net.ip_offload = (tx_offloads_ & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  choose_udp_checksum();
  return std::nullopt;
}

void DpdkPort::choose_udp_checksum() {
  const bool in_memory = driver_ == kMemif || driver_ == kRing;
  UdpChecksum& maker = options_.net.udp_checksum;
  if (!options_.udp_checksum.value_or(!in_memory)) {
    maker = UdpChecksum::kNone;
  } else if ((tx_offloads_ & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0) {
    maker = UdpChecksum::kDevice;
  } else {
    maker = UdpChecksum::kLayer;
  }
}

// net_ring has no address of its own, and net_memif a new one in each process: they get one
// of the locally administered kind, made of the first IP address, so that a process that
// starts anew is found where the one before it was.
void DpdkPort::choose_mac() {
  MacAddress& mac = options_.net.mac;
  sets_mac_ = !mac.is_zero();
  if (sets_mac_) return;
  const bool fleeting =
      driver_ == kRing || (driver_ == kMemif && options_.device.find(",mac=") == std::string::npos);
  if (fleeting && !options_.net.addresses.empty()) {
    const IpAddress& ip = options_.net.addresses.front().address;
    mac.bytes = {0x02, 0x6d};
    std::copy_n(ip.bytes.begin() + (ip.is_v4() ? 0 : 12), 4, mac.bytes.begin() + 2);
    sets_mac_ = true;
    return;
  }
  rte_ether_addr own{};
  rte_eth_macaddr_get(id_, &own);
  std::copy_n(own.addr_bytes, mac.bytes.size(), mac.bytes.begin());
}

std::optional<IoError> DpdkPort::configure(bool interrupts) {
  rte_eth_conf conf{};
  conf.rxmode.mtu = nominal_mtu_ ? 0 : static_cast<std::uint32_t>(options_.net.mtu);
  conf.rxmode.offloads = rx_offloads_;
  conf.txmode.offloads = tx_offloads_;
  conf.intr_conf.rxq = interrupts ? 1 : 0;
  auto key = symmetric_rss_key();
  if (options_.queues > 1 && rss_types_ != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_key = key.data();
    conf.rx_adv_conf.rss_conf.rss_key_len = rss_key_bytes_;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_types_;
  }
  if (const int code = rte_eth_dev_configure(id_, options_.queues, options_.queues, &conf)) {
    return error("configure " + std::to_string(options_.queues) + " queue pair(s)", code);
  }
  // A port that others run refuses.
  ours_ = true;
  return std::nullopt;
}

std::optional<IoError> DpdkPort::set_up_queues() {
  std::uint16_t rx = options_.rx_descriptors;
  std::uint16_t tx = options_.tx_descriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx);
  frame_room_ = frame_room_for(options_.net.mtu);
  const auto room = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + frame_room_);
  const PoolSizes sizes =
      pool_sizes({.rx_descriptors = rx,
                  .tx_descriptors = tx,
                  .rx_buffers = options_.rx_buffers,
                  .tx_buffers = options_.tx_buffers,
                  .threads = std::size_t{options_.queues} * (driver_ == kRing ? 2 : 1)});
  const auto pool = [&](const char* kind, std::size_t buffers) {
    return rte_pktmbuf_pool_create(fresh_name(kind).c_str(), static_cast<unsigned>(buffers),
                                   static_cast<unsigned>(sizes.cache), kPrivateBytes, room,
                                   numa_node_);
  };
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(id_, &info);
  rte_eth_txconf conf = info.default_txconf;
  conf.offloads = tx_offloads_;
  queues_.resize(options_.queues);
  noted_ = std::make_unique<Noted[]>(options_.queues);
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    Queue& queue = queues_[i];
    if (queue.rx_pool == nullptr) queue.rx_pool = pool("rx", sizes.rx);
    if (queue.tx_pool == nullptr) queue.tx_pool = pool("tx", sizes.tx);
    if (queue.rx_pool == nullptr || queue.tx_pool == nullptr) {
      return IoError{"dpdk: " + name_ + ": no memory for " + std::to_string(options_.rx_buffers) +
                         " receive and " + std::to_string(options_.tx_buffers) +
                         " transmit buffers of queue " + std::to_string(i) +
                         "; give more (--dpdk-memory) or take fewer",
                     ENOMEM};
    }
    if (queue.wake == nullptr) {
      const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (event_fd < 0) return io_error("eventfd", errno);
      queue.wake = std::make_shared<WakeState>(event_fd);
    }
    if (options_.queues > 1 && queue.handed_over == nullptr) {
      queue.handed_over =
          rte_ring_create(fresh_name("over").c_str(), kHandOverDepth, numa_node_, RING_F_SC_DEQ);
      if (queue.handed_over == nullptr) return error("ring of queue", rte_errno);
    }
    if (const int code = rte_eth_rx_queue_setup(id_, i, rx, static_cast<unsigned>(numa_node_),
                                                nullptr, queue.rx_pool)) {
      return error("receive queue " + std::to_string(i), code);
    }
    if (const int code =
            rte_eth_tx_queue_setup(id_, i, tx, static_cast<unsigned>(numa_node_), &conf)) {
      return error("transmit queue " + std::to_string(i), code);
    }
  }
  return std::nullopt;
}

std::optional<IoError> DpdkPort::start() {
  int code = 0;
  // Starting sets the interface as DPDK believes it to be.
  if (kernel_link_ && kernel_link_->was_promiscuous()) rte_eth_promiscuous_enable(id_);
  control([&] { code = rte_eth_dev_start(id_); });
  if (code != 0 && driver_ != kMemif) return error("start", code);
  running_.store(code == 0);
  open_filters();
  rx_interrupts_ = options_.interrupts;
  for (std::uint16_t i = 0; i < options_.queues && rx_interrupts_; ++i) {
    rx_interrupts_ =
        rte_eth_dev_rx_intr_ctl_q_get_fd(id_, i) >= 0 && rte_eth_dev_rx_intr_enable(id_, i) == 0;
    if (rx_interrupts_) rte_eth_dev_rx_intr_disable(id_, i);
  }
  return std::nullopt;
}

// What a driver cannot do it mostly need not: virtual devices hand over every frame.
void DpdkPort::open_filters() {
  if (sets_mac_) {
    rte_ether_addr mac{};
    std::copy_n(options_.net.mac.bytes.begin(), options_.net.mac.bytes.size(), mac.addr_bytes);
    if (kernel_link_) kernel_link_->note_address(options_.net.mac);
    if (rte_eth_dev_default_mac_addr_set(id_, &mac) != 0) receive_all();
  }
  // Neighbour discovery asks groups.
  if (!receive_groups()) receive_all();
}

bool DpdkPort::receive_groups() {
  if (kernel_link_ && kernel_link_->receive_groups()) return true;
  const bool had = rte_eth_allmulticast_get(id_) == 1;
  if (rte_eth_allmulticast_enable(id_) != 0) return false;
  made_allmulticast_ |= !had;
  return true;
}

void DpdkPort::receive_all() {
  if (kernel_link_ && kernel_link_->receive_all()) return;
  const bool had = rte_eth_promiscuous_get(id_) == 1;
  if (rte_eth_promiscuous_enable(id_) == 0) made_promiscuous_ |= !had;
}

void DpdkPort::restore_filters() {
  if (made_promiscuous_) rte_eth_promiscuous_disable(id_);
  if (made_allmulticast_) rte_eth_allmulticast_disable(id_);
}

// Queues by the low bits of the hash; empty where the device does not tell.
std::vector<std::uint16_t> DpdkPort::read_redirection() const {
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(id_, &info) != 0 || info.reta_size == 0) return {};
  std::vector<rte_eth_rss_reta_entry64> groups((info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1u) /
                                               RTE_ETH_RETA_GROUP_SIZE);
  const auto entry = [&](std::size_t i) -> std::uint16_t& {
    return groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
  };
  for (rte_eth_rss_reta_entry64& group : groups) group.mask = UINT64_MAX;
  if (rte_eth_dev_rss_reta_query(id_, groups.data(), info.reta_size) != 0) return {};
  std::set<std::uint16_t> named;
  for (std::size_t i = 0; i < info.reta_size; ++i) named.insert(entry(i));
  // A queue that the table does not name would never hear of anything.
  if (named.size() != options_.queues || *named.rbegin() >= options_.queues) {
    for (std::size_t i = 0; i < info.reta_size; ++i) {
      entry(i) = static_cast<std::uint16_t>(i % options_.queues);
    }
    if (rte_eth_dev_rss_reta_update(id_, groups.data(), info.reta_size) != 0 ||
        rte_eth_dev_rss_reta_query(id_, groups.data(), info.reta_size) != 0) {
      return {};
    }
  }
  std::vector<std::uint16_t> table;
  for (std::size_t i = 0; i < info.reta_size; ++i) table.push_back(entry(i));
  return table;
}

// By what the device says is in force, whatever was asked of it.
std::optional<RssMap> DpdkPort::read_spread() const {
  if (options_.queues == 1 || rss_types_ == 0) return std::nullopt;
  RssSetUp set_up;
  set_up.key.resize(rss_key_bytes_);
  rte_eth_rss_conf conf{};
  conf.rss_key = set_up.key.data();
  conf.rss_key_len = rss_key_bytes_;
  if (rte_eth_dev_rss_hash_conf_get(id_, &conf) != 0) return std::nullopt;
  set_up.udp_v4 = (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_UDP) != 0;
  set_up.udp_v6 = (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_UDP) != 0;
  set_up.table = read_redirection();
  return RssMap::make(std::move(set_up));
}

bool DpdkPort::link_up() const {
  rte_eth_link link{};
  return running() && rte_eth_link_get_nowait(id_, &link) == 0 &&
         link.link_status == RTE_ETH_LINK_UP;
}

void DpdkPort::revive() {
  // A server is found by its clients.
  if (driver_ != kMemif || !is_memif_client(options_.device)) return;
  if (reviving_.exchange(true)) return;
  if (!MemifGuard::run_later(&DpdkPort::restart, this)) reviving_.store(false);
}

void DpdkPort::restart(void* port) {
  auto& self = *static_cast<DpdkPort*>(port);
  {
    const EalSetUp set_up;
    self.stop();
    self.running_.store(rte_eth_dev_start(self.id_) == 0);
  }
  self.reviving_.store(false);
}

void DpdkPort::stop() {
  if (!running_.exchange(false)) return;
  // A device without a guard is stopped when the shards have ended.
  if (guard_ != nullptr) MemifGuard::await_bursts();
  rte_eth_dev_stop(id_);
}

std::optional<IoError> DpdkPort::await_link() {
  if (!is_card(options_.device)) return std::nullopt;
  for (const Time end = monotonic_now() + options_.link_wait; !link_up();) {
    if (monotonic_now() >= end) {
      return IoError{"dpdk: " + name_ + ": link is down", ENETDOWN};
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  return std::nullopt;
}

DpdkPort::~DpdkPort() {
  if (guard_ != nullptr) MemifGuard::cancel(&DpdkPort::restart, this);
  control([&] {
    if (ours_) restore_filters();
    stop();
  });
  if (ours_) {
    close_port(id_, [this](const std::function<void()>& task) { control(task); });
  } else if (claimed_) {
    disclaim_port(id_);
  }
  kernel_link_.reset();
  if (driver_ == kRing) end_of_ring_pair(name_);
  for (const Queue& queue : queues_) {
    for (void* frame = nullptr;
         queue.handed_over != nullptr && rte_ring_dequeue(queue.handed_over, &frame) == 0;) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
    rte_ring_free(queue.handed_over);
    PoolGraveyard::bury(queue.rx_pool);
    PoolGraveyard::bury(queue.tx_pool);
  }
}

std::string DpdkPort::describe() const {
  std::string line = "dpdk: " + name_ + " (" + driver_ + "), " + options_.net.mac.to_string() +
                     ", mtu " + std::to_string(options_.net.mtu) + ", " +
                     std::to_string(queues_.size()) + " queue pair(s)";
  switch (options_.net.udp_checksum) {
    case UdpChecksum::kDevice:
      line += ", checksums by the device";
      break;
    case UdpChecksum::kLayer:
      line += ", checksums in software";
      break;
    case UdpChecksum::kNone:
      line += ", no UDP checksum over IPv4";
      break;
  }
  if (rx_interrupts_) line += ", receive interrupts";
  return line + (link_up() ? ", link up" : ", link down");
}

std::vector<std::pair<std::string, std::uint64_t>> DpdkPort::extended_stats() const {
  const int count = rte_eth_xstats_get_names(id_, nullptr, 0);
  if (count <= 0) return {};
  std::vector<rte_eth_xstat_name> names(static_cast<std::size_t>(count));
  std::vector<rte_eth_xstat> values(names.size());
  const auto size = static_cast<unsigned>(count);
  if (rte_eth_xstats_get_names(id_, names.data(), size) != count ||
      rte_eth_xstats_get(id_, values.data(), size) != count) {
    return {};
  }
  std::vector<std::pair<std::string, std::uint64_t>> out;
  out.reserve(names.size());
  for (const rte_eth_xstat& value : values) {
    if (value.id < names.size()) out.emplace_back(names[value.id].name, value.value);
  }
  return out;
}

void DpdkPort::note_stats(std::uint16_t queue, const NetStats& net, const IoStats& io) {
  Noted& noted = noted_[queue];
  for (std::size_t i = 0; i < kNetDropCount; ++i) {
    noted.net_drops[i].store(net.drops[i], std::memory_order_relaxed);
  }
  noted.handed_over.store(io.rx_handed_over, std::memory_order_relaxed);
}

std::uint64_t DpdkPort::handed_over() const {
  std::uint64_t total = 0;
  for (std::uint16_t i = 0; i < queues(); ++i) {
    total += noted_[i].handed_over.load(std::memory_order_relaxed);
  }
  return total;
}

std::vector<std::pair<std::string, std::uint64_t>> DpdkPort::net_drops() const {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  for (std::size_t i = 0; i < kNetDropCount; ++i) {
    std::uint64_t total = 0;
    for (std::uint16_t queue = 0; queue < queues(); ++queue) {
      total += noted_[queue].net_drops[i].load(std::memory_order_relaxed);
    }
    if (total > 0) out.emplace_back(drop_name(static_cast<NetDrop>(i)), total);
  }
  return out;
}

std::pair<std::size_t, std::size_t> DpdkPort::free_buffers() const {
  std::pair<std::size_t, std::size_t> total;
  for (const Queue& queue : queues_) {
    total.first += rte_mempool_avail_count(queue.rx_pool);
    total.second += rte_mempool_avail_count(queue.tx_pool);
  }
  return total;
}

}  // namespace millrace::io
