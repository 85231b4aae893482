// SPDX-License-Identifier: Apache-2.0
#include "test/support/frame_switch.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <chrono>
#include <utility>

#include "io/dpdk/ring_pair.h"
#include "io/net/next_hop.h"
#include "io/net/rss_hash.h"
#include "io/net/wire.h"

namespace millrace::test {
namespace {

constexpr std::size_t kBurst = 64;
constexpr std::size_t kMaxStations = 64;
constexpr std::uint32_t kTableSize = 128;  // Of a card's redirection table.

io::DpdkPortOptions port_options(const std::string& device, std::uint16_t queues) {
  io::DpdkPortOptions options;
  options.device = device;
  options.queues = queues;
  options.net.mac = *io::MacAddress::parse("02:00:00:00:ff:fd");
  options.net.addresses = {*io::IpPrefix::parse("192.0.2.1/32")};  // Nobody's.
  options.rx_descriptors = options.tx_descriptors = 64;
  options.rx_buffers = options.tx_buffers = 64;
  options.interrupts = false;
  return options;
}

// The queue that a card with the symmetric key chooses; others than UDP go to the first.
std::uint16_t queue_of(ByteSpan frame, std::uint16_t queues) {
  const ByteSpan ip = frame.subspan(io::kEthernetBytes);
  const auto type = static_cast<io::EtherType>(load_be16(frame.data() + 12));
  const bool v4 = type == io::EtherType::kIpv4 && ip.size() >= io::kIpv4Bytes + 4;
  const bool v6 = type == io::EtherType::kIpv6 && ip.size() >= io::kIpv6Bytes + 4;
  const auto udp = static_cast<std::uint8_t>(io::IpProtocol::kUdp);
  if (!(v4 && ip[9] == udp) && !(v6 && ip[6] == udp)) return 0;
  const std::uint8_t* const ports = ip.data() + (v4 ? io::kIpv4Bytes : io::kIpv6Bytes);
  const Address source{v4 ? io::load_ipv4(ip.data() + 12) : io::load_ipv6(ip.data() + 8),
                       load_be16(ports)};
  const Address destination{v4 ? io::load_ipv4(ip.data() + 16) : io::load_ipv6(ip.data() + 24),
                            load_be16(ports + 2)};
  const auto key = io::symmetric_rss_key();
  return io::rss_queue(io::rss_hash(key, source, destination), kTableSize, queues);
}

}  // namespace

FrameSwitch::FrameSwitch() : thread_([this] { run(); }) {}

FrameSwitch::~FrameSwitch() {
  stop_ = true;
  thread_.join();
}

std::string FrameSwitch::plug_in(std::uint16_t queues) {
  const auto devices = io::make_ring_pair(queues);
  if (!devices.ok()) {
    ADD_FAILURE() << devices.error().message;
    return {};
  }
  auto port = io::DpdkPort::create(port_options(devices.value().second, queues));
  if (!port.ok()) {
    ADD_FAILURE() << port.error().message;
    return {};
  }
  const std::lock_guard lock(mutex_);
  ports_.push_back(std::move(port).value());
  return devices.value().first;
}

void FrameSwitch::run() {
  io::register_eal_thread();
  while (!stop_) {
    if (!turn()) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

bool FrameSwitch::turn() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    for (std::uint16_t queue = 0; queue < ports_[i]->queues(); ++queue) {
      std::array<rte_mbuf*, kBurst> frames;
      const std::uint16_t n = rte_eth_rx_burst(ports_[i]->id(), queue, frames.data(), kBurst);
      for (std::size_t j = 0; j < n; ++j) carry(i, frames[j]);
      any |= n > 0;
    }
  }
  return any;
}

void FrameSwitch::carry(std::size_t from, rte_mbuf* frame) {
  const auto* const bytes = rte_pktmbuf_mtod(frame, const std::uint8_t*);
  const io::MacAddress to = io::load_mac(bytes);
  const io::MacAddress source = io::load_mac(bytes + to.bytes.size());
  if (source.is_station() && stations_.size() < kMaxStations) stations_[source.bytes] = from;
  const auto known = stations_.find(to.bytes);
  if (known != stations_.end()) return give(*ports_[known->second], frame);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (i == from) continue;
    rte_mbuf* const copy = rte_pktmbuf_copy(frame, frame->pool, 0, UINT32_MAX);
    if (copy != nullptr) give(*ports_[i], copy);
  }
  rte_pktmbuf_free(frame);
}

void FrameSwitch::give(io::DpdkPort& port, rte_mbuf* frame) {
  const ByteSpan bytes{rte_pktmbuf_mtod(frame, const std::uint8_t*), frame->data_len};
  if (rte_eth_tx_burst(port.id(), queue_of(bytes, port.queues()), &frame, 1) == 0) {
    rte_pktmbuf_free(frame);
  }
}

}  // namespace millrace::test
