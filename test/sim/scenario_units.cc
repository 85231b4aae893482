// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <span>

#include "test/sim/scenario_file.h"

namespace millrace::sim {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// A number, not negative, and one of `units`.
std::optional<double> parse_with(std::string_view text, std::span<const Unit> units) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const Unit& known : units) {
    if (unit == known.name) return value * known.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  const std::optional<double> nanos = parse_with(text, kUnits);
  if (!nanos || *nanos > 1e15) return std::nullopt;
  return Duration(std::llround(*nanos));
}

std::optional<double> parse_rate(std::string_view text) {
  static constexpr Unit kUnits[] = {{"bit", 1}, {"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};
  return parse_with(text, kUnits);
}

std::optional<double> parse_bytes(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1},     {"B", 1},      {"kB", 1e3},      {"MB", 1e6},
                                    {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1 << 30}};
  return parse_with(text, kUnits);
}

std::optional<double> parse_share(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1}, {"%", 0.01}};
  const std::optional<double> share = parse_with(text, kUnits);
  return share && *share <= 1 ? share : std::nullopt;
}

}  // namespace millrace::sim
