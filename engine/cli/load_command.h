// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/cli/load_settings.h"
#include "engine/cli/setting.h"
#include "millrace/dpdk.h"
#include "millrace/engine.h"

namespace millrace::cli {

// LoadCommand is `millrace load`: connections to a server, traffic, a report.
class LoadCommand {
 public:
  LoadCommand();
  LoadCommand(const LoadCommand&) = delete;
  LoadCommand& operator=(const LoadCommand&) = delete;

  Settings& settings() { return settings_; }
  int run();

 private:
  Settings settings_;
  EngineOptions engine_;
  DpdkOptions dpdk_;
  LoadPlan plan_;
  ReportFiles files_;
  std::string target_;
  std::string local_;
};

// local_address_towards returns the address that this host would use to reach `host` (a
// name or an address); an error when it cannot be looked up or has no route.
Result<std::string, Error> local_address_towards(const std::string& host, const std::string& port);

}  // namespace millrace::cli
