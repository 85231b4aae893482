// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/tfrc.h"

#include <gtest/gtest.h>

#include "test/support/bottleneck_model.h"

namespace millrace::sctp {
namespace {

using test::BottleneckModel;
using test::ModelFlow;

constexpr std::size_t kMtu = 1400;
constexpr double kRate = 12.5e6;  // 100 Mbit/s.
constexpr Duration kRtt = milliseconds(20);
constexpr std::size_t kBdp = 250'000;

class TfrcTest : public ::testing::Test {
 protected:
  TfrcTest()
      : model_({.rate = kRate, .rtt = kRtt, .queue_bytes = kBdp}, 1),
        flow_(model_.add({.algorithm = CongestionAlgorithm::kTfrc, .mtu_bytes = kMtu})),
        tfrc_(static_cast<Tfrc&>(flow_.control())) {}

  BottleneckModel model_;
  ModelFlow& flow_;
  Tfrc& tfrc_;
};

// DirectTfrc is one whose reports a test makes up, a round trip apart.
struct DirectTfrc {
  void report(std::size_t packets, bool app_limited = false, Duration rtt = kRtt) {
    tfrc.on_sent(now, packets * kMtu, packets * kMtu);
    now += kRtt;
    delivered += packets * kMtu;
    AckSample sample{.now = now,
                     .acked_bytes = packets * kMtu,
                     .rtt = rtt,
                     .srtt = kRtt,
                     .delivered = delivered,
                     .lost = lost};
    sample.rate.app_limited = app_limited;
    tfrc.on_ack(sample);
  }
  void lose() {
    tfrc.on_lost(now, kMtu, {.sent_at = now, .delivered = delivered, .lost = lost});
    lost += kMtu;
  }
  double equation() const { return Tfrc::throughput(kMtu, 0.02, tfrc.loss_event_rate()); }
  static double rate_of(double packets) { return packets * kMtu / 0.02; }

  Tfrc tfrc{{.algorithm = CongestionAlgorithm::kTfrc, .mtu_bytes = kMtu}};
  Time now{seconds(1)};
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
};

// RFC 5348 §3.1, computed by hand.
TEST(Tfrc, TheEquationGivesTheRateOfTcp) {
  // p = 0.01: R sqrt(2p/3) = 8.165 ms, 4 R 3 sqrt(3p/8) p (1 + 32 p^2) = 0.7372 ms.
  EXPECT_NEAR(Tfrc::throughput(1000, 0.1, 0.01), 1000 / 8.9023e-3, 50);
  EXPECT_GT(Tfrc::throughput(1000, 0.1, 0.001), 3 * Tfrc::throughput(1000, 0.1, 0.01));
  EXPECT_NEAR(Tfrc::throughput(1000, 0.05, 0.01), 2 * Tfrc::throughput(1000, 0.1, 0.01), 1);
}

// RFC 5348 §4.2, §4.3: the initial window a round trip, then twice what arrived, and that was
// sent a round trip before it.
TEST_F(TfrcTest, SlowStartGrowsExponentiallyByTwiceWhatArrived) {
  model_.path().rate = 100 * kRate;
  model_.run(kRtt + milliseconds(2));
  const double initial = 10.0 * kMtu / 0.02;
  EXPECT_NEAR(tfrc_.allowed_rate(), initial, 0.05 * initial);
  model_.run(8 * kRtt);
  const double eight = tfrc_.allowed_rate();
  EXPECT_GE(eight, 8 * initial);
  EXPECT_LE(eight, 256 * initial);
  model_.run(8 * kRtt);
  EXPECT_GE(tfrc_.allowed_rate(), 8 * eight);
}

// RFC 5348 §4.3: recv_limit.
TEST_F(TfrcTest, TheRateIsAtMostTwiceWhatArrives) {
  model_.path().queue_bytes = 1000 * kBdp;
  model_.run(milliseconds(600));
  EXPECT_LE(tfrc_.allowed_rate(), 2.1 * kRate);
}

// RFC 5348 §6.3.1: half of what was sent when the first loss came, which is what arrived.
TEST_F(TfrcTest, TheFirstLossLeavesTheRateThatArrived) {
  ASSERT_TRUE(model_.run_until([&] { return tfrc_.loss_event_rate() > 0; }, seconds(5)));
  EXPECT_LE(tfrc_.allowed_rate(), 1.1 * kRate);
  EXPECT_GE(tfrc_.allowed_rate(), 0.3 * kRate);
}

// RFC 5348 §1: within a factor of two of TCP where both see the same loss.
TEST(Tfrc, SharesAsNewRenoDoes) {
  for (const double loss : {0.001, 0.003, 0.01, 0.03}) {
    double rates[2];
    for (int i = 0; i < 2; ++i) {
      BottleneckModel model({.rate = 125e6, .rtt = kRtt, .queue_bytes = 2'500'000, .loss = loss},
                            5);
      ModelFlow& flow = model.add(
          {.algorithm = i == 0 ? CongestionAlgorithm::kTfrc : CongestionAlgorithm::kNewReno,
           .mtu_bytes = kMtu});
      model.run(seconds(5));
      model.start_measuring();
      model.run(seconds(40));
      rates[i] = static_cast<double>(flow.delivered());
    }
    EXPECT_LT(rates[0], 2 * rates[1]) << loss;
    EXPECT_GT(rates[0], rates[1] / 2) << loss;
  }
}

// RFC 5348 §1: the rate changes little from one round trip to the next.
TEST_F(TfrcTest, TheRateIsSmooth) {
  model_.path() = {.rate = 10 * kRate, .rtt = kRtt, .queue_bytes = 10 * kBdp, .loss = 0.01};
  model_.run(seconds(10));
  double largest = 0;
  double before = tfrc_.allowed_rate();
  for (int i = 0; i < 500; ++i) {
    model_.run(kRtt);
    largest = std::max(largest, before / tfrc_.allowed_rate());
    before = tfrc_.allowed_rate();
  }
  EXPECT_LT(largest, 1.4) << "NewReno's halves";
  EXPECT_GT(largest, 1.0);
}

// RFC 5348 §4.3, step 4: twice the rate a round trip before the first loss, whatever arrived;
// the equation's after it.
TEST(Tfrc, TheRateDoublesUntilTheFirstLossAndIsTheEquationsAfterIt) {
  DirectTfrc direct;
  direct.report(10);
  double expected = DirectTfrc::rate_of(10);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), expected, 1);
  for (int i = 0; i < 5; ++i) {
    direct.report(100'000);
    expected *= 2;
    EXPECT_NEAR(direct.tfrc.allowed_rate(), expected, 1) << i;
  }
  for (int i = 0; i < 20; ++i) {
    direct.lose();
    direct.report(100'000);
    EXPECT_NEAR(direct.tfrc.allowed_rate(), direct.equation(), 1) << i;
  }
}

// RFC 5348 §4.5: a round trip above the mean of the roots slows down what is sent for now; one
// that is not known does nothing.
TEST(Tfrc, ALongRoundTripDampsTheSendingRate) {
  DirectTfrc direct;
  for (int i = 0; i < 6; ++i) direct.report(1000);
  const auto sending_rate = [&] {
    return static_cast<double>(direct.tfrc.pacing_rate(kRtt)) / direct.tfrc.allowed_rate();
  };
  const double even = sending_rate();
  direct.report(1000, false, 4 * kRtt);
  // The mean is 0.9 R + 0.1 * 2 R, R the root of the round trip before.
  EXPECT_NEAR(sending_rate() / even, 1.1 / 2, 0.01);
  direct.report(1000, false, Duration::zero());
  EXPECT_NEAR(sending_rate() / even, 1.1 / 2, 0.01);
}

TEST_F(TfrcTest, OneFlowUsesAnEmptyPath) {
  model_.run(seconds(3));
  model_.start_measuring();
  model_.run(seconds(20));
  EXPECT_GT(static_cast<double>(flow_.delivered()) / 20, 0.85 * kRate);
}

// RFC 5348 §4.4: the nofeedback timer halves the rate.
TEST_F(TfrcTest, ATimeOutHalvesTheRate) {
  model_.path().loss = 0.01;
  model_.run(seconds(10));
  const double before = tfrc_.allowed_rate();
  tfrc_.on_timeout(model_.now());
  EXPECT_LT(tfrc_.allowed_rate(), 0.75 * before);
  for (int i = 0; i < 100; ++i) tfrc_.on_timeout(model_.now());
  EXPECT_NEAR(tfrc_.allowed_rate(), kMtu / 64.0, 1) << "a packet each 64 s, t_mbi";
}

// RFC 5348 §4.4: before the first loss half the rate, whatever arrived.
TEST(Tfrc, ATimeOutBeforeTheFirstLossHalvesTheRateItself) {
  DirectTfrc direct;
  for (int i = 0; i < 6; ++i) direct.report(20);
  const double before = direct.tfrc.allowed_rate();
  direct.tfrc.on_timeout(direct.now);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), before / 2, 1);

  DirectTfrc begun;
  begun.report(10);
  begun.tfrc.on_timeout(begun.now);
  EXPECT_NEAR(begun.tfrc.allowed_rate(), DirectTfrc::rate_of(5), 1);
}

// RFC 5348 §4.4: what arrived, where the equation allows more than twice that.
TEST(Tfrc, ATimeOutLeavesWhatArrivedWhereTheEquationIsNoBound) {
  DirectTfrc direct;
  for (int i = 0; i < 10; ++i) direct.report(1000);
  direct.lose();
  for (int i = 0; i < 8; ++i) direct.report(100);
  ASSERT_GT(direct.equation(), 2.5 * DirectTfrc::rate_of(100));
  ASSERT_NEAR(direct.tfrc.allowed_rate(), 2 * DirectTfrc::rate_of(100), 1);
  direct.tfrc.on_timeout(direct.now);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), DirectTfrc::rate_of(100), 1);
}

// RFC 5348 §4.4: half the equation's rate, where that is less.
TEST(Tfrc, ATimeOutHalvesTheEquationsRateWhereThatIsTheBound) {
  DirectTfrc direct;
  for (int i = 0; i < 10; ++i) direct.report(1000);
  for (int i = 0; i < 10; ++i) {
    direct.lose();
    direct.report(1000);
  }
  ASSERT_LT(direct.equation(), 2 * DirectTfrc::rate_of(1000));
  const double equation = direct.equation();
  direct.tfrc.on_timeout(direct.now);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), equation / 2, 1);
}

// RFC 5348 §4.4: without a report what is sent stands for what arrived.
TEST(Tfrc, ATimeOutBeforeTheFirstReportGoesByWhatWasSent) {
  DirectTfrc direct;
  direct.report(10);
  direct.lose();
  const double equation = direct.equation();
  ASSERT_NEAR(direct.tfrc.allowed_rate(), equation, 1);
  direct.tfrc.on_timeout(direct.now);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), equation / 2, 1);
}

// RFC 5348 §6.2: no packet, no report; and one packet, however late, is one in a round trip.
TEST_F(TfrcTest, TheRateComesBackWithinRoundTripsFromAPacketAMinute) {
  model_.path().loss = 0.01;
  model_.run(seconds(10));
  const double before = tfrc_.allowed_rate();
  AckSample sample{.now = model_.now() + kRtt,
                   .acked_bytes = kMtu,
                   .rtt = kRtt,
                   .srtt = kRtt,
                   .delivered = flow_.total_delivered() + kMtu,
                   .lost = flow_.total_lost()};
  tfrc_.on_ack(sample);
  for (int i = 0; i < 100; ++i) tfrc_.on_timeout(model_.now());
  ASSERT_LT(tfrc_.allowed_rate(), 30);
  sample.now += seconds(60);
  sample.acked_bytes = 0;
  tfrc_.on_ack(sample);
  EXPECT_LT(tfrc_.allowed_rate(), 30) << "nothing has arrived";
  for (int i = 0; i < 12; ++i) {
    sample.now += kRtt;
    sample.acked_bytes = std::max(kMtu, static_cast<std::size_t>(tfrc_.allowed_rate() * 0.02));
    sample.delivered += sample.acked_bytes;
    tfrc_.on_ack(sample);
  }
  EXPECT_GT(tfrc_.allowed_rate(), before / 2);
}

// RFC 5348 §4.4: what waits for the rate's next packet is not silent, however long that is.
TEST_F(TfrcTest, AWaitThatTheRateImposesIsNoSilence) {
  model_.path().loss = 0.01;
  model_.run(seconds(10));
  for (int i = 0; i < 100; ++i) tfrc_.on_timeout(model_.now());
  ASSERT_LT(tfrc_.allowed_rate(), 30);
  AckSample sample{.now = model_.now(),
                   .rtt = kRtt,
                   .srtt = kRtt + microseconds(100),
                   .delivered = flow_.total_delivered(),
                   .lost = flow_.total_lost()};
  for (int i = 0; i < 10; ++i) {
    tfrc_.on_idle(seconds(60), milliseconds(100));
    sample.now += seconds(60);
    tfrc_.on_sent(sample.now, kMtu, kMtu);
    sample.now += kRtt;
    sample.acked_bytes = kMtu;
    sample.delivered += kMtu;
    tfrc_.on_ack(sample);
  }
  EXPECT_GT(tfrc_.allowed_rate(), 1000);
}

// RFC 5348 §4.4: what arrived before the silence is forgotten, so that the rate grows anew.
TEST(Tfrc, AfterSilenceTheRateIsNotAtOnceWhatItWas) {
  DirectTfrc direct;
  for (int i = 0; i < 10; ++i) direct.report(1000);
  direct.lose();
  for (int i = 0; i < 3; ++i) direct.report(1000);
  const double before = direct.tfrc.allowed_rate();
  direct.tfrc.on_idle(milliseconds(300), milliseconds(100));
  ASSERT_NEAR(direct.tfrc.allowed_rate(), before / 8, 1);
  direct.now += milliseconds(300);
  direct.report(20, true);
  EXPECT_LE(direct.tfrc.allowed_rate(), before / 4);
}

// RFC 5348 §4.4: without a report there is nothing to forget.
TEST(Tfrc, SilenceBeforeTheFirstReportSetsNoBound) {
  DirectTfrc direct;
  direct.report(10);
  direct.tfrc.on_idle(milliseconds(300), milliseconds(100));
  const double rate = direct.tfrc.allowed_rate();
  direct.now += milliseconds(300);
  direct.report(2);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), 2 * rate, 1);
  direct.report(10'000);
  EXPECT_NEAR(direct.tfrc.allowed_rate(), 4 * rate, 1);
}

// RFC 5348 §4.4: silence takes it to what a new association begins with, and no lower.
TEST_F(TfrcTest, SilenceDecaysToTheInitialRate) {
  model_.run(seconds(3));
  const double before = tfrc_.allowed_rate();
  tfrc_.on_idle(milliseconds(250), milliseconds(100));
  EXPECT_NEAR(tfrc_.allowed_rate(), before / 4, 1);
  tfrc_.on_idle(seconds(100), milliseconds(100));
  EXPECT_NEAR(tfrc_.allowed_rate(), 10.0 * kMtu / 0.02, 0.5 * 10.0 * kMtu / 0.02);
}

// RFC 5348 §5.1: a loss that was none leaves the history.
TEST_F(TfrcTest, ASpuriousLossLeavesTheHistory) {
  model_.path().loss = 0.001;
  model_.run(seconds(10));
  const double rate = tfrc_.allowed_rate();
  const double events = tfrc_.loss_event_rate();
  tfrc_.on_lost(model_.now(), kMtu,
                {.sent_at = model_.now() + seconds(1), .delivered = flow_.total_delivered()});
  ASSERT_LE(tfrc_.allowed_rate(), rate);
  tfrc_.on_spurious_loss(model_.now());
  EXPECT_DOUBLE_EQ(tfrc_.allowed_rate(), rate);
  EXPECT_DOUBLE_EQ(tfrc_.loss_event_rate(), events);
}

// RFC 5348 §4.3: a sender that has nothing to say keeps what it may say.
TEST_F(TfrcTest, AQuietApplicationDoesNotLowerTheRate) {
  model_.run(seconds(3));
  const double before = tfrc_.allowed_rate();
  flow_.limit_application(before / 20);
  model_.run(seconds(3));
  EXPECT_GT(tfrc_.allowed_rate(), before / 2);
}

}  // namespace
}  // namespace millrace::sctp
