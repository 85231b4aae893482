// SPDX-License-Identifier: Apache-2.0
// Plays scenarios of SCTP over a modelled path in virtual time: see `--help`.
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/sim/hostile_scenario.h"
#include "test/sim/network_run.h"
#include "test/sim/report_writer.h"
#include "test/sim/scenario_file.h"

namespace millrace::sim {
namespace {

constexpr const char* kHelp =
    "millrace-simulate --scenario FILE [options]\n"
    "millrace-simulate --seeds N [--first K] [--jobs J]\n"
    "  --scenario FILE   a scenario in TOML; test/sim/scenarios/README.md lists the keys\n"
    "  --set KEY=VALUE   takes precedence over the file; may be given several times\n"
    "  --seed N          what chance draws from; the same seed gives the same run (1)\n"
    "  --json FILE       the report for programs; - is standard output\n"
    "  --series TIME     prints a line of CSV for each flow this often, as 100ms\n"
    "  --seeds N         instead: N runs of two ends on a network that does its worst\n"
    "  --first K         the first of those seeds (1)\n"
    "  --jobs J          how many at once (as many as there are processors)\n"
    "Exit code: 0, 1 where bounds or promises do not hold, 2 for a mistake.\n";

struct Arguments {
  std::string scenario;
  std::string json;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 0;
  std::uint64_t first = 1;
  std::uint64_t jobs = 0;
  Duration series{};
  std::vector<Override> overrides;
  bool help = false;
};

bool parse_number(const std::string& text, std::uint64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && rest == end;
}

constexpr const char* kExpectedNumber = "expected a whole number from 1";

// What is wrong with `value`, or nothing.
std::string assign(Arguments& arguments, const std::string& flag, const std::string& value) {
  if (flag == "--scenario") {
    arguments.scenario = value;
  } else if (flag == "--json") {
    arguments.json = value;
  } else if (flag == "--seed") {
    if (!parse_number(value, arguments.seed)) return kExpectedNumber;
  } else if (flag == "--seeds") {
    if (!parse_number(value, arguments.seeds) || arguments.seeds == 0) return kExpectedNumber;
  } else if (flag == "--first") {
    if (!parse_number(value, arguments.first)) return kExpectedNumber;
  } else if (flag == "--jobs") {
    const bool number = parse_number(value, arguments.jobs);
    if (!number || arguments.jobs == 0 || arguments.jobs > 1024) return kExpectedNumber;
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
  static constexpr std::string_view kFlags[] = {"--scenario", "--json",  "--seed",  "--series",
                                                "--set",      "--seeds", "--first", "--jobs"};
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
  const bool nothing = arguments.scenario.empty() && arguments.seeds == 0;
  return nothing ? "--scenario FILE is missing (--help)" : "";
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

// HostileRuns shares seeds out to threads, which share nothing else.
class HostileRuns {
 public:
  HostileRuns(std::uint64_t first, std::uint64_t count) : next_(first), end_(first + count) {}

  void work() {
    for (std::uint64_t seed = next_++; seed < end_; seed = next_++) {
      test::HostileScenario scenario(seed);
      const std::vector<std::string>& faults = scenario.run();
      const std::lock_guard lock(mutex_);
      coverage_ += scenario.coverage();
      ++(faults.empty() ? passed_ : failed_);
      for (const std::string& fault : faults) {
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), fault.c_str());
      }
    }
  }
  // Returns the exit code.
  int tell() const {
    const auto count = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "messages %llu, delivered %llu, retransmitted %llu, given up %llu, restarts %llu, "
        "in parts %llu, sent so %llu, interleaved runs %llu, resets %llu (refused %llu), aborts "
        "%llu, early shutdowns %llu, pauses %llu, "
        "corrupt %llu, paths %llu (told of %llu times), routers' words %llu, payload at most %.2f "
        "of "
        "its bound, heap %.2f\n",
        count(coverage_.messages), count(coverage_.delivered), count(coverage_.retransmissions),
        count(coverage_.given_up), count(coverage_.restarts), count(coverage_.parts),
        count(coverage_.streamed), count(coverage_.interleaved), count(coverage_.resets),
        count(coverage_.refused), count(coverage_.aborts), count(coverage_.early_shutdowns),
        count(coverage_.pauses), count(coverage_.corrupt_dropped), count(coverage_.path_changes),
        count(coverage_.path_changes_told), count(coverage_.router_words), coverage_.payload_share,
        coverage_.heap_share);
    std::printf("%llu passed, %llu failed\n", count(passed_), count(failed_));
    return failed_ == 0 ? 0 : 1;
  }

 private:
  std::atomic<std::uint64_t> next_;
  std::uint64_t end_;
  std::mutex mutex_;
  test::HostileScenario::Coverage coverage_;
  std::uint64_t passed_ = 0;
  std::uint64_t failed_ = 0;
};

int run_seeds(const Arguments& arguments) {
  HostileRuns runs(arguments.first, arguments.seeds);
  const std::uint64_t jobs =
      arguments.jobs != 0 ? arguments.jobs : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (std::uint64_t i = 1; i < jobs; ++i) threads.emplace_back([&runs] { runs.work(); });
  runs.work();
  for (std::thread& thread : threads) thread.join();
  return runs.tell();
}

int main(int argc, char** argv) {
  Arguments arguments;
  const std::string wrong = parse(argc, argv, arguments);
  if (!wrong.empty()) return complain(wrong);
  if (arguments.help) return std::fputs(kHelp, stdout) < 0 ? 2 : 0;
  return arguments.seeds != 0 ? run_seeds(arguments) : run(arguments);
}

}  // namespace
}  // namespace millrace::sim

int main(int argc, char** argv) { return millrace::sim::main(argc, argv); }
