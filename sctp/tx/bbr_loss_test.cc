// SPDX-License-Identifier: Apache-2.0
// What losses say to Bbr, and what their undoing gives back.
#include <gtest/gtest.h>

#include "sctp/tx/bbr.h"
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

class BbrLossTest : public ::testing::Test {
 protected:
  BbrLossTest()
      : model_({.rate = kRate, .rtt = kRtt, .queue_bytes = 2 * kBdp}, 1),
        flow_(model_.add({.algorithm = CongestionAlgorithm::kBbr, .mtu_bytes = kMtu, .seed = 7})),
        bbr_(static_cast<Bbr&>(flow_.control())) {}

  bool reach(State state, Duration limit = seconds(10)) {
    return model_.run_until([&] { return bbr_.state() == state; }, limit);
  }
  bool leave(State state, Duration limit = seconds(10)) {
    return model_.run_until([&] { return bbr_.state() != state; }, limit);
  }
  double goodput(Duration time) {
    model_.start_measuring();
    model_.run(time);
    return static_cast<double>(flow_.delivered()) / std::chrono::duration<double>(time).count();
  }
  // Tells of the loss of `packets` of a flight of `in_flight`, before any of which none was.
  void lose(int packets, std::size_t in_flight, bool app_limited = false) {
    const SentState sent{.sent_at = model_.now() - kRtt,
                         .delivered = flow_.total_delivered() - in_flight,
                         .lost = flow_.total_lost(),
                         .in_flight = in_flight,
                         .app_limited = app_limited};
    for (int i = 0; i < packets; ++i) bbr_.on_lost(model_.now(), kMtu, sent);
  }

  BottleneckModel model_;
  ModelFlow& flow_;
  Bbr& bbr_;
};

// draft-ietf-ccwg-bbr §5.3.1.3: also where the application limits and no plateau can show.
TEST_F(BbrLossTest, HeavyLossEndsStartup) {
  flow_.limit_application(kRate / 5);
  model_.run(milliseconds(200));
  ASSERT_EQ(bbr_.state(), State::kStartup);
  model_.path().loss = 0.1;
  ASSERT_TRUE(leave(State::kStartup, seconds(2)));
  EXPECT_TRUE(bbr_.full_bw_reached());
  EXPECT_NE(bbr_.inflight_longterm(), Bbr::kUnbounded);
}

// draft-ietf-ccwg-bbr §5.3.1.3: below the threshold loss is noise.
TEST_F(BbrLossTest, LossBelowTheThresholdDoesNotEndStartup) {
  flow_.limit_application(kRate / 5);
  model_.path().loss = 0.003;
  EXPECT_FALSE(leave(State::kStartup, seconds(4)));
}

// draft-ietf-ccwg-bbr §5.5.10.2: more than 2 % of the flight, of a probe, and three standard
// deviations (decision 0009).
TEST_F(BbrLossTest, HeavyLossOfAProbeBoundsTheFlightAndEndsTheProbe) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const std::size_t flight = 300'000;
  lose(10, flight);
  EXPECT_EQ(bbr_.state(), State::kProbeBwUp) << "14.0 of 300 kB, where 14.7 may be chance";
  const std::uint64_t before = bbr_.inflight_longterm();
  lose(1, flight);
  EXPECT_EQ(bbr_.state(), State::kProbeBwDown) << "15.4 of 300 kB";
  EXPECT_LT(bbr_.inflight_longterm(), before);
  EXPECT_NEAR(static_cast<double>(bbr_.inflight_longterm()), static_cast<double>(flight),
              2.0 * kMtu);
}

// draft-ietf-ccwg-bbr §5.5.10.2: no lower than Beta of what is aimed at.
TEST_F(BbrLossTest, ASmallFlightThatIsLostDoesNotBoundTheNextBySoLittle) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  lose(5, 10 * kMtu);
  EXPECT_EQ(bbr_.state(), State::kProbeBwDown);
  EXPECT_GE(bbr_.inflight_longterm(), kBdp * 65 / 100);
}

// draft-ietf-ccwg-bbr §5.5.10.2: what the application held back says nothing of the path.
TEST_F(BbrLossTest, LossOfAnApplicationLimitedProbeEndsItAndBoundsNothing) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const std::uint64_t before = bbr_.inflight_longterm();
  lose(20, 100'000, true);
  EXPECT_EQ(bbr_.state(), State::kProbeBwDown);
  EXPECT_EQ(bbr_.inflight_longterm(), before);
}

// draft-ietf-ccwg-bbr §5.3.3.6: the probe after one that lost too much stops at its bound; where
// it lost nothing, the next follows at once and goes on.
TEST_F(BbrLossTest, TheProbeAfterOneTooHighIsCautious) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  lose(20, kBdp);
  ASSERT_EQ(bbr_.state(), State::kProbeBwDown);
  const std::uint64_t bound = bbr_.inflight_longterm();
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const Time began = model_.now();
  ASSERT_TRUE(leave(State::kProbeBwUp));
  EXPECT_LT(model_.now() - began, 2 * kRtt);
  EXPECT_LE(bbr_.inflight_longterm(), bound + bound / 8);
  ASSERT_TRUE(reach(State::kProbeBwRefill, seconds(1))) << "without cruising";
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const Time again = model_.now();
  ASSERT_TRUE(leave(State::kProbeBwUp));
  EXPECT_GT(model_.now() - again, 2 * kRtt);
}

// draft-ietf-ccwg-bbr §5.5.10.3: a round with a loss takes the short-term model to what was
// delivered, by three tenths at most; REFILL forgets it.
TEST_F(BbrLossTest, LossBetweenProbesLowersTheShortTermModelUntilTheNext) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  const double before = bbr_.bw();
  model_.path().rate = kRate / 2;
  model_.path().queue_bytes = kBdp / 4;
  ASSERT_TRUE(
      model_.run_until([&] { return bbr_.inflight_shortterm() != Bbr::kUnbounded; }, seconds(1)));
  EXPECT_GE(bbr_.bw(), 0.69 * before);
  model_.run(6 * kRtt);
  EXPECT_LT(bbr_.bw(), 0.65 * before);
  EXPECT_NEAR(bbr_.max_bw(), kRate, 0.02 * kRate) << "the long-term model waits for probes";
  ASSERT_TRUE(reach(State::kProbeBwRefill));
  EXPECT_EQ(bbr_.inflight_shortterm(), Bbr::kUnbounded);
}

// What is asked of it, and draft-ietf-ccwg-bbr §5.5.10.3: 0.1 % to 2 % of random loss are not
// congestion.
TEST(BbrRandomLoss, LeavesMostOfAGigabit) {
  for (const auto& [loss, share] :
       {std::pair{0.001, 0.8}, std::pair{0.01, 0.5}, std::pair{0.02, 0.5}}) {
    BottleneckModel model({.rate = 125e6, .rtt = kRtt, .queue_bytes = 2'500'000, .loss = loss}, 3);
    ModelFlow& flow = model.add({.algorithm = CongestionAlgorithm::kBbr, .mtu_bytes = kMtu});
    model.run(seconds(8));
    EXPECT_GT(static_cast<double>(flow.delivered()) / 8, share * 125e6) << loss;
  }
}

// A bucket without a queue behind it: what is lost stays little.
TEST_F(BbrLossTest, AShallowQueueCostsFewLosses) {
  model_.path().queue_bytes = kBdp / 10;
  model_.run(seconds(3));
  EXPECT_GT(goodput(seconds(20)), 0.8 * kRate);
  EXPECT_LT(static_cast<double>(flow_.lost()), 0.02 * static_cast<double>(flow_.delivered()));
}

// draft-ietf-ccwg-bbr §5.5.11: the probe that a loss ended begins anew, with the bounds of before.
TEST_F(BbrLossTest, ASpuriousLossOfAProbeIsUndone) {
  ASSERT_TRUE(reach(State::kProbeBwUp));
  const std::uint64_t bound = bbr_.inflight_longterm();
  const std::size_t cwnd = bbr_.cwnd();
  // The second comes when the first has changed everything, in the same SACK.
  lose(20, 100'000);
  bbr_.on_fast_recovery(model_.now(), true);
  ASSERT_EQ(bbr_.state(), State::kProbeBwDown);
  ASSERT_LT(bbr_.inflight_longterm(), bound);
  bbr_.on_spurious_loss(model_.now());
  EXPECT_EQ(bbr_.state(), State::kProbeBwRefill);
  EXPECT_EQ(bbr_.inflight_longterm(), bound);
  EXPECT_GE(bbr_.cwnd(), cwnd);
}

// draft-ietf-ccwg-bbr §5.5.11.2.
TEST_F(BbrLossTest, ASpuriousEndOfStartupIsUndone) {
  flow_.limit_application(kRate / 5);
  model_.run(milliseconds(200));
  model_.path().loss = 0.1;
  ASSERT_TRUE(leave(State::kStartup, seconds(2)));
  bbr_.on_spurious_loss(model_.now());
  EXPECT_EQ(bbr_.state(), State::kStartup);
  EXPECT_FALSE(bbr_.full_bw_reached());
  EXPECT_EQ(bbr_.inflight_longterm(), Bbr::kUnbounded);
}

// draft-ietf-ccwg-bbr §5.6.4.4: one packet, and the window of before when all is repaired.
TEST_F(BbrLossTest, ATimeOutLeavesOnePacketUntilRecoveryEnds) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  model_.run(5 * kRtt);
  const std::size_t cwnd = bbr_.cwnd();
  bbr_.on_timeout(model_.now());
  EXPECT_EQ(bbr_.cwnd(), kMtu);
  bbr_.on_recovery_end(model_.now());
  EXPECT_EQ(bbr_.cwnd(), cwnd);
}

// draft-ietf-ccwg-bbr §5.5.11: a spurious time-out costs nothing but itself.
TEST_F(BbrLossTest, ASpuriousTimeOutIsUndone) {
  ASSERT_TRUE(reach(State::kProbeBwCruise));
  model_.run(5 * kRtt);
  const std::size_t cwnd = bbr_.cwnd();
  bbr_.on_timeout(model_.now());
  bbr_.on_spurious_loss(model_.now());
  EXPECT_EQ(bbr_.cwnd(), cwnd);
  EXPECT_EQ(bbr_.inflight_shortterm(), Bbr::kUnbounded);
}

}  // namespace
}  // namespace millrace::sctp
