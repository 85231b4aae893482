// SPDX-License-Identifier: Apache-2.0
#include "engine/base/slab_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/base/poison.h"

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
  auto gone = pool.make("one");
  const void* const first = gone.get();
  gone.reset();
  const auto second = pool.make("two");
  EXPECT_EQ(second.get(), first);
  EXPECT_EQ(*second, "two");
}

TEST(SlabMemory, GrowsByDoublingAndHasTheReservedAtOnce) {
  SlabMemory memory(1024, 8);
  const SlabMemory::Place place = memory.take();
  EXPECT_EQ(memory.places(), SlabMemory::kFirstSlabBytes / 1024);
  SlabMemory::give_back(place);
  memory.reserve(100);
  EXPECT_EQ(memory.places(), (1u + 2u + 4u) * SlabMemory::kFirstSlabBytes / 1024);
  memory.reserve(100);
  EXPECT_EQ(memory.places(), (1u + 2u + 4u) * SlabMemory::kFirstSlabBytes / 1024);
  memory.reserve(20000);
  EXPECT_LT(memory.places(), 20000u + SlabMemory::kLargestSlabBytes / 1024);
}

// The bytes of those of `pages` that the kernel has memory for.
std::size_t resident_bytes(const std::set<std::uintptr_t>& pages) {
  std::size_t bytes = 0;
  for (const std::uintptr_t page : pages) {
    unsigned char resident = 0;
    EXPECT_EQ(mincore(reinterpret_cast<void*>(page), 4096, &resident), 0);
    if (resident % 2 != 0) bytes += 4096;
  }
  return bytes;
}

TEST(SlabPool, GivesTheMemoryOfAPeakBackToTheKernel) {
  constexpr std::size_t kPeak = 10'000;
  int live = 0;
  SlabPool<Big> pool;
  std::vector<SlabPool<Big>::Ptr> made;
  std::set<std::uintptr_t> pages;
  const auto fill = [&] {
    while (made.size() < kPeak) made.push_back(pool.make(live));
  };
  fill();
  for (const auto& big : made)
    pages.insert(reinterpret_cast<std::uintptr_t>(big.get()) / 4096 * 4096);
  const std::size_t at_peak = resident_bytes(pages);
  ASSERT_EQ(at_peak, pages.size() * 4096);

  // What comes and goes by less than a half is not given back.
  made.resize(kPeak * 6 / 10);
  EXPECT_EQ(resident_bytes(pages), at_peak);
  // As use falls on, twice of it stays.
  made.resize(kPeak / 4);
  EXPECT_LE(resident_bytes(pages), at_peak / 2 + 2 * SlabMemory::kLargestSlabBytes);
  for (auto& big : made) EXPECT_EQ(big->rest[1299], 0);
  made.clear();
  EXPECT_LE(resident_bytes(pages), SlabMemory::kKeptBytes + SlabMemory::kLargestSlabBytes);

  // It is had again, at the same addresses but for some of a slab that is not full.
  fill();
  for (auto& big : made) big->rest[1299] = 1;
  EXPECT_EQ(live, static_cast<int>(kPeak));
  EXPECT_GE(resident_bytes(pages), at_peak - SlabMemory::kLargestSlabBytes);
}

TEST(SlabMemory, KeepsWhatIsLessThanHalfOfAllAndWhatIsLittle) {
  SlabMemory memory(1024, 8);
  std::vector<SlabMemory::Place> taken;
  const auto fill = [&](std::size_t n) {
    while (taken.size() < n) taken.push_back(memory.take());
    for (; taken.size() > n; taken.pop_back()) SlabMemory::give_back(taken.back());
  };
  fill(2000);
  const std::size_t little = memory.places();
  fill(0);
  EXPECT_EQ(memory.places(), little);
  fill(20'000);
  const std::size_t most = memory.places();
  for (int i = 0; i < 10; ++i) {
    fill(12'000);
    EXPECT_EQ(memory.places(), most);
    fill(20'000);
    EXPECT_EQ(memory.places(), most);
  }
  fill(5'000);
  EXPECT_LT(memory.places(), 2 * (5'000 + SlabMemory::kLargestSlabBytes / 1024));
  fill(0);
  EXPECT_GE(memory.places(), SlabMemory::kKeptBytes / 1024);
  EXPECT_LT(memory.places(), 2 * SlabMemory::kLargestSlabBytes / 1024);
  fill(20'000);
  EXPECT_EQ(memory.places(), most);
  fill(0);
}

TEST(SlabMemory, KeepsWhatWasReserved) {
  SlabMemory memory(1024, 8);
  memory.reserve(10'000);
  const std::size_t reserved = memory.places();
  SlabMemory::give_back(memory.take());
  EXPECT_EQ(memory.places(), reserved);
}

#ifdef MILLRACE_ASAN
std::size_t volatile_size(const std::string& text) {
  const volatile std::size_t size = text.size();
  return size;
}

TEST(SlabPoolDeathTest, APlaceThatWasGivenBackIsPoisoned) {
  SlabPool<std::string> pool;
  auto made = pool.make("a string too long for its own place in the object");
  const std::string* const gone = made.get();
  made.reset();
  const auto use = [gone] { return volatile_size(*gone); };
  EXPECT_DEATH(use(), "use-after-poison");
}

TEST(SlabPoolDeathTest, APlaceWhoseMemoryTheKernelHasIsPoisonedUntilItIsGivenOutAgain) {
  int live = 0;
  SlabPool<Big> pool;
  std::vector<SlabPool<Big>::Ptr> made;
  for (int i = 0; i < 5000; ++i) made.push_back(pool.make(live));
  std::vector<Big*> gone;
  for (const auto& big : made) gone.push_back(big.get());
  made.clear();
  for (std::size_t i = 0; i < gone.size(); i += 997) {
    EXPECT_DEATH(gone[i]->rest[0] = 1, "use-after-poison");
  }
  for (int i = 0; i < 5000; ++i) made.push_back(pool.make(live));
  for (const auto& big : made) big->rest[1299] = 1;
}
#endif

}  // namespace
}  // namespace millrace
