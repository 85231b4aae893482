// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_test_hosts.h"

namespace millrace::test {

void place_on(const std::shared_ptr<Simulation>& simulation, EngineOptions& options) {
  options.io = IoBackend::kSim;
  options.simulation = simulation;
}

}  // namespace millrace::test
