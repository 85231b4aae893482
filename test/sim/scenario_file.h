// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/sim/scenario.h"

namespace millrace::sim {

// ScenarioResult is a scenario, or what is wrong with its file in one line.
struct ScenarioResult {
  Scenario scenario;
  std::string error;  // Empty: none. Begins with file and line.
  bool ok() const { return error.empty(); }
};

// A key of a scenario and its value, given apart from the file: it takes precedence.
using Override = std::pair<std::string, std::string>;

// parse_scenario reads a scenario in TOML; test/sim/scenarios/README.md lists the keys. `path`
// stands in messages.
ScenarioResult parse_scenario(std::string_view text, const std::string& path,
                              const std::vector<Override>& overrides = {});
ScenarioResult load_scenario(const std::string& path, const std::vector<Override>& overrides = {});

// Values with their units; nothing where the text is not such a value.
std::optional<Duration> parse_duration(std::string_view text);  // "20ms", "50us", "1.5s"
std::optional<double> parse_rate(std::string_view text);        // "1Gbit", "100Mbit"
std::optional<double> parse_bytes(std::string_view text);       // "64KiB", "2MiB", "1200"
std::optional<double> parse_share(std::string_view text);       // "1%", "0.01"

}  // namespace millrace::sim
