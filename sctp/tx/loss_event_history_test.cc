// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/loss_event_history.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

constexpr Duration kEventRtt = milliseconds(100);

Time at(int rtts) { return Time{seconds(1)} + rtts * kEventRtt; }

// RFC 5348 §5.2.
TEST(LossEventHistory, LossesOfOneRoundTripAreOneEvent) {
  LossEventHistory history;
  EXPECT_TRUE(history.empty());
  EXPECT_EQ(history.loss_event_rate(), 0);
  EXPECT_TRUE(history.handle_loss(at(1), 100, kEventRtt));
  EXPECT_FALSE(history.handle_loss(at(1), 101, kEventRtt));
  EXPECT_FALSE(history.handle_loss(at(2) - Duration(1), 150, kEventRtt));
  EXPECT_FALSE(history.handle_loss(at(0), 50, kEventRtt)) << "one from before, found late";
  EXPECT_TRUE(history.handle_loss(at(2), 200, kEventRtt));
}

// RFC 5348 §5.3, §5.4: from first loss to first loss; the current interval counts once it is
// longer than the others.
TEST(LossEventHistory, TheRateIsOneOverTheMeanInterval) {
  LossEventHistory history;
  history.handle_loss(at(1), 100, kEventRtt);
  EXPECT_DOUBLE_EQ(history.loss_event_rate(), 1.0 / 100);
  history.advance(150);
  EXPECT_DOUBLE_EQ(history.loss_event_rate(), 1.0 / 100);
  history.handle_loss(at(2), 400, kEventRtt);
  EXPECT_DOUBLE_EQ(history.loss_event_rate(), 1.0 / 200);
  history.advance(400 + 350);
  EXPECT_DOUBLE_EQ(history.loss_event_rate(), 3.0 / (350 + 300 + 100));
}

// RFC 5348 §5.4: 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2.
TEST(LossEventHistory, OlderIntervalsCountForLess) {
  LossEventHistory history;
  double position = 0;
  double total = 0;
  const double weights[] = {0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1};
  for (int i = -2; i < 8; ++i) {
    // The first two are forgotten.
    const double interval = i < 0 ? 5000 : 100 + 10 * i;
    position += interval;
    history.handle_loss(at(2 * (i + 3)), position, kEventRtt);
    if (i >= 0) total += interval * weights[i];
  }
  EXPECT_NEAR(history.loss_event_rate(), 6.0 / total, 1e-9);
}

// RFC 5348 §5.5: where the current interval is more than twice the mean, older ones fade, but
// never below a quarter.
TEST(LossEventHistory, ALongIntervalDiscountsWhatWasBefore) {
  LossEventHistory history;
  for (int i = 1; i <= 9; ++i) history.handle_loss(at(2 * i), 100.0 * i, kEventRtt);
  ASSERT_NEAR(history.loss_event_rate(), 1.0 / 100, 1e-9);
  history.advance(900 + 400);
  // DF is 2 * 100 / 400: W_tot0 = 1 + 5 / 2.
  EXPECT_NEAR(history.loss_event_rate(), 3.5 / (400 + 250), 1e-9);
  history.advance(900 + 100'000);
  EXPECT_NEAR(history.loss_event_rate(), 2.25 / (100'000 + 125), 1e-9);
}

// RFC 5348 §5.5: what is discounted stays so, or the next loss would bring it all back.
TEST(LossEventHistory, ALossDoesNotBringBackWhatWasDiscounted) {
  LossEventHistory history;
  for (int i = 1; i <= 9; ++i) history.handle_loss(at(2 * i), 100.0 * i, kEventRtt);
  history.advance(900 + 100'000);
  history.handle_loss(at(40), 900 + 100'000, kEventRtt);
  // Weights of 1 and, a quarter each, 1, 1, 1, 0.8, 0.6, 0.4, 0.2.
  EXPECT_NEAR(history.loss_event_rate(), 2.25 / (100'000 + 125), 1e-9);
}

// RFC 5348 §6.3.1.
TEST(LossEventHistory, TheFirstIntervalCanBeReplaced) {
  LossEventHistory history;
  history.handle_loss(at(1), 1000, kEventRtt);
  history.seed(40);
  EXPECT_DOUBLE_EQ(history.loss_event_rate(), 1.0 / 40);
}

}  // namespace
}  // namespace millrace::sctp
