// SPDX-License-Identifier: Apache-2.0
//
// Engines over DPDK in real time, their devices on a switch.
#include <string>

#include "engine/engine_test_network.h"
#include "io/dpdk/dpdk_datapath.h"
#include "millrace/dpdk.h"
#include "test/support/frame_switch.h"

namespace millrace::test {
namespace {

class SwitchedNetwork final : public TestNetwork {
 public:
  Host join(EngineOptions& options) override {
    const Host host = next();
    DpdkOptions device;
    device.addresses = {host.v4 + "/24", host.v6 + "/64"};
    device.device = plug_in(options.shards);
    device.rx_buffers = 4096;
    device.tx_buffers = 2048;
    device.descriptors = 64;
    device.log = [](const std::string& line) { ADD_FAILURE() << line; };
    auto opened = open_dpdk_device(device, options.shards);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    options.io = IoBackend::kDpdk;
    if (opened.ok()) options.device = std::move(opened).value();
    return host;
  }

  std::unique_ptr<TestHost> make_host() override {
    const Host host = next();
    io::DpdkPortOptions options;
    options.device = plug_in(1);
    options.net.addresses = {*io::IpPrefix::parse(host.v4 + "/24")};
    options.rx_buffers = options.tx_buffers = 1024;
    options.rx_descriptors = options.tx_descriptors = 64;
    auto port = io::DpdkPort::create(options);
    EXPECT_TRUE(port.ok()) << (port.ok() ? "" : port.error().message);
    auto datapath = io::DpdkDatapath::create(std::move(port).value(), 0);
    EXPECT_TRUE(datapath.ok()) << (datapath.ok() ? "" : datapath.error().message);
    return std::make_unique<DatapathHost<io::DpdkDatapath>>(std::move(datapath).value(),
                                                            *IpAddress::parse(host.v4));
  }

 private:
  static constexpr std::size_t kMemoryMb = 768;  // Of the process.

  Host next() {
    const std::string number = std::to_string(++hosts_);
    return {"198.18.0." + number, "fd00:6d72::" + number};
  }
  std::string plug_in(unsigned queues) {
    io::EalOptions eal;
    eal.memory_mb = kMemoryMb;
    const auto failed = io::start_eal(eal);
    EXPECT_FALSE(failed) << failed->message;
    return switch_.plug_in(static_cast<std::uint16_t>(queues));
  }

  FrameSwitch switch_;
  int hosts_ = 0;
};

std::unique_ptr<TestNetwork> make_switched() { return std::make_unique<SwitchedNetwork>(); }

}  // namespace

std::vector<NetworkCase> network_cases() { return {{"Dpdk", &make_switched}}; }

}  // namespace millrace::test
