// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

constexpr std::size_t kHopLimitAt = 14 + 7;
constexpr std::size_t kSourceAt = 14 + 8;
constexpr std::size_t kGroupAt = 14 + 40 + 8 + 8;

TEST(NetListener, ReportsItsGroupsOfItsOwnAccord) {
  NetHost host(host_options(1), 1, kNow);
  host.layer().announce();
  host.turn(kNow);
  ASSERT_EQ(host.out.size(), 5u);
  // Both addresses end alike, and so have one group.
  EXPECT_EQ(host.out[3], hex(kOurListenerReport));
  EXPECT_EQ(host.out[4], hex(kOurListenerReport));
}

TEST(NetListener, AnswersQueries) {
  for (const std::string_view query : {kListenerQuery, kListenerQueryForGroup}) {
    NetHost host(host_options(1), 1, kNow);
    EXPECT_EQ(host.receive(kNow, hex(query)), RxVerdict::kHandled);
    ASSERT_EQ(host.out.size(), 2u);
    EXPECT_EQ(host.out[0], hex(kOurListenerAnswer));
  }
}

TEST(NetListener, AFloodOfQueriesIsAnsweredOnceASecond) {
  NetHost host(host_options(1), 1, kNow);
  for (int ms = 0; ms < 2000; ms += 10) {
    EXPECT_EQ(host.receive(kNow + milliseconds(ms), hex(kListenerQuery)), RxVerdict::kHandled);
  }
  EXPECT_EQ(host.out.size(), 4u);
}

TEST(NetListener, ASecondHandQueryIsNotAnswered) {
  NetHost host(host_options(1), 1, kNow);
  EXPECT_EQ(host.receive(kNow, hex(kListenerQuery), {.second_hand = true}), RxVerdict::kHandled);
  EXPECT_TRUE(host.out.empty());
}

// RFC 2710 §3.6: of the version before, by 24 bytes.
TEST(NetListener, AnOldQueryIsAnsweredToo) {
  NetHost host(host_options(1), 1, kNow);
  Bytes query = hex(kListenerQuery);
  for (const std::size_t cut : {0u, 1u}) {
    query.resize(kGroupAt + 16 - cut);
    store_be16(&query[18], static_cast<std::uint16_t>(query.size() - 54));
    reseal(query);
    EXPECT_EQ(host.receive(kNow, query), cut == 0 ? RxVerdict::kHandled : RxVerdict::kDropped);
  }
  EXPECT_EQ(host.out.size(), 2u);
}

// RFC 3810 §6.2.
TEST(NetListener, QueriesFromAfarAreRefused) {
  NetHost host(host_options(1), 1, kNow);
  const IpAddress global = ip("2001:db8::fe");
  const Bytes frames[] = {
      changed(kListenerQuery, kHopLimitAt, {2}),
      changed(kListenerQuery, kSourceAt, Bytes(global.bytes.begin(), global.bytes.end())),
  };
  for (const Bytes& frame : frames) EXPECT_EQ(host.receive(kNow, frame), RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpMalformed), 2u);
  EXPECT_TRUE(host.out.empty());
}

TEST(NetListener, QueriesForOtherGroupsAreNotForUs) {
  NetHost host(host_options(1), 1, kNow);
  EXPECT_EQ(host.receive(kNow, changed(kListenerQueryForGroup, kGroupAt + 15, {9})),
            RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpIgnored), 1u);
}

TEST(NetListener, AHostWithoutIpv6ReportsNothing) {
  NetOptions options = host_options(1);
  options.addresses.pop_back();
  NetHost host(options, 1, kNow);
  host.layer().announce();
  host.turn(kNow);
  EXPECT_EQ(host.out.size(), 1u);
}

}  // namespace
}  // namespace millrace::io
