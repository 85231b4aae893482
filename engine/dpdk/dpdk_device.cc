// SPDX-License-Identifier: Apache-2.0
//
// Devices of DPDK as engines take them: options in text become those of io/dpdk, and shards
// are made over its datapath.
#include "engine/dpdk/dpdk_device.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "engine/dpdk/kernel_interface.h"
#include "engine/shard/packet_device_impl.h"
#include "engine/shard/shard.h"
#include "io/dpdk/dpdk_datapath.h"
#include "io/dpdk/pool_sizes.h"
#include "io/dpdk/ring_pair.h"
#include "io/monotonic_clock.h"
#include "millrace/dpdk.h"

namespace millrace {
namespace engine {
namespace {

// The header of an mbuf, its private area and headroom, and what a pool keeps of each.
constexpr std::size_t kBufferBytes = 2048 + 128 + 512;
// No buffer lies across the border of two pages, for a device may need it in one piece.
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kBaseMemoryMb = 64;
constexpr std::size_t kMinNeighbours = 16;
// Between looks at the queues that do not ask.
constexpr Duration kGatewayTurn = milliseconds(5);

class DpdkDevice final : public PacketDeviceImpl {
 public:
  explicit DpdkDevice(std::shared_ptr<io::DpdkPort> port) : port_(std::move(port)) {}

  std::vector<std::string> addresses() const override {
    std::vector<std::string> out;
    for (const io::IpPrefix& prefix : port_->options().net.addresses) {
      out.push_back(prefix.address.to_string());
    }
    return out;
  }
  std::string describe() const override { return port_->describe(); }
  unsigned queues() const override { return port_->queues(); }

  PacketDeviceStats stats() const override {
    PacketDeviceStats out;
    out.link_up = port_->link_up();
    std::tie(out.rx_buffers_free, out.tx_buffers_free) = port_->free_buffers();
    out.frames_handed_over = port_->handed_over();
    out.device = port_->extended_stats();
    out.drops = port_->net_drops();
    return out;
  }

  Result<std::unique_ptr<ShardRunner>, Error> make_shard(unsigned index, const ShardWorld& world,
                                                         const Clock& clock) override {
    // The shard and its datapath live by one clock.
    io::DpdkDatapath::ReadClock read;
    if (&clock != &monotonic_clock()) read = [&clock] { return clock.now(); };
    auto datapath = io::DpdkDatapath::create(port_, static_cast<std::uint16_t>(index), read);
    if (!datapath.ok()) return Failure(Error{datapath.error().message});
    return std::unique_ptr<ShardRunner>(std::make_unique<Shard<io::DpdkDatapath>>(
        index, world, std::move(datapath).value(), clock));
  }

 private:
  const std::shared_ptr<io::DpdkPort> port_;
};

std::optional<Error> parse_neighbour(const std::string& text, io::NetOptions& net) {
  const std::size_t equals = text.find('=');
  const auto ip = IpAddress::parse(text.substr(0, equals));
  const auto mac =
      equals == std::string::npos ? std::nullopt : io::MacAddress::parse(text.substr(equals + 1));
  if (!ip || !mac) {
    return Error{"dpdk neighbour: '" + text + "' is not ADDRESS=MAC, such as " +
                 "192.0.2.1=02:00:00:00:00:01"};
  }
  net.static_neighbours.push_back({*ip, *mac});
  return std::nullopt;
}

std::optional<Error> parse_net(const DpdkOptions& options, io::NetOptions& net) {
  for (const std::string& text : options.addresses) {
    const auto prefix = io::IpPrefix::parse(text);
    if (!prefix) {
      return Error{"dpdk address: '" + text + "' is not ADDRESS/BITS, such as 192.0.2.2/24"};
    }
    net.addresses.push_back(*prefix);
  }
  for (const std::string& text : options.gateways) {
    const auto gateway = IpAddress::parse(text);
    if (!gateway) return Error{"dpdk gateway: '" + text + "' is not a numeric address"};
    net.gateways.push_back(*gateway);
  }
  for (const std::string& text : options.neighbours) {
    if (auto error = parse_neighbour(text, net)) return error;
  }
  if (!options.mac.empty()) {
    const auto mac = io::MacAddress::parse(options.mac);
    if (!mac || !mac->is_station()) {
      return Error{"dpdk mac: '" + options.mac + "' is not a station's address"};
    }
    net.mac = *mac;
  }
  if (options.max_neighbours < kMinNeighbours) {
    return Error{"dpdk neighbours: " + std::to_string(options.max_neighbours) + ": at least " +
                 std::to_string(kMinNeighbours)};
  }
  net.neighbours.max_neighbours = options.max_neighbours;
  net.neighbours.max_unresolved = options.max_neighbours / 4;
  net.neighbours.reachable_time = options.reachable_time;
  net.max_next_hops = std::max(net.max_next_hops, 2 * options.max_neighbours);
  net.vlan = options.vlan;
  net.mtu = options.mtu;
  if (options.from_interface.empty()) return std::nullopt;
  return take_over_interface(options.from_interface, net);
}

// A device's share of ordinary memory: all of its buffers, and what DPDK keeps besides.
std::size_t memory_mb(const DpdkOptions& options, std::size_t mtu, unsigned shards,
                      unsigned devices) {
  if (options.memory_mb != 0 || options.huge_pages) return options.memory_mb;
  const io::PoolSizes pools = io::pool_sizes({.rx_descriptors = options.descriptors,
                                              .tx_descriptors = options.descriptors,
                                              .rx_buffers = options.rx_buffers,
                                              .tx_buffers = options.tx_buffers,
                                              .threads = std::size_t{devices} * shards});
  const std::size_t jumbo = mtu > 2000 ? mtu : 0;
  const std::size_t pages = (kBufferBytes + jumbo + kPageBytes - 1) / kPageBytes;
  const std::size_t queue_mb = ((pools.rx + pools.tx) * pages * kPageBytes >> 20) + 8;
  return kBaseMemoryMb + devices * shards * queue_mb;
}

Result<io::DpdkPortOptions, Error> port_options(const DpdkOptions& options, unsigned shards,
                                                unsigned devices) {
  io::DpdkPortOptions port;
  if (auto error = parse_net(options, port.net)) return Failure(*error);
  port.eal.huge_pages = options.huge_pages;
  // By the MTU that an interface may have given, too.
  port.eal.memory_mb = memory_mb(options, port.net.mtu, shards, devices);
  port.eal.extra = options.eal;
  port.log = options.log;
  port.device = options.device;
  port.queues = static_cast<std::uint16_t>(shards);
  port.rx_descriptors = port.tx_descriptors = options.descriptors;
  port.rx_buffers = options.rx_buffers;
  port.tx_buffers = options.tx_buffers;
  port.udp_checksum = options.udp_checksum;
  port.interrupts = options.interrupts;
  port.idle = options.idle;
  port.link_wait = options.link_wait;
  return port;
}

// Before there is a shard: a gateway that is silent now will not carry a handshake either.
std::optional<Error> await_gateways(const std::shared_ptr<io::DpdkPort>& port,
                                    const DpdkOptions& options) {
  const std::vector<IpAddress>& gateways = port->options().net.gateways;
  if (gateways.empty() || options.gateway_wait == milliseconds(0)) return std::nullopt;
  // The device chooses the queue that the answer comes to.
  std::vector<std::unique_ptr<io::DpdkDatapath>> queues;
  for (std::uint16_t i = 0; i < port->queues(); ++i) {
    auto datapath = io::DpdkDatapath::create(port, i);
    if (!datapath.ok()) return Error{datapath.error().message};
    queues.push_back(std::move(datapath).value());
  }
  for (const IpAddress& gateway : gateways) {
    const Time end = io::monotonic_now() + options.gateway_wait;
    bool known = false;
    do {
      known = queues.front()->resolve(gateway, io::monotonic_now() + kGatewayTurn);
      for (std::size_t i = 1; i < queues.size(); ++i) queues[i]->poll_control();
    } while (!known && io::monotonic_now() < end);
    if (known) continue;
    return Error{"dpdk: " + port->name() + ": gateway " + gateway.to_string() + " does not answer" +
                 (port->link_up() ? "" : ", for the link is down")};
  }
  return std::nullopt;
}

Result<std::shared_ptr<PacketDevice>, Error> open_device(const DpdkOptions& options,
                                                         unsigned shards, unsigned devices) {
  auto wanted = port_options(options, shards, devices);
  if (!wanted.ok()) return Failure(wanted.error());
  auto port = io::DpdkPort::create(std::move(wanted).value());
  if (!port.ok()) return Failure(Error{port.error().message});
  if (auto error = await_gateways(port.value(), options)) return Failure(*error);
  return make_packet_device(std::move(port).value());
}

}  // namespace

std::shared_ptr<PacketDevice> make_packet_device(std::shared_ptr<io::DpdkPort> port) {
  return std::make_shared<DpdkDevice>(std::move(port));
}

}  // namespace engine

Result<std::shared_ptr<PacketDevice>, Error> open_dpdk_device(const DpdkOptions& options,
                                                              unsigned shards) {
  return engine::open_device(options, shards, 1);
}

Result<std::pair<std::shared_ptr<PacketDevice>, std::shared_ptr<PacketDevice>>, Error>
open_dpdk_pair(const DpdkOptions& options, unsigned shards) {
  io::EalOptions eal;
  eal.huge_pages = options.huge_pages;
  eal.memory_mb = engine::memory_mb(options, options.mtu, shards, 2);
  eal.extra = options.eal;
  if (const auto failed = io::start_eal(eal)) return Failure(Error{failed->message});
  const auto names = io::make_ring_pair(static_cast<std::uint16_t>(shards));
  if (!names.ok()) return Failure(Error{names.error().message});
  DpdkOptions first = options;
  first.gateways.clear();
  DpdkOptions second = first;
  first.device = names.value().first;
  first.addresses = {"198.18.0.1/24", "fd00:6d72::1/64"};
  second.device = names.value().second;
  second.addresses = {"198.18.0.2/24", "fd00:6d72::2/64"};
  auto a = engine::open_device(first, shards, 2);
  if (!a.ok()) return Failure(a.error());
  auto b = engine::open_device(second, shards, 2);
  if (!b.ok()) return Failure(b.error());
  return std::pair{std::move(a).value(), std::move(b).value()};
}

}  // namespace millrace
