// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/engine_settings.h"

#include <array>
#include <string_view>
#include <utility>

#include "engine/cli/process.h"
#include "sctp/congestion_algorithm.h"

namespace millrace::cli {
namespace {

constexpr std::uint64_t kMinute = 60'000;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kMaxBuffer = 1u << 30;

void add_wait(Settings& settings, EngineOptions& options) {
  settings.choice("wait", "What an idle shard does", "block",
                  {{"block", [&] { options.wait = WaitPolicy::kBlock; }},
                   {"spin-then-block", [&] { options.wait = WaitPolicy::kSpinThenBlock; }},
                   {"spin", [&] { options.wait = WaitPolicy::kSpin; }}});
  settings.number(
      "spin", "US", "Microseconds to spin before blocking, with --wait spin-then-block", 0,
      1'000'000, [&](std::uint64_t us) { options.spin = microseconds(us); },
      std::to_string(options.spin.count()) + " us");
  Setting cpus;
  cpus.name = "cpu";
  cpus.placeholder = "N";
  cpus.help = "Processor of a shard; given once per shard, in order";
  cpus.fallback = "not pinned";
  cpus.expected = "an array of strings, each the number of a processor of this machine";
  cpus.kind = SettingKind::kList;
  cpus.assign = [&](const std::string& text) {
    const std::optional<std::uint64_t> value = parse_whole(text);
    if (!value || !is_processor(*value)) return false;
    options.cpus.push_back(static_cast<int>(*value));
    return true;
  };
  cpus.clear = [&] { options.cpus.clear(); };
  settings.add(std::move(cpus));
}

void add_congestion(Settings& settings, SctpOptions& options) {
  using Algorithm = sctp::CongestionAlgorithm;
  constexpr std::array<std::pair<Algorithm, CongestionControl>, 5> kControls{{
      {Algorithm::kCubic, CongestionControl::kCubic},
      {Algorithm::kNewReno, CongestionControl::kNewReno},
      {Algorithm::kBbr, CongestionControl::kBbr},
      {Algorithm::kTfrc, CongestionControl::kTfrc},
      {Algorithm::kFixedRate, CongestionControl::kFixedRate},
  }};
  Settings::Choices choices;
  for (const auto& [algorithm, control] : kControls) {
    choices.emplace_back(std::string(sctp::to_string(algorithm)),
                         [&options, control = control] { options.congestion_control = control; });
  }
  settings.choice("congestion", "What decides how much may be in flight",
                  std::string(sctp::to_string(Algorithm::kCubic)), std::move(choices));
  settings.number(
      "congestion-rate", "MBIT", "Mbit/s of a session, with --congestion fixed", 1, 1'000'000,
      [&options](std::uint64_t mbit) { options.fixed_rate_bits = mbit * 1'000'000; },
      std::to_string(options.fixed_rate_bits / 1'000'000));
  settings.choice("profile",
                  "Timers; latency: an RTO from 5 ms on, SACKs at once, time-outs that do not grow",
                  "internet",
                  {{"internet", [&options] { options.profile = Profile::kInternet; }},
                   {"latency", [&options] { options.profile = Profile::kLatency; }}});
  settings.milliseconds_of("rto-min", "Least retransmission time-out", 1, 1000, options.rto_min);
  settings.milliseconds_of("sack-delay", "How long a lone packet's SACK waits for data", 0, 200,
                           options.sack_delay);
}

}  // namespace

const char* to_string(IoBackend io) {
  switch (io) {
    case IoBackend::kAuto:
      return "auto";
    case IoBackend::kUring:
      return "uring";
    case IoBackend::kSockets:
      return "sockets";
    case IoBackend::kDpdk:
      return "dpdk";
    case IoBackend::kSim:
      break;
  }
  return "sim";
}

void add_io_setting(Settings& settings, EngineOptions& options) {
  settings.choice("io",
                  "Packet I/O; auto: io_uring; sockets where it is forbidden, and with --wait spin",
                  "auto",
                  {{"auto", [&] { options.io = IoBackend::kAuto; }},
                   {"uring", [&] { options.io = IoBackend::kUring; }},
                   {"sockets", [&] { options.io = IoBackend::kSockets; }},
                   {"dpdk", [&] { options.io = IoBackend::kDpdk; }}});
}

// A size stated is a size kept: benchmarks and captures rely on it.
void add_datagram_sizes(Settings& settings, EngineOptions& options) {
  settings.number(
      "datagram-size", "BYTES", "UDP payload of the packets sent, whatever the path carries", 508,
      8972,
      [&options](std::uint64_t bytes) {
        options.datagram_bytes = static_cast<std::size_t>(bytes);
        options.path_mtu_discovery = false;
      },
      std::to_string(options.datagram_bytes));
  settings.number("datagram-min", "BYTES", "The least that path MTU discovery falls back to", 508,
                  1200, options.min_datagram_bytes);
  settings.number("datagram-max", "BYTES",
                  "The most that path MTU discovery tries, with peers that know PAD", 1200, 8972,
                  options.max_datagram_bytes);
}

void add_engine_settings(Settings& settings, EngineOptions& options) {
  settings.number("shards", "N", "Shards, one thread each", 1, 256, options.shards);
  add_wait(settings, options);
  settings.number("handshake-workers", "N", "Threads for public-key work; 0: within the turn", 0,
                  64, options.handshake_workers);
  settings.number("send-buffer", "BYTES", "Send buffer of a session", 64u << 10, kMaxBuffer,
                  options.sctp.send_buffer_bytes);
  settings.number("channel-send-buffer", "BYTES", "One channel's part of it; 0: all of it", 0,
                  kMaxBuffer, options.sctp.channel_send_buffer_bytes);
  using enum StreamScheduling;
  settings.choice("scheduler", "Which channel sends next; wfq: bytes by the channels' priorities",
                  "wfq",
                  {{"fcfs", [&] { options.sctp.scheduling = kFirstComeFirstServed; }},
                   {"rr", [&] { options.sctp.scheduling = kRoundRobin; }},
                   {"wfq", [&] { options.sctp.scheduling = kWeightedFair; }},
                   {"priority", [&] { options.sctp.scheduling = kStrictPriority; }}});
  settings.number("receive-window", "BYTES", "Receive window of a session to begin with", 64u << 10,
                  kMaxBuffer, options.sctp.receive_window_bytes);
  settings.number("max-receive-window", "BYTES",
                  "What it grows to where the path asks for it; less: it does not grow", 0,
                  kMaxBuffer, options.sctp.max_receive_window_bytes);
  settings.number("receive-budget", "BYTES", "What the sessions of a shard share for that", 0,
                  std::size_t{1} << 40, options.sctp.receive_budget_bytes);
  settings.number("max-message-size", "BYTES", "Largest message taken", 1, 1u << 30,
                  options.sctp.max_message_bytes);
  settings.choice("sctp-init", "SCTP's INIT in the SDP, which saves two round trips", "sdp",
                  {{"sdp", [&] { options.sctp.init_in_sdp = true; }},
                   {"packet", [&] { options.sctp.init_in_sdp = false; }}});
  add_congestion(settings, options.sctp);
  add_datagram_sizes(settings, options);
  settings.number("socket-buffer", "BYTES", "Kernel buffer of a UDP socket", 4096, kMaxBuffer,
                  options.socket_buffer_bytes);
  settings.milliseconds_of("handshake-timeout", "From signalling to an open session", 100, kHour,
                           options.handshake_timeout);
  settings.text("key-log", "FILE", "NSS key log for captures; SSLKEYLOGFILE does the same",
                options.key_log_file);
  settings.text("pcap", "FILE", "pcapng of all datagrams with the secrets that open them",
                options.pcap_file);
  settings.number("pcap-size", "BYTES", "Where the capture ends", 4096, std::uint64_t{1} << 40,
                  options.pcap_bytes);
  settings.text("trace", "FILE", "Trace of the first session, as qlog in JSON text sequences",
                options.trace_file);
  settings.number("trace-sessions", "N", "Sessions traced, the others into FILE.2 and so on", 1,
                  1024, options.trace_sessions);
}

void add_listening_settings(Settings& settings, EngineOptions& options) {
  settings.list("announce", "ADDRESS", "Address to announce to peers; may be given again",
                options.announce);
  settings.number("max-sessions", "N", "Sessions at once; more are refused with 503", 1, 4'000'000,
                  options.max_sessions);
  settings.milliseconds_of("consent-timeout", "A silent peer is gone after this (RFC 7675)", 500,
                           kHour, options.consent_timeout);
  settings.text("certificate", "FILE", "PEM certificate; none: made at start",
                options.certificate_file);
  settings.text("key", "FILE", "PEM key of the certificate", options.key_file);
}

std::string in_flags(const Error& error) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kFlags = {{
      {"listen", "udp"},
      {"local_ip", "local"},
      {"cpus", "cpu"},
      {"max_sessions", "max-sessions"},
      {"handshake_workers", "handshake-workers"},
      {"handshake_timeout", "handshake-timeout"},
      {"socket_buffer_bytes", "socket-buffer"},
      {"datagram_bytes", "datagram-size"},
      {"min_datagram_bytes", "datagram-min"},
      {"max_datagram_bytes", "datagram-max"},
      {"certificate_file", "certificate"},
      {"key_log_file", "key-log"},
      {"pcap_file", "pcap"},
      {"trace_file", "trace"},
  }};
  const std::size_t end = error.message.find(": ");
  const std::string_view option = std::string_view(error.message).substr(0, end);
  for (const auto& [name, flag] : kFlags) {
    if (name == option && end != std::string::npos)
      return "--" + std::string(flag) + error.message.substr(end);
  }
  return error.message;
}

}  // namespace millrace::cli
