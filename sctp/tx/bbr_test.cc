// SPDX-License-Identifier: Apache-2.0
// Bbr's states and model over a path; draft-ietf-ccwg-bbr, appendix A, lists what to try.
#include "sctp/tx/bbr.h"

#include <gtest/gtest.h>

#include <vector>

#include "test/support/bottleneck_model.h"

namespace millrace::sctp {
namespace {

using State = Bbr::State;
using test::Bottleneck;
using test::BottleneckModel;
using test::ModelFlow;

constexpr std::size_t kMtu = 1400;
constexpr double kRate = 12.5e6;  // 100 Mbit/s.
constexpr Duration kRtt = milliseconds(20);
constexpr std::size_t kBdp = 250'000;

class BbrTest : public ::testing::Test {
 protected:
  explicit BbrTest(const Bottleneck& path = {.rate = kRate, .rtt = kRtt, .queue_bytes = 4 * kBdp})
      : model_(path, 1),
        flow_(model_.add({.algorithm = CongestionAlgorithm::kBbr, .mtu_bytes = kMtu, .seed = 7})),
        bbr_(static_cast<Bbr&>(flow_.control())) {}

  bool reach(State state, Duration limit = seconds(10)) {
    return model_.run_until([&] { return bbr_.state() == state; }, limit);
  }
  bool leave(State state, Duration limit = seconds(10)) {
    return model_.run_until([&] { return bbr_.state() != state; }, limit);
  }
  // Bytes a second from here on, for `time`.
  double goodput(Duration time) {
    model_.start_measuring();
    model_.run(time);
    return static_cast<double>(flow_.delivered()) / std::chrono::duration<double>(time).count();
  }

  BottleneckModel model_;
  ModelFlow& flow_;
  Bbr& bbr_;
};

// draft-ietf-ccwg-bbr §5.3.1.2: three rounds without growth.
TEST_F(BbrTest, StartupEndsWhereTheDeliveryRateStopsGrowing) {
  EXPECT_EQ(bbr_.state(), State::kStartup);
  EXPECT_DOUBLE_EQ(bbr_.pacing_gain(), 2.77);
  ASSERT_TRUE(reach(State::kDrain));
  EXPECT_TRUE(bbr_.full_bw_reached());
  EXPECT_NEAR(bbr_.max_bw(), kRate, 0.02 * kRate);
  EXPECT_LT(model_.now() - Time{seconds(1)}, 15 * kRtt);
  EXPECT_EQ(flow_.lost(), 0u) << "the queue of Startup is one product of rate and delay";
}

// draft-ietf-ccwg-bbr §5.3.1.2, §5.3.3.7: rounds that the application limits prove nothing.
TEST_F(BbrTest, StartupGoesOnWhileTheApplicationLimits) {
  flow_.limit_application(kRate / 10);
  EXPECT_FALSE(leave(State::kStartup, seconds(4)));
  EXPECT_FALSE(bbr_.full_bw_reached());
}

// draft-ietf-ccwg-bbr §5.3.2.
TEST_F(BbrTest, DrainEmptiesTheQueueOfStartup) {
  ASSERT_TRUE(reach(State::kDrain));
  EXPECT_DOUBLE_EQ(bbr_.pacing_gain(), 0.5);
  const Time began = model_.now();
  ASSERT_TRUE(leave(State::kDrain));
  EXPECT_LT(model_.now() - began, 3 * kRtt);
  model_.start_measuring();
  model_.run(seconds(1));
  EXPECT_LT(flow_.rtt_percentile(0.9), kRtt * 11 / 10);
}

// draft-ietf-ccwg-bbr §5.3.2: where the rate was estimated too high the queue stays.
TEST_F(BbrTest, DrainEndsAfterThreeRoundsThoughTheQueueIsStillThere) {
  ASSERT_TRUE(reach(State::kDrain));
  std::uint64_t delivered = flow_.total_delivered();
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(bbr_.state(), State::kDrain) << round;
    AckSample sample{.now = model_.now() + (round + 1) * kRtt,
                     .acked_bytes = kBdp,
                     .flight_before = 10 * kBdp,
                     .flight_after = 9 * kBdp,
                     .rtt = kRtt,
                     .srtt = kRtt,
                     .delivered = delivered + kBdp};
    sample.rate = {.valid = true,
                   .prior_delivered = delivered,
                   .delivered = kBdp,
                   .tx_in_flight = 10 * kBdp,
                   .interval = kRtt};
    delivered += kBdp;
    bbr_.on_ack(sample);
  }
  EXPECT_EQ(bbr_.state(), State::kProbeBwDown);
}

// draft-ietf-ccwg-bbr §5.3.3, §5.3.3.8.3: DOWN, CRUISE, REFILL, UP, and no longer between two
// probes than 63 rounds, or 3 s.
TEST_F(BbrTest, ProbeBwGoesRoundItsFourStates) {
  ASSERT_TRUE(reach(State::kProbeBwRefill));
  Time refilled = model_.now();
  // ProbeRTT comes at 5 s.
  for (int cycle = 0; cycle < 2; ++cycle) {
    ASSERT_TRUE(leave(State::kProbeBwRefill));
    EXPECT_EQ(bbr_.state(), State::kProbeBwUp);
    EXPECT_LE(model_.now() - refilled, 2 * kRtt) << "one round of REFILL";
    EXPECT_DOUBLE_EQ(bbr_.pacing_gain(), 1.25);
    ASSERT_TRUE(leave(State::kProbeBwUp));
    EXPECT_EQ(bbr_.state(), State::kProbeBwDown);
    EXPECT_DOUBLE_EQ(bbr_.pacing_gain(), 0.9);
    ASSERT_TRUE(leave(State::kProbeBwDown));
    EXPECT_EQ(bbr_.state(), State::kProbeBwCruise);
    EXPECT_DOUBLE_EQ(bbr_.pacing_gain(), 1.0);
    ASSERT_TRUE(leave(State::kProbeBwCruise));
    EXPECT_EQ(bbr_.state(), State::kProbeBwRefill);
    EXPECT_GT(model_.now() - refilled, 60 * kRtt);
    EXPECT_LT(model_.now() - refilled, 80 * kRtt);
    refilled = model_.now();
  }
}

// draft-ietf-ccwg-bbr §5.3.3.8.3: the waits are drawn by lot, from the seed alone.
TEST(BbrSeed, DecidesWhenProbesBegin) {
  const auto first_refill = [](std::uint64_t seed) {
    // So long a path that the clock decides, not rounds.
    BottleneckModel model({.rate = kRate, .rtt = milliseconds(100), .queue_bytes = 8 * kBdp}, 1);
    ModelFlow& flow =
        model.add({.algorithm = CongestionAlgorithm::kBbr, .mtu_bytes = kMtu, .seed = seed});
    const Bbr& bbr = static_cast<Bbr&>(flow.control());
    model.run_until([&] { return bbr.state() == State::kDrain; }, seconds(10));
    model.run_until([&] { return bbr.state() != State::kDrain; }, seconds(10));
    const Time down = model.now();
    model.run_until([&] { return bbr.state() == State::kProbeBwRefill; }, seconds(10));
    return model.now() - down;
  };
  EXPECT_EQ(first_refill(1), first_refill(1));
  EXPECT_NE(first_refill(1), first_refill(2));
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_GE(first_refill(seed), seconds(2));
    EXPECT_LE(first_refill(seed), milliseconds(3050));
  }
}

// draft-ietf-ccwg-bbr §5.3.4.3, §5.3.4.4.
TEST_F(BbrTest, ProbeRttHoldsHalfTheProductFor200Milliseconds) {
  ASSERT_TRUE(reach(State::kProbeRtt));
  EXPECT_GT(model_.now() - Time{seconds(1)}, seconds(5));
  const std::size_t before = flow_.control().cwnd();
  const Time began = model_.now();
  model_.run(milliseconds(100));
  EXPECT_LE(flow_.control().cwnd(), kBdp * 11 / 20);
  ASSERT_TRUE(leave(State::kProbeRtt));
  EXPECT_GE(model_.now() - began, milliseconds(200));
  EXPECT_LE(model_.now() - began, milliseconds(200) + 3 * kRtt);
  EXPECT_EQ(bbr_.state(), State::kProbeBwCruise);
  EXPECT_NEAR(static_cast<double>(bbr_.min_rtt().count()), static_cast<double>(kRtt.count()),
              0.02 * static_cast<double>(kRtt.count()));
  model_.run(2 * kRtt);
  EXPECT_GE(flow_.control().cwnd(), before);
  EXPECT_NEAR(bbr_.max_bw(), kRate, 0.02 * kRate) << "what ProbeRTT held back is no measure";
}

// draft-ietf-ccwg-bbr §5.3.4.4: the pipe was never full.
TEST_F(BbrTest, ProbeRttInStartupReturnsToStartup) {
  flow_.limit_application(kRate / 10);
  // Something must keep the round trip from its least, or its samples refresh the filter.
  model_.run(seconds(1));
  model_.path().rtt = kRtt + milliseconds(1);
  ASSERT_TRUE(reach(State::kProbeRtt));
  ASSERT_TRUE(leave(State::kProbeRtt));
  EXPECT_EQ(bbr_.state(), State::kStartup);
}

// draft-ietf-ccwg-bbr §5.3.4.3, §5.4.1: silence has drained the queue.
TEST_F(BbrTest, ASilenceStandsForProbeRtt) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  flow_.limit_application(0);
  model_.run(seconds(6));
  bbr_.on_idle(seconds(6), milliseconds(200));
  flow_.resume_application();
  EXPECT_FALSE(reach(State::kProbeRtt, seconds(3)));
}

// draft-ietf-ccwg-bbr §5.4.1: at the rate of the path, whatever the state's gain, and with the
// window of before.
TEST_F(BbrTest, ARestartFromIdleIsPacedAtTheEstimate) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const std::size_t cwnd = bbr_.cwnd();
  bbr_.on_idle(seconds(1), milliseconds(200));
  bbr_.on_sent(model_.now(), kMtu, kMtu);
  EXPECT_NEAR(static_cast<double>(bbr_.pacing_rate(kRtt)), 0.99 * bbr_.bw(), 1.0);
  EXPECT_EQ(bbr_.cwnd(), cwnd);
}

// draft-ietf-ccwg-bbr §5.3.3.5: the steps up double each round.
TEST_F(BbrTest, TenTimesTheBandwidthIsFoundWithinFewProbes) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  model_.path().rate = 10 * kRate;
  model_.path().queue_bytes = 40 * kBdp;
  EXPECT_TRUE(model_.run_until([&] { return bbr_.max_bw() > 9 * kRate; }, seconds(15)));
  EXPECT_GT(goodput(seconds(3)), 8.5 * kRate);
}

// draft-ietf-ccwg-bbr §5.5.3, §5.5.10.3: losses correct the short-term model within rounds, two
// cycles the estimate.
TEST_F(BbrTest, ATenthOfTheBandwidthIsAdaptedTo) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  model_.path().rate = kRate / 10;
  model_.path().queue_bytes = kBdp / 10;
  EXPECT_TRUE(model_.run_until([&] { return bbr_.bw() < 0.15 * kRate; }, seconds(2)));
  EXPECT_TRUE(model_.run_until([&] { return bbr_.max_bw() < 0.12 * kRate; }, seconds(10)));
  EXPECT_GT(goodput(seconds(5)), 0.085 * kRate);
  EXPECT_LT(static_cast<double>(flow_.lost()), 0.03 * static_cast<double>(flow_.delivered()));
}

// draft-ietf-ccwg-bbr §5.5.9: the window holds what SACKs that come in bursts keep waiting.
TEST_F(BbrTest, AggregatedSacksDoNotStarveIt) {
  model_.path().ack_every = milliseconds(30);
  model_.run(seconds(2));
  EXPECT_GT(bbr_.extra_acked(), kBdp / 2);
  EXPECT_GT(goodput(seconds(3)), 0.93 * kRate);
}

// draft-ietf-ccwg-bbr §5.6.4.3: four packets, where the path holds less than one.
TEST_F(BbrTest, APathOfLessThanAPacketIsKeptBusy) {
  model_.path() = {.rate = 8000, .rtt = milliseconds(5), .queue_bytes = 20 * kMtu};
  model_.run(seconds(20));
  EXPECT_GE(bbr_.cwnd(), 4 * kMtu);
  EXPECT_LE(bbr_.cwnd(), 12 * kMtu);
  EXPECT_GT(goodput(seconds(20)), 0.95 * 8000);
}

// draft-ietf-ccwg-bbr §5.6.3: a millisecond's worth, 64 KiB at most, two packets at least.
TEST_F(BbrTest, TheSendQuantumIsAMillisecondsWorth) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  model_.run(kRtt);
  EXPECT_NEAR(static_cast<double>(bbr_.send_quantum()), 0.99 * kRate / 1000, 200);
  model_.path().rate = 10 * kRate;
  model_.run(seconds(10));
  EXPECT_EQ(bbr_.send_quantum(), 65536u);
}

// What is asked of it: a queue of a second stays empty.
TEST_F(BbrTest, ADeepQueueIsNotFilled) {
  model_.path().queue_bytes = static_cast<std::size_t>(kRate);
  model_.run(seconds(1));
  EXPECT_GT(goodput(seconds(15)), 0.93 * kRate);
  EXPECT_LT(flow_.rtt_percentile(0.95), 2 * kRtt);
}

TEST_F(BbrTest, TwoFlowsShareAPath) {
  ModelFlow& other =
      model_.add({.algorithm = CongestionAlgorithm::kBbr, .mtu_bytes = kMtu, .seed = 8});
  model_.run(seconds(20));
  const double mine = goodput(seconds(30));
  const double its = static_cast<double>(other.delivered()) / 30;
  EXPECT_GT(mine + its, 0.93 * kRate);
  EXPECT_LT(std::max(mine, its), 2 * std::min(mine, its));
}

}  // namespace
}  // namespace millrace::sctp
