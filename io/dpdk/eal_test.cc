// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/eal.h"

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "io/dpdk/dpdk_fixture.h"
#include "io/dpdk/memif_device.h"

namespace millrace::io {
namespace {

// OpenSSL's symbols would stand in for BoringSSL's, or the reverse; both crash.
TEST(Eal, BringsNoOpenSslIntoTheProcess) {
  ASSERT_FALSE(start_eal(test_eal()));
  const auto devices = memif_devices();
  ASSERT_TRUE(attach_device(devices.first).ok());
  std::FILE* const maps = std::fopen("/proc/self/maps", "r");
  ASSERT_NE(maps, nullptr);
  std::size_t lines = 0;
  for (char line[4096]; std::fgets(line, sizeof(line), maps) != nullptr; ++lines) {
    const std::string text(line);
    EXPECT_EQ(text.find("libcrypto.so.3"), std::string::npos) << text;
    EXPECT_EQ(text.find("libssl.so.3"), std::string::npos) << text;
    // Nor a plug-in of the shared build.
    EXPECT_EQ(text.find("librte_"), std::string::npos) << text;
  }
  std::fclose(maps);
  EXPECT_GT(lines, 10u);
}

TEST(Eal, LeavesNoFolderBehind) {
  ASSERT_FALSE(start_eal(test_eal()));
  ASSERT_NE(std::string(rte_eal_get_runtime_dir()), "");
  EXPECT_EQ(access(rte_eal_get_runtime_dir(), F_OK), -1) << rte_eal_get_runtime_dir();
}

TEST(Eal, TellsCardsFromVirtualDevices) {
  EXPECT_TRUE(is_card("0000:3b:00.0"));
  EXPECT_TRUE(is_card("3b:00.1,representor=0"));
  EXPECT_FALSE(is_card("net_memif0,role=client,mac=02:00:00:00:00:01"));
  EXPECT_FALSE(is_card("net_ring0"));
  EXPECT_FALSE(is_card(""));
}

TEST(Eal, DevicesThatAreNotThereAreOneLineWithTheirName) {
  ASSERT_FALSE(start_eal(test_eal()));
  const auto card = attach_device("0000:ff:1f.7");
  ASSERT_FALSE(card.ok());
  EXPECT_EQ(card.error().message,
            "dpdk: 0000:ff:1f.7: no such device, or not bound to a driver that DPDK can use (see "
            "`scripts/dpdk-setup`)");
  const auto driver = attach_device("net_nothing0");
  ASSERT_FALSE(driver.ok());
  EXPECT_EQ(driver.error().message.rfind("dpdk: net_nothing0: ", 0), 0u) << driver.error().message;
  EXPECT_EQ(driver.error().message.find('\n'), std::string::npos);
}

// A line of DPDK's.
void say(const std::string& line) { rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "%s\n", line.c_str()); }

TEST(Eal, ItsLinesGoToTheLogOfADeviceThatIsOpen) {
  ASSERT_FALSE(start_eal(test_eal()));
  std::vector<std::string> heard;
  const auto open = [&](const std::string& device, const std::string& name) {
    DpdkPortOptions options = test_port(device, "10.0.0.1/24", nullptr, nullptr, {});
    options.log = [&heard, name](const std::string& line) { heard.push_back(name + ": " + line); };
    auto port = DpdkPort::create(std::move(options));
    EXPECT_TRUE(port.ok()) << (port.ok() ? "" : port.error().message);
    return port.ok() ? port.value() : nullptr;
  };
  const auto devices = ring_devices();
  auto first = open(devices.first, "first");
  auto second = open(devices.second, "second");
  say("one");
  first.reset();
  say("two");
  second.reset();
  say("three");  // Nobody's.
  auto third = open(memif_devices().first, "third");
  say("four");
  third.reset();
  EXPECT_EQ(heard, (std::vector<std::string>{"first: dpdk: one", "second: dpdk: two",
                                             "third: dpdk: four"}));
}

TEST(DpdkPort, RefusesInOneLineWhatTheDeviceCannotDo) {
  ASSERT_FALSE(start_eal(test_eal()));
  const auto devices = ring_devices();
  DpdkPortOptions options = test_port(devices.first, "10.0.0.1/24", nullptr, nullptr, {});
  const auto message_of = [](const DpdkPortOptions& wanted) {
    const auto made = DpdkPort::create(wanted);
    return made.ok() ? std::string("none") : made.error().message;
  };
  DpdkPortOptions many = options;
  many.queues = 300;
  EXPECT_EQ(message_of(many), "dpdk: " + devices.first +
                                  ": 300 shards are one queue pair each, and the device has 1");
  EXPECT_EQ(message_of({}), "dpdk: no device is stated");
}

// Both have memif's driver believe what the other end says of lengths.
TEST(DpdkPort, RefusesArgumentsOfAMemifThatMakeItTrustTheOtherEnd) {
  const auto message_of = [](const std::string& device) {
    const auto made = DpdkPort::create(test_port(device, "10.0.0.1/24", nullptr, nullptr, {}));
    return made.ok() ? std::string("none") : made.error().message;
  };
  const std::string memif = memif_devices().first;
  const std::string name = memif.substr(0, memif.find(','));
  for (const std::string argument : {"bsize=2048", "bsize=65535", "bsize=", "bsize"}) {
    const std::string stated = argument + (argument.find('=') == std::string::npos ? "=" : "");
    EXPECT_EQ(message_of(memif + "," + argument),
              "dpdk: " + name + ": " + stated +
                  ": the size of buffers follows from the mtu; leave it out");
    EXPECT_EQ(message_of(name + "," + argument + memif.substr(name.size())),
              message_of(memif + "," + argument));
  }
  EXPECT_EQ(message_of(memif + ",zero-copy=yes"),
            "dpdk: " + name +
                ": zero-copy=yes: the other end could have more read than a buffer "
                "holds; leave it out");
  EXPECT_EQ(message_of(memif + ",zero-copy=no"), "none");
}

// By EAL's own arguments, or an embedder's.
TEST(DpdkPort, RefusesAMemifThatOthersAttachedWithBuffersAsSmallAsItsOwn) {
  ASSERT_FALSE(start_eal(test_eal()));
  const std::string memif = memif_devices().first;
  ASSERT_TRUE(attach_device(memif).ok());
  const auto made = DpdkPort::create(test_port(memif, "10.0.0.1/24", nullptr, nullptr, {}));
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("as others have attached it"), std::string::npos)
      << made.error().message;
  EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
}

TEST(MemifDevice, MindsLengthsWhereItsBuffersAreLargerThanOurs) {
  EXPECT_TRUE(memif_minds_lengths("role=server,bsize=2112,id=0", 2048));
  EXPECT_FALSE(memif_minds_lengths("role=server,bsize=2048,id=0", 2048));
  EXPECT_FALSE(memif_minds_lengths("role=server", 2048)) << "the driver's default";
  EXPECT_TRUE(memif_minds_lengths("bsize=2000,bsize=2112", 2048)) << "the last one holds";
  EXPECT_FALSE(memif_minds_lengths("bsize=2112,bsize=2000", 2048));
  EXPECT_FALSE(memif_minds_lengths("bsize=2112,zero-copy=yes", 2048));
  EXPECT_FALSE(memif_minds_lengths("bsize=99999999999999999999999", 2048));
  EXPECT_FALSE(memif_minds_lengths("bsize=", 2048));
}

}  // namespace
}  // namespace millrace::io
