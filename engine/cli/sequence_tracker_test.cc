// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/sequence_tracker.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/rng.h"

namespace millrace::cli {
namespace {

using Verdict = SequenceTracker::Verdict;

TEST(SequenceTracker, TakesNumbersInOrder) {
  SequenceTracker tracker;
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(tracker.accept(i), Verdict::kInOrder);
  EXPECT_EQ(tracker.end(), 1000u);
}

TEST(SequenceTracker, TellsLateFromRepeated) {
  SequenceTracker tracker;
  EXPECT_EQ(tracker.accept(0), Verdict::kInOrder);
  EXPECT_EQ(tracker.accept(2), Verdict::kInOrder);
  EXPECT_EQ(tracker.accept(1), Verdict::kReordered);
  for (std::uint64_t seen = 0; seen < 3; ++seen)
    EXPECT_EQ(tracker.accept(seen), Verdict::kDuplicate);
  EXPECT_EQ(tracker.accept(3), Verdict::kInOrder);
}

TEST(SequenceTracker, AgreesWithASetOverRandomOrders) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SeededRng rng(seed);
    SequenceTracker tracker;
    std::set<std::uint64_t> seen;
    std::uint64_t base = 0;
    for (int i = 0; i < 5000; ++i) {
      base += rng.next() % 3;
      const std::uint64_t number = base + rng.next() % 500;
      const bool fresh = seen.insert(number).second;
      const bool highest = *seen.rbegin() == number;
      const Verdict expected = !fresh    ? Verdict::kDuplicate
                               : highest ? Verdict::kInOrder
                                         : Verdict::kReordered;
      ASSERT_EQ(tracker.accept(number), expected) << "seed " << seed << ", step " << i;
    }
  }
}

TEST(SequenceTracker, GivesUpWhatIsMissingForTooLong) {
  SequenceTracker tracker;
  EXPECT_EQ(tracker.accept(5), Verdict::kInOrder);
  EXPECT_EQ(tracker.accept(std::uint64_t{1} << 40), Verdict::kInOrder);
  EXPECT_EQ(tracker.accept(4), Verdict::kDuplicate);
  EXPECT_EQ(tracker.accept((std::uint64_t{1} << 40) - 1000), Verdict::kReordered);
  EXPECT_EQ(tracker.accept((std::uint64_t{1} << 40) - 1000), Verdict::kDuplicate);
}

TEST(SequenceTracker, UnwrapsToTheNearest) {
  SequenceTracker tracker;
  EXPECT_EQ(tracker.unwrap(3, 8), 3u);
  for (std::uint64_t i = 0; i < 300; ++i) (void)tracker.accept(i);
  EXPECT_EQ(tracker.unwrap(300 & 255, 8), 300u);
  EXPECT_EQ(tracker.unwrap(299 & 255, 8), 299u);
  EXPECT_EQ(tracker.unwrap(200, 8), 200u);
  EXPECT_EQ(tracker.unwrap(310 & 255, 8), 310u);
}

}  // namespace
}  // namespace millrace::cli
