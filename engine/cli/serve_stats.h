// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/cli/serve_counters.h"
#include "millrace/engine.h"

namespace millrace::cli {

// ServeStats writes a server's counters for machines, from any thread.
class ServeStats {
 public:
  // All outlive this; `device` may be null. `started` is of the monotonic clock.
  ServeStats(const Engine& engine, const ServeCounters& counters, Time started,
             const PacketDevice* device = nullptr)
      : engine_(engine), counters_(counters), started_(started), device_(device) {}

  std::string json(Time now) const;
  std::string prometheus(Time now) const;  // Text format, version 0.0.4.

 private:
  const Engine& engine_;
  const ServeCounters& counters_;
  Time started_;
  const PacketDevice* device_;
};

}  // namespace millrace::cli
