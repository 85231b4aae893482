// SPDX-License-Identifier: Apache-2.0
// Plays scenarios of SCTP over a modelled path in virtual time: see `--help`.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "test/sim/network_run.h"
#include "test/sim/report_writer.h"
#include "test/sim/scenario_file.h"

namespace millrace::sim {
namespace {

constexpr const char* kHelp =
    "millrace-simulate --scenario FILE [options]\n"
    "  --scenario FILE   a scenario in TOML; test/sim/scenarios/README.md lists the keys\n"
    "  --set KEY=VALUE   takes precedence over the file; may be given several times\n"
    "  --seed N          what chance draws from; the same seed gives the same run (1)\n"
    "  --json FILE       the report for programs; - is standard output\n"
    "  --series TIME     prints a line of CSV for each flow this often, as 100ms\n"
    "Exit code: 0, 1 where the scenario's bounds do not hold, 2 for a mistake.\n";

struct Arguments {
  std::string scenario;
  std::string json;
  std::uint64_t seed = 1;
  Duration series{};
  std::vector<Override> overrides;
  bool help = false;
};

bool parse_number(const std::string& text, std::uint64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && rest == end;
}

// What is wrong with `value`, or nothing.
std::string assign(Arguments& arguments, const std::string& flag, const std::string& value) {
  if (flag == "--scenario") {
    arguments.scenario = value;
  } else if (flag == "--json") {
    arguments.json = value;
  } else if (flag == "--seed") {
    if (!parse_number(value, arguments.seed)) return "expected a whole number";
  } else if (flag == "--series") {
    const std::optional<Duration> every = parse_duration(value);
    if (!every || *every <= Duration::zero()) return "expected a time with its unit, as 100ms";
    arguments.series = *every;
  } else {
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) return "expected KEY=VALUE";
    arguments.overrides.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  }
  return "";
}

std::string parse(int argc, char** argv, Arguments& arguments) {
  static constexpr std::string_view kFlags[] = {"--scenario", "--json", "--seed", "--series",
                                                "--set"};
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help" || flag == "-h") {
      arguments.help = true;
      return "";
    }
    if (std::find(std::begin(kFlags), std::end(kFlags), flag) == std::end(kFlags)) {
      return "unknown option '" + flag + "' (--help lists them)";
    }
    if (++i == argc) return flag + ": a value is missing";
    const std::string wrong = assign(arguments, flag, argv[i]);
    if (!wrong.empty()) return flag + ": bad value '" + argv[i] + "', " + wrong;
  }
  return arguments.scenario.empty() ? "--scenario FILE is missing (--help)" : "";
}

int complain(const std::string& what) {
  std::fprintf(stderr, "millrace-simulate: %s\n", what.c_str());
  return 2;
}

bool write(const std::string& path, const std::string& text) {
  if (path == "-") return std::fputs(text.c_str(), stdout) >= 0;
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

int run(const Arguments& arguments) {
  ScenarioResult loaded = load_scenario(arguments.scenario, arguments.overrides);
  if (!loaded.ok()) return complain(loaded.error);
  Scenario& scenario = loaded.scenario;
  if (scenario.name.empty()) scenario.name = arguments.scenario;
  if (arguments.series > Duration::zero()) scenario.sample_every = arguments.series;
  const RunReport report = run_scenario(scenario, arguments.seed);
  const std::vector<std::string> broken = judge(scenario, arguments.seed, report);
  if (arguments.series > Duration::zero()) std::fputs(samples_csv(report).c_str(), stdout);
  if (arguments.json != "-") {
    std::fputs(report_text(scenario, arguments.seed, report).c_str(), stdout);
    for (const std::string& line : broken) std::printf("  BROKEN %s\n", line.c_str());
  }
  if (!arguments.json.empty() &&
      !write(arguments.json, report_json(scenario, arguments.seed, report, broken))) {
    return complain("cannot write '" + arguments.json + "'");
  }
  return broken.empty() ? 0 : 1;
}

int main(int argc, char** argv) {
  Arguments arguments;
  const std::string wrong = parse(argc, argv, arguments);
  if (!wrong.empty()) return complain(wrong);
  if (arguments.help) return std::fputs(kHelp, stdout) < 0 ? 2 : 0;
  return run(arguments);
}

}  // namespace
}  // namespace millrace::sim

int main(int argc, char** argv) { return millrace::sim::main(argc, argv); }
