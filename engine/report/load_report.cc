// SPDX-License-Identifier: Apache-2.0
#include "engine/report/load_report.h"

#include <cstdio>

#include "engine/report/units.h"

namespace millrace::report {
namespace {

template <class... Args>
void append(std::string& out, const char* format, Args... args) {
  if constexpr (sizeof...(args) == 0) {
    out += format;
  } else {
    char line[256];
    std::snprintf(line, sizeof(line), format, args...);
    out += line;
  }
}

}  // namespace

const char* to_string(Pattern pattern) {
  switch (pattern) {
    case Pattern::kEcho:
      return "echo";
    case Pattern::kUpload:
      return "upload";
    case Pattern::kDownload:
      return "download";
    case Pattern::kIdle:
      break;
  }
  return "idle";
}

std::string LoadConfig::mode() const {
  return std::string(reliable() ? "reliable" : "unreliable") +
         (ordered ? " ordered" : " unordered");
}

bool LoadReport::good() const {
  if (opened != config.connections || failed > 0 || dropped > 0 || damaged > 0) return false;
  if (duplicated > 0 || (config.ordered && reordered > 0)) return false;
  return !config.reliable() || lost == 0;
}

std::string to_text(const LoadReport& report) {
  using ull = unsigned long long;
  const LoadConfig& config = report.config;
  std::string out;
  append(out, "%s, %s, %zu bytes, %u connection(s) x %u channel(s), %.0f s\n",
         to_string(config.pattern), config.mode().c_str(), config.size, config.connections,
         config.channels, seconds_of(config.duration));
  append(out, "connections  %u of %u opened", report.opened, config.connections);
  if (report.opened > 0) {
    append(out, ", set-up p50 %.1f ms, p99 %.1f ms", microseconds_at(report.setup, 50) * 1e-3,
           microseconds_at(report.setup, 99) * 1e-3);
  }
  if (report.dropped > 0) append(out, ", %u ended early", report.dropped);
  append(out, "\nmessages     %llu sent, %llu delivered, %.0f a second\n",
         ull{report.sent.messages}, ull{report.delivered.messages}, report.messages_per_second);
  append(out, "goodput      %.1f Mbit/s\n", report.goodput_mbps);
  if (report.latency.count() > 0) {
    append(out, "round trip   p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n",
           microseconds_at(report.latency, 50), microseconds_at(report.latency, 90),
           microseconds_at(report.latency, 99), microseconds_at(report.latency, 99.9),
           microseconds_at(report.latency, 100));
  }
  append(out, "cpu          %.2f s here", report.client_cpu.used);
  if (report.server_cpu) append(out, ", %.2f s at the server", report.server_cpu->used);
  append(out, "\nwaited       for a processor: %.1f ms here", 1e3 * report.client_cpu.waited);
  if (report.server_cpu) append(out, ", %.1f ms at the server", 1e3 * report.server_cpu->waited);
  append(out, "\n");
  if (report.lost + report.duplicated + report.damaged + report.unsent > 0 ||
      (config.ordered && report.reordered > 0)) {
    append(out,
           "faults       %llu lost, %llu twice, %llu out of order, %llu damaged, %llu unsent\n",
           ull{report.lost}, ull{report.duplicated}, ull{config.ordered ? report.reordered : 0},
           ull{report.damaged}, ull{report.unsent});
  }
  if (report.interrupted_after_seconds) {
    append(out, "interrupted  after %.1f s of %.1f s of traffic\n",
           *report.interrupted_after_seconds, seconds_of(config.warmup + config.duration));
  }
  for (const std::string& error : report.errors) out += "error        " + error + "\n";
  return out;
}

}  // namespace millrace::report
