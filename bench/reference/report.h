// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/reference/reference.h"

namespace millrace::reference {

// Figures are a report's names and values, in order, for people and for JSON alike.
using Figures = std::vector<std::pair<std::string, double>>;

Figures figures_of(const ReceiverReport& report);
Figures figures_of(const SenderReport& report);
Figures figures_of(const PongReport& report);
Figures figures_of(const PingReport& report);

// Prints the figures, a line each, and writes them as JSON to `json_file` where one is
// named; "-" prints the JSON alone. False when the file cannot be written.
bool deliver(const std::string& role, const Options& options, const Figures& figures,
             const std::string& json_file);

}  // namespace millrace::reference
