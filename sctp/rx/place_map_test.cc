// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/place_map.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

TEST(PlaceMap, FindsTheNextPlaceBothWaysRoundTheRing) {
  SeededRng rng(4);
  for (const std::size_t places : {4u, 64u, 128u, 4096u, 8192u, 65536u}) {
    PlaceMap map;
    map.reset(places);
    std::set<std::size_t> taken;
    const auto toggle = [&](std::size_t place) {
      if (taken.insert(place).second) return map.take(place);
      taken.erase(place);
      map.free(place);
    };
    for (int round = 0; round < 2000; ++round) {
      toggle(rng.below(places));
      if (round % 100 > 90) {  // Almost none.
        while (taken.size() > 1) toggle(*taken.begin());
      }
      if (taken.empty()) continue;
      const std::size_t from = rng.below(places);
      const auto after = taken.lower_bound(from);
      ASSERT_EQ(map.next(from), after == taken.end() ? *taken.begin() : *after);
      const auto behind = taken.upper_bound(from);
      ASSERT_EQ(map.previous(from), behind == taken.begin() ? *taken.rbegin() : *std::prev(behind));
    }
  }
}

TEST(PlaceMap, LooksAtNoMoreThanAFewWordsHoweverFar) {
  PlaceMap map;
  map.reset(65536);
  map.take(7);
  EXPECT_EQ(map.next(8), 7u);
  EXPECT_EQ(map.previous(6), 7u);
  EXPECT_LE(map.walked(), 2u * (1 + 17));
}

}  // namespace
}  // namespace millrace::sctp
