// SPDX-License-Identifier: Apache-2.0
// What holds for every controller.
#include "sctp/tx/congestion_control.h"

#include <gtest/gtest.h>

#include <cmath>

#include "test/support/bottleneck_model.h"

namespace millrace::sctp {
namespace {

using test::Bottleneck;
using test::BottleneckModel;
using test::ModelFlow;

constexpr std::size_t kMtu = 1400;

double goodput(CongestionAlgorithm algorithm, const Bottleneck& path, Duration time) {
  BottleneckModel model(path, 11);
  ModelFlow& flow = model.add({.algorithm = algorithm, .mtu_bytes = kMtu});
  model.run(seconds(5));
  model.start_measuring();
  model.run(time);
  return static_cast<double>(flow.delivered()) / std::chrono::duration<double>(time).count();
}

TEST(CongestionAlgorithmNames, AreThoseOfTheirAlgorithms) {
  for (const CongestionAlgorithmName& known : kCongestionAlgorithms) {
    EXPECT_EQ(to_string(known.algorithm), known.name);
    EXPECT_EQ(parse_congestion_algorithm(known.name), known.algorithm);
  }
  EXPECT_EQ(parse_congestion_algorithm("reno"), std::nullopt);
  EXPECT_EQ(parse_congestion_algorithm(""), std::nullopt);
}

// RFC 9260 §7.2: whatever comes, one packet may be sent and not more than the bound.
TEST(CongestionControl, KeepsItsWindowWithinBounds) {
  for (const CongestionAlgorithmName& known : kCongestionAlgorithms) {
    BottleneckModel model({.rate = 12.5e6, .rtt = milliseconds(50), .queue_bytes = 100'000}, 3);
    ModelFlow& flow =
        model.add({.algorithm = known.algorithm, .mtu_bytes = kMtu, .max_cwnd_bytes = 300'000});
    CongestionControl& control = flow.control();
    for (int i = 0; i < 60; ++i) {
      model.path().loss = i % 3 == 0 ? 0.2 : 0;
      model.run(milliseconds(100));
      if (i % 7 == 0) control.on_timeout(model.now());
      if (i % 11 == 0) control.on_spurious_loss(model.now());
      if (i % 13 == 0) control.on_idle(seconds(1), milliseconds(200));
      EXPECT_GE(control.cwnd(), kMtu) << known.name;
      EXPECT_LE(control.cwnd(), 300'000u) << known.name;
      EXPECT_GT(control.pacing_rate(milliseconds(50)), 0u) << known.name;
    }
    model.path().loss = 0;
    model.run(seconds(2));
    model.start_measuring();
    model.run(seconds(2));
    EXPECT_GT(flow.delivered(), 500'000u) << known.name << " goes on after all that";
  }
}

// What is asked of it: 0.9 of Mathis's formula, MSS / RTT * sqrt(3/2) / sqrt(p).
TEST(NewReno, ReachesWhatMathisSays) {
  for (const double loss : {0.001, 0.01}) {
    const Bottleneck path{
        .rate = 125e6, .rtt = milliseconds(20), .queue_bytes = 2'500'000, .loss = loss};
    const double mathis = kMtu / 0.02 * std::sqrt(1.5 / loss);
    EXPECT_GT(goodput(CongestionAlgorithm::kNewReno, path, seconds(120)), 0.9 * mathis) << loss;
  }
}

// What is asked of it: 0.9 of the larger of Mathis's and of RFC 9438 §5.1 (figure 6).
TEST(Cubic, ReachesWhatRfc9438Says) {
  for (const double loss : {0.001, 0.01}) {
    const Bottleneck path{
        .rate = 125e6, .rtt = milliseconds(20), .queue_bytes = 2'500'000, .loss = loss};
    const double mathis = kMtu / 0.02 * std::sqrt(1.5 / loss);
    const double window =
        std::pow(0.4 * 3.7 / 1.2, 0.25) * std::pow(0.02, 0.75) / std::pow(loss, 0.75);
    const double due = std::max(mathis, window * kMtu / 0.02);
    EXPECT_GT(goodput(CongestionAlgorithm::kCubic, path, seconds(120)), 0.9 * due) << loss;
  }
}

// What is asked of it: within 20 % of equal shares, over the last 60 of 120 s.
TEST(Cubic, TwoFlowsShareAPathEvenly) {
  BottleneckModel model({.rate = 12.5e6, .rtt = milliseconds(20), .queue_bytes = 250'000}, 1);
  const CongestionControlOptions options{.algorithm = CongestionAlgorithm::kCubic,
                                         .mtu_bytes = kMtu};
  ModelFlow& one = model.add(options);
  model.run(seconds(5));
  ModelFlow& two = model.add(options);
  model.run(seconds(55));
  model.start_measuring();
  model.run(seconds(60));
  const auto both = static_cast<double>(one.delivered() + two.delivered());
  const auto least = static_cast<double>(std::min(one.delivered(), two.delivered()));
  EXPECT_GT(least, 0.8 * both / 2);
  EXPECT_GT(both, 0.9 * 60 * 12.5e6);
}

}  // namespace
}  // namespace millrace::sctp
