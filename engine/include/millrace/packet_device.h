// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

// PacketDeviceStats is a snapshot of a device.
struct PacketDeviceStats {
  using Counters = std::vector<std::pair<std::string, std::uint64_t>>;

  bool link_up = false;
  // Buffers that neither a shard nor the device has, of all queues.
  std::uint64_t rx_buffers_free = 0;
  std::uint64_t tx_buffers_free = 0;
  // Frames that came to one shard's queue and were another's, a quarter of a second old at most.
  std::uint64_t frames_handed_over = 0;
  Counters device;  // By the names that its driver gives them.
  // Frames dropped on their way between device and sockets, by reason, a quarter of a second
  // old at most; only reasons that occurred.
  Counters drops;
};

// PacketDevice is a network device that an engine drives itself, past the kernel:
// `EngineOptions::device` with IoBackend::kDpdk. millrace/dpdk.h makes them. It serves
// one engine, and has as many queue pairs as that has shards.
class PacketDevice {
 public:
  virtual ~PacketDevice() = default;

  // Its own addresses, as text, which sockets may be bound to and peers are told.
  virtual std::vector<std::string> addresses() const = 0;
  // What it is, and how it was set up, in a line for the log.
  virtual std::string describe() const = 0;
  // Any thread.
  virtual PacketDeviceStats stats() const = 0;
};

}  // namespace millrace
