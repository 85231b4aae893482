// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/sim/network_run.h"

namespace millrace::sim {

// report_text is what a person reads of a run, some lines for each flow.
std::string report_text(const Scenario& scenario, std::uint64_t seed, const RunReport& report);
// report_json is the same for programs, samples included.
std::string report_json(const Scenario& scenario, std::uint64_t seed, const RunReport& report,
                        const std::vector<std::string>& broken);
// samples_csv has a line for each sample of each flow.
std::string samples_csv(const RunReport& report);

}  // namespace millrace::sim
