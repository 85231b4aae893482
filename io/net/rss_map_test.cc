// SPDX-License-Identifier: Apache-2.0
#include "io/net/rss_map.h"

#include <gtest/gtest.h>

#include <numeric>

#include "io/net/rss_hash.h"

namespace millrace::io {
namespace {

Address address_at(const char* text) { return *Address::parse(text); }

// Microsoft's key ("Verifying the RSS Hash Calculation"), and a table that tells its own places.
RssSetUp published() {
  RssSetUp set_up;
  set_up.key = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
                0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
                0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
  set_up.table.resize(128);
  std::iota(set_up.table.begin(), set_up.table.end(), std::uint16_t{1000});
  set_up.udp_v4 = set_up.udp_v6 = true;
  return set_up;
}

TEST(RssMap, LooksThePublishedHashesUpInTheTable) {
  const auto map = RssMap::make(published());
  ASSERT_TRUE(map);
  // 0x51ccc178, 0xc626b0ea, 0x40207d3d.
  EXPECT_EQ(map->queue_of(address_at("66.9.149.187:2794"), address_at("161.142.100.80:1766")),
            1000 + 0x78);
  EXPECT_EQ(map->queue_of(address_at("199.92.111.2:14230"), address_at("65.69.140.83:4739")),
            1000 + 0x6a);
  EXPECT_EQ(map->queue_of(address_at("[3ffe:2501:200:1fff::7]:2794"),
                          address_at("[3ffe:2501:200:3::1]:1766")),
            1000 + 0x3d);
  EXPECT_EQ(map->queue_of(address_at("66.9.149.187:2794"), address_at("[3ffe:2501:200:3::1]:1766")),
            std::nullopt);
}

TEST(RssMap, SaysNothingOfAFamilyWhosePortsAreNotHashed) {
  RssSetUp set_up = published();
  set_up.udp_v6 = false;
  auto map = RssMap::make(set_up);
  ASSERT_TRUE(map);
  EXPECT_TRUE(map->queue_of(address_at("10.0.0.1:1"), address_at("10.0.0.2:2")));
  EXPECT_FALSE(map->queue_of(address_at("[fd00::1]:1"), address_at("[fd00::2]:2")));
  // A key that does for IPv4 alone.
  set_up.udp_v6 = true;
  set_up.key.resize(39);
  map = RssMap::make(set_up);
  ASSERT_TRUE(map);
  EXPECT_TRUE(map->queue_of(address_at("10.0.0.1:1"), address_at("10.0.0.2:2")));
  EXPECT_FALSE(map->queue_of(address_at("[fd00::1]:1"), address_at("[fd00::2]:2")));
}

TEST(RssMap, IsNotMadeOfWhatForetellsNothing) {
  for (const std::size_t size : {0u, 3u, 96u}) {
    RssSetUp set_up = published();
    set_up.table.resize(size);
    EXPECT_FALSE(RssMap::make(set_up)) << size;
  }
  RssSetUp set_up = published();
  set_up.key.resize(15);
  EXPECT_FALSE(RssMap::make(set_up));
  set_up = published();
  set_up.udp_v4 = set_up.udp_v6 = false;
  EXPECT_FALSE(RssMap::make(set_up));
}

// So that who dials may choose a port for the queue that it is to be heard on.
TEST(RssMap, OurKeyLeadsSomePortToEachQueueOfAnyPeer) {
  constexpr std::uint16_t kQueues = 16;
  RssSetUp set_up = published();
  const auto key = symmetric_rss_key();
  set_up.key.assign(key.begin(), key.end());
  for (std::size_t i = 0; i < set_up.table.size(); ++i) {
    set_up.table[i] = static_cast<std::uint16_t>(i % kQueues);
  }
  const auto map = RssMap::make(set_up);
  ASSERT_TRUE(map);
  for (const char* peer : {"192.0.2.1:5000", "198.51.100.77:65535", "[2001:db8::1]:443"}) {
    Address own =
        address_at(peer).ip.is_v4() ? address_at("10.0.0.1:1") : address_at("[2001:db8::2]:1");
    for (std::uint16_t queue = 0; queue < kQueues; ++queue) {
      int tries = 0;
      for (own.port = 32768; map->queue_of(address_at(peer), own) != queue; ++own.port) ++tries;
      EXPECT_LT(tries, 1000) << peer << " " << queue;
      EXPECT_EQ(map->queue_of(own, address_at(peer)), queue);
    }
  }
}

}  // namespace
}  // namespace millrace::io
