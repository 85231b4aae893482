// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "engine/report/load_report.h"
#include "engine/report/units.h"

namespace millrace::report {
namespace {

using Json = nlohmann::ordered_json;

Json config_of(const LoadConfig& config) {
  Json out;
  out["pattern"] = to_string(config.pattern);
  out["connections"] = config.connections;
  out["channels"] = config.channels;
  out["size"] = config.size;
  if (config.rate > 0) {
    out["rate"] = config.rate;
  } else {
    out["rate"] = "max";
  }
  out["duration"] = seconds_of(config.duration);
  out["warmup"] = seconds_of(config.warmup);
  out["ordered"] = config.ordered;
  out["max_retransmits"] = config.max_retransmits ? Json(*config.max_retransmits) : Json();
  out["max_packet_life_time_ms"] =
      config.max_packet_life_time ? Json(config.max_packet_life_time->count()) : Json();
  out["outstanding"] = config.outstanding;
  out["shards"] = config.shards;
  return out;
}

Json traffic_of(const Traffic& traffic) {
  return {{"messages", traffic.messages}, {"bytes", traffic.bytes}};
}

Json latency_of(const Histogram& latency) {
  return {{"count", latency.count()},
          {"p50", microseconds_at(latency, 50)},
          {"p90", microseconds_at(latency, 90)},
          {"p99", microseconds_at(latency, 99)},
          {"p99.9", microseconds_at(latency, 99.9)},
          {"p99.99", microseconds_at(latency, 99.99)},
          {"max", microseconds_at(latency, 100)}};
}

Json seconds_json(const std::vector<Second>& seconds) {
  Json out = Json::array();
  for (const Second& second : seconds) {
    out.push_back({{"at", second.at},
                   {"warmup", second.warmup},
                   {"messages_per_second", second.messages_per_second},
                   {"mbps", second.mbps},
                   {"p50_us", second.p50_us},
                   {"p99_us", second.p99_us}});
  }
  return out;
}

}  // namespace

std::string to_json(const LoadReport& report) {
  const Environment& machine = report.environment;
  Json out;
  out["schema"] = 1;
  out["target"] = report.target;
  out["config"] = config_of(report.config);
  out["environment"] = {{"cpu", machine.cpu},         {"cpus", machine.cpus},
                        {"kernel", machine.kernel},   {"back_end", machine.back_end},
                        {"version", machine.version}, {"time", machine.time}};
  out["connections"] = {{"requested", report.config.connections},
                        {"opened", report.opened},
                        {"failed", report.failed},
                        {"dropped", report.dropped},
                        {"setup_ms",
                         {{"p50", 1e-3 * microseconds_at(report.setup, 50)},
                          {"p99", 1e-3 * microseconds_at(report.setup, 99)},
                          {"max", 1e-3 * microseconds_at(report.setup, 100)}}}};
  out["sent"] = traffic_of(report.sent);
  out["delivered"] = traffic_of(report.delivered);
  out["goodput_mbps"] = report.goodput_mbps;
  out["messages_per_second"] = report.messages_per_second;
  out["latency_us"] = latency_of(report.latency);
  const auto& server = report.server_cpu;
  out["cpu"] = {{"client_seconds", report.client_cpu.used},
                {"server_seconds", server ? Json(server->used) : Json()},
                {"client_waited_seconds", report.client_cpu.waited},
                {"server_waited_seconds", server ? Json(server->waited) : Json()}};
  out["records"] = {{"per_seal_p50", report.records_per_seal},
                    {"per_open_p50", report.records_per_open}};
  out["faults"] = {{"lost", report.lost},
                   {"duplicated", report.duplicated},
                   {"reordered", report.reordered},
                   {"damaged", report.damaged},
                   {"unsent", report.unsent}};
  out["good"] = report.good();
  out["interrupted_after_seconds"] =
      report.interrupted_after_seconds ? Json(*report.interrupted_after_seconds) : Json();
  out["errors"] = report.errors;
  out["seconds"] = seconds_json(report.seconds);
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace millrace::report
