// SPDX-License-Identifier: Apache-2.0
//
// millrace-reference: the raw UDP blaster and ping-pong, each end a process. See
// engine/reference/reference.h for what is measured, README.md for the flags.

#include <cstdio>
#include <string>

#ifdef MILLRACE_DPDK
#include "engine/reference/dpdk_frames.h"
#endif
#include "bench/reference/report.h"
#include "engine/cli/command_line.h"
#include "engine/reference/reference.h"

namespace millrace::reference {
namespace {

constexpr char kProgram[] = "millrace-reference";

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "%s: %s\n", kProgram, message.c_str());
  return code;
}

// Role is one end of one exchange, as a command.
class Role {
 public:
  enum class Kind { kReceive, kSend, kPong, kPing };

  explicit Role(Kind kind);
  cli::Settings& settings() { return settings_; }
  int run();

 private:
  bool listens() const { return kind_ == Kind::kReceive || kind_ == Kind::kPong; }
  void add_plan();
  template <class Report>
  int conclude(const char* name, const Result<Report, io::IoError>& report) const;
  int run_on_device() const;

  const Kind kind_;
  cli::Settings settings_;
  Options options_;
  std::string address_ = "127.0.0.1:7400";
  std::string device_;
  std::string json_;
  std::uint32_t buffer_bytes_ = 4u << 20;
};

Role::Role(Kind kind) : kind_(kind) {
  if (kind == Kind::kPing) options_.datagram_bytes = 100;
  settings_.text(listens() ? "listen" : "to", "ADDR:PORT",
                 listens() ? "UDP address to listen at" : "UDP address of the other end", address_);
  if (!listens()) add_plan();
  settings_.choice("io", "Packet I/O", "sockets",
                   {{"sockets", [this] { options_.uring = false; }},
                    {"uring", [this] { options_.uring = true; }},
                    {"dpdk", [this] { options_.device = true; }}});
  settings_.text("dpdk-device", "DEVICE", "With --io dpdk: net_memif0,role=...", device_);
  settings_.choice(
      "wait", "For a datagram: poll, or sleep in the kernel", "spin",
      {{"spin", [this] { options_.spin = true; }}, {"block", [this] { options_.spin = false; }}});
  settings_.number(
      "cpu", "N", "Processor to be pinned to", 0, 1023,
      [this](std::uint64_t cpu) { options_.cpu = static_cast<int>(cpu); }, "not pinned");
  settings_.number("socket-buffer", "BYTES", "Kernel buffer of the socket", 4096, 1u << 30,
                   buffer_bytes_);
  settings_.seconds_of("timeout", "How long to wait for the other end", 0.1, 3600,
                       options_.patience);
  settings_.text("json", "FILE", "Figures as JSON; -: to standard output, alone", json_);
}

void Role::add_plan() {
  const char* const size = kind_ == Kind::kSend ? "datagram-size" : "size";
  settings_.number(size, "BYTES", "UDP payload of a datagram", kMinDatagramBytes, kMaxDatagramBytes,
                   options_.datagram_bytes);
  settings_.seconds_of("duration", "Time measured", 0.01, 3600, options_.duration);
  settings_.seconds_of("warmup", "Time before it", 0, 3600, options_.warmup);
  if (kind_ == Kind::kPing) {
    settings_.number("rate", "R", "Datagrams a second, by the clock; 0: each behind an echo", 0,
                     1'000'000, options_.rate);
  }
  if (kind_ != Kind::kSend) return;
  settings_.number("segments", "N", "Datagrams of a GSO send; 1: no GSO", 1, 64, options_.segments);
  settings_.number("window", "BYTES", "Sent beyond what the other end has told of; 0: no bound", 0,
                   64 << 20, options_.window_bytes);
  settings_.number("depth", "N", "GSO sends handed over in one system call", 1, 32, options_.depth);
}

template <class Report>
int Role::conclude(const char* name, const Result<Report, io::IoError>& report) const {
  if (!report) return complain(report.error().message, cli::kExitFailed);
  if (deliver(name, options_, figures_of(report.value()), json_)) return cli::kExitOk;
  const std::string where = json_.empty() ? "to stdout" : json_;
  return complain("write " + where + ": failed", cli::kExitFailed);
}

#ifdef MILLRACE_DPDK
int Role::run_on_device() const {
  const auto port = open_frame_port(device_);
  if (!port) return complain(port.error().message, cli::kExitFailed);
  switch (kind_) {
    case Kind::kReceive:
      return conclude("recv", receive_frames(port.value(), options_));
    case Kind::kSend:
      return conclude("send", send_frames(port.value(), options_));
    case Kind::kPong:
      return conclude("pong", pong_frames(port.value(), options_));
    case Kind::kPing:
      break;
  }
  return conclude("ping", ping_frames(port.value(), options_));
}
#else
int Role::run_on_device() const {
  return complain("--io dpdk: this build has no DPDK (meson -Ddpdk=enabled)", cli::kExitFailed);
}
#endif

int Role::run() {
  if (options_.rate > 0 && (options_.uring || options_.device)) {
    return complain("--rate: only with --io sockets", cli::kExitUsage);
  }
  if (options_.device) return run_on_device();
  const auto address = Address::parse(address_);
  if (!address) {
    const char* const flag = listens() ? "--listen" : "--to";
    return complain(std::string(flag) + ": bad value '" + address_ + "', expected ADDR:PORT",
                    cli::kExitUsage);
  }
  auto socket = listens() ? RawSocket::listen(*address, buffer_bytes_)
                          : RawSocket::connect(*address, buffer_bytes_);
  if (!socket) return complain(socket.error().message, cli::kExitFailed);
  switch (kind_) {
    case Kind::kReceive:
      return conclude("recv", run_receiver(*socket, options_));
    case Kind::kSend:
      return conclude("send", run_sender(*socket, options_));
    case Kind::kPong:
      return conclude("pong", run_pong(*socket, options_));
    case Kind::kPing:
      break;
  }
  return conclude("ping", run_ping(*socket, options_));
}

}  // namespace
}  // namespace millrace::reference

int main(int argc, char** argv) {
  using millrace::reference::Role;
  Role receive(Role::Kind::kReceive);
  Role send(Role::Kind::kSend);
  Role pong(Role::Kind::kPong);
  Role ping(Role::Kind::kPing);
  return millrace::cli::run_command_line(
      argc, argv, "Raw UDP as fast as this machine does it: the measure for everything above",
      {{"recv", "Take what `send` sends; report the goodput", &receive.settings(),
        [&] { return receive.run(); }},
       {"send", "Send datagrams as fast as they go", &send.settings(), [&] { return send.run(); }},
       {"pong", "Send back what `ping` sends", &pong.settings(), [&] { return pong.run(); }},
       {"ping", "Send one datagram at a time; report the round trip", &ping.settings(),
        [&] { return ping.run(); }}},
      millrace::reference::kProgram);
}
