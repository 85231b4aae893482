// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_command.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "engine/cli/bench_ends.h"
#include "engine/cli/command_line.h"
#include "engine/cli/dpdk_settings.h"
#include "engine/cli/load_run.h"
#include "engine/cli/log.h"
#include "engine/cli/output.h"
#include "engine/cli/process.h"
#include "engine/cli/serve_command.h"
#include "engine/cli/version.h"
#include "engine/reference/hello.h"
#include "engine/reference/reference.h"

namespace millrace::cli {
namespace {

constexpr Duration kWarmup = milliseconds(500);
constexpr std::size_t kPingBytes = 100;

// Runs both ends of one exchange, each in a thread.
template <class Listen, class Begin>
std::optional<std::string> run_both(const reference::Options& listening,
                                    const reference::Options& beginning, Listen&& listen,
                                    Begin&& begin) {
  const Address any{IpAddress::v4(127, 0, 0, 1), 0};
  auto listener = reference::RawSocket::listen(any, kSocketBuffer);
  if (!listener) return listener.error().message;
  auto dialler = reference::RawSocket::connect(listener->local_address(), kSocketBuffer);
  if (!dialler) return dialler.error().message;
  std::optional<std::string> first;
  std::optional<std::string> second;
  std::thread here([&] { first = listen(*listener, listening); });
  std::thread there([&] { second = begin(*dialler, beginning); });
  here.join();
  there.join();
  return first ? first : second;
}

}  // namespace

BenchCommand::BenchCommand() {
  settings_.choice("io", "Packet I/O of the engine; dpdk: over memif, beside bare frames", "auto",
                   {{"auto", [this] { io_ = IoBackend::kAuto; }},
                    {"uring", [this] { io_ = IoBackend::kUring; }},
                    {"sockets", [this] { io_ = IoBackend::kSockets; }},
                    {"dpdk", [this] { io_ = IoBackend::kDpdk; }}});
  settings_.seconds_of("duration", "Time of each of the four runs", 0.1, 600, duration_);
  Setting cpus;
  cpus.name = "cpu";
  cpus.placeholder = "N";
  cpus.help = "Processor of the sender, then of the receiver";
  cpus.fallback = "0 and 1";
  cpus.expected =
      "an array of strings, each the number of a processor of this machine, two at most";
  cpus.kind = SettingKind::kList;
  cpus.assign = [this](const std::string& text) {
    const std::optional<std::uint64_t> value = parse_whole(text);
    if (!value || !is_processor(*value) || cpus_.size() == 2) return false;
    cpus_.push_back(static_cast<int>(*value));
    return true;
  };
  cpus.clear = [this] { cpus_.clear(); };
  settings_.add(std::move(cpus));
  settings_.choice(
      "dpdk-huge-pages", "With --io dpdk: memory in huge pages", "off",
      {{"on", [this] { dpdk_.huge_pages = true; }}, {"off", [this] { dpdk_.huge_pages = false; }}});
  add_udp_checksum_setting(settings_, dpdk_);
  settings_.text("json", "FILE", "Figures as JSON; -: to standard output, alone", json_);
}

void BenchCommand::choose_cpus() {
  // With one processor there is nothing to choose.
  const bool several = std::thread::hardware_concurrency() > 1;
  while (cpus_.size() < 2) {
    const int next = cpus_.empty() || cpus_[0] != 0 ? 0 : 1;
    cpus_.push_back(several ? next : -1);
  }
}

// Both ends of raw UDP, one way and there and back.
std::optional<std::string> BenchCommand::measure_reference() {
  reference::Options sender;
  sender.uring = io_ == IoBackend::kUring;
  sender.thread_time = true;
  sender.cpu = cpus_[0];
  sender.duration = duration_;
  sender.warmup = kWarmup;
  reference::Options receiver = sender;
  receiver.cpu = cpus_[1];
  if (io_ == IoBackend::kDpdk) {
    return measure_frames(dpdk_, sender, receiver, report_.reference);
  }
  reference::ReceiverReport received;
  reference::SenderReport sent;
  if (auto error = run_both(
          receiver, sender,
          [&](auto& socket, auto& options) {
            return keep(reference::run_receiver(socket, options), received);
          },
          [&](auto& socket, auto& options) {
            return keep(reference::run_sender(socket, options), sent);
          })) {
    return error;
  }
  report_.reference.set_one_way(received, sent);

  sender.datagram_bytes = receiver.datagram_bytes = kPingBytes;
  reference::PongReport echoed;
  reference::PingReport pinged;
  auto error = run_both(
      receiver, sender,
      [&](auto& socket, auto& options) {
        return keep(reference::run_pong(socket, options), echoed);
      },
      [&](auto& socket, auto& options) {
        return keep(reference::run_ping(socket, options), pinged);
      });
  report_.reference.set_latency(pinged.round_trip);
  return error;
}

std::optional<std::string> BenchCommand::measure_engine(bool latency) {
  LoadPlan plan;
  plan.cpu_time = process_cpu_time;
  plan.config.pattern = latency ? report::Pattern::kEcho : report::Pattern::kUpload;
  plan.config.size = latency ? kPingBytes : 16'384;
  plan.config.outstanding = 1;
  plan.config.duration = duration_;
  plan.config.warmup = kWarmup;
  EngineOptions options;
  options.io = io_;
  options.wait = latency ? WaitPolicy::kSpin : options.wait;
  options.path_mtu_discovery = false;  // As large as the bare datagrams it is held against.
  options.log = [](const std::string& line) { log_warning(line); };
  EngineOptions serving = options;
  serving.listen = "127.0.0.1:0";
  if (io_ == IoBackend::kDpdk) {
    if (auto error = attach_memif(dpdk_, serving, options)) return error;
    plan.local_ip = options.device->addresses().front();
  }
  if (cpus_[0] >= 0) options.cpus = {cpus_[0]};
  if (cpus_[1] >= 0) serving.cpus = {cpus_[1]};

  StopSignals signals;
  RealPacer pacer;
  const ServeOptions serve;  // The engine refers to it.
  RelayHub relays;
  ServeCounters counters;
  auto server = make_serve_engine(serving, serve, relays, counters);
  if (!server.ok()) return server.error().message;
  LoadRun run(plan, pacer, [&signals] { return signals.came(); });
  if (const auto error = run.create(options)) return error->message;
  server.value()->start();
  LocalSignaller signaller(*server.value());
  const report::LoadReport load = run.run(signaller);
  server.value()->stop();
  if (signals.came()) return "stopped";
  if (!load.good())
    return "the engine's run failed" + (load.errors.empty() ? "" : ": " + load.errors[0]);
  report_.engine_io = load.environment.back_end;
  if (latency) {
    report_.engine.set_latency(load.latency);
    return std::nullopt;
  }
  report_.engine.goodput_mbps = load.goodput_mbps;
  const double gbit = std::max(static_cast<double>(load.delivered.bytes) * 8e-9, 1e-9);
  report_.engine.cpu_seconds_per_gbit = load.client_cpu.used / gbit;
  return std::nullopt;
}

std::optional<std::string> BenchCommand::measure_packet() {
  StepOptions options{.uring = io_ == IoBackend::kUring, .each = duration_ / 20};
  std::optional<std::string> error;
  std::thread steps([&] {
    static_cast<void>(reference::pin_thread(cpus_[0]).ok());
    if (io_ == IoBackend::kDpdk) error = measure_device_steps(dpdk_, options.each, options.device);
    if (!error) report_.steps = measure_steps(options);
  });
  steps.join();
  return error;
}

std::optional<std::string> BenchCommand::measure_all() {
  std::fprintf(stderr, "measuring the steps of a packet...\n");
  if (auto error = measure_packet()) return error;
  std::fprintf(stderr, "measuring %s...\n", report_.reference_name.c_str());
  if (auto error = measure_reference()) return error;
  for (const bool latency : {false, true}) {
    std::fprintf(stderr, "measuring the engine, %s...\n", latency ? "there and back" : "one way");
    if (auto error = measure_engine(latency)) return error;
  }
  return std::nullopt;
}

int BenchCommand::run() {
  if (const auto problem = output_problem(json_)) {
    return complain("--json: " + *problem, kExitFailed);
  }
  choose_cpus();
  report_.machine = report::this_machine();
  report_.machine.version = kVersion;
  const bool uring = reference::uring_available();
  report_.back_ends = {"sockets"};
  if (uring) report_.back_ends.insert(report_.back_ends.begin(), "uring");
  if (kHasDpdk) report_.back_ends.emplace_back("dpdk");
  report_.reference_io = io_ == IoBackend::kUring ? "uring" : "sockets";
  if (io_ == IoBackend::kDpdk) {
    report_.reference_io = "memif";
    report_.reference_name = "raw frames";
  }
  report_.cpus = cpus_;
  if (const auto error = measure_all()) return complain(*error, kExitFailed);
  return deliver();
}

int BenchCommand::deliver() const {
  const std::string text = to_json(report_);
  bool written = json_ == "-" || write_output("-", to_text(report_));
  written &= json_.empty() || write_output(json_, text);
  return written ? kExitOk : kExitFailed;
}

}  // namespace millrace::cli
