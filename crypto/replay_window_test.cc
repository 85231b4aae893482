// SPDX-License-Identifier: Apache-2.0
#include "crypto/replay_window.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/record_header.h"
#include "engine/base/rng.h"

namespace millrace::crypto {
namespace {

bool pass(ReplayWindow& window, std::uint64_t sequence) {
  if (!window.is_new(sequence)) return false;
  window.commit(sequence);
  return true;
}

TEST(ReplayWindow, PassesEachNumberOnce) {  // RFC 6347 §4.1.2.6
  ReplayWindow window;
  for (std::uint64_t i = 0; i < 5000; ++i) EXPECT_TRUE(pass(window, i)) << i;
  for (std::uint64_t i = 0; i < 5000; ++i) EXPECT_FALSE(pass(window, i)) << i;
}

TEST(ReplayWindow, PassesTheFirstNumberWhateverItIs) {
  for (const std::uint64_t first :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{63}, std::uint64_t{64},
        std::uint64_t{1023}, std::uint64_t{1024}, kMaxSequence}) {
    ReplayWindow window;
    EXPECT_TRUE(pass(window, first)) << first;
    EXPECT_FALSE(pass(window, first)) << first;
  }
}

TEST(ReplayWindow, KnowsItsEdges) {
  ReplayWindow window;
  const std::uint64_t top = 100'000;
  EXPECT_TRUE(pass(window, top));
  EXPECT_TRUE(pass(window, top - ReplayWindow::kWidth + 1));
  EXPECT_FALSE(pass(window, top - ReplayWindow::kWidth + 1));
  EXPECT_FALSE(pass(window, top - ReplayWindow::kWidth));
  EXPECT_FALSE(pass(window, 0));
}

TEST(ReplayWindow, ForgetsNothingWithinItselfWhenItLeaps) {
  ReplayWindow window;
  EXPECT_TRUE(pass(window, 10));
  EXPECT_TRUE(pass(window, 10 + ReplayWindow::kWidth - 1));
  EXPECT_FALSE(pass(window, 10));
  EXPECT_TRUE(pass(window, kMaxSequence));
  EXPECT_TRUE(pass(window, kMaxSequence - 1));
  EXPECT_FALSE(pass(window, kMaxSequence));
}

TEST(ReplayWindow, BehavesLikeASetOfRecentNumbers) {
  SeededRng rng(7);
  ReplayWindow window;
  std::set<std::uint64_t> seen;
  std::uint64_t top = 0;
  std::uint64_t centre = 0;
  for (int i = 0; i < 200'000; ++i) {
    centre += rng.below(3);
    if (rng.below(5000) == 0) centre += rng.below(3000);
    const std::uint64_t back = rng.below(1100);
    const std::uint64_t sequence = centre > back ? centre - back : centre;
    const bool behind = !seen.empty() && sequence <= top && top - sequence >= ReplayWindow::kWidth;
    EXPECT_EQ(pass(window, sequence), !behind && !seen.contains(sequence)) << i;
    if (!behind) {
      seen.insert(sequence);
      top = std::max(top, sequence);
    }
  }
  EXPECT_EQ(window.highest(), top);
}

}  // namespace
}  // namespace millrace::crypto
