// SPDX-License-Identifier: Apache-2.0
#include "engine/simulation_impl.h"

#include <algorithm>

namespace millrace {
namespace engine {

SimulationImpl::SimulationImpl(const SimulationOptions& options) : network_(options.seed) {
  io::LinkOptions link;
  link.loss = options.loss;
  link.duplicate = options.duplicate;
  link.reorder = options.reorder;
  link.reorder_delay = options.reorder_by;
  link.delay = options.delay;
  link.bits_per_second = static_cast<std::uint64_t>(options.rate_mbps * 1e6);
  link.queue_bytes = options.queue_bytes;
  link.mtu = options.mtu_bytes;
  network_.set_default_link(link);
}

IpAddress SimulationImpl::next_host() { return IpAddress::v4(10, 0, 0, ++hosts_); }

void SimulationImpl::settle() {
  bool worked = true;
  while (worked) {
    worked = false;
    for (Engine* const engine : engines_) {
      for (unsigned shard = 0; shard < engine->shards(); ++shard) worked |= engine->poll(shard);
    }
    for (SimWire* const wire : wires_) worked |= wire->turn();
    // Links without delay deliver at this instant.
    if (network_.next_event() <= network_.now()) {
      network_.advance_to(network_.now());
      worked = true;
    }
  }
}

Time SimulationImpl::next_deadline() const {
  Time due = network_.next_event();
  for (const Engine* const engine : engines_) {
    for (unsigned shard = 0; shard < engine->shards(); ++shard) {
      due = std::min(due, engine->poll_deadline(shard));
    }
  }
  return due;
}

bool SimulationImpl::run_until(const std::function<bool()>& done, Time deadline) {
  for (;;) {
    settle();
    if (done()) return true;
    if (now() >= deadline) return false;
    // A timer that is due now fires in the next turn; the clock moves on all the same, so
    // that a run always ends.
    const Time next = std::max(next_deadline(), now() + nanoseconds(1));
    network_.advance_to(std::min(next, deadline));
  }
}

}  // namespace engine

std::shared_ptr<Simulation> Simulation::create(const SimulationOptions& options) {
  return std::make_shared<engine::SimulationImpl>(options);
}

}  // namespace millrace
