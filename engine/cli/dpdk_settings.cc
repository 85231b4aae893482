// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/dpdk_settings.h"

#include <string>

#include "engine/cli/log.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kMostBuffers = 1u << 20;

void add_network_settings(Settings& settings, DpdkOptions& options) {
  settings.list("dpdk-address", "PREFIX", "Own address, as 192.0.2.2/24; may be given again",
                options.addresses);
  settings.list("dpdk-gateway", "ADDRESS", "Gateway; one of each family", options.gateways);
  settings.list("dpdk-neighbour", "IP=MAC", "Neighbour known for good; may be given again",
                options.neighbours);
  settings.number("dpdk-max-neighbours", "N", "Neighbours that a shard may know at once", 16, 32768,
                  options.max_neighbours);
  settings.milliseconds_of("dpdk-reachable-time",
                           "A neighbour's answer holds; then it is asked anew", 100, 3'600'000,
                           options.reachable_time);
  settings.text("dpdk-from-interface", "NAME",
                "Kernel's interface whose addresses, gateway and MAC are taken over",
                options.from_interface);
  settings.text("dpdk-mac", "MAC", "Own MAC address; none: the device's", options.mac);
  settings.number(
      "dpdk-vlan", "ID", "VLAN of all frames", 1, 4094,
      [&options](std::uint64_t id) { options.vlan = static_cast<std::uint16_t>(id); }, "untagged");
  add_udp_checksum_setting(settings, options);
  settings.number("dpdk-mtu", "BYTES", "Largest IP packet; 0: the device's", 0, 9216, options.mtu);
}

void add_memory_settings(Settings& settings, DpdkOptions& options) {
  settings.choice(
      "dpdk-huge-pages", "Memory: on for network cards, which need huge pages", "off",
      {{"on", [&] { options.huge_pages = true; }}, {"off", [&] { options.huge_pages = false; }}});
  settings.number("dpdk-memory", "MB", "Memory of DPDK; 0: by the number of buffers", 0, 1u << 20,
                  options.memory_mb);
  settings.number("dpdk-rx-buffers", "N", "Received datagrams that a shard may hold", 64,
                  kMostBuffers, options.rx_buffers);
  settings.number("dpdk-tx-buffers", "N", "Datagrams of a shard on their way out", 64, kMostBuffers,
                  options.tx_buffers);
  settings.number("dpdk-descriptors", "N", "Length of a queue of the device", 64, 32768,
                  options.descriptors);
  settings.list("dpdk-eal", "ARG", "Argument for DPDK's environment (EAL); may be given again",
                options.eal);
}

#ifdef MILLRACE_DPDK
DpdkOptions logging(DpdkOptions options) {
  options.log = [](const std::string& line) { log_warning(line); };
  return options;
}

void use(std::shared_ptr<PacketDevice> device, EngineOptions& engine) {
  log_info(device->describe());
  engine.device = std::move(device);
}
#endif

}  // namespace

void add_udp_checksum_setting(Settings& settings, DpdkOptions& options) {
  settings.choice("dpdk-udp-checksum",
                  "UDP checksums over IPv4; auto: on, but off over memif and rings", "auto",
                  {{"auto", [&options] { options.udp_checksum.reset(); }},
                   {"on", [&options] { options.udp_checksum = true; }},
                   {"off", [&options] { options.udp_checksum = false; }}});
}

void add_dpdk_settings(Settings& settings, DpdkOptions& options) {
  settings.text("dpdk-device", "DEVICE",
                "With --io dpdk: PCI address, or a virtual device with its arguments",
                options.device);
  add_network_settings(settings, options);
  add_memory_settings(settings, options);
  settings.choice(
      "dpdk-interrupts", "Let the device wake a shard that blocks, where it can", "on",
      {{"on", [&] { options.interrupts = true; }}, {"off", [&] { options.interrupts = false; }}});
  settings.number(
      "dpdk-idle", "US", "Longest sleep between looks at a queue that raises no interrupts", 10,
      100'000, [&options](std::uint64_t us) { options.idle = microseconds(us); },
      std::to_string(options.idle.count()) + " us");
  settings.milliseconds_of("dpdk-gateway-wait", "For a gateway's first answer; 0: go on without", 0,
                           60'000, options.gateway_wait);
}

#ifdef MILLRACE_DPDK
std::optional<Error> attach_device(const DpdkOptions& options, EngineOptions& engine) {
  if (engine.io != IoBackend::kDpdk) return std::nullopt;
  auto device = open_dpdk_device(logging(options), engine.shards);
  if (!device.ok()) return device.error();
  use(std::move(device).value(), engine);
  return std::nullopt;
}

std::optional<Error> attach_pair(const DpdkOptions& options, EngineOptions& server,
                                 EngineOptions& client) {
  auto pair = open_dpdk_pair(logging(options), server.shards);
  if (!pair.ok()) return pair.error();
  use(std::move(pair.value().first), server);
  use(std::move(pair.value().second), client);
  return std::nullopt;
}
#else
std::optional<Error> attach_device(const DpdkOptions&, EngineOptions& engine) {
  if (engine.io != IoBackend::kDpdk) return std::nullopt;
  return Error{"io: this build has no DPDK (meson -Ddpdk=enabled)"};
}

std::optional<Error> attach_pair(const DpdkOptions&, EngineOptions& server, EngineOptions&) {
  return attach_device({}, server);
}
#endif

}  // namespace millrace::cli
