// SPDX-License-Identifier: Apache-2.0
#include "bench/reference/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace millrace::reference {
namespace {

double number(std::uint64_t value) { return static_cast<double>(value); }

std::string to_json(const std::string& role, const Options& options, const Figures& figures) {
  nlohmann::ordered_json out;
  out["schema"] = 1;
  out["role"] = role;
  out["io"] = options.device ? "dpdk" : options.uring ? "uring" : "sockets";
  out["wait"] = options.spin ? "spin" : "block";
  for (const auto& [name, value] : figures) {
    if (value == std::floor(value) && std::fabs(value) < 1e15) {
      out[name] = static_cast<std::int64_t>(value);
    } else {
      out[name] = value;
    }
  }
  return out.dump(2) + "\n";
}

}  // namespace

Figures figures_of(const ReceiverReport& report) {
  const double receives = std::max(number(report.receives), 1.0);
  return {{"goodput_mbps", report.goodput_mbps()},
          {"datagrams", number(report.datagrams)},
          {"bytes", number(report.bytes)},
          {"lost", number(report.lost)},
          {"datagrams_per_receive", number(report.datagrams) / receives},
          {"seconds", report.seconds},
          {"cpu_seconds", report.cpu_seconds}};
}

Figures figures_of(const SenderReport& report) {
  return {{"datagrams", number(report.datagrams)},
          {"bytes", number(report.bytes)},
          {"seconds", report.seconds},
          {"cpu_seconds", report.cpu_seconds}};
}

Figures figures_of(const PongReport& report) {
  return {{"datagrams", number(report.datagrams)},
          {"seconds", report.seconds},
          {"cpu_seconds", report.cpu_seconds}};
}

Figures figures_of(const PingReport& report) {
  const auto us = [&](double percent) {
    return 1e-3 * number(report.round_trip.percentile(percent));
  };
  return {{"round_trips", number(report.round_trip.count())},
          {"lost", number(report.lost)},
          {"p50_us", us(50)},
          {"p90_us", us(90)},
          {"p99_us", us(99)},
          {"p999_us", us(99.9)},
          {"max_us", us(100)},
          {"seconds", report.seconds},
          {"cpu_seconds", report.cpu_seconds}};
}

bool deliver(const std::string& role, const Options& options, const Figures& figures,
             const std::string& json_file) {
  if (json_file != "-") {
    for (const auto& [name, value] : figures) {
      const bool whole = value == std::floor(value);
      std::printf("%-22s %15.*f\n", name.c_str(), whole ? 0 : 3, value);
    }
  }
  if (json_file.empty()) return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  const std::string text = to_json(role, options, figures);
  std::FILE* const file = json_file == "-" ? stdout : std::fopen(json_file.c_str(), "w");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return (file == stdout ? std::fflush(file) : std::fclose(file)) == 0 && written;
}

}  // namespace millrace::reference
