// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

constexpr std::array kNames = {"closed", "cookie_wait", "established", "shutdown_sent"};

TEST(AssociationMetrics, NameTheStatesThatAnAssociationPasses) {
  AssociationPair pair;
  EXPECT_EQ(pair.a().metrics().state, kNames[0]);
  EXPECT_FALSE(pair.a().metrics().cumulative);
  EXPECT_FALSE(pair.a().metrics().srtt);
  pair.a().connect(pair.now());
  EXPECT_EQ(pair.a().metrics().state, kNames[1]);
  ASSERT_TRUE(pair.connect_both());
  EXPECT_EQ(pair.a().metrics().state, kNames[2]);
  EXPECT_TRUE(pair.a().metrics().cumulative);
  pair.a().shutdown(pair.now());
  EXPECT_EQ(pair.a().metrics().state, kNames[3]);
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_closed(); }));
  EXPECT_EQ(pair.a().metrics().state, kNames[0]);
}

TEST(AssociationMetrics, CountWhatIsInFlightAndWhatWaits) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const Bytes message(100'000, 7);
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, message), SendStatus::kOk);
  EXPECT_EQ(pair.a().metrics().buffered, message.size());
  pair.drain();
  const Metrics busy = pair.a().metrics();
  EXPECT_GT(busy.unacknowledged, 0u);
  EXPECT_GT(busy.flight, 0u);
  EXPECT_LE(busy.flight, busy.cwnd + busy.mtu);
  EXPECT_LT(busy.buffered, message.size());
  EXPECT_EQ(busy.next_tsn.distance_from(busy.cumulative_acked), busy.unacknowledged + 1);
  ASSERT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }));
  const Metrics idle = pair.a().metrics();
  EXPECT_EQ(idle.unacknowledged, 0u);
  EXPECT_EQ(idle.flight, 0u);
  EXPECT_EQ(idle.buffered, 0u);
  // The path's 5 ms each way.
  ASSERT_TRUE(idle.srtt);
  EXPECT_GE(*idle.srtt, milliseconds(10));
  EXPECT_GE(idle.rto, *idle.srtt);
  EXPECT_EQ(pair.b().metrics().cumulative, idle.cumulative_acked);
}

}  // namespace
}  // namespace millrace::sctp
