// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cli/bench_dpdk.h"
#include "engine/cli/bench_report.h"
#include "engine/cli/setting.h"
#include "millrace/engine.h"

namespace millrace::cli {

// BenchCommand is `millrace bench`: what a packet costs on this machine, stage by stage,
// what UDP alone does, and what the engine makes of it, both ends in this process.
class BenchCommand {
 public:
  BenchCommand();
  BenchCommand(const BenchCommand&) = delete;
  BenchCommand& operator=(const BenchCommand&) = delete;

  Settings& settings() { return settings_; }
  int run();

 private:
  void choose_cpus();
  // Each returns what went wrong.
  std::optional<std::string> measure_all();
  std::optional<std::string> measure_packet();
  std::optional<std::string> measure_reference();
  std::optional<std::string> measure_engine(bool latency);
  // Prints the report, writes the file and returns the exit code.
  int deliver() const;

  Settings settings_;
  IoBackend io_ = IoBackend::kAuto;
  Duration duration_ = seconds(10);
  std::vector<int> cpus_;  // Of sender and receiver; -1: not pinned.
  std::string json_;
  DpdkOptions dpdk_;
  BenchReport report_;
};

}  // namespace millrace::cli
