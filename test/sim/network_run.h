// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/sim/flow.h"
#include "test/sim/link.h"
#include "test/sim/scenario.h"

namespace millrace::sim {

// RunReport is what a run has brought about.
struct RunReport {
  std::vector<FlowReport> flows;
  LinkStats up;
  LinkStats down;
  double goodput_bps = 0;  // Client to server, all flows together.
  double share = 0;        // Of the payload capacity; 0 without a bottleneck.
  std::uint64_t turns = 0;
};

// run_scenario plays `scenario` in virtual time. The report is a function of both arguments.
RunReport run_scenario(const Scenario& scenario, std::uint64_t seed);

// Mathis's formula, sqrt(3/2) segments per round trip over the square root of the loss, and
// the larger of it and RFC 9438's response function (§5.2, figure 4), in bits a second of
// payload; neither is more than the link carries.
double mathis_bps(const Scenario& scenario, std::size_t mss_bytes);
double response_bps(const Scenario& scenario, std::size_t mss_bytes);

// judge returns what breaks `scenario.bounds`, one line each; empty where they hold. A bound
// that compares with another run makes that run.
std::vector<std::string> judge(const Scenario& scenario, std::uint64_t seed,
                               const RunReport& report);

}  // namespace millrace::sim
