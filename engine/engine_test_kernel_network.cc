// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_test_network.h"
#include "io/socket_datapath.h"

namespace millrace::test {
namespace {

// The kernel's loopback, which has one host.
template <IoBackend kBackend>
class Loopback final : public TestNetwork {
 public:
  Host join(EngineOptions& options) override {
    options.io = kBackend;
    return {"127.0.0.1", "::1"};
  }
  std::unique_ptr<TestHost> make_host() override {
    auto datapath = io::SocketDatapath::create({});
    EXPECT_TRUE(datapath.ok());
    return std::make_unique<DatapathHost<io::SocketDatapath>>(std::move(datapath).value(),
                                                              *IpAddress::parse("127.0.0.1"));
  }
};

template <IoBackend kBackend>
std::unique_ptr<TestNetwork> make_loopback() {
  return std::make_unique<Loopback<kBackend>>();
}

}  // namespace

std::vector<NetworkCase> network_cases() {
  return {{"Sockets", &make_loopback<IoBackend::kSockets>},
          {"Uring", &make_loopback<IoBackend::kUring>}};
}

}  // namespace millrace::test
