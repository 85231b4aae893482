// SPDX-License-Identifier: Apache-2.0
#include "io/rx_supply.h"

#include <gtest/gtest.h>

namespace millrace::io {
namespace {

constexpr std::size_t kAll = 128;
constexpr std::size_t kFull = 65536;

// Turns in each of which so many buffers come with so many bytes, and what is wanted after them.
std::size_t wanted_after(RxSupply& supply, int turns, std::size_t buffers, std::size_t bytes,
                         bool dry = false) {
  std::size_t wanted = 0;
  for (int i = 0; i < turns; ++i) {
    for (std::size_t each = 0; each < buffers; ++each) supply.note_filled(bytes);
    if (dry) supply.note_dry();
    wanted = supply.wanted(1);
  }
  return wanted;
}

TEST(RxSupply, BeginsWithAll) {
  RxSupply supply(kAll);
  EXPECT_EQ(supply.wanted(1), kAll);
}

TEST(RxSupply, AStreamAheadOfItsReaderIsTakenAFewBuffersAtATime) {
  RxSupply supply(kAll);
  EXPECT_EQ(wanted_after(supply, 1, 64, kFull), 64u);
  EXPECT_EQ(wanted_after(supply, 10, 32, kFull), RxSupply::kLeast);
  // All that it is given is filled each time: that is what it is to have.
  EXPECT_EQ(wanted_after(supply, 10, RxSupply::kLeast, kFull, true), RxSupply::kLeast);
}

TEST(RxSupply, LoneDatagramsGoRoundAFewBuffers) {
  RxSupply supply(kAll);
  EXPECT_EQ(wanted_after(supply, 200, 1, 100), RxSupply::kLeast);
}

TEST(RxSupply, TurnsThatFindNothingChangeNothing) {
  RxSupply supply(kAll);
  EXPECT_EQ(wanted_after(supply, 1000, 0, 0), kAll);
}

TEST(RxSupply, SmallDatagramsOfManyHaveAllSoon) {
  RxSupply supply(kAll);
  ASSERT_EQ(wanted_after(supply, 200, 1, 100), RxSupply::kLeast);
  EXPECT_EQ(wanted_after(supply, 4, 8, 100, true), kAll);
  EXPECT_EQ(wanted_after(supply, 100, kAll, 100, true), kAll);
}

TEST(RxSupply, EachSocketHasOneAsFarAsTheyGo) {
  RxSupply supply(kAll);
  ASSERT_EQ(wanted_after(supply, 200, 1, 100), RxSupply::kLeast);
  EXPECT_EQ(supply.wanted(20), 20u);
  EXPECT_EQ(supply.wanted(10'000), kAll);
  EXPECT_EQ(supply.wanted(1), RxSupply::kLeast);
}

TEST(RxSupply, NeverWantsMoreThanThereAre) {
  RxSupply supply(4);
  EXPECT_EQ(supply.wanted(1), 4u);
  EXPECT_EQ(wanted_after(supply, 10, 4, kFull, true), 4u);
  EXPECT_EQ(wanted_after(supply, 10, 4, 4 * kFull), 4u);
  EXPECT_EQ(wanted_after(supply, 10, 1, 100), 4u);
}

}  // namespace
}  // namespace millrace::io
