// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/loop_command.h"

#include <algorithm>
#include <utility>

#include "engine/cli/command_line.h"
#include "engine/cli/dpdk_settings.h"
#include "engine/cli/engine_settings.h"
#include "engine/cli/load_run.h"
#include "engine/cli/log.h"
#include "engine/cli/process.h"
#include "engine/cli/recording_watch.h"

namespace millrace::cli {
namespace {

Setting probability(std::string name, std::string help, double& target) {
  Setting setting;
  setting.name = std::move(name);
  setting.placeholder = "P";
  setting.help = std::move(help);
  setting.fallback = "0";
  setting.expected = "a probability from 0 to 1";
  setting.kind = SettingKind::kNumber;
  setting.assign = [&target](const std::string& text) {
    const std::optional<double> value = parse_number(text);
    if (!value || *value < 0 || *value > 1) return false;
    target = *value;
    return true;
  };
  return setting;
}

}  // namespace

LoopCommand::LoopCommand() {
  plan_.cpu_time = process_cpu_time;
  engine_.sctp.send_buffer_bytes = 1u << 20;
  // A path without delay would let virtual time stand still.
  network_.delay = microseconds(100);
  network_.rate_mbps = 1000;
  settings_.choice("io", "Packet I/O; sim: a simulated network in virtual time", "auto",
                   {{"auto", [this] { engine_.io = IoBackend::kAuto; }},
                    {"uring", [this] { engine_.io = IoBackend::kUring; }},
                    {"sockets", [this] { engine_.io = IoBackend::kSockets; }},
                    {"dpdk", [this] { engine_.io = IoBackend::kDpdk; }},
                    {"sim", [this] { engine_.io = IoBackend::kSim; }}});
  add_load_settings(settings_, plan_, files_);
  add_engine_settings(settings_, engine_);
  add_simulation_settings();
  add_dpdk_settings(settings_, dpdk_);
}

void LoopCommand::add_simulation_settings() {
  settings_.number("sim-seed", "N", "The same seed gives the same run", 0, UINT64_MAX,
                   network_.seed);
  settings_.add(probability("sim-loss", "Datagrams lost", network_.loss));
  settings_.add(probability("sim-duplicate", "Datagrams doubled", network_.duplicate));
  settings_.add(probability("sim-reorder", "Datagrams held back by 2 ms", network_.reorder));
  settings_.number(
      "sim-delay", "US", "Delay of a path, one way, in microseconds", 1, 10'000'000,
      [this](std::uint64_t us) { network_.delay = microseconds(us); }, "100 us");
  settings_.number(
      "sim-rate", "MBPS", "Rate of a path in Mbit/s; 0: unlimited", 0, 1'000'000,
      [this](std::uint64_t mbps) { network_.rate_mbps = static_cast<double>(mbps); },
      "1000 Mbit/s");
  settings_.number("sim-mtu", "BYTES", "Largest IP packet of a path", 576, 65535,
                   network_.mtu_bytes);
}

EngineOptions LoopCommand::server_options(const std::shared_ptr<Simulation>& simulation) const {
  EngineOptions options = engine_;
  options.simulation = simulation;
  options.listen = simulation ? "10.0.1.1:5000" : "127.0.0.1:0";
  options.max_sessions = plan_.config.connections + 16;
  // The other end's recordings hold all of it.
  options.pcap_file.clear();
  options.trace_file.clear();
  options.key_log_file.clear();
  return options;
}

EngineOptions LoopCommand::client_options(const std::shared_ptr<Simulation>& simulation) const {
  EngineOptions options = engine_;
  options.simulation = simulation;
  return options;
}

int LoopCommand::run() {
  if (const auto problem = check_load(plan_)) return complain(*problem, kExitUsage);
  if (const auto problem = check_files(files_)) return complain(*problem, kExitFailed);
  plan_.config.shards = engine_.shards;
  engine_.sctp.max_message_bytes = std::max(engine_.sctp.max_message_bytes, plan_.config.size);
  engine_.log = [](const std::string& line) { log_warning(line); };
  const RecordingWatch recordings;
  recordings.attach(engine_);
  StopSignals signals;
  std::shared_ptr<Simulation> simulation;
  std::unique_ptr<Pacer> pacer = std::make_unique<RealPacer>();
  if (engine_.io == IoBackend::kSim) {
    simulation = Simulation::create(network_);
    pacer = std::make_unique<SimPacer>(simulation);
  } else {
    serve_.cpu_time = thread_cpu_time;
  }

  RelayHub relays;
  ServeCounters counters;
  EngineOptions server_engine = server_options(simulation);
  EngineOptions client_engine = client_options(simulation);
  if (engine_.io == IoBackend::kDpdk) {
    if (const auto error = attach_pair(dpdk_, server_engine, client_engine)) {
      return complain(error->message, kExitFailed);
    }
    server_engine.listen = server_engine.device->addresses().front() + ":0";
    plan_.local_ip = client_engine.device->addresses().front();
  }
  auto server = make_serve_engine(std::move(server_engine), serve_, relays, counters);
  if (!server.ok()) return complain(in_flags(server.error()), kExitFailed);
  LoadRun run(plan_, *pacer, [&signals] { return signals.came(); });
  if (const auto error = run.create(std::move(client_engine))) {
    return complain(in_flags(*error), kExitFailed);
  }
  server.value()->start();
  LocalSignaller signaller(*server.value());
  report::LoadReport report = run.run(signaller);
  report.target = "loop";
  // The process's time is that of both ends; in virtual time they share a thread.
  if (simulation) report.server_cpu.reset();
  report.client_cpu = report.client_cpu.since(report.server_cpu.value_or(report::CpuTime{}));
  server.value()->stop();
  return recordings.exit_code(deliver_report(report, files_));
}

}  // namespace millrace::cli
