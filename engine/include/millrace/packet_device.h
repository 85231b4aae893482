// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

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
  virtual bool link_up() const = 0;
  // Counters of the device, by the names that its driver gives them, and the level of its
  // buffer pools. Any thread.
  virtual std::vector<std::pair<std::string, std::uint64_t>> counters() const = 0;
};

}  // namespace millrace
