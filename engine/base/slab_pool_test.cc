// SPDX-License-Identifier: Apache-2.0
#include "engine/base/slab_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace millrace {
namespace {

struct alignas(64) Big {
  explicit Big(int& live) : live_(live) { ++live_; }
  ~Big() { --live_; }
  int& live_;
  std::uint8_t rest[1300]{};
};

TEST(SlabPool, MakesAlignedObjectsThatDoNotOverlap) {
  int live = 0;
  SlabPool<Big> pool;
  std::vector<SlabPool<Big>::Ptr> made;
  std::set<std::uintptr_t> places;
  for (int i = 0; i < 5000; ++i) {
    made.push_back(pool.make(live));
    const auto place = reinterpret_cast<std::uintptr_t>(made.back().get());
    EXPECT_EQ(place % 64, 0u);
    EXPECT_TRUE(places.insert(place).second);
  }
  std::uintptr_t last = 0;
  for (const std::uintptr_t place : places) {
    EXPECT_GE(place - last, sizeof(Big));
    last = place;
  }
  EXPECT_EQ(live, 5000);
  EXPECT_EQ(pool.in_use(), 5000u);
  made.clear();
  EXPECT_EQ(live, 0);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(SlabPool, UsesAPlaceAgain) {
  SlabPool<std::string> pool;
  const void* const first = pool.make("one").get();  // Gone at the end of the line.
  const auto second = pool.make("two");
  EXPECT_EQ(second.get(), first);
  EXPECT_EQ(*second, "two");
}

TEST(SlabMemory, GrowsByDoublingAndHasTheReservedAtOnce) {
  SlabMemory memory(1024, 8);
  void* const place = memory.take();
  EXPECT_EQ(memory.places(), SlabMemory::kFirstSlabBytes / 1024);
  memory.give_back(place);
  memory.reserve(100);
  EXPECT_EQ(memory.places(), (1u + 2u + 4u) * SlabMemory::kFirstSlabBytes / 1024);
  memory.reserve(100);
  EXPECT_EQ(memory.places(), (1u + 2u + 4u) * SlabMemory::kFirstSlabBytes / 1024);
  memory.reserve(20000);
  EXPECT_LT(memory.places(), 20000u + SlabMemory::kLargestSlabBytes / 1024);
}

#ifdef __SANITIZE_ADDRESS__
std::size_t volatile_size(const std::string& text) {
  const volatile std::size_t size = text.size();
  return size;
}

TEST(SlabPoolDeathTest, APlaceThatWasGivenBackIsPoisoned) {
  SlabPool<std::string> pool;
  std::string* const gone = pool.make("a string too long for its own place in the object").get();
  const auto use = [gone] { return volatile_size(*gone); };
  EXPECT_DEATH(use(), "use-after-poison");
}
#endif

}  // namespace
}  // namespace millrace
