// SPDX-License-Identifier: Apache-2.0
#include "test/support/sim_bridge.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <utility>

#include "io/dpdk/ring_pair.h"
#include "io/net/wire.h"

namespace millrace::test {
namespace {

constexpr std::size_t kBridgeBurst = 64;
constexpr std::uint16_t kDontFragment = 0x4000;

io::DpdkPortOptions port_options(const std::string& device, std::size_t mtu) {
  io::DpdkPortOptions options;
  options.device = device;
  options.net.mac = *io::MacAddress::parse(SimBridge::kMac);
  options.net.mtu = mtu;
  options.net.addresses = {*io::IpPrefix::parse("192.0.2.1/32")};  // Nobody's.
  options.rx_descriptors = options.tx_descriptors = 64;
  options.rx_buffers = 64;
  options.tx_buffers = 4096;  // More than the ring and the device's owner hold.
  options.interrupts = false;
  return options;
}

}  // namespace

std::unique_ptr<SimBridge> SimBridge::create(std::shared_ptr<engine::SimulationImpl> simulation,
                                             const Address& host, std::size_t mtu) {
  const auto devices = io::make_ring_pair(1);
  if (!devices.ok()) {
    ADD_FAILURE() << devices.error().message;
    return nullptr;
  }
  auto port = io::DpdkPort::create(port_options(devices.value().second, mtu));
  if (!port.ok()) {
    ADD_FAILURE() << port.error().message;
    return nullptr;
  }
  return std::unique_ptr<SimBridge>(new SimBridge(  // tidy: allow, its constructor is private
      std::move(simulation), devices.value().first, std::move(port).value(), host));
}

SimBridge::SimBridge(std::shared_ptr<engine::SimulationImpl> simulation, std::string device,
                     std::shared_ptr<io::DpdkPort> port, const Address& host)
    : simulation_(std::move(simulation)),
      device_(std::move(device)),
      port_(std::move(port)),
      host_(host.ip),
      proxy_(simulation_->network(), {host.ip}, {.gro = false}) {
  // Whoever listens is heard before it has said anything.
  if (host.port != 0) socket_of(host.port);
  simulation_->attach(*this);
}

SimBridge::~SimBridge() {
  simulation_->detach(*this);
  rte_pktmbuf_free(waiting_);
}

io::SocketId SimBridge::socket_of(std::uint16_t port) {
  const auto [at, fresh] = sockets_.try_emplace(port, io::kNoSocket);
  if (fresh) {
    const auto opened = proxy_.open_socket({host_, port}, {});
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    if (opened.ok()) at->second = opened.value();
  }
  return at->second;
}

bool SimBridge::turn() {
  const bool sent = to_network();
  const bool received = from_network();
  return sent || received;
}

bool SimBridge::to_network() {
  std::array<rte_mbuf*, kBridgeBurst> frames;
  bool any = false;
  while (const std::uint16_t n = rte_eth_rx_burst(port_->id(), 0, frames.data(), kBridgeBurst)) {
    any = true;
    for (rte_mbuf* const frame : std::span(frames).first(n)) {
      EXPECT_EQ(frame->nb_segs, 1);
      take({rte_pktmbuf_mtod(frame, const std::uint8_t*), frame->data_len});
      rte_pktmbuf_free(frame);
    }
    proxy_.flush();
  }
  return any;
}

// A frame is Ethernet, IPv4 and UDP, all of it as it should be, or none of the network's
// business: announcements of the device's, mostly.
void SimBridge::take(ByteSpan frame) {
  constexpr std::size_t kHeaders = io::kEthernetBytes + io::kIpv4Bytes + io::kUdpBytes;
  ASSERT_GE(frame.size(), io::kEthernetBytes);
  const auto type = static_cast<io::EtherType>(load_be16(frame.data() + 12));
  if (type != io::EtherType::kIpv4) return;
  ASSERT_GE(frame.size(), kHeaders);
  ASSERT_EQ(io::load_mac(frame.data()), *io::MacAddress::parse(kMac));
  const ByteSpan ip = frame.subspan(io::kEthernetBytes);
  ASSERT_EQ(ip[0], 0x45);
  ASSERT_EQ(static_cast<io::IpProtocol>(ip[9]), io::IpProtocol::kUdp);
  const std::size_t total = load_be16(ip.data() + 2);
  ASSERT_LE(total, ip.size());
  ASSERT_TRUE(io::checksum_is_good(io::checksum_add({}, ip.first(io::kIpv4Bytes))));
  const IpAddress source = io::load_ipv4(ip.data() + 12);
  const IpAddress destination = io::load_ipv4(ip.data() + 16);
  ASSERT_EQ(source, host_);
  const ByteSpan udp = ip.first(total).subspan(io::kIpv4Bytes);
  ASSERT_EQ(load_be16(udp.data() + 4), udp.size());
  const auto length = static_cast<std::uint16_t>(udp.size());
  const auto pseudo =
      io::checksum_add(io::pseudo_header_sum(source, destination, io::IpProtocol::kUdp), length);
  ASSERT_TRUE(io::checksum_is_good(io::checksum_add(pseudo, udp)));
  const std::uint16_t fragments = load_be16(ip.data() + 6);
  ASSERT_EQ(fragments & ~kDontFragment, 0) << "a piece of a datagram";
  send(load_be16(udp.data()), {destination, load_be16(udp.data() + 2)}, udp.subspan(io::kUdpBytes),
       fragments == 0);
}

void SimBridge::send(std::uint16_t from, const Address& to, ByteSpan payload, bool may_fragment) {
  io::TxRun run = proxy_.reserve({socket_of(from), to, {}}, payload.size(), 1);
  ASSERT_FALSE(run.empty());
  std::copy(payload.begin(), payload.end(), run.next().begin());
  run.push(payload.size());
  if (may_fragment) run.allow_fragments();
  proxy_.commit(run);
}

bool SimBridge::from_network() {
  if (waiting_ != nullptr && !give(std::exchange(waiting_, nullptr))) return false;
  bool any = false;
  std::array<io::RxView, 1> view;
  while (proxy_.rx_burst(view) == 1) {
    any = true;
    rte_mbuf* const frame = frame_of(view[0]);
    proxy_.rx_done();
    if (frame != nullptr && !give(frame)) break;
  }
  return any;
}

rte_mbuf* SimBridge::frame_of(const io::RxView& view) {
  const Address& source = view.buffer->source;
  const auto [at, fresh] = hops_.try_emplace(source.ip.to_string());
  if (fresh) {
    const io::MacAddress own = *io::MacAddress::parse(kMac);
    at->second = io::make_next_hop({.source = source.ip,
                                    .destination = host_,
                                    .source_mac = own,
                                    .destination_mac = *io::MacAddress::parse(kDeviceMac),
                                    .resolved = true,
                                    .mtu = 9216});
  }
  const io::NextHop& hop = at->second;
  const std::size_t bytes = hop.header_bytes() + view.length;
  rte_mbuf* const frame = rte_pktmbuf_alloc(port_->queue(0).tx_pool);
  auto* const data = frame == nullptr ? nullptr
                                      : reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(
                                            frame, static_cast<std::uint16_t>(bytes)));
  if (data == nullptr) {
    ADD_FAILURE() << "no room for a datagram of " << view.length;
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  std::copy_n(view.data, view.length, data + hop.header_bytes());
  hop.write_headers(data, {source.port, proxy_.local_address(view.buffer->socket).port},
                    view.length);
  if (recorder) recorder({data, bytes});
  return frame;
}

bool SimBridge::give(rte_mbuf* frame) {
  if (rte_eth_tx_burst(port_->id(), 0, &frame, 1) == 1) return true;
  waiting_ = frame;
  ++refused;
  return false;
}

}  // namespace millrace::test
