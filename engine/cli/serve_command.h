// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "engine/cli/serve_handler.h"
#include "engine/cli/setting.h"
#include "millrace/dpdk.h"
#include "millrace/engine.h"

namespace millrace::cli {

// ServeCommand is `millrace serve`: an engine, its behaviours and HTTP signalling, until
// SIGTERM or SIGINT.
class ServeCommand {
 public:
  ServeCommand();
  ServeCommand(const ServeCommand&) = delete;
  ServeCommand& operator=(const ServeCommand&) = delete;

  Settings& settings() { return settings_; }
  int run();

 private:
  Settings settings_;
  EngineOptions engine_;
  ServeOptions serve_;
  DpdkOptions dpdk_;
  std::string http_ = "127.0.0.1:8080";
  std::string cors_;
  std::string log_level_ = "info";
};

// make_serve_engine makes an engine whose shards are ServeHandlers; what it is given
// outlives it.
Result<std::unique_ptr<Engine>, Error> make_serve_engine(EngineOptions options,
                                                         const ServeOptions& serve,
                                                         RelayHub& relays, ServeCounters& counters);

}  // namespace millrace::cli
