// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/received_tsns.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

using Insert = ReceivedTsns::Insert;

UnwrappedTsn at(std::uint64_t offset) { return UnwrappedTsn::first(Tsn(100)).plus(offset); }

TEST(ReceivedTsns, MergesRangesFromEverySide) {
  ReceivedTsns tsns(at(0));
  EXPECT_EQ(tsns.insert(at(5)), Insert::kNew);
  EXPECT_EQ(tsns.insert(at(7)), Insert::kNew);
  EXPECT_EQ(tsns.ranges().size(), 2u);
  EXPECT_EQ(tsns.insert(at(6)), Insert::kNew);
  ASSERT_EQ(tsns.ranges().size(), 1u);
  EXPECT_EQ(tsns.insert(at(4)), Insert::kNew);
  EXPECT_EQ(tsns.insert(at(8)), Insert::kNew);
  EXPECT_EQ(tsns.ranges()[0].first, at(4));
  EXPECT_EQ(tsns.ranges()[0].last, at(8));
  EXPECT_EQ(tsns.insert(at(6)), Insert::kDuplicate);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(tsns.insert(at(i)), Insert::kNew);
  EXPECT_EQ(tsns.cumulative(), at(8));
  EXPECT_FALSE(tsns.has_gaps());
  EXPECT_EQ(tsns.insert(at(8)), Insert::kDuplicate);
}

TEST(ReceivedTsns, AdvancingSwallowsRangesWholeAndInPart) {
  ReceivedTsns tsns(at(0));
  for (const std::uint64_t i : {3u, 4u, 6u, 9u, 10u, 12u}) tsns.insert(at(i));
  tsns.advance_to(at(7));
  EXPECT_EQ(tsns.cumulative(), at(7));
  ASSERT_EQ(tsns.ranges().size(), 2u);
  tsns.advance_to(at(9));
  EXPECT_EQ(tsns.cumulative(), at(10));
  tsns.advance_to(at(2));  // Behind: no effect.
  EXPECT_EQ(tsns.cumulative(), at(10));
  EXPECT_EQ(tsns.ranges().size(), 1u);
}

TEST(ReceivedTsns, TheirNumberIsBoundedAndWhatFitsIsStillTaken) {
  ReceivedTsns tsns(at(0));
  for (std::uint64_t i = 0; i < ReceivedTsns::kMaxRanges; ++i) {
    ASSERT_EQ(tsns.insert(at(2 + 2 * i)), Insert::kNew);
  }
  EXPECT_EQ(tsns.insert(at(10000)), Insert::kTooManyRanges);
  EXPECT_FALSE(tsns.contains(at(10000)));
  EXPECT_EQ(tsns.insert(at(3)), Insert::kNew);  // Joins two.
  EXPECT_EQ(tsns.ranges().size(), ReceivedTsns::kMaxRanges - 1);
  EXPECT_EQ(tsns.insert(at(10000)), Insert::kNew);
}

TEST(ReceivedTsns, AgreesWithASetOfNumbers) {
  SeededRng rng(7);
  ReceivedTsns tsns(at(0));
  std::set<std::uint64_t> model;
  std::uint64_t cumulative = 0;
  const auto absorb = [&] {
    while (model.erase(cumulative + 1) > 0) ++cumulative;
  };
  for (int i = 0; i < 20000; ++i) {
    if (rng.below(200) == 0) {
      const std::uint64_t to = cumulative + rng.below(20);
      tsns.advance_to(at(to));
      cumulative = to;
      std::erase_if(model, [to](std::uint64_t tsn) { return tsn <= to; });
    } else {
      const std::uint64_t tsn = cumulative + rng.below(60);
      const bool is_new = tsn > cumulative && model.insert(tsn).second;
      ASSERT_EQ(tsns.insert(at(tsn)), is_new ? Insert::kNew : Insert::kDuplicate);
    }
    absorb();
    ASSERT_EQ(tsns.cumulative(), at(cumulative));
    std::size_t held = 0;
    for (const ReceivedTsns::Range& range : tsns.ranges()) {
      held += range.last.distance_from(range.first) + 1;
    }
    ASSERT_EQ(held, model.size());
    for (const std::uint64_t tsn : model) ASSERT_TRUE(tsns.contains(at(tsn)));
  }
}

}  // namespace
}  // namespace millrace::sctp
