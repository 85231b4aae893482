// SPDX-License-Identifier: Apache-2.0
// Delivery rate samples, draft-ietf-ccwg-bbr §4.1.
#include "sctp/tx/delivery_rate.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace millrace::sctp {
namespace {

// Listener takes samples and remembers what it was told of losses.
class Listener final : public CongestionControl {
 public:
  explicit Listener(bool samples = true) : samples_(samples) {}
  void on_sent(Time, std::size_t, std::size_t) override {}
  void on_ack(const AckSample&) override {}
  void on_fast_recovery(Time, bool) override {}
  void on_lost(Time, std::size_t bytes, const SentState& sent) override {
    lost_bytes += bytes;
    lost.push_back(sent);
  }
  void on_timeout(Time) override {}
  void on_idle(Duration, Duration) override {}
  void set_mtu(std::size_t) override {}
  std::size_t cwnd() const override { return 0; }
  std::size_t ssthresh() const override { return 0; }
  bool needs_rate_samples() const override { return samples_; }
  std::uint64_t pacing_rate(Duration) const override { return kUnpaced; }

  std::size_t lost_bytes = 0;
  std::vector<SentState> lost;

 private:
  bool samples_;
};

constexpr Duration kFlightRtt = milliseconds(20);
constexpr std::size_t kPacket = 1000;

class DeliveryRateTest : public ::testing::Test {
 protected:
  struct Sent {
    DeliveryRate::Anchor anchor;
    std::size_t bytes;
  };
  // A flush of `packets`; they join what is under way.
  void send(int packets) {
    Sent sent{{rate_.open(now_, flight_), now_}, 0};
    for (int i = 0; i < packets; ++i) {
      flight_ += kPacket;
      sent.bytes += kPacket;
      rate_.note_sent(flight_);
    }
    under_way_.push_back(sent);
  }
  // A SACK acknowledges the oldest flush.
  RateSample acknowledge() {
    const Sent sent = under_way_.front();
    under_way_.pop_front();
    flight_ -= sent.bytes;
    return rate_.handle_ack(now_, sent.bytes, sent.anchor, kFlightRtt);
  }
  void lose() {
    const Sent sent = under_way_.front();
    under_way_.pop_front();
    flight_ -= sent.bytes;
    rate_.note_lost(now_, sent.bytes, sent.anchor);
  }

  Time now_{seconds(1)};
  Listener listener_;
  DeliveryRate rate_{listener_};
  std::size_t flight_ = 0;
  std::deque<Sent> under_way_;
};

// draft-ietf-ccwg-bbr §4.1.1.2: ten packets a millisecond, seen over a round trip.
TEST_F(DeliveryRateTest, ASteadyFlowIsMeasuredAtItsRate) {
  RateSample sample;
  for (int turn = 0; turn < 100; ++turn) {
    if (turn >= 20) sample = acknowledge();
    send(10);
    now_ += milliseconds(1);
  }
  EXPECT_TRUE(sample.valid);
  EXPECT_FALSE(sample.app_limited);
  EXPECT_EQ(sample.interval, kFlightRtt);
  EXPECT_EQ(sample.bytes_per_second(), 10'000'000u);
  EXPECT_EQ(sample.tx_in_flight, 200 * kPacket);
  EXPECT_EQ(sample.delivered + sample.prior_delivered, rate_.delivered());
}

// draft-ietf-ccwg-bbr §4.1.1.2.3: SACKs that come compressed show no rate above that of
// sending.
TEST_F(DeliveryRateTest, CompressedSacksDoNotInflateTheRate) {
  send(10);
  for (int i = 0; i < 10; ++i) {
    now_ += milliseconds(10);
    send(10);
  }
  // All but the first SACK were held up and come at once.
  acknowledge();
  now_ += milliseconds(5);
  RateSample sample;
  for (int i = 0; i < 10; ++i) {
    sample = acknowledge();
    ASSERT_TRUE(sample.valid);
    EXPECT_LE(sample.bytes_per_second(), 1'100'000u) << i;
  }
}

// draft-ietf-ccwg-bbr §4.1.2.3: less than a round trip proves nothing.
TEST_F(DeliveryRateTest, AnIntervalBelowTheShortestRoundTripGivesNoRate) {
  send(10);
  now_ += kFlightRtt / 2;
  const RateSample sample = acknowledge();
  EXPECT_FALSE(sample.valid);
  EXPECT_EQ(sample.bytes_per_second(), 0u);
  EXPECT_EQ(sample.delivered, 10 * kPacket) << "it still tells rounds";
}

// draft-ietf-ccwg-bbr §4.1.2.4: until the bubble has left the path.
TEST_F(DeliveryRateTest, SamplesAreMarkedForARoundTripAfterTheApplicationFellSilent) {
  send(10);
  rate_.note_app_limited(flight_);
  now_ += milliseconds(5);
  send(10);
  now_ += milliseconds(15);
  EXPECT_FALSE(acknowledge().app_limited) << "it left before";
  send(10);
  now_ += milliseconds(5);
  EXPECT_TRUE(acknowledge().app_limited);
  send(10);
  now_ += milliseconds(15);
  EXPECT_TRUE(acknowledge().app_limited) << "it left while the bubble was on the way";
  now_ += milliseconds(5);
  EXPECT_FALSE(acknowledge().app_limited);
}

// draft-ietf-ccwg-bbr §4.1.2.2: silence is not of the interval.
TEST_F(DeliveryRateTest, AFlightAfterSilenceIsMeasuredFromItsStart) {
  send(10);
  now_ += kFlightRtt;
  acknowledge();
  now_ += seconds(10);
  send(20);
  now_ += kFlightRtt;
  const RateSample sample = acknowledge();
  EXPECT_EQ(sample.interval, kFlightRtt);
  EXPECT_EQ(sample.delivered, 20 * kPacket);
}

TEST_F(DeliveryRateTest, ALossIsToldWithWhatWasTrueWhenItLeft) {
  send(10);
  now_ += milliseconds(1);
  send(5);
  now_ += milliseconds(1);
  send(5);
  now_ += kFlightRtt;
  acknowledge();
  lose();
  ASSERT_EQ(listener_.lost.size(), 1u);
  EXPECT_EQ(listener_.lost_bytes, 5 * kPacket);
  EXPECT_EQ(listener_.lost[0].in_flight, 15 * kPacket);
  EXPECT_EQ(listener_.lost[0].delivered, 0u);
  EXPECT_EQ(rate_.lost(), 5 * kPacket);
  const RateSample sample = acknowledge();
  EXPECT_EQ(sample.lost, 5 * kPacket);
  EXPECT_EQ(sample.delivered, 15 * kPacket);
  EXPECT_EQ(sample.tx_in_flight, 20 * kPacket);
}

// The ring grows until it holds what is under way, and beyond its bound flushes share.
TEST_F(DeliveryRateTest, ManyFlushesUnderWayAreStillMeasured) {
  constexpr int kFlushes = 20'000;
  int valid = 0;
  for (int i = 0; i < 10 * kFlushes; ++i) {
    if (i >= kFlushes) {
      const RateSample sample = acknowledge();
      if (sample.valid && i >= 5 * kFlushes) {
        ++valid;
        EXPECT_NEAR(static_cast<double>(sample.bytes_per_second()), 1e9, 2e7);
      }
    }
    send(1);
    now_ += microseconds(1);
  }
  EXPECT_EQ(valid, 5 * kFlushes);
}

// Flushes at one instant with no SACK between them are one.
TEST_F(DeliveryRateTest, OneInstantHasOneRecord) {
  send(1);
  const auto first = under_way_.back().anchor.record;
  send(1);
  EXPECT_EQ(under_way_.back().anchor.record, first);
  now_ += kFlightRtt;
  acknowledge();
  send(1);
  const auto second = under_way_.back().anchor.record;
  EXPECT_NE(second, first);
}

TEST(DeliveryRate, WithoutSamplingLossesAndDeliveriesAreCountedAllTheSame) {
  Listener listener(false);
  DeliveryRate rate(listener);
  EXPECT_FALSE(rate.sampling());
  rate.note_lost(Time{seconds(2)}, 500, {0, Time{seconds(1)}});
  EXPECT_FALSE(rate.handle_ack(Time{seconds(3)}, 700, DeliveryRate::Anchor{}, kFlightRtt).valid);
  EXPECT_EQ(rate.lost(), 500u);
  EXPECT_EQ(rate.delivered(), 700u);
  ASSERT_EQ(listener.lost.size(), 1u);
  EXPECT_EQ(listener.lost[0].sent_at, Time{seconds(1)});
}

}  // namespace
}  // namespace millrace::sctp
