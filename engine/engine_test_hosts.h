// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace::test {

// place_on puts an engine that is to be made on a simulated network, at the address where it
// listens, or at the next that is free: 10.0.0.1, 10.0.0.2 and so on. A program of tests links
// one of two: engine_test_sim_hosts.cc has it run over the network itself, and
// dpdk/engine_test_dpdk_hosts.cc over a device of DPDK's that is wired to it.
void place_on(const std::shared_ptr<Simulation>& simulation, EngineOptions& options);

}  // namespace millrace::test
