// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/fixed_rate.h"

#include <gtest/gtest.h>

#include "test/support/bottleneck_model.h"

namespace millrace::sctp {
namespace {

constexpr CongestionControlOptions kFixedOptions{
    .algorithm = CongestionAlgorithm::kFixedRate, .mtu_bytes = 1400, .fixed_rate = 5'000'000};

TEST(FixedRate, SendsAtItsRateWhateverIsLost) {
  test::BottleneckModel model(
      {.rate = 12.5e6, .rtt = milliseconds(20), .queue_bytes = 250'000, .loss = 0.1}, 11);
  test::ModelFlow& flow = model.add(kFixedOptions);
  model.run(seconds(5));
  model.start_measuring();
  model.run(seconds(10));
  EXPECT_NEAR(static_cast<double>(flow.delivered()) / 10, 0.9 * 5e6, 0.02 * 5e6);
}

TEST(FixedRate, BoundsWhatIsUnheardOfToTwoRoundTrips) {
  FixedRate control(kFixedOptions);
  EXPECT_EQ(control.pacing_rate(milliseconds(20)), 5'000'000u);
  control.on_ack({.srtt = milliseconds(50)});
  EXPECT_EQ(control.cwnd(), 500'000u);
  control.on_timeout(Time{});
  control.on_fast_recovery(Time{}, true);
  EXPECT_EQ(control.cwnd(), 500'000u);
  control.on_ack({.srtt = microseconds(1)});
  EXPECT_EQ(control.cwnd(), 50'000u) << "turns are no closer than 5 ms";
  EXPECT_EQ(control.send_quantum(), 5'000u);
}

}  // namespace
}  // namespace millrace::sctp
