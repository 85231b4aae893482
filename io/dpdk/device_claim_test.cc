// SPDX-License-Identifier: Apache-2.0
//
// A device has one owner in a process, and who is refused leaves it as it is.
#include <gtest/gtest.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <memory>
#include <string>

#include "io/dpdk/dpdk_fixture.h"

namespace millrace::io {
namespace {

std::string message_of(const DpdkPortOptions& wanted) {
  const auto made = DpdkPort::create(wanted);
  return made.ok() ? std::string("none") : made.error().message;
}

DpdkPortOptions options_of(const std::string& device) {
  return test_port(device, "10.0.0.1/24", nullptr, nullptr, {});
}

void send(DpdkDatapath& path, SocketId from, const char* to) {
  TxRun run = path.reserve({from, *Address::parse(to), {}}, 100, 1);
  ASSERT_FALSE(run.empty());
  std::fill_n(run.next().begin(), 100, std::uint8_t{7});
  run.push(100);
  path.commit(run);
}

template <class Pair>
class DeviceClaim : public testing::Test {};
using Pairs = testing::Types<RingDevices, MemifDevices>;
TYPED_TEST_SUITE(DeviceClaim, Pairs);

TYPED_TEST(DeviceClaim, ASecondOwnerIsRefusedAndTheFirstGoesOn) {
  TypeParam pair;
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  for (std::size_t end = 0; end < 2; ++end) {
    const DpdkPort& port = pair.port(end);
    EXPECT_EQ(message_of(options_of(port.options().device)),
              "dpdk: " + port.name() + ": is open already in this process");
    EXPECT_EQ(rte_eth_dev_is_valid_port(port.id()), 1);
  }
  send(pair.a(), from, "10.0.0.2:5000");
  pair.a().flush();
  std::size_t came = 0;
  for (int i = 0; i < 1000 && came == 0; ++i) came += turn(pair.b());
  EXPECT_EQ(came, 1u);
}

TEST(DpdkPort, IsOpenedAgainAfterItFailedAndAfterItWasClosed) {
  ASSERT_FALSE(start_eal(test_eal()));
  DpdkPortOptions many = options_of("net_null3");
  many.queues = 5000;
  for (int round = 0; round < 2; ++round) {
    EXPECT_NE(message_of(many).find("5000 shards"), std::string::npos) << message_of(many);
    const auto port = DpdkPort::create(options_of("net_null3"));
    ASSERT_TRUE(port.ok()) << port.error().message;
    EXPECT_NE(message_of(many).find("is open already"), std::string::npos) << message_of(many);
    EXPECT_EQ(rte_eth_dev_is_valid_port(port.value()->id()), 1);
  }
  std::uint16_t id = 0;
  EXPECT_NE(rte_eth_dev_get_port_by_name("net_null3", &id), 0);
}

// OthersPort is a device that an embedder runs with DPDK itself.
class OthersPort {
 public:
  explicit OthersPort(const char* device) {
    EXPECT_EQ(rte_dev_probe(device), 0);
    EXPECT_EQ(rte_eth_dev_get_port_by_name(device, &id_), 0);
    pool_ = rte_pktmbuf_pool_create("others", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    const rte_eth_conf conf{};
    EXPECT_EQ(rte_eth_dev_configure(id_, 1, 1, &conf), 0);
    EXPECT_EQ(rte_eth_rx_queue_setup(id_, 0, 64, 0, nullptr, pool_), 0);
    EXPECT_EQ(rte_eth_tx_queue_setup(id_, 0, 64, 0, nullptr), 0);
    EXPECT_EQ(rte_eth_dev_start(id_), 0);
  }
  ~OthersPort() {
    if (rte_eth_dev_is_valid_port(id_) == 0) return;
    rte_eth_dev_info info{};
    EXPECT_EQ(rte_eth_dev_info_get(id_, &info), 0);
    EXPECT_EQ(rte_eth_dev_stop(id_), 0);
    EXPECT_EQ(rte_eth_dev_close(id_), 0);
    EXPECT_EQ(rte_dev_remove(info.device), 0);
    rte_mempool_free(pool_);
  }
  OthersPort(const OthersPort&) = delete;
  OthersPort& operator=(const OthersPort&) = delete;

  std::uint16_t id() const { return id_; }
  // It hands frames over, as long as nobody has stopped or closed it.
  bool runs() const {
    rte_mbuf* frame = nullptr;
    if (rte_eth_dev_is_valid_port(id_) == 0 || rte_eth_rx_burst(id_, 0, &frame, 1) != 1)
      return false;
    rte_pktmbuf_free(frame);
    return true;
  }

 private:
  std::uint16_t id_ = 0;
  rte_mempool* pool_ = nullptr;
};

TEST(DpdkPort, LeavesAPortAloneThatOthersRun) {
  ASSERT_FALSE(start_eal(test_eal()));
  const OthersPort others("net_null4");
  ASSERT_TRUE(others.runs());
  const std::string told = message_of(options_of("net_null4"));
  EXPECT_EQ(told.rfind("dpdk: net_null4: ", 0), 0u) << told;
  EXPECT_TRUE(others.runs()) << told;
  // Nor does a claim stay behind.
  rte_eth_dev_owner owner{};
  EXPECT_EQ(rte_eth_dev_owner_get(others.id(), &owner), 0);
  EXPECT_EQ(owner.id, std::uint64_t{RTE_ETH_DEV_NO_OWNER});
}

TEST(DpdkPort, NamesWhoOwnsThePort) {
  ASSERT_FALSE(start_eal(test_eal()));
  const OthersPort others("net_null5");
  rte_eth_dev_owner owner{.id = 0, .name = "bonding"};
  ASSERT_EQ(rte_eth_dev_owner_new(&owner.id), 0);
  ASSERT_EQ(rte_eth_dev_owner_set(others.id(), &owner), 0);
  EXPECT_EQ(message_of(options_of("net_null5")), "dpdk: net_null5: is in use by bonding");
  EXPECT_TRUE(others.runs());
}

}  // namespace
}  // namespace millrace::io
