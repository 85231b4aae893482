// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/cli/load_settings.h"
#include "engine/cli/serve_command.h"
#include "millrace/dpdk.h"
#include "millrace/simulation.h"

namespace millrace::cli {

// LoopCommand is `millrace loop`: both ends in one process, over a back end or over a
// simulated network in virtual time.
class LoopCommand {
 public:
  LoopCommand();
  LoopCommand(const LoopCommand&) = delete;
  LoopCommand& operator=(const LoopCommand&) = delete;

  Settings& settings() { return settings_; }
  int run();

 private:
  void add_simulation_settings();
  EngineOptions server_options(const std::shared_ptr<Simulation>& simulation) const;
  EngineOptions client_options(const std::shared_ptr<Simulation>& simulation) const;

  Settings settings_;
  EngineOptions engine_;
  SimulationOptions network_;
  DpdkOptions dpdk_;
  ServeOptions serve_;
  LoadPlan plan_;
  ReportFiles files_;
};

}  // namespace millrace::cli
