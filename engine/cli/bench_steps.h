// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/base/time.h"

namespace millrace::cli {

// StepSide is whose time a step takes when a bulk transfer runs.
enum class StepSide : std::uint8_t {
  kSender,
  kReceiver,
  kApart,  // Told for itself: part of another step, or not of every packet.
};
const char* to_string(StepSide side);

// Step is one stage of a packet's way and what it costs on this machine.
struct Step {
  std::string name;
  StepSide side = StepSide::kApart;
  double ns = 0;  // For each packet, or each call where it is no matter of packets.
};

struct StepOptions {
  bool uring = false;
  Duration each = milliseconds(300);  // Time spent on each step.
  // Steps of packet I/O past the kernel, measured already: they take the place of the kernel's,
  // which are told apart.
  std::vector<Step> device;
};

// What the steps are measured with, past the kernel too.
inline constexpr std::size_t kBurst = 54;
inline constexpr std::size_t kDatagram = 1200;

// StepCosts is a packet taken apart: datagrams of kDatagram bytes in bursts of kBurst, the modules'
// own code in a single thread, memory in the cache.
struct StepCosts {
  std::vector<Step> steps;
  double payload_bytes = 0;  // Of a message, in each packet.

  double sum_ns(StepSide side) const;
  // What the slower side alone would allow, each with a core of its own.
  double ceiling_mbps() const;
};

StepCosts measure_steps(const StepOptions& options);

}  // namespace millrace::cli
