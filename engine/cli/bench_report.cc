// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using Json = nlohmann::ordered_json;

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

[[gnu::format(printf, 2, 3)]] void add(std::string& out, const char* format, ...) {
  char line[160];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  out += line;
  out += '\n';
}

void add_steps(std::string& out, const StepCosts& costs, StepSide side, const char* title) {
  add(out, "%s", title);
  for (const Step& step : costs.steps) {
    if (step.side == side) add(out, "  %-44s %9.1f", step.name.c_str(), step.ns);
  }
  if (side != StepSide::kApart) add(out, "  %-44s %9.1f", "sum", costs.sum_ns(side));
}

Json json_of(const BenchReport::Rates& rates) {
  return {{"goodput_mbps", rates.goodput_mbps},
          {"cpu_seconds_per_gbit", rates.cpu_seconds_per_gbit},
          {"p50_us", rates.p50_us},
          {"p99_us", rates.p99_us},
          {"p999_us", rates.p999_us}};
}

}  // namespace

void BenchReport::Rates::set_one_way(const reference::ReceiverReport& received,
                                     const reference::SenderReport& sent) {
  goodput_mbps = received.goodput_mbps();
  const double gbit = std::max(static_cast<double>(received.bytes) * 8e-9, 1e-9);
  cpu_seconds_per_gbit = (received.cpu_seconds + sent.cpu_seconds) / gbit;
}

void BenchReport::Rates::set_latency(const Histogram& round_trip) {
  const auto at = [&](double percent) {
    return 1e-3 * static_cast<double>(round_trip.percentile(percent));
  };
  p50_us = at(50);
  p99_us = at(99);
  p999_us = at(99.9);
}

double BenchReport::share_of_ceiling() const {
  return ratio(engine.goodput_mbps, steps.ceiling_mbps());
}
double BenchReport::share_of_reference() const {
  return ratio(engine.goodput_mbps, reference.goodput_mbps);
}

std::string to_text(const BenchReport& report) {
  std::string out;
  std::string back_ends;
  for (const std::string& name : report.back_ends)
    back_ends += (back_ends.empty() ? "" : ", ") + name;
  add(out, "processor    %.64s (%u)", report.machine.cpu.c_str(), report.machine.cpus);
  add(out, "kernel       %.64s", report.machine.kernel.c_str());
  add(out, "back ends    %s; engine over %s, %s over %s", back_ends.c_str(),
      report.engine_io.c_str(), report.reference_name.c_str(), report.reference_io.c_str());
  out += '\n';
  add(out, "a 1200-byte packet, in bursts of 54 %20s", "ns");
  add_steps(out, report.steps, StepSide::kSender, "sender");
  add_steps(out, report.steps, StepSide::kReceiver, "receiver");
  add_steps(out, report.steps, StepSide::kApart, "apart");
  out += '\n';
  add(out, "%-30s %14s %14s %14s", "", report.reference_name.c_str(), "engine", "ratio");
  const auto row = [&](const char* name, double raw, double engine) {
    add(out, "%-30s %14.1f %14.1f %14.2f", name, raw, engine, ratio(engine, raw));
  };
  row("one way, Mbit/s", report.reference.goodput_mbps, report.engine.goodput_mbps);
  row("CPU ms per Gbit, both ends", 1e3 * report.reference.cpu_seconds_per_gbit,
      1e3 * report.engine.cpu_seconds_per_gbit);
  row("round trip of 100 B, p50 us", report.reference.p50_us, report.engine.p50_us);
  row("round trip, p99 us", report.reference.p99_us, report.engine.p99_us);
  row("round trip, p99.9 us", report.reference.p999_us, report.engine.p999_us);
  out += '\n';
  add(out, "ceiling      %.0f Mbit/s: what the slower side's sum allows",
      report.steps.ceiling_mbps());
  add(out, "reached      %.0f %% of it, 16 KiB messages, reliable and ordered",
      100 * report.share_of_ceiling());
  return out;
}

std::string to_json(const BenchReport& report) {
  Json out;
  out["schema"] = 1;
  out["machine"] = {{"cpu", report.machine.cpu},         {"cpus", report.machine.cpus},
                    {"kernel", report.machine.kernel},   {"back_ends", report.back_ends},
                    {"version", report.machine.version}, {"time", report.machine.time}};
  out["engine_io"] = report.engine_io;
  out["reference_io"] = report.reference_io;
  out["cpu"] = report.cpus;
  out["steps"] = Json::array();
  for (const Step& step : report.steps.steps) {
    out["steps"].push_back({{"name", step.name}, {"side", to_string(step.side)}, {"ns", step.ns}});
  }
  out["sender_ns"] = report.steps.sum_ns(StepSide::kSender);
  out["receiver_ns"] = report.steps.sum_ns(StepSide::kReceiver);
  out["payload_bytes_per_packet"] = report.steps.payload_bytes;
  out["ceiling_mbps"] = report.steps.ceiling_mbps();
  out["reference"] = json_of(report.reference);
  out["engine"] = json_of(report.engine);
  out["share_of_ceiling"] = report.share_of_ceiling();
  out["share_of_reference"] = report.share_of_reference();
  return out.dump(2) + "\n";
}

}  // namespace millrace::cli
