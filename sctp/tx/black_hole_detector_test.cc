// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/black_hole_detector.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

// RFC 8899 §4.3: excessive loss of data of one size is an indication.
TEST(BlackHoleDetector, TakesTwoLossesInARowForABlackHole) {
  BlackHoleDetector detector;
  detector.watch_above(1160);
  EXPECT_FALSE(detector.is_large(1160));
  EXPECT_TRUE(detector.is_large(1164));
  detector.on_large_lost();
  EXPECT_FALSE(detector.take_found());
  detector.on_large_lost();
  EXPECT_TRUE(detector.take_found());
  EXPECT_FALSE(detector.take_found());
}

TEST(BlackHoleDetector, ForgivesLossesOfAPathThatLetsSomePass) {
  BlackHoleDetector detector;
  detector.watch_above(1160);
  for (int i = 0; i < 100; ++i) {
    detector.on_large_lost();
    detector.on_large_acked();
  }
  EXPECT_FALSE(detector.take_found());
}

TEST(BlackHoleDetector, BeginsAnewWithEachSize) {
  BlackHoleDetector detector;
  EXPECT_FALSE(detector.is_large(65535));
  detector.watch_above(1160);
  detector.on_large_lost();
  detector.watch_above(468);
  detector.on_large_lost();
  EXPECT_FALSE(detector.take_found());
  EXPECT_TRUE(detector.is_large(500));
}

}  // namespace
}  // namespace millrace::sctp
