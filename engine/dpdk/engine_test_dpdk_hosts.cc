// SPDX-License-Identifier: Apache-2.0
//
// Hosts of a simulated network over devices of DPDK's, in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine_test_hosts.h"
#include "engine/shard/packet_device_impl.h"
#include "engine/shard/shard_core.h"
#include "io/dpdk/eal.h"
#include "millrace/dpdk.h"
#include "test/support/sim_bridge.h"

namespace millrace::test {
namespace {

constexpr std::size_t kMemoryMb = 768;  // Of the process.

// A device and the wire that it hangs on.
class WiredDevice final : public engine::PacketDeviceImpl {
 public:
  WiredDevice(std::shared_ptr<PacketDevice> device, std::unique_ptr<SimBridge> bridge,
              std::string host)
      : device_(std::move(device)), bridge_(std::move(bridge)), host_(std::move(host)) {}

  std::vector<std::string> addresses() const override { return device_->addresses(); }
  std::string describe() const override { return device_->describe(); }
  PacketDeviceStats stats() const override { return device_->stats(); }
  unsigned queues() const override { return inner().queues(); }
  Result<std::unique_ptr<engine::ShardRunner>, Error> make_shard(
      unsigned index, const engine::ShardWorld& world, const engine::Clock& clock) override {
    auto made = inner().make_shard(index, world, clock);
    if (made.ok()) made.value()->core().set_host(host_);
    return made;
  }

 private:
  engine::PacketDeviceImpl& inner() const {
    return static_cast<engine::PacketDeviceImpl&>(*device_);
  }
  const std::shared_ptr<PacketDevice> device_;
  const std::unique_ptr<SimBridge> bridge_;
  const std::string host_;
};

DpdkOptions device_options(const std::string& device, const std::string& host, std::size_t mtu) {
  DpdkOptions options;
  options.device = device;
  const std::string gateway = host.substr(0, host.rfind('.')) + ".254";
  options.addresses = {host + "/24"};
  options.gateways = {gateway};
  options.gateway_wait = milliseconds(0);
  options.neighbours = {gateway + "=" + SimBridge::kMac};
  options.mac = SimBridge::kDeviceMac;
  options.mtu = mtu;
  options.udp_checksum = true;  // The bridge verifies it.
  options.rx_buffers = 2048;
  options.tx_buffers = 2048;
  options.descriptors = 64;
  options.log = [](const std::string& line) { ADD_FAILURE() << line; };
  return options;
}

}  // namespace

void place_on(const std::shared_ptr<Simulation>& simulation, EngineOptions& options) {
  options.io = IoBackend::kDpdk;
  options.simulation = simulation;
  io::EalOptions eal;
  eal.memory_mb = kMemoryMb;
  const auto failed = io::start_eal(eal);
  ASSERT_FALSE(failed) << failed->message;
  auto network = std::static_pointer_cast<engine::SimulationImpl>(simulation);
  const Address host =
      options.listen.empty() ? Address{network->next_host(), 0} : *Address::parse(options.listen);
  const std::size_t mtu = std::max<std::size_t>(options.max_datagram_bytes + 28, 1500);
  auto bridge = SimBridge::create(network, host, mtu);
  ASSERT_TRUE(bridge);
  auto device = open_dpdk_device(device_options(bridge->device(), host.ip.to_string(), mtu));
  ASSERT_TRUE(device.ok()) << device.error().message;
  options.device = std::make_shared<WiredDevice>(std::move(device).value(), std::move(bridge),
                                                 host.ip.to_string());
}

}  // namespace millrace::test
