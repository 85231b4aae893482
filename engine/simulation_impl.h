// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/shard/shard_runner.h"
#include "io/sim_network.h"
#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace::engine {

// SimWire is what joins something that is no SimDatapath to a simulated network: a device with
// frames to carry over.
class SimWire {
 public:
  virtual ~SimWire() = default;
  // Carries what there is, both ways; false if there was nothing. Called with the engines.
  virtual bool turn() = 0;
};

// SimulationImpl turns engines that share a SimNetwork, in the order they were attached.
class SimulationImpl final : public Simulation, public Clock {
 public:
  explicit SimulationImpl(const SimulationOptions& options);

  Time now() const override { return network_.now(); }
  bool run_until(const std::function<bool()>& done, Time deadline) override;
  std::uint64_t trace_hash() const override { return network_.trace_hash(); }

  io::SimNetwork& network() { return network_; }
  // An address for a host that states none.
  IpAddress next_host();
  void attach(Engine& engine) { engines_.push_back(&engine); }
  void detach(Engine& engine) { std::erase(engines_, &engine); }
  void attach(SimWire& wire) { wires_.push_back(&wire); }
  void detach(SimWire& wire) { std::erase(wires_, &wire); }

 private:
  // Turns every engine and wire until none has work at this instant.
  void settle();
  Time next_deadline() const;

  io::SimNetwork network_;
  std::vector<Engine*> engines_;
  std::vector<SimWire*> wires_;
  std::uint8_t hosts_ = 0;
};

}  // namespace millrace::engine
