// SPDX-License-Identifier: Apache-2.0
//
// millrace-impair: a UDP proxy with delay, loss, reordering, duplication and rate, and the
// signalling proxy that leads sessions through it.

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include "bench/impair/proxy.h"
#include "bench/impair/signalling_proxy.h"
#include "engine/cli/command_line.h"
#include "engine/reference/hello.h"

namespace millrace::impair {
namespace {

constexpr char kProgram[] = "millrace-impair";

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "%s: %s\n", kProgram, message.c_str());
  return code;
}

void print_path(const char* name, const PathCounts& counts, const char* end) {
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "  \"%s\": {\"arrived\": %llu, \"lost\": %llu, \"overflowed\": %llu, \"duplicated\": %llu, "
      "\"reordered\": %llu, \"delivered\": %llu, \"delivered_bytes\": %llu}%s\n",
      name, n(counts.arrived), n(counts.lost), n(counts.overflowed), n(counts.duplicated),
      n(counts.reordered), n(counts.delivered), n(counts.delivered_bytes), end);
}

void print_counts(const ProxyCounts& counts) {
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("{\n");
  print_path("to_server", counts.to_server, ",");
  print_path("to_client", counts.to_client, ",");
  std::printf("  \"flows\": %llu, \"refused\": %llu, \"no_memory\": %llu, \"unsent\": %llu\n}\n",
              n(counts.flows), n(counts.refused), n(counts.no_memory), n(counts.unsent));
  std::fflush(stdout);
}

class ImpairCommand {
 public:
  ImpairCommand();
  cli::Settings& settings() { return settings_; }
  int run();

 private:
  void share(std::string name, std::string help, double& target);
  int carry(const Address& listen, RouteBook& routes, const std::optional<http::Url>& target);

  cli::Settings settings_;
  ProxyOptions options_;
  std::string listen_ = "127.0.0.1:7500";
  std::string server_;
  std::string http_;
  std::string target_;
  int cpu_ = -1;
};

ImpairCommand::ImpairCommand() {
  Impairment& impairment = options_.impairment;
  settings_.text("listen", "ADDR:PORT", "UDP address for clients", listen_);
  settings_.text("server", "ADDR:PORT", "UDP address of the server; none: learnt from answers",
                 server_);
  settings_.text("http", "ADDR:PORT", "HTTP address for offers, with --target", http_);
  settings_.text("target", "URL", "Where offers go on to: http://HOST:PORT/offer", target_);
  cli::Setting delay;
  delay.name = "delay";
  delay.placeholder = "MS";
  delay.help = "Delay one way, fractions included";
  delay.fallback = "0 ms";
  delay.expected = "milliseconds from 0 to 10000";
  delay.kind = cli::SettingKind::kNumber;
  delay.assign = [&impairment](const std::string& text) {
    const auto value = cli::parse_number(text);
    if (!value || *value < 0 || *value > 10'000) return false;
    impairment.delay = Duration(static_cast<Duration::rep>(*value * 1e6));
    return true;
  };
  settings_.add(std::move(delay));
  share("loss", "Datagrams lost, each direction", impairment.loss);
  share("reorder", "Datagrams held back by 2 ms", impairment.reorder);
  share("duplicate", "Datagrams doubled", impairment.duplicate);
  settings_.number(
      "rate", "MBIT", "Rate of each direction; 0: unlimited", 0, 1'000'000,
      [&impairment](std::uint64_t mbps) { impairment.rate_mbps = static_cast<double>(mbps); },
      "0 Mbit/s");
  settings_.number("queue", "BYTES", "Queue before the rate; more is dropped", 1500, 1u << 30,
                   impairment.queue_bytes);
  settings_.number("seed", "N", "The same seed loses the same", 0, UINT64_MAX, impairment.seed);
  settings_.number("max-flows", "N", "Client addresses at once", 1, 60'000, options_.max_flows);
  settings_.number(
      "cpu", "N", "Processor to be pinned to", 0, 1023,
      [this](std::uint64_t cpu) { cpu_ = static_cast<int>(cpu); }, "not pinned");
}

void ImpairCommand::share(std::string name, std::string help, double& target) {
  cli::Setting setting;
  setting.name = std::move(name);
  setting.placeholder = "PERCENT";
  setting.help = std::move(help);
  setting.fallback = "0";
  setting.expected = "a percentage from 0 to 100";
  setting.kind = cli::SettingKind::kNumber;
  setting.assign = [&target](const std::string& text) {
    const auto value = cli::parse_number(text);
    if (!value || *value < 0 || *value > 100) return false;
    target = *value / 100;
    return true;
  };
  settings_.add(std::move(setting));
}

int ImpairCommand::run() {
  const auto listen = Address::parse(listen_);
  if (!listen || listen->ip.is_unspecified()) {
    return complain("--listen: bad value '" + listen_ + "', expected ADDR:PORT, one address",
                    cli::kExitUsage);
  }
  std::optional<Address> server;
  if (!server_.empty() && !(server = Address::parse(server_))) {
    return complain("--server: bad value '" + server_ + "', expected ADDR:PORT", cli::kExitUsage);
  }
  std::optional<http::Url> target;
  if (!http_.empty() && !(target = http::Url::parse(target_))) {
    return complain("--target: bad value '" + target_ + "', expected http://HOST:PORT/offer",
                    cli::kExitUsage);
  }
  if (!server && !target) {
    return complain("--server, or --http and --target: one is needed", cli::kExitUsage);
  }
  RouteBook routes(server);
  return carry(*listen, routes, target);
}

int ImpairCommand::carry(const Address& listen, RouteBook& routes,
                         const std::optional<http::Url>& target) {
  // Before any thread, so that all of them inherit it.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  const int stop_fd = ::signalfd(-1, &stop, SFD_CLOEXEC);
  CHECK(stop_fd >= 0);

  options_.listen = listen;
  auto proxy = Proxy::create(options_, routes);
  if (!proxy) return complain(proxy.error().message, cli::kExitFailed);
  std::unique_ptr<SignallingProxy> signalling;
  std::unique_ptr<http::Server> server;
  if (target) {
    signalling = std::make_unique<SignallingProxy>(*target, proxy.value()->address(), routes);
    auto created = http::Server::create({.listen = http_}, [&](const http::Request& request) {
      return signalling->handle(request);
    });
    if (!created) return complain(created.error().message, cli::kExitFailed);
    server = std::move(created).value();
    server->start();
  }
  std::fprintf(stderr, "%s: udp %s%s%s\n", kProgram, proxy.value()->address().to_string().c_str(),
               server ? ", offers to http://" : "",
               server ? (server->address() + "/offer").c_str() : "");
  // Only now: the HTTP threads keep off that processor.
  if (auto pinned = reference::pin_thread(cpu_); !pinned) {
    return complain(pinned.error().message, cli::kExitFailed);
  }
  proxy.value()->run(stop_fd);
  ::close(stop_fd);
  if (server) server->stop();
  print_counts(proxy.value()->counts());
  return cli::kExitOk;
}

}  // namespace
}  // namespace millrace::impair

int main(int argc, char** argv) {
  millrace::impair::ImpairCommand command;
  return millrace::cli::run_only_command(
      argc, argv,
      {millrace::impair::kProgram,
       "A bad network on one machine, for WebRTC sessions and any other UDP. Carries datagrams "
       "until SIGTERM, then prints counters as JSON",
       &command.settings(), [&] { return command.run(); }});
}
