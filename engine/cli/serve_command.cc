// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/serve_command.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "engine/cli/command_line.h"
#include "engine/cli/dpdk_settings.h"
#include "engine/cli/engine_settings.h"
#include "engine/cli/log.h"
#include "engine/cli/process.h"
#include "engine/cli/recording_watch.h"
#include "engine/cli/serve_stats.h"
#include "engine/http/signalling_api.h"
#include "io/monotonic_clock.h"

namespace millrace::cli {
namespace {

constexpr const char* kDefaultListen = "127.0.0.1:5000";

const char* name_of(int signal) {
  return signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGHUP";
}

int fail(const Error& error) { return complain(in_flags(error), kExitFailed); }

}  // namespace

ServeCommand::ServeCommand() {
  engine_.listen = kDefaultListen;
  serve_.cpu_time = process_cpu_time;
  if (const char* const file = std::getenv("SSLKEYLOGFILE")) engine_.key_log_file = file;
  settings_.text("http", "ADDR", "Where to listen for HTTP signalling", http_);
  settings_.text("udp", "ADDR", "The one UDP address of all sessions", engine_.listen);
  add_io_setting(settings_, engine_);
  settings_.text("cors", "ORIGIN", "Origin whose pages may use the HTTP interface; * is any",
                 cors_);
  settings_.number("backlog", "BYTES",
                   "Kept for a channel whose peer is slow; beyond it the channel is closed", 1,
                   1u << 30, serve_.backlog_bytes);
  settings_.number("session-backlog", "BYTES", "Kept for all channels of a session", 1,
                   std::size_t{1} << 40, serve_.session_backlog_bytes);
  settings_.number("backlog-budget", "BYTES", "What the sessions of a shard share for that", 1,
                   std::size_t{1} << 40, serve_.shard_backlog_bytes);
  settings_.choice("log-level", "Least important lines to log", "info",
                   {{"debug", [this] { log_level_ = "debug"; }},
                    {"info", [this] { log_level_ = "info"; }},
                    {"warning", [this] { log_level_ = "warning"; }},
                    {"error", [this] { log_level_ = "error"; }},
                    {"off", [this] { log_level_ = "off"; }}});
  add_engine_settings(settings_, engine_);
  add_listening_settings(settings_, engine_);
  add_dpdk_settings(settings_, dpdk_);
}

int ServeCommand::run() {
  StopSignals signals;
  set_log_level(log_level_);
  if (log_level_ == "debug") serve_.log = SessionLog(log_debug);
  engine_.log = [](const std::string& line) { log_warning(line); };
  const Time started = io::monotonic_now();
  if (const auto error = attach_device(dpdk_, engine_)) return fail(*error);
  // A device has addresses of its own.
  if (engine_.device && engine_.listen == kDefaultListen) engine_.listen = "[::]:5000";

  const RecordingWatch recordings;
  recordings.attach(engine_);
  RelayHub relays;
  ServeCounters counters;
  auto engine = make_serve_engine(engine_, serve_, relays, counters);
  if (!engine.ok()) return fail(engine.error());
  const ServeStats stats(*engine.value(), counters, started, engine_.device.get());
  http::SignallingApi api(*engine.value(),
                          {[&stats] { return stats.json(io::monotonic_now()); },
                           [&stats] { return stats.prometheus(io::monotonic_now()); }});
  http::ServerOptions http_options;
  http_options.listen = http_;
  http_options.cors_origin = cors_;
  auto server = http::Server::create_later(
      http_options,
      serve_.log.told([&api](const http::Request& request, const http::Respond& respond) {
        api.handle(request, respond);
      }));
  if (!server.ok()) return fail(server.error());

  engine.value()->start();
  server.value()->start();
  log_info("serving http://" + server.value()->address() + "/ and udp " +
           engine.value()->listen_address() + " over " + to_string(engine.value()->io()) + ", " +
           std::to_string(engine.value()->shards()) + " shard(s)");
  const int signal = signals.wait();
  log_info(std::string("closing all sessions on ") + name_of(signal));
  server.value()->stop();
  engine.value()->stop();
  return recordings.exit_code(kExitOk);
}

}  // namespace millrace::cli
