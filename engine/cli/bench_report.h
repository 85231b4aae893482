// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "engine/base/histogram.h"
#include "engine/cli/bench_steps.h"
#include "engine/reference/reference.h"
#include "engine/report/load_report.h"

namespace millrace::cli {

// BenchReport is what `millrace bench` found.
struct BenchReport {
  // One way, and there and back.
  struct Rates {
    double goodput_mbps = 0;
    double cpu_seconds_per_gbit = 0;  // Both ends.
    double p50_us = 0;
    double p99_us = 0;
    double p999_us = 0;

    void set_one_way(const reference::ReceiverReport& received,
                     const reference::SenderReport& sent);
    void set_latency(const Histogram& round_trip);  // In nanoseconds.
  };

  report::Environment machine;
  std::vector<std::string> back_ends;  // That work here.
  std::string engine_io;               // What the engine ran over.
  std::string reference_io;
  std::string reference_name = "raw UDP";
  std::vector<int> cpus;
  StepCosts steps;
  Rates reference;
  Rates engine;

  double share_of_ceiling() const;    // Of goodput.
  double share_of_reference() const;  // Likewise.
};

// A table of at most 80 columns.
std::string to_text(const BenchReport& report);
// Schema 1, indented.
std::string to_json(const BenchReport& report);

}  // namespace millrace::cli
