// SPDX-License-Identifier: Apache-2.0
#include "io/net/net_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;
using testing::HasSubstr;

TEST(IpPrefix, ParsesAddressesWithAndWithoutALength) {
  EXPECT_EQ(prefix("192.0.2.1/24").to_string(), "192.0.2.1/24");
  EXPECT_EQ(prefix("192.0.2.1").bits, 32u);
  EXPECT_EQ(prefix("2001:db8::1/64").to_string(), "2001:db8::1/64");
  EXPECT_EQ(prefix("2001:db8::1").bits, 128u);
  for (const char* text : {"", "/24", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/8x",
                           "2001:db8::1/129", "192.0.2/24", "host/24"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
}

TEST(IpPrefix, ContainsByItsBits) {
  EXPECT_TRUE(prefix("192.0.2.1/24").contains(ip("192.0.2.255")));
  EXPECT_FALSE(prefix("192.0.2.1/24").contains(ip("192.0.3.1")));
  EXPECT_TRUE(prefix("10.1.64.1/18").contains(ip("10.1.127.255")));
  EXPECT_FALSE(prefix("10.1.64.1/18").contains(ip("10.1.128.0")));
  EXPECT_FALSE(prefix("10.1.64.1/32").contains(ip("10.1.64.2")));
  EXPECT_TRUE(prefix("2001:db8::1/61").contains(ip("2001:db8:0:7::9")));
  EXPECT_FALSE(prefix("2001:db8::1/61").contains(ip("2001:db8:0:8::9")));
  EXPECT_FALSE(prefix("192.0.2.1/1").contains(ip("2001:db8::1")));
}

TEST(IpPrefix, TheLastAddressMeansEverybody) {
  EXPECT_TRUE(prefix("192.0.2.1/24").is_broadcast(ip("192.0.2.255")));
  EXPECT_FALSE(prefix("192.0.2.1/24").is_broadcast(ip("192.0.2.254")));
  EXPECT_FALSE(prefix("192.0.2.1/31").is_broadcast(ip("192.0.2.1")));
  EXPECT_FALSE(prefix("2001:db8::1/64").is_broadcast(ip("2001:db8::ffff:ffff:ffff:ffff")));
}

TEST(NetOptions, TheDefaultsWithAnAddressAreFine) { EXPECT_FALSE(check_options(host_options(1))); }

TEST(NetOptions, AFaultNamesTheValue) {
  struct Fault {
    std::function<void(NetOptions&)> make;
    const char* text;
  };
  const Fault faults[] = {
      {[](auto& o) { o.mac = MacAddress::broadcast(); }, "ff:ff:ff:ff:ff:ff"},
      {[](auto& o) { o.vlan = 0; }, "VLAN 0"},
      {[](auto& o) { o.vlan = 4095; }, "VLAN 4095"},
      {[](auto& o) { o.mtu = 1279; }, "MTU 1279: 1280 to 9216"},
      {[](auto& o) { o.mtu = 9217; }, "MTU 9217"},
      {[](auto& o) {
         o.addresses.pop_back();
         o.mtu = 575;
       },
       "MTU 575: 576 to 9216"},
      {[](auto& o) { o.hop_limit = 0; }, "hop limit 0"},
      {[](auto& o) { o.max_next_hops = 0; }, "0 next hops"},
      {[](auto& o) { o.addresses.clear(); }, "no address"},
      {[](auto& o) { o.addresses.resize(9, o.addresses[0]); }, "9 addresses: 8 at most"},
      {[](auto& o) { o.addresses.push_back(o.addresses[0]); }, "192.0.2.1/24: given twice"},
      {[](auto& o) { o.addresses = {prefix("224.0.0.1/24")}; }, "224.0.0.1/24"},
      {[](auto& o) { o.addresses = {prefix("127.0.0.1/8")}; }, "127.0.0.1/8"},
      {[](auto& o) { o.addresses = {prefix("::ffff:10.0.0.1/96")}; }, "::ffff:10.0.0.1/96"},
      {[](auto& o) { o.addresses = {prefix("192.0.2.255/24")}; }, "the broadcast address"},
      {[](auto& o) { o.addresses = {prefix("fe80::1/9")}; }, "fe80::1/9: no such prefix length"},
      {[](auto& o) { o.addresses[0].bits = 0; }, "192.0.2.1/0"},
      {[](auto& o) { o.addresses[0].bits = 33; }, "192.0.2.1/33"},
      {[](auto& o) { o.gateways = {ip("198.51.100.1")}; }, "gateway 198.51.100.1: in no prefix"},
      {[](auto& o) { o.gateways = {ip("192.0.2.1")}; }, "gateway 192.0.2.1: is an address of our"},
      {[](auto& o) { o.gateways = {ip("ff02::2")}; }, "gateway ff02::2"},
      {[](auto& o) {
         o.addresses.erase(o.addresses.begin() + 1, o.addresses.end());
         o.gateways = {ip("fe80::9")};
       },
       "gateway fe80::9: no address of our own of its family"},
      {[](auto& o) {
         o.gateways = {ip("192.0.2.8"), ip("192.0.2.9")};
       },
       "gateway 192.0.2.9: the second"},
      {[](auto& o) { o.neighbours.max_neighbours = 0; }, "0 neighbours"},
      {[](auto& o) { o.neighbours.max_parked_each = 9; }, "9 frames"},
      {[](auto& o) { o.neighbours.max_attempts = 9; }, "9 attempts"},
      {[](auto& o) { o.neighbours.retransmit_time = Duration::zero(); }, "0 ns"},
      {[](auto& o) {
         o.static_neighbours = {{ip("192.0.2.9"), MacAddress{}}};
       },
       "192.0.2.9 at 00:00:00:00:00:00"},
      {[](auto& o) {
         o.static_neighbours.assign(2, {ip("192.0.2.9"), o.mac});
       },
       "192.0.2.9 at 02:00:00:00:00:01: given twice"},
      {[](auto& o) {
         o.static_neighbours = {{ip("192.0.2.1"), o.mac}};
       },
       "of our own"},
      {[](auto& o) {
         o.addresses.pop_back();
         o.static_neighbours = {{ip("2001:db8::9"), o.mac}};
       },
       "2001:db8::9 at 02:00:00:00:00:01: no address of our own of its family"},
  };
  for (const Fault& one : faults) {
    NetOptions options = host_options(1);
    one.make(options);
    const auto error = check_options(options);
    ASSERT_TRUE(error) << one.text;
    EXPECT_THAT(error->message, HasSubstr(one.text));
    SeededRng rng(1);
    EXPECT_FALSE(NetLayer::create(options, Time{}, rng));
  }
}

TEST(NetOptions, AGatewayMayBeLinkLocalOrAStaticNeighbour) {
  NetOptions options = host_options(1);
  options.gateways = {ip("198.51.100.1"), ip("fe80::9")};
  options.static_neighbours = {{ip("198.51.100.1"), mac("02:00:00:00:00:09")}};
  EXPECT_FALSE(check_options(options));
}

}  // namespace
}  // namespace millrace::io
