// SPDX-License-Identifier: Apache-2.0
//
// Two ends over DPDK in one process, for the suite that every datapath passes.
#pragma once

#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "io/datapath_fixture.h"
#include "io/dpdk/dpdk_datapath.h"
#include "io/dpdk/ring_pair.h"

namespace millrace::io {

inline EalOptions test_eal() {
  EalOptions options;
  options.memory_mb = 512;
  return options;
}

inline DpdkPortOptions test_port(const std::string& device, const char* v4, const char* other_v4,
                                 const char* v6, const KernelOptions& options) {
  DpdkPortOptions port;
  port.eal = test_eal();
  port.device = device;
  port.net.mtu = 0;
  for (const char* address : {v4, other_v4, v6}) {
    if (address != nullptr) port.net.addresses.push_back(*IpPrefix::parse(address));
  }
  port.rx_buffers = options.rx_buffers;
  port.tx_buffers = options.tx_chunks * 54;
  port.rx_descriptors = 256;
  port.tx_descriptors = 64;
  return port;
}

inline SocketId bind(DpdkDatapath& path, const char* address, const SocketOptions& options = {}) {
  const auto opened = path.open_socket(*Address::parse(address), options);
  EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
  return opened.ok() ? opened.value() : kNoSocket;
}

// A turn that takes nothing up; returns the datagrams that came.
inline std::size_t turn(DpdkDatapath& path) {
  std::array<RxView, 64> views;
  const std::size_t n = path.rx_burst(views);
  path.flush();
  path.rx_done();
  return n;
}

// The ends' devices: a pair of rings, or of memifs.
inline std::pair<std::string, std::string> ring_devices() {
  const auto made = make_ring_pair(1);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? made.value() : std::pair<std::string, std::string>{};
}
inline std::pair<std::string, std::string> memif_devices() {
  static std::atomic<int> made{0};
  const int id = made++;
  const std::string tail =
      ",id=0,socket=millrace-test-" + std::to_string(getpid()) + "-" + std::to_string(id);
  return {"net_memif" + std::to_string(2 * id) + ",role=server" + tail,
          "net_memif" + std::to_string(2 * id + 1) + ",role=client" + tail};
}

template <std::pair<std::string, std::string> (*MakeDevices)()>
class DpdkPair {
 public:
  using Path = DpdkDatapath;
  static constexpr bool kKernel = false;
  explicit DpdkPair(const KernelOptions& options = {},
                    std::optional<bool> udp_checksum = std::nullopt)
      : udp_checksum_(udp_checksum) {
    const auto failed = start_eal(test_eal());
    EXPECT_FALSE(failed) << failed->message;
    if (failed) return;
    const auto devices = MakeDevices();
    ends_[0] = make(test_port(devices.first, "10.0.0.1/24", nullptr, "fd00::1/64", options));
    ends_[1] = make(test_port(devices.second, "10.0.0.2/24", "10.0.0.3/24", "fd00::2/64", options));
    if (!available()) return;
    for (int i = 0; i < 500 && !(ports_[0]->link_up() && ports_[1]->link_up()); ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_TRUE(ports_[0]->link_up() && ports_[1]->link_up());
    meet();
  }
  bool available() const { return ends_[0] != nullptr && ends_[1] != nullptr; }
  DpdkDatapath& a() { return *ends_[0]; }
  DpdkDatapath& b() { return *ends_[1]; }
  DpdkPort& port(std::size_t end) { return *ports_[end]; }
  IpAddress v4() const { return ip("10.0.0.2"); }
  IpAddress other_v4() const { return ip("10.0.0.3"); }
  IpAddress v6() const { return ip("fd00::2"); }
  void settle() {
    for (auto& end : ends_) end->flush();
    std::this_thread::sleep_for(microseconds(50));
  }

 private:
  std::unique_ptr<DpdkDatapath> make(DpdkPortOptions options) {
    options.udp_checksum = udp_checksum_;
    auto port = DpdkPort::create(std::move(options));
    EXPECT_TRUE(port.ok()) << (port.ok() ? "" : port.error().message);
    if (!port.ok()) return nullptr;
    ports_.push_back(port.value());
    auto made = DpdkDatapath::create(port.value(), 0);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? std::move(made).value() : nullptr;
  }
  // So that a test's frames go at once, both ways.
  void meet() {
    for (const IpAddress& to : {v4(), other_v4(), v6()}) introduce(a(), b(), to);
    for (const IpAddress& to : {ip("10.0.0.1"), ip("fd00::1")}) introduce(b(), a(), to);
  }
  static void introduce(DpdkDatapath& asks, DpdkDatapath& answers, const IpAddress& to) {
    std::array<RxView, 8> none;
    for (int i = 0; i < 200 && !asks.resolve(to, Time{}); ++i) {
      answers.rx_burst(none);
      answers.flush();
    }
    EXPECT_TRUE(asks.resolve(to, Time{})) << to.to_string();
  }

  const std::optional<bool> udp_checksum_;
  std::vector<std::shared_ptr<DpdkPort>> ports_;
  std::unique_ptr<DpdkDatapath> ends_[2];
};

using RingDevices = DpdkPair<&ring_devices>;
using MemifDevices = DpdkPair<&memif_devices>;

}  // namespace millrace::io
