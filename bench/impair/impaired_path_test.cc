// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/impaired_path.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::impair {
namespace {

constexpr Time kStart = Time(seconds(100));

std::vector<std::uint32_t> drain(ImpairedPath& path, Time now) {
  std::vector<std::uint32_t> slots;
  for (Parcel parcel; path.poll(now, parcel);) slots.push_back(parcel.slot);
  return slots;
}

TEST(ImpairedPath, DelayHoldsEachDatagramExactlySoLong) {
  ImpairedPath path({.delay = milliseconds(10)});
  EXPECT_EQ(path.next_timeout(), kNever);
  EXPECT_EQ(path.push(kStart, {.slot = 1, .bytes = 100}), 1u);
  EXPECT_EQ(path.push(kStart + milliseconds(3), {.slot = 2, .bytes = 100}), 1u);
  EXPECT_EQ(path.next_timeout(), kStart + milliseconds(10));
  EXPECT_TRUE(drain(path, kStart + milliseconds(10) - nanoseconds(1)).empty());
  EXPECT_EQ(drain(path, kStart + milliseconds(10)), std::vector<std::uint32_t>{1});
  EXPECT_EQ(path.next_timeout(), kStart + milliseconds(13));
  EXPECT_EQ(drain(path, kStart + milliseconds(13)), std::vector<std::uint32_t>{2});
}

TEST(ImpairedPath, LosesTheShareAskedForAndRepeatsItselfForASeed) {
  const auto kept = [](std::uint64_t seed) {
    ImpairedPath path({.loss = 0.01, .seed = seed});
    std::vector<std::uint32_t> slots;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
      path.push(kStart, {.slot = i, .bytes = 1200});
      for (const std::uint32_t slot : drain(path, kStart)) slots.push_back(slot);
    }
    EXPECT_EQ(path.counts().arrived, path.counts().lost + path.counts().delivered);
    return slots;
  };
  const auto first = kept(7);
  EXPECT_NEAR(static_cast<double>(first.size()), 99'000, 200);
  EXPECT_EQ(first, kept(7));
  EXPECT_NE(first, kept(8));
}

TEST(ImpairedPath, RateSpacesDatagramsWithTheirHeaders) {
  // 972 bytes and 28 of headers at 8 Mbit/s: a millisecond each.
  ImpairedPath path({.rate_mbps = 8});
  for (std::uint32_t i = 0; i < 3; ++i) path.push(kStart, {.slot = i, .bytes = 972});
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(path.next_timeout(), kStart + milliseconds(i + 1));
    EXPECT_EQ(drain(path, kStart + milliseconds(i + 1)), std::vector<std::uint32_t>{i});
  }
}

TEST(ImpairedPath, QueueDropsAtTheTailAndTakesAgainOnceDrained) {
  ImpairedPath path({.rate_mbps = 8, .queue_bytes = 5000});
  unsigned taken = 0;
  for (std::uint32_t i = 0; i < 20; ++i) taken += path.push(kStart, {.slot = i, .bytes = 972});
  EXPECT_EQ(taken, 6u);  // Five wait, and the one that is being sent.
  EXPECT_EQ(path.counts().overflowed, 14u);
  EXPECT_EQ(drain(path, kStart + milliseconds(6)).size(), 6u);
  EXPECT_EQ(path.push(kStart + milliseconds(6), {.bytes = 972}), 1u);
}

TEST(ImpairedPath, ReorderedDatagramsAreOvertakenAndStillArrive) {
  ImpairedPath path({.delay = milliseconds(1), .reorder = 0.2});
  for (std::uint32_t i = 0; i < 100; ++i) path.push(kStart, {.slot = i, .bytes = 100});
  auto slots = drain(path, kStart + milliseconds(1));
  EXPECT_EQ(slots.size() + path.counts().reordered, 100u);
  EXPECT_GT(path.counts().reordered, 5u);
  EXPECT_EQ(path.next_timeout(), kStart + milliseconds(1) + ImpairedPath::kHoldBack);
  const auto late = drain(path, kStart + milliseconds(3));
  EXPECT_EQ(late.size(), path.counts().reordered);
}

TEST(ImpairedPath, DuplicatesComeOutTwice) {
  ImpairedPath path({.duplicate = 1});
  EXPECT_EQ(path.push(kStart, {.slot = 4, .bytes = 100}), 2u);
  EXPECT_EQ(drain(path, kStart), (std::vector<std::uint32_t>{4, 4}));
}

TEST(ImpairedPath, NeverHoldsMoreThanItsBound) {
  ImpairedPath path({.delay = seconds(10), .duplicate = 0.5});
  std::size_t taken = 0;
  for (std::uint32_t i = 0; i < 2 * ImpairedPath::kMaxParcels; ++i) {
    taken += path.push(kStart, {.slot = i, .bytes = 100});
  }
  EXPECT_LE(taken, ImpairedPath::kMaxParcels);
  EXPECT_GT(path.counts().overflowed, 0u);
}

}  // namespace
}  // namespace millrace::impair
