// SPDX-License-Identifier: Apache-2.0
//
// millrace-gates runs fixed workloads in virtual time and prints, as JSON, figures that no
// clock has a part in: allocations and bytes copied per packet, and goodput on simulated
// paths. scripts/regress holds them against bench/baselines.
//
//   millrace-gates costs     under callgrind also instructions: one dump a workload
//   millrace-gates goodput
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/micro/attack_workloads.h"
#include "bench/micro/workloads.h"
#include "bench/support/cost_meter.h"
#include "bench/support/sim_pair.h"

#if __has_include(<valgrind/callgrind.h>)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <valgrind/callgrind.h>
#endif

namespace millrace::bench {
namespace {

// Instructions are counted between the two, where this runs under callgrind with
// --instr-atstart=no.
void begin_counting() {
#ifdef CALLGRIND_START_INSTRUMENTATION
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
#endif
}
void end_counting([[maybe_unused]] const std::string& name) {
#ifdef CALLGRIND_START_INSTRUMENTATION
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
#endif
}
// Begins to leave out what runs until the next call, and so on in turn.
void toggle_counting() {
#ifdef CALLGRIND_TOGGLE_COLLECT
  CALLGRIND_TOGGLE_COLLECT;
#endif
}

#if defined(CALLGRIND_START_INSTRUMENTATION)
#pragma GCC diagnostic pop
#endif

class Report {
 public:
  Report() { std::printf("{\"compiler\": \"%s\", \"gates\": {", __VERSION__); }
  ~Report() { std::printf("\n}}\n"); }

  void add(std::string_view name, std::string_view figures) {
    std::printf("%s\n  \"%.*s\": {%.*s}", first_ ? "" : ",", static_cast<int>(name.size()),
                name.data(), static_cast<int>(figures.size()), figures.data());
    std::fflush(stdout);
    first_ = false;
  }

 private:
  bool first_ = true;
};

std::string figure(const char* name, double value) {
  char text[96];
  std::snprintf(text, sizeof text, "\"%s\": %.6g", name, value);
  return text;
}

void add_costs(Report& report, const std::string& name, const char* unit, double n,
               const Cost& cost) {
  report.add(name, "\"unit\": \"" + std::string(unit) + "\", " + figure("count", n) + ", " +
                       figure("allocations", static_cast<double>(cost.allocations) / n) + ", " +
                       figure("copied", static_cast<double>(cost.copied) / n));
}

// `run` does the workload once more and returns how many packets, messages or operations,
// as `unit` says, that was.
template <class Run>
void cost_gate(Report& report, const std::string& name, const char* unit, Run&& run) {
  run();  // Pools and rings find their size, congestion windows open.
  CostMeter meter;
  begin_counting();
  meter.start();
  const std::uint64_t done = run();
  meter.stop();
  end_counting(name);
  add_costs(report, name, unit, static_cast<double>(done), meter.cost());
}

// The same where only the packets count, each at associations that know nothing of the last run.
template <class Run>
void attack_gate(Report& report, const std::string& name, Run&& run) {
  CostMeter meter;
  begin_counting();
  toggle_counting();
  const std::uint64_t packets = run([&](bool begins) {
    if (begins) meter.start();
    toggle_counting();
    if (!begins) meter.stop();
  });
  toggle_counting();
  end_counting(name);
  add_costs(report, name, "packet", static_cast<double>(packets), meter.cost());
}

void turn_gate(Report& report, const std::string& name, const char* unit, std::uint64_t weight,
               std::uint64_t messages, Traffic traffic) {
  traffic.send_buffer_bytes = kEvenBuffer;
  SimPair pair(kBurstPath, traffic);
  pair.run_messages(12 * messages);
  cost_gate(report, name, unit, [&] {
    const std::uint64_t before = pair.messages();
    pair.run_messages(messages);
    return (pair.messages() - before) * weight;
  });
}

void association_gate(Report& report, const std::string& name, const char* unit,
                      std::uint64_t weight, std::uint64_t messages, std::size_t bytes) {
  AssociationLink link;
  exchange_messages(link, bytes, 2 * messages);
  cost_gate(report, name, unit, [&] { return exchange_messages(link, bytes, messages) * weight; });
}

// Bounded time per packet, whatever the peer sends.
void attack_costs(Report& report) {
  attack_gate(report, "attack_any", [](const AroundPacket& around) { return besiege(around); });
  const auto strike_gate = [&](const char* name, Attack attack) {
    attack_gate(report, name,
                [=](const AroundPacket& around) { return strike(attack, 20, around); });
  };
  strike_gate("attack_forward_tsn", Attack::kForwardTsn);
  strike_gate("attack_i_forward_tsn", Attack::kIForwardTsn);
  strike_gate("attack_reset_all", Attack::kResetAll);
  strike_gate("attack_far_data", Attack::kFarData);
}

void costs() {
  Report report;
  turn_gate(report, "turn_bulk_16k", "packet", kPacketsOf16k, 1600, {});
  turn_gate(report, "turn_unreliable_16k", "packet", kPacketsOf16k, 1600,
            {.ordered = false, .max_retransmits = 0});
  turn_gate(report, "turn_bulk_100", "message", 1, 80'000, {.message_bytes = 100});
  turn_gate(report, "turn_echo_100", "round trip", 1, 500, {.message_bytes = 100, .echoes = 1});
  association_gate(report, "association_bulk_16k", "packet", kPacketsOf16k, 800, 16384);
  association_gate(report, "association_bulk_100", "message", 1, 40'000, 100);
  SackWork sack(100);
  cost_gate(report, "sack_100_gaps", "SACK", [&] { return sack.run(50); });
  TimerWork timers(10'000);
  cost_gate(report, "timer_rearm", "deadline", [&] { return timers.rearm(3); });
  TableWork table(10'000);
  cost_gate(report, "table_find", "look-up", [&] { return table.find(3); });
  attack_costs(report);
}

struct Path {
  const char* name;
  double delay_ms;
  double rate_mbps;
  double loss;
  double warm_up;  // Seconds of virtual time.
  double window;   // Measured, after it.
  unsigned seeds;  // Losses fall differently with each; the mean is the figure.
};

Duration in_seconds(double value) { return Duration(static_cast<std::int64_t>(value * 1e9)); }

void goodput_gate(Report& report, const Path& path, const std::string& what,
                  const Traffic& traffic) {
  double mbps = 0;
  double share = 0;
  for (std::uint64_t seed = 1; seed <= path.seeds; ++seed) {
    SimPair pair({.seed = seed,
                  .loss = path.loss,
                  .delay = microseconds(static_cast<std::int64_t>(path.delay_ms * 1000)),
                  .rate_mbps = path.rate_mbps},
                 traffic);
    pair.run_for(in_seconds(path.warm_up));
    const std::uint64_t before = pair.payload_bytes();
    const std::uint64_t datagrams = pair.datagrams();
    pair.run_for(in_seconds(path.window));
    const auto bytes = static_cast<double>(pair.payload_bytes() - before);
    mbps += bytes * 8e-6 / path.window / path.seeds;
    share += bytes / static_cast<double>(pair.datagrams() - datagrams) / path.seeds;
  }
  report.add(path.name + ("_" + what),
             figure("goodput_mbps", mbps) + ", " + figure("payload_per_datagram", share));
}

void goodput() {
  Report report;
  const Path lan{"lan", 0.05, 10'000, 0, 0.1, 0.1, 1};
  const Path wan{"rtt20", 10, 1000, 0, 1, 4, 1};
  const Path lossy{"rtt20_loss1", 10, 1000, 0.01, 2, 40, 32};
  const Traffic unreliable{.ordered = false, .max_retransmits = 0};
  for (const Path& path : {lan, wan, lossy}) {
    goodput_gate(report, path, "bulk_16k", {});
    goodput_gate(report, path, "unreliable_16k", unreliable);
  }
  goodput_gate(report, lan, "bulk_100", {.message_bytes = 100});
  goodput_gate(report, wan, "bulk_100", {.message_bytes = 100});
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "costs") {
    millrace::bench::costs();
  } else if (what == "goodput") {
    millrace::bench::goodput();
  } else {
    std::fputs("usage: millrace-gates costs|goodput\n", stderr);
    return 2;
  }
  return 0;
}
