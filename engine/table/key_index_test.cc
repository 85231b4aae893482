// SPDX-License-Identifier: Apache-2.0
#include "engine/table/key_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "engine/base/rng.h"

namespace millrace::engine {
namespace {

int matches(const KeyIndex& index, std::uint64_t hash, std::uint32_t record) {
  int n = 0;
  index.find(hash, [&](KeyIndex::Place place) {
    n += place.record == record;
    return false;
  });
  return n;
}

TEST(KeyIndex, FindsAPlaceUntilItIsErased) {
  KeyIndex index(10);
  index.insert(0x123456789abcdef0, {7, 3});
  KeyIndex::Place found;
  EXPECT_TRUE(index.find(0x123456789abcdef0, [&](KeyIndex::Place place) {
    found = place;
    return true;
  }));
  EXPECT_EQ(found.record, 7u);
  EXPECT_EQ(found.position, 3u);
  EXPECT_EQ(matches(index, 0x923456789abcdef0, 7), 0);
  index.erase(0x123456789abcdef0, {7, 3});
  EXPECT_EQ(matches(index, 0x123456789abcdef0, 7), 0);
}

TEST(KeyIndex, KeepsTheWidestPlace) {
  KeyIndex index(1);
  index.insert(UINT64_MAX, {KeyIndex::kMaxRecords - 1, 255});
  index.find(UINT64_MAX, [&](KeyIndex::Place place) {
    EXPECT_EQ(place.record, KeyIndex::kMaxRecords - 1);
    EXPECT_EQ(place.position, 255u);
    return true;
  });
}

TEST(KeyIndex, OffersEveryPlaceOfOneHashBeyondItsBucket) {
  KeyIndex index(100);
  for (std::uint32_t i = 0; i < 100; ++i) index.insert(42, {i, 0});
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(matches(index, 42, i), 1) << i;
  EXPECT_GT(index.displaced(), 0u);
  // Holes in the middle of the walk hide nothing.
  for (std::uint32_t i = 0; i < 100; i += 2) index.erase(42, {i, 0});
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(matches(index, 42, i), static_cast<int>(i % 2));
  for (std::uint32_t i = 1; i < 100; i += 2) index.erase(42, {i, 0});
  EXPECT_EQ(index.displaced(), 0u);  // A miss ends at its first bucket again.
}

TEST(KeyIndex, TakesAsManyKeysAsPromisedWithFewDisplaced) {
  SeededRng rng(3);
  constexpr std::uint32_t kKeys = 20'000;
  KeyIndex index(kKeys);
  std::vector<std::uint64_t> hashes;
  for (std::uint32_t i = 0; i < kKeys; ++i) {
    hashes.push_back(rng.next());
    index.insert(hashes[i], {i, 1});
  }
  for (std::uint32_t i = 0; i < kKeys; ++i) ASSERT_EQ(matches(index, hashes[i], i), 1);
  EXPECT_LT(index.displaced(), kKeys / 4);
}

TEST(KeyIndex, AgreesWithAMapWhenHashesCollide) {
  SeededRng rng(4);
  constexpr std::uint32_t kRecords = 300;
  KeyIndex index(kRecords);
  std::map<std::uint32_t, std::uint64_t> model;
  for (int step = 0; step < 30'000; ++step) {
    const auto record = static_cast<std::uint32_t>(rng.below(kRecords));
    if (const auto it = model.find(record); it != model.end()) {
      index.erase(it->second, {record, 0});
      model.erase(it);
    } else {
      // Few homes and few tags: full buckets, long walks.
      const std::uint64_t hash = rng.below(4) | rng.below(3) << 33;
      index.insert(hash, {record, 0});
      model[record] = hash;
    }
    const auto other = static_cast<std::uint32_t>(rng.below(kRecords));
    const auto it = model.find(other);
    if (it != model.end()) {
      ASSERT_EQ(matches(index, it->second, other), 1);
    }
  }
  for (const auto& [record, hash] : model) index.erase(hash, {record, 0});
  EXPECT_EQ(index.displaced(), 0u);
}

TEST(KeyIndexDeathTest, ErasingWhatWasNeverInsertedIsABug) {
  KeyIndex index(4);
  EXPECT_DEATH(index.erase(1, {0, 0}), "kPlaceWasInserted");
}

}  // namespace
}  // namespace millrace::engine
