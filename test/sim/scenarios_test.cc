// SPDX-License-Identifier: Apache-2.0
// The scenarios of test/sim/scenarios, each with the bounds that its file states, and variants
// of them that nobody tuned for, within a factor of two: the bounds are relative and hold there
// too. MILLRACE_SIM_SEED sets the seed. Below a hundred MILLRACE_SIM_SEEDS, as the sanitizers
// run, a twentieth of the time is played and order, progress and memory are all that is judged.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "test/sim/network_run.h"
#include "test/sim/report_writer.h"
#include "test/sim/scenario_file.h"
#include "test/sim/sim_seeds.h"

namespace millrace::sim {
namespace {

const std::filesystem::path kDirectory = MILLRACE_SCENARIOS;

bool is_reduced() { return test::SimSeeds::from_environment(1000).last < 100; }

std::uint64_t first_seed() {
  const char* const text = std::getenv("MILLRACE_SIM_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

void reduce(Scenario& scenario) {
  scenario.bounds = {};
  // Two time-outs and the search for a smaller path MTU fit into thirty round trips or two seconds,
  // though a packet is lost besides.
  const Duration least = milliseconds(scenario.up.mtu_bytes < 1500 ? 2000 : 500);
  scenario.length = std::max<Duration>({scenario.length / 20, least, 30 * scenario.base_rtt()});
  scenario.measure_from = Duration::zero();
  for (FlowOptions& flow : scenario.flows) {
    flow.start = std::min(flow.start, scenario.length / 4);
    for (TrafficOptions& traffic : flow.traffic) {
      traffic.max_p50 = traffic.max_p99 = traffic.max_latency = std::nullopt;
      traffic.start = std::min(traffic.start, scenario.length / 4);
    }
  }
}

// What is true of every run, whatever its bounds.
void expect_invariants(const Scenario& scenario, const RunReport& report) {
  for (std::size_t i = 0; i < report.flows.size(); ++i) {
    const FlowReport& flow = report.flows[i];
    const sctp::Options& options = scenario.flows[i].association;
    EXPECT_TRUE(flow.connected_after.has_value());
    std::uint64_t delivered = 0;
    std::size_t largest = 0;
    for (const TrafficReport& traffic : flow.traffic) {
      EXPECT_LE(traffic.delivered, traffic.sent);
      delivered += traffic.delivered;
    }
    for (const TrafficOptions& traffic : scenario.flows[i].traffic) {
      largest = std::max(largest, traffic.message_bytes);
    }
    EXPECT_GT(delivered, 0u);
    // What waits, what is in flight, and what the receiver holds, which a pool of one end
    // never has all of; records and rounding add a half at most.
    const std::size_t may_hold = options.send_buffer_bytes + 2 * flow.peak_window_bytes + largest;
    EXPECT_LE(flow.peak_held_bytes, may_hold + may_hold / 2 + 65536);
  }
}

void play(const std::string& file, const std::vector<Override>& overrides = {},
          std::uint64_t seed = first_seed()) {
  ScenarioResult loaded = load_scenario(kDirectory / file, overrides);
  ASSERT_TRUE(loaded.ok()) << loaded.error;
  Scenario& scenario = loaded.scenario;
  for (const auto& [key, value] : overrides) scenario.name += ", " + key + " = " + value;
  if (is_reduced()) reduce(scenario);
  const RunReport report = run_scenario(scenario, seed);
  for (const std::string& broken : judge(scenario, seed, report)) {
    ADD_FAILURE() << file << ", MILLRACE_SIM_SEED=" << seed << ": " << broken;
  }
  expect_invariants(scenario, report);
  const std::string text = report_text(scenario, seed, report);
  if (::testing::Test::HasFailure()) ADD_FAILURE() << text;
}

double goodput_of(const std::string& file, const std::vector<Override>& overrides) {
  ScenarioResult loaded = load_scenario(kDirectory / file, overrides);
  EXPECT_TRUE(loaded.ok()) << loaded.error;
  if (is_reduced()) reduce(loaded.scenario);
  return run_scenario(loaded.scenario, first_seed()).goodput_bps;
}

TEST(Scenarios, CubicFillsAGigabitOverAHundredMilliseconds) { play("1gbit-100ms-cubic.toml"); }

TEST(Scenarios, BbrFillsAGigabitOverAHundredMilliseconds) { play("1gbit-100ms-bbr.toml"); }

TEST(Scenarios, BbrKeepsAGigabitInSpiteOfRandomLoss) {
  play("1gbit-20ms-bbr-0.1pct.toml");
  play("1gbit-20ms-bbr-1pct.toml");
}

TEST(Scenarios, BbrLeavesAQueueOfASecondAlone) { play("bufferbloat-bbr.toml"); }

TEST(Scenarios, TfrcIsWithinAFactorOfTwoOfNewReno) {
  for (const char* const loss : {"0.5%", "1%", "2%"}) {
    const auto goodput = [loss](const char* controller) {
      return goodput_of("tfrc-1pct.toml", {{"loss", loss}, {"controller", controller}});
    };
    const double ratio = goodput("tfrc") / goodput("newreno");
    if (is_reduced()) continue;
    EXPECT_GE(ratio, 0.5) << "at " << loss << ", MILLRACE_SIM_SEED=" << first_seed();
    EXPECT_LE(ratio, 2) << "at " << loss << ", MILLRACE_SIM_SEED=" << first_seed();
  }
}

TEST(Scenarios, ALittleReorderingCostsLittle) { play("reordering.toml"); }

TEST(Scenarios, UnreliableMessagesDoNotWaitForLostOnes) { play("messages-unreliable.toml"); }

// RFC 8260 §2.
TEST(Scenarios, AHugeMessageDoesNotDelaySmallOnes) { play("interleaving.toml"); }

TEST(Scenarios, TenGigabitOverAMillisecondAreUsed) { play("10gbit-1ms.toml"); }

TEST(Scenarios, NewRenoKeepsToMathisAtRandomLoss) {
  play("1gbit-20ms-newreno-0.1pct.toml");
  play("1gbit-20ms-newreno-1pct.toml");
}

TEST(Scenarios, CubicKeepsToTheResponseFunctionAtRandomLoss) {
  play("1gbit-20ms-cubic-0.1pct.toml");
  play("1gbit-20ms-cubic-1pct.toml");
}

TEST(Scenarios, ASocketOfOrdinarySizeLosesNothingOnACleanLink) { play("clean-socket.toml"); }

TEST(Scenarios, ANewRateIsFound) { play("rate-changes.toml"); }

// RFC 9260 §6.1 (A): a shut window is no congestion.
TEST(Scenarios, AReaderThatStandsStillIsWaitedFor) {
  play("slow-reader.toml");
  for (const char* const controller : {"newreno", "bbr"}) {
    play("slow-reader.toml", {{"controller", controller}});
  }
  // Its rate on this path is lower to begin with.
  play("slow-reader.toml", {{"controller", "tfrc"}, {"bounds.min_share", "0.5"}});
}

TEST(Scenarios, ASmallerMtuIsFound) { play("mtu-shrinks.toml"); }

TEST(Scenarios, TwoCubicFlowsShareAlike) {
  // Which of the two loses when the queue is full is chance, which a minute evens out in part.
  for (std::uint64_t i = 0; i < (is_reduced() ? 1u : 6u); ++i) {
    play("two-cubic-flows.toml", {}, first_seed() + i);
  }
}

TEST(Scenarios, ReliableMessagesComeInTimeInSpiteOfLoss) { play("messages-reliable.toml"); }

TEST(Scenarios, AnOutageIsOverSoonAfterItsEnd) { play("outage.toml"); }

// Every file states bounds, so that `scripts/simulate --scenario` says whether they hold.
TEST(Scenarios, EachFileIsReadWithoutAFault) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    const ScenarioResult loaded = load_scenario(entry.path());
    EXPECT_TRUE(loaded.ok()) << loaded.error;
    EXPECT_FALSE(loaded.scenario.name.empty()) << entry.path();
  }
  EXPECT_GE(files, 21);
}

// Variants of a scenario that nobody tuned for.
struct Variant {
  const char* name;
  const char* file;
  std::vector<Override> overrides;
  friend void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.file; }
};
std::string name_of(const ::testing::TestParamInfo<Variant>& info) { return info.param.name; }

// Unreliable messages of 100 bytes, so many a second.
std::string messages(int per_second, const std::string& max_p99) {
  return "[{message = 100, per_second = " + std::to_string(per_second) +
         ", unordered = true, max_retransmits = 0, max_p99 = \"" + max_p99 + "\"}]";
}

class ScenarioVariants : public ::testing::TestWithParam<Variant> {};

TEST_P(ScenarioVariants, MeetsTheSameBounds) { play(GetParam().file, GetParam().overrides); }

INSTANTIATE_TEST_SUITE_P(
    WithinAFactorOfTwo, ScenarioVariants,
    ::testing::Values(
        Variant{"CubicHalfTheRate", "1gbit-100ms-cubic.toml", {{"rate", "500Mbit"}}},
        Variant{"CubicHalfTheRoundTrip", "1gbit-100ms-cubic.toml", {{"rtt", "50ms"}}},
        Variant{
            "CubicLongerPath", "1gbit-100ms-cubic.toml", {{"rtt", "140ms"}, {"rate", "700Mbit"}}},
        Variant{"NewRenoTwiceTheLoss", "1gbit-20ms-newreno-0.1pct.toml", {{"loss", "0.2%"}}},
        Variant{"NewRenoHalfTheLoss",
                "1gbit-20ms-newreno-0.1pct.toml",
                {{"loss", "0.05%"}, {"rtt", "35ms"}}},
        Variant{"NewRenoTwoPercent", "1gbit-20ms-newreno-1pct.toml", {{"loss", "2%"}}},
        Variant{"CubicTwiceTheLoss", "1gbit-20ms-cubic-0.1pct.toml", {{"loss", "0.2%"}}},
        Variant{"CubicTwiceTheRoundTrip", "1gbit-20ms-cubic-0.1pct.toml", {{"rtt", "40ms"}}},
        Variant{"CubicHalfAPercent", "1gbit-20ms-cubic-1pct.toml", {{"loss", "0.5%"}}},
        Variant{"BbrHalfTheRate", "1gbit-100ms-bbr.toml", {{"rate", "500Mbit"}}},
        Variant{"BbrShorterPath", "1gbit-100ms-bbr.toml", {{"rtt", "60ms"}}},
        Variant{"BbrTwiceTheLoss", "1gbit-20ms-bbr-0.1pct.toml", {{"loss", "0.2%"}}},
        Variant{
            "BbrHalfThePath", "1gbit-20ms-bbr-0.1pct.toml", {{"rate", "500Mbit"}, {"rtt", "30ms"}}},
        Variant{"BbrTwoPercent", "1gbit-20ms-bbr-1pct.toml", {{"loss", "2%"}, {"duration", "10s"}}},
        Variant{"BbrOneAndAHalfOverNineHundredBytes",
                "1gbit-20ms-bbr-1pct.toml",
                {{"loss", "1.5%"}, {"rate", "500Mbit"}, {"mtu", "900"}, {"duration", "10s"}}},
        Variant{"BbrHalfAPercent", "1gbit-20ms-bbr-1pct.toml", {{"loss", "0.5%"}}},
        Variant{"BbrOnePercentFurther",
                "1gbit-20ms-bbr-1pct.toml",
                {{"rate", "600Mbit"}, {"rtt", "35ms"}}},
        Variant{"BloatAtHalfTheRate", "bufferbloat-bbr.toml", {{"rate", "50Mbit"}}},
        Variant{"BloatFurther", "bufferbloat-bbr.toml", {{"rtt", "40ms"}, {"queue", "2s"}}},
        Variant{"TwiceAsMuchReordered", "reordering.toml", {{"reorder", "10%"}}},
        Variant{"ReorderedFurther", "reordering.toml", {{"rtt", "40ms"}, {"rate", "500Mbit"}}},
        Variant{"ReliableAtTwoPercent", "messages-reliable.toml", {{"loss", "2%"}}},
        Variant{"ReliableTwiceAsManyAtTwoPercentFurtherAway",
                "messages-reliable.toml",
                {{"rtt", "40ms"}, {"loss", "2%"}, {"traffic", messages(2000, "72ms")}}},
        Variant{"UnreliableAtTwoPercent", "messages-unreliable.toml", {{"loss", "2%"}}},
        Variant{"UnreliableFurtherAway",
                "messages-unreliable.toml",
                {{"rtt", "40ms"}, {"traffic", messages(1000, "22ms")}}},
        Variant{"UnreliableTwiceAsManyAtTwoPercentFurtherAway",
                "messages-unreliable.toml",
                {{"rtt", "40ms"}, {"loss", "2%"}, {"traffic", messages(2000, "22ms")}}},
        Variant{"CubicTwoGigabitTwoHundredMilliseconds",
                "1gbit-100ms-cubic.toml",
                {{"rate", "2Gbit"},
                 {"rtt", "200ms"},
                 {"receive_window", "256MiB"},
                 {"send_buffer", "256MiB"}}},
        Variant{"InterleavedAtTwiceTheRate", "interleaving.toml", {{"rate", "200Mbit"}}},
        Variant{"CubicInterleaved",
                "1gbit-100ms-cubic.toml",
                {{"i_data", "true"}, {"rate", "500Mbit"}}},
        Variant{"CubicOnePercentInterleaved", "1gbit-20ms-cubic-1pct.toml", {{"i_data", "true"}}},
        Variant{"ReliableInterleaved", "messages-reliable.toml", {{"i_data", "true"}}},
        Variant{"UnreliableInterleaved", "messages-unreliable.toml", {{"i_data", "true"}}},
        Variant{"CleanFiveGigabit", "clean-socket.toml", {{"rate", "5Gbit"}}},
        Variant{"FiveGigabit", "10gbit-1ms.toml", {{"rate", "5Gbit"}, {"rtt", "2ms"}}},
        Variant{"TenGigabitHalfAMillisecond", "10gbit-1ms.toml", {{"rtt", "500us"}}},
        Variant{"TwoFlowsLongerPath", "two-cubic-flows.toml", {{"rtt", "40ms"}}},
        Variant{"TwoFlowsFiftyMegabit", "two-cubic-flows.toml", {{"rate", "50Mbit"}}},
        Variant{"CubicFarAwayOverNineHundredBytes", "1gbit-100ms-cubic.toml", {{"mtu", "900"}}},
        Variant{"NewRenoOverNineHundredBytes", "1gbit-20ms-newreno-1pct.toml", {{"mtu", "900"}}},
        Variant{"CubicOverThreeThousandBytes", "1gbit-20ms-cubic-1pct.toml", {{"mtu", "3000"}}},
        Variant{"BloatOverNineHundredBytes", "bufferbloat-bbr.toml", {{"mtu", "900"}}},
        Variant{"ReliableOverEightHundredBytes", "messages-reliable.toml", {{"mtu", "800"}}},
        Variant{"OutageOfAHundred", "outage.toml", {{"rtt", "10ms"}, {"rate", "50Mbit"}}}),
    name_of);

}  // namespace
}  // namespace millrace::sim
