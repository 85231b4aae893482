// SPDX-License-Identifier: Apache-2.0
#include "io/slot_pool.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/base/poison.h"

namespace millrace::io {
namespace {

TEST(SlotPool, SlotsAreOddScatteredAndApart) {
  SlotPool pool(8);
  std::uint32_t slots[8];
  for (std::uint32_t& slot : slots) ASSERT_TRUE(pool.take(1200, slot));
  std::uint32_t none = 0;
  EXPECT_FALSE(pool.take(1, none));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool.data(slots[i])) % 2, 1u);
    if (i > 0) {
      EXPECT_GT(std::abs(pool.data(slots[i]) - pool.data(slots[i - 1])), 60000);
    }
  }
  for (const std::uint32_t slot : slots) pool.put(slot);
  EXPECT_EQ(pool.free(), 8u);
}

#ifndef MILLRACE_ASAN
TEST(SlotPoolDeathTest, WriteBesideASlotIsFoundWhenItComesHome) {
  const auto overrun = [](std::ptrdiff_t at) {
    SlotPool pool(2);
    std::uint32_t slot = 0;
    if (!pool.take(100, slot)) return;
    pool.data(slot)[at] = 0;
    pool.put(slot);
  };
  overrun(0);
  overrun(99);
  EXPECT_DEATH(overrun(100), "whole");
  EXPECT_DEATH(overrun(-1), "whole");
}
#endif

}  // namespace
}  // namespace millrace::io
