// SPDX-License-Identifier: Apache-2.0
#include "test/sim/report_writer.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace millrace::sim {
namespace {

using nlohmann::json;

[[gnu::format(printf, 2, 3)]] void append(std::string& out, const char* format, ...) {
  std::array<char, 512> text;
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  out += text.data();
}

double ms(std::uint64_t nanos) { return static_cast<double>(nanos) / 1e6; }
double ms(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

void append_flow(std::string& out, const Scenario& scenario, const FlowReport& flow) {
  append(out, "  %.2f Mbit/s", flow.goodput_bps / 1e6);
  if (flow.server_goodput_bps > 0) append(out, " (back %.2f)", flow.server_goodput_bps / 1e6);
  append(out, ", rtt p50 %.2f p95 %.2f max %.2f ms", ms(flow.rtt.percentile(50)),
         ms(flow.rtt.percentile(95)), ms(flow.rtt.max()));
  append(out, ", chunks %llu, retransmitted %llu, fast %llu, T3 %llu",
         static_cast<unsigned long long>(flow.client.data_chunks_sent),
         static_cast<unsigned long long>(flow.client.retransmitted_chunks),
         static_cast<unsigned long long>(flow.client.fast_retransmits),
         static_cast<unsigned long long>(flow.client.t3_expiries));
  append(out, ", of Mathis %.2f, held %zu KiB",
         flow.goodput_bps / mathis_bps(scenario, flow.mss_bytes), flow.peak_held_bytes >> 10);
  if (flow.socket_drops != 0) {
    append(out, ", socket full %llu", static_cast<unsigned long long>(flow.socket_drops));
  }
  if (flow.first_delivery) append(out, ", first after outage %.1f ms", ms(*flow.first_delivery));
  if (flow.caught_up) append(out, ", caught up %.1f ms", ms(*flow.caught_up));
  if (flow.closed != sctp::CloseReason::kNone) {
    append(out, ", closed: %s", std::string(sctp::to_string(flow.closed)).c_str());
  }
  out += "\n";
  for (const TrafficReport& traffic : flow.traffic) {
    append(out, "    messages %llu of %llu, latency p50 %.2f p99 %.2f max %.2f ms",
           static_cast<unsigned long long>(traffic.delivered),
           static_cast<unsigned long long>(traffic.sent), ms(traffic.latency.percentile(50)),
           ms(traffic.latency.percentile(99)), ms(traffic.latency.max()));
    if (traffic.disorder != 0) {
      append(out, ", OUT OF ORDER %llu", static_cast<unsigned long long>(traffic.disorder));
    }
    out += "\n";
  }
}

void append_link(std::string& out, const char* name, const LinkStats& link) {
  append(out,
         "  %s: %llu packets, queue dropped %llu, lost %llu, outage %llu, mtu %llu, corrupt "
         "%llu, late %llu, twice %llu, queue at most %zu KiB\n",
         name, static_cast<unsigned long long>(link.offered),
         static_cast<unsigned long long>(link.queue_drops),
         static_cast<unsigned long long>(link.lost),
         static_cast<unsigned long long>(link.outage_drops),
         static_cast<unsigned long long>(link.mtu_drops),
         static_cast<unsigned long long>(link.corrupted),
         static_cast<unsigned long long>(link.reordered),
         static_cast<unsigned long long>(link.duplicated), link.max_queue_bytes >> 10);
}

json json_of(const Histogram& values) {
  return {{"count", values.count()},
          {"p50_ms", ms(values.percentile(50))},
          {"p95_ms", ms(values.percentile(95))},
          {"p99_ms", ms(values.percentile(99))},
          {"max_ms", ms(values.max())}};
}

json json_of(const LinkStats& link) {
  return {{"offered", link.offered},
          {"queue_drops", link.queue_drops},
          {"lost", link.lost},
          {"outage_drops", link.outage_drops},
          {"mtu_drops", link.mtu_drops},
          {"corrupted", link.corrupted},
          {"reordered", link.reordered},
          {"duplicated", link.duplicated},
          {"max_queue_bytes", link.max_queue_bytes}};
}

json json_of(const FlowReport& flow) {
  json out = {{"goodput_mbps", flow.goodput_bps / 1e6},
              {"server_goodput_mbps", flow.server_goodput_bps / 1e6},
              {"rtt", json_of(flow.rtt)},
              {"chunks_sent", flow.client.data_chunks_sent},
              {"retransmitted_chunks", flow.client.retransmitted_chunks},
              {"fast_retransmits", flow.client.fast_retransmits},
              {"t3_expiries", flow.client.t3_expiries},
              {"socket_drops", flow.socket_drops},
              {"peak_held_bytes", flow.peak_held_bytes},
              {"closed", std::string(sctp::to_string(flow.closed))}};
  if (flow.first_delivery) out["first_after_outage_ms"] = ms(*flow.first_delivery);
  if (flow.caught_up) out["caught_up_ms"] = ms(*flow.caught_up);
  for (const TrafficReport& traffic : flow.traffic) {
    out["traffic"].push_back({{"sent", traffic.sent},
                              {"delivered", traffic.delivered},
                              {"disorder", traffic.disorder},
                              {"latency", json_of(traffic.latency)}});
  }
  for (const FlowSample& sample : flow.samples) {
    out["samples"].push_back({{"at_ms", ms(sample.at)},
                              {"delivered_bytes", sample.delivered_bytes},
                              {"cwnd", sample.cwnd},
                              {"in_flight", sample.in_flight},
                              {"srtt_ms", ms(sample.srtt)},
                              {"queue_bytes", sample.queue_bytes}});
  }
  return out;
}

}  // namespace

std::string report_text(const Scenario& scenario, std::uint64_t seed, const RunReport& report) {
  std::string out;
  append(out, "%s, seed %llu: %.2f Mbit/s", scenario.name.c_str(),
         static_cast<unsigned long long>(seed), report.goodput_bps / 1e6);
  if (report.share > 0) append(out, ", %.4f of the payload capacity", report.share);
  append(out, ", %llu turns\n", static_cast<unsigned long long>(report.turns));
  for (const FlowReport& flow : report.flows) append_flow(out, scenario, flow);
  append_link(out, "up", report.up);
  append_link(out, "down", report.down);
  return out;
}

std::string report_json(const Scenario& scenario, std::uint64_t seed, const RunReport& report,
                        const std::vector<std::string>& broken) {
  json out = {{"scenario", scenario.name},
              {"seed", seed},
              {"goodput_mbps", report.goodput_bps / 1e6},
              {"share", report.share},
              {"up", json_of(report.up)},
              {"down", json_of(report.down)},
              {"flows", json::array()},
              {"broken_bounds", broken}};
  for (const FlowReport& flow : report.flows) out["flows"].push_back(json_of(flow));
  return out.dump(2) + "\n";
}

std::string samples_csv(const RunReport& report) {
  std::string out =
      "flow,at_ms,mbps,cwnd,ssthresh,in_flight,srtt_ms,queue_bytes,retransmitted,t3\n";
  for (std::size_t i = 0; i < report.flows.size(); ++i) {
    FlowSample before;
    for (const FlowSample& now : report.flows[i].samples) {
      const double span = std::chrono::duration<double>(now.at - before.at).count();
      const auto bytes = static_cast<double>(now.delivered_bytes - before.delivered_bytes);
      append(out, "%zu,%.3f,%.2f,%zu,%zu,%zu,%.3f,%zu,%llu,%llu\n", i, ms(now.at),
             span > 0 ? bytes * 8 / span / 1e6 : 0.0, now.cwnd, now.ssthresh, now.in_flight,
             ms(now.srtt), now.queue_bytes, static_cast<unsigned long long>(now.retransmitted),
             static_cast<unsigned long long>(now.t3_expiries));
      before = now;
    }
  }
  return out;
}

}  // namespace millrace::sim
