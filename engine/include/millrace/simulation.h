// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "millrace/types.h"

namespace millrace {

// SimulationOptions describe every path of a simulated network, each way.
struct SimulationOptions {
  std::uint64_t seed = 1;
  double loss = 0.0;       // Probability, 0 to 1.
  double duplicate = 0.0;  // Probability.
  double reorder = 0.0;    // Probability that a datagram is held back by `reorder_by`.
  microseconds reorder_by{2000};
  microseconds delay{0};               // One way.
  double rate_mbps = 0.0;              // 0: unlimited.
  std::size_t queue_bytes = 1u << 20;  // Drop-tail, where a rate is set.
  std::size_t mtu_bytes = 1500;        // IP packet; larger ones vanish.
};

// Simulation is a network and a virtual clock for engines in one process and one thread.
// The same seed and the same calls give the same run.
class Simulation {
 public:
  static std::shared_ptr<Simulation> create(const SimulationOptions& options);
  virtual ~Simulation() = default;

  virtual Time now() const = 0;
  // Turns the attached engines and advances the clock until `done` or `deadline`;
  // false at the deadline.
  virtual bool run_until(const std::function<bool()>& done, Time deadline) = 0;
  // A digest of every datagram sent so far, to compare runs by.
  virtual std::uint64_t trace_hash() const = 0;
};

}  // namespace millrace
