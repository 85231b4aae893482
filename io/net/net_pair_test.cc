// SPDX-License-Identifier: Apache-2.0
// Two layers on a wire.
#include <gtest/gtest.h>

#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

struct Case {
  std::string name;
  std::string a;
  std::string b;
  std::optional<std::uint16_t> vlan;
};

class NetPair : public testing::TestWithParam<Case> {
 protected:
  static NetOptions options(unsigned n) {
    NetOptions options = host_options(n);
    options.vlan = GetParam().vlan;
    return options;
  }
};

TEST_P(NetPair, ResolvesAndExchangesDatagrams) {
  NetHost a(options(1));
  NetHost b(options(2));
  const Time now{seconds(5)};
  const Address from = at(GetParam().a);
  const Address to = at(GetParam().b);
  ASSERT_TRUE(a.send(now, from, to, text_bytes("hello"), 2));
  exchange(now, a, b);
  ASSERT_EQ(b.datagrams.size(), 1u);
  EXPECT_EQ(b.datagrams[0].source, from);
  EXPECT_EQ(b.datagrams[0].local, to);
  EXPECT_EQ(b.datagrams[0].tos, 2);
  EXPECT_EQ(b.datagrams[0].payload, text_bytes("hello"));
  ASSERT_TRUE(b.send(now, to, from, text_bytes("you too")));
  exchange(now, a, b);
  ASSERT_EQ(a.datagrams.size(), 1u);
  EXPECT_EQ(a.datagrams[0].payload, text_bytes("you too"));
  EXPECT_EQ(a.layer().stats().resolved, 1u);
  EXPECT_EQ(a.layer().stats().drops, decltype(NetStats::drops){});
  EXPECT_EQ(b.layer().stats().drops, decltype(NetStats::drops){});
}

INSTANTIATE_TEST_SUITE_P(
    Families, NetPair,
    testing::Values(Case{"IPv4", "192.0.2.1:1000", "192.0.2.2:2000", {}},
                    Case{"IPv6", "[2001:db8::1]:1000", "[2001:db8::2]:2000", {}},
                    Case{"LinkLocal", "[fe80::ff:fe00:1]:1000", "[fe80::ff:fe00:2]:2000", {}},
                    Case{"IPv4Vlan", "192.0.2.1:1000", "192.0.2.2:2000", 7},
                    Case{"IPv6Vlan", "[2001:db8::1]:1000", "[2001:db8::2]:2000", 4094}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace millrace::io
