// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/histogram.h"
#include "engine/base/time.h"
#include "engine/report/cpu_time.h"

namespace millrace::report {

enum class Pattern : std::uint8_t { kEcho, kUpload, kDownload, kIdle };
const char* to_string(Pattern pattern);

// LoadConfig is the traffic that was asked for.
struct LoadConfig {
  Pattern pattern = Pattern::kEcho;
  unsigned connections = 1;
  unsigned channels = 1;  // Of each connection.
  std::size_t size = 1000;
  double rate = 0;  // Messages a second over all channels; 0: as fast as possible.
  Duration duration = seconds(10);
  Duration warmup = seconds(1);
  bool ordered = true;
  std::optional<std::uint16_t> max_retransmits;
  std::optional<milliseconds> max_packet_life_time;
  unsigned outstanding = 16;  // Echo at full rate: messages of a channel without their echo.
  unsigned shards = 1;

  bool reliable() const { return !max_retransmits && !max_packet_life_time; }
  std::string mode() const;  // "reliable ordered"
};

// Environment is where a run took place.
struct Environment {
  std::string cpu;
  unsigned cpus = 0;
  std::string kernel;
  std::string back_end;
  std::string version;
  std::string time;  // UTC, ISO 8601.
};
// Fills in all but back end and version.
Environment this_machine();

struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// Second is one point of the charts.
struct Second {
  double at = 0;  // Seconds since traffic began.
  bool warmup = false;
  double messages_per_second = 0;
  double mbps = 0;
  double p50_us = 0;  // 0: no latency was measured in it.
  double p99_us = 0;
};

// LoadReport is what a run measured. Times in histograms are nanoseconds.
struct LoadReport {
  std::string target;
  LoadConfig config;
  Environment environment;

  unsigned opened = 0;
  unsigned failed = 0;
  unsigned dropped = 0;  // Opened, and ended before their time.
  Histogram setup;       // From before the POST to the channels being open.

  Traffic sent;       // Within the time measured.
  Traffic delivered;  // Likewise: echoed, counted by the sink, or received.
  double goodput_mbps = 0;
  double messages_per_second = 0;
  Histogram latency;  // Round trip, from the intended time of sending. Echo alone.

  // Over the whole run.
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t damaged = 0;
  std::uint64_t unsent = 0;  // Due by the rate, but there was no room for them.

  // Records that the busiest shard of this side sealed or opened in one call, median.
  std::uint64_t records_per_seal = 0;
  std::uint64_t records_per_open = 0;

  // Somebody ended the run so long after its traffic had begun, warm-up included: 0 where that
  // had not. None: it had its time.
  std::optional<double> interrupted_after_seconds;

  CpuTime client_cpu;
  std::optional<CpuTime> server_cpu;  // None: the peer did not tell.

  std::vector<Second> seconds;
  std::vector<std::string> errors;  // The first few, in words.

  // Every connection opened and stayed, and nothing that a mode forbids occurred.
  bool good() const;
};

// Schema 1 of the JSON report, indented.
std::string to_json(const LoadReport& report);
// A page that needs nothing else: figures and charts of one or more runs.
std::string to_html(const std::vector<LoadReport>& runs);
// A few lines for the terminal.
std::string to_text(const LoadReport& report);

}  // namespace millrace::report
