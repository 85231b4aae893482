// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/simulation_impl.h"
#include "io/dpdk/dpdk_port.h"
#include "io/net/next_hop.h"
#include "io/sim_datapath.h"

struct rte_mbuf;

namespace millrace::test {

// SimBridge puts a device of DPDK's on a simulated network: it has the other one of a pair of
// rings, and a host on the network by the device's address. A datagram that comes in a frame
// goes over the network from there, and what comes back from it is put into frames. So whatever
// happens on the network (loss, reordering, duplication, damage, its MTU) happens to the
// device too, at the network's time. To the device it is the gateway.
//
// IPv4 alone. A frame of the device's that is not sound fails the test.
class SimBridge final : public engine::SimWire {
 public:
  // The gateway's MAC address, and the one that the device has to have.
  static constexpr const char* kMac = "02:00:00:00:ff:fe";
  static constexpr const char* kDeviceMac = "02:00:00:00:00:01";

  // A host of the network's at `host`; where it listens, at that port. Null: the test failed.
  static std::unique_ptr<SimBridge> create(std::shared_ptr<engine::SimulationImpl> simulation,
                                           const Address& host, std::size_t mtu);
  ~SimBridge() override;
  SimBridge(const SimBridge&) = delete;
  SimBridge& operator=(const SimBridge&) = delete;

  // The name of the device to open. It may go before the bridge, or after it.
  const std::string& device() const { return device_; }
  bool turn() override;

  // If set, sees every frame that a device is given.
  static inline std::function<void(ByteSpan frame)> recorder;
  // How often a device's ring was full.
  static inline std::uint64_t refused = 0;

 private:
  SimBridge(std::shared_ptr<engine::SimulationImpl> simulation, std::string device,
            std::shared_ptr<io::DpdkPort> port, const Address& host);

  bool to_network();
  bool from_network();
  void take(ByteSpan frame);
  void send(std::uint16_t from, const Address& to, ByteSpan payload, bool may_fragment);
  rte_mbuf* frame_of(const io::RxView& view);
  // The device takes a frame, unless its ring is full.
  bool give(rte_mbuf* frame);
  io::SocketId socket_of(std::uint16_t port);

  const std::shared_ptr<engine::SimulationImpl> simulation_;
  const std::string device_;
  const std::shared_ptr<io::DpdkPort> port_;
  const IpAddress host_;
  io::SimDatapath proxy_;
  std::map<std::uint16_t, io::SocketId> sockets_;
  std::map<std::string, io::NextHop> hops_;
  rte_mbuf* waiting_ = nullptr;  // Found the ring full.
};

}  // namespace millrace::test
