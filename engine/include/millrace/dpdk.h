// SPDX-License-Identifier: Apache-2.0
//
// Kernel bypass by DPDK. In a library of its own, millrace-dpdk: who does without links no
// DPDK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/time.h"
#include "millrace/packet_device.h"
#include "millrace/types.h"

namespace millrace {

// DpdkOptions describe a device and its place in the network. Memory and the arguments for
// DPDK's environment are the process's: those of the first device hold.
struct DpdkOptions {
  // "0000:3b:00.0", or a virtual device with its arguments: "net_memif0,role=client,id=0".
  std::string device;
  // Own addresses with their prefixes, "192.0.2.2/24", "2001:db8::2/64"; one to seven.
  std::vector<std::string> addresses;
  std::vector<std::string> gateways;  // At most one of each family, within a prefix.
  // Neighbours known for good, "192.0.2.1=02:00:00:00:00:01".
  std::vector<std::string> neighbours;
  // Neighbours that a shard may know at once beside those, 16 to 32768. Where there are more,
  // one that is not talked to makes room.
  std::size_t max_neighbours = 1024;
  // How long one that has answered is believed to be there, half as much more or less; then the
  // next use asks it again (RFC 4861 §6.3.2).
  milliseconds reachable_time{30'000};
  // A kernel's interface whose addresses and IPv4 gateway are taken over, beside those above.
  std::string from_interface;
  std::string mac;                    // Empty: the device's own.
  std::optional<std::uint16_t> vlan;  // 1 to 4094.
  std::size_t mtu = 0;                // IP packet, up to 9216; 0: the device's.
  // Whether UDP over IPv4 is sent with a checksum (RFC 768 leaves it free; over IPv6 there is
  // always one). Without a wish there is none over net_memif and net_ring, whose frames never leave
  // memory: as over a kernel's loopback. Want one where a memif leads on to a wire.
  std::optional<bool> udp_checksum;

  bool huge_pages = false;           // What network cards need and virtual devices do without.
  std::size_t memory_mb = 0;         // Of all devices; 0: by the number of buffers.
  std::vector<std::string> eal;      // Further arguments of DPDK's environment.
  std::size_t rx_buffers = 8192;     // Of a shard: datagrams that may be held at once.
  std::size_t tx_buffers = 4096;     // Of a shard: datagrams on their way out.
  std::uint16_t descriptors = 1024;  // Of a queue.

  // A shard that blocks is woken by the device where its driver can; elsewhere it looks at
  // its queue at least so often.
  bool interrupts = true;
  microseconds idle{100};
  // How long the link of a card, and then the gateways, may take to answer.
  milliseconds link_wait{5000};
  milliseconds gateway_wait{3000};

  // Lines that DPDK logs while the device is open, from any thread; empty: they are dropped. Of
  // several devices the first opened hears them. It is not called once the device's last owner (a
  // PacketDevice is shared with its engine) has let go; it may not open or close devices.
  std::function<void(const std::string& line)> log;
};

// open_dpdk_device opens a device with `shards` queue pairs and starts it. The error is one line
// that names what is at fault: no huge pages, a device that is not there or not bound, or that the
// process has open already, link down, too few queues, a gateway that does not answer. What failed
// can be tried again, and a device be opened again when its last owner has let go of it.
Result<std::shared_ptr<PacketDevice>, Error> open_dpdk_device(const DpdkOptions& options,
                                                              unsigned shards = 1);

// open_dpdk_pair opens two devices that are connected to each other, for two engines in one
// process. What `options` say of device and addresses is not looked at: they have 198.18.0.1 and .2
// (RFC 2544), fd00:6d72::1 and ::2.
Result<std::pair<std::shared_ptr<PacketDevice>, std::shared_ptr<PacketDevice>>, Error>
open_dpdk_pair(const DpdkOptions& options, unsigned shards = 1);

}  // namespace millrace
