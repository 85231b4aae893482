// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/bench_dpdk.h"

#ifdef MILLRACE_DPDK
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>

#include "engine/cli/bench_ends.h"
#include "engine/cli/bench_steps.h"
#include "engine/cli/log.h"
#include "engine/reference/dpdk_steps.h"
#include "engine/reference/hello.h"
#include "io/dpdk/dpdk_port.h"
#endif

namespace millrace::cli {

#ifdef MILLRACE_DPDK
namespace {

constexpr std::size_t kPing = 100;
// Of ordinary memory: two devices with buffers for one shard each, twice over.
constexpr std::size_t kMemoryMb = 384;
constexpr Duration kLinkWait = seconds(10);

struct Names {
  std::string server;
  std::string client;
};

// Devices that no other pair of this machine meets.
Names fresh_names() {
  static std::atomic<unsigned> made{0};
  const unsigned pair = made++;
  const std::string tail =
      ",id=0,socket=millrace-bench-" + std::to_string(getpid()) + "-" + std::to_string(pair);
  return {"net_memif" + std::to_string(2 * pair) + ",role=server" + tail,
          "net_memif" + std::to_string(2 * pair + 1) + ",role=client" + tail};
}

// The first device's settings hold for the process.
std::optional<std::string> start_dpdk(const DpdkOptions& options) {
  io::EalOptions eal;
  eal.huge_pages = options.huge_pages;
  if (!options.huge_pages) eal.memory_mb = kMemoryMb;
  if (const auto error = io::start_eal(eal)) return error->message;
  return std::nullopt;
}

struct FramePair {
  reference::FramePort server;
  reference::FramePort client;
};

std::optional<std::string> open_frame_pair(const DpdkOptions& options, FramePair& pair) {
  if (auto error = start_dpdk(options)) return error;
  const Names names = fresh_names();
  auto server = reference::open_frame_port(names.server);
  if (!server) return server.error().message;
  auto client = reference::open_frame_port(names.client);
  if (!client) return client.error().message;
  pair = {std::move(server).value(), std::move(client).value()};
  return std::nullopt;
}

// Both ends of an exchange, each in a thread.
template <class Listen, class Begin>
std::optional<std::string> run_both(Listen&& listen, Begin&& begin) {
  std::optional<std::string> first;
  std::optional<std::string> second;
  std::thread here([&] { first = listen(); });
  std::thread there([&] { second = begin(); });
  here.join();
  there.join();
  return first ? first : second;
}

}  // namespace

std::optional<std::string> measure_device_steps(const DpdkOptions& options, Duration each,
                                                std::vector<Step>& steps) {
  FramePair pair;
  if (auto error = open_frame_pair(options, pair)) return error;
  const auto measured =
      reference::measure_frame_costs(pair.client, pair.server, kBurst, kDatagram, each);
  if (!measured) return measured.error().message;
  const reference::FrameCosts& costs = measured.value();
  const auto add = [&](const char* name, StepSide side, double ns) {
    steps.push_back({name, side, ns});
  };
  // By default a memif goes without.
  const bool checksums = options.udp_checksum.value_or(false);
  add("mbuf alloc", StepSide::kSender, costs.alloc);
  if (checksums) add("UDP checksum, in software", StepSide::kSender, costs.checksum);
  add("Ethernet, IP, UDP header build", StepSide::kSender, costs.headers);
  add("tx_burst, memif", StepSide::kSender, costs.tx_burst);
  add("rx_burst, memif", StepSide::kReceiver, costs.rx_burst);
  add("Ethernet, IP, UDP header parse", StepSide::kReceiver, costs.parse);
  if (checksums) add("UDP checksum, verified in software", StepSide::kReceiver, costs.verify);
  add("mbuf free", StepSide::kReceiver, costs.free);
  return std::nullopt;
}

std::optional<std::string> measure_frames(const DpdkOptions& options,
                                          const reference::Options& sender,
                                          const reference::Options& receiver,
                                          BenchReport::Rates& rates) {
  FramePair pair;
  if (auto error = open_frame_pair(options, pair)) return error;
  reference::ReceiverReport received;
  reference::SenderReport sent;
  if (auto error =
          run_both([&] { return keep(reference::receive_frames(pair.server, receiver), received); },
                   [&] { return keep(reference::send_frames(pair.client, sender), sent); })) {
    return error;
  }
  rates.set_one_way(received, sent);
  reference::Options pinging = sender;
  reference::Options answering = receiver;
  pinging.datagram_bytes = answering.datagram_bytes = kPing;
  reference::PongReport echoed;
  reference::PingReport pinged;
  auto error =
      run_both([&] { return keep(reference::pong_frames(pair.server, answering), echoed); },
               [&] { return keep(reference::ping_frames(pair.client, pinging), pinged); });
  rates.set_latency(pinged.round_trip);
  return error;
}

std::optional<std::string> attach_memif(const DpdkOptions& options, EngineOptions& serving,
                                        EngineOptions& dialling) {
  if (auto error = start_dpdk(options)) return error;
  const Names names = fresh_names();
  DpdkOptions wanted = options;
  wanted.log = [](const std::string& line) { log_warning(line); };
  wanted.device = names.server;
  wanted.addresses = {"198.18.0.1/24"};
  auto server = open_dpdk_device(wanted, serving.shards);
  if (!server.ok()) return server.error().message;
  wanted.device = names.client;
  wanted.addresses = {"198.18.0.2/24"};
  auto client = open_dpdk_device(wanted, dialling.shards);
  if (!client.ok()) return client.error().message;
  for (const Time end = reference::monotonic_now() + kLinkWait;
       !(server.value()->stats().link_up && client.value()->stats().link_up);) {
    if (reference::monotonic_now() > end) return "dpdk: memif: the link does not come up";
    std::this_thread::sleep_for(milliseconds(5));
  }
  serving.device = std::move(server).value();
  dialling.device = std::move(client).value();
  serving.listen = serving.device->addresses().front() + ":0";
  return std::nullopt;
}
#else
namespace {
constexpr char kNoDpdk[] = "io: this build has no DPDK (meson -Ddpdk=enabled)";
}

std::optional<std::string> measure_device_steps(const DpdkOptions&, Duration, std::vector<Step>&) {
  return kNoDpdk;
}

std::optional<std::string> measure_frames(const DpdkOptions&, const reference::Options&,
                                          const reference::Options&, BenchReport::Rates&) {
  return kNoDpdk;
}

std::optional<std::string> attach_memif(const DpdkOptions&, EngineOptions&, EngineOptions&) {
  return kNoDpdk;
}
#endif

}  // namespace millrace::cli
