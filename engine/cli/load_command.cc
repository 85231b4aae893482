// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/load_command.h"

#include <utility>

#include "engine/cli/command_line.h"
#include "engine/cli/dpdk_settings.h"
#include "engine/cli/engine_settings.h"
#include "engine/cli/load_run.h"
#include "engine/cli/log.h"
#include "engine/cli/process.h"
#include "engine/cli/recording_watch.h"

namespace millrace::cli {

LoadCommand::LoadCommand() {
  plan_.cpu_time = process_cpu_time;
  // Roomy for a fast network, small enough that ten thousand sessions fit.
  engine_.sctp.send_buffer_bytes = 1u << 20;
  settings_.text("target", "URL", "Where offers are POSTed: http://HOST:PORT/offer", target_);
  settings_.text("local", "ADDRESS", "Local address of the sessions; none: the route's", local_);
  add_io_setting(settings_, engine_);
  add_load_settings(settings_, plan_, files_);
  add_engine_settings(settings_, engine_);
  add_dpdk_settings(settings_, dpdk_);
}

int LoadCommand::run() {
  const std::optional<http::Url> target = http::Url::parse(target_);
  if (!target) {
    return complain("--target: bad value '" + target_ + "', expected http://HOST:PORT/offer",
                    kExitUsage);
  }
  if (const auto problem = check_load(plan_)) return complain(*problem, kExitUsage);
  if (const auto problem = check_files(files_)) return complain(*problem, kExitFailed);
  plan_.config.shards = engine_.shards;
  if (const auto error = attach_device(dpdk_, engine_)) {
    return complain(error->message, kExitFailed);
  }
  if (local_.empty() && engine_.device) local_ = engine_.device->addresses().front();
  if (local_.empty()) {
    auto local = local_address_towards(target->host, target->port);
    if (!local.ok()) return complain(local.error().message, kExitFailed);
    local_ = local.value();
  }
  plan_.local_ip = local_;
  engine_.log = [](const std::string& line) { log_warning(line); };
  const RecordingWatch recordings;
  recordings.attach(engine_);

  StopSignals signals;
  RealPacer pacer;
  LoadRun run(plan_, pacer, [&signals] { return signals.came(); });
  if (const auto error = run.create(engine_)) return complain(in_flags(*error), kExitFailed);
  HttpSignaller signaller(*target, 16);
  report::LoadReport report = run.run(signaller);
  report.target = target_;
  return recordings.exit_code(deliver_report(report, files_));
}

}  // namespace millrace::cli
