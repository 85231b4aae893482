// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/port_space.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace::io {
namespace {

TEST(PortSpace, TakesThePortThatFits) {
  PortSpace ports;
  for (int i = 0; i < 100; ++i) {
    const std::uint16_t port = ports.take_any(
        3, {}, {.fits = [](std::uint16_t each) { return each % 8 == 5; }, .looks = 64});
    EXPECT_EQ(port % 8, 5);
    EXPECT_EQ(ports.owner(port), 3);
  }
}

// Others wait for the lock meanwhile.
TEST(PortSpace, LooksAtABoundedNumberOfPortsForOneThatFits) {
  PortSpace ports;
  std::size_t asked = 0;
  const auto never = [&](std::uint16_t) {
    ++asked;
    return false;
  };
  std::set<std::uint16_t> taken;
  for (std::size_t i = 1; i <= 500; ++i) {
    const std::uint16_t port = ports.take_any(0, {}, {.fits = never, .looks = 64});
    EXPECT_NE(port, 0);
    EXPECT_TRUE(taken.insert(port).second);
    EXPECT_LE(asked, 64 * i);
  }
  EXPECT_EQ(asked, 32'000u);
}

TEST(PortSpace, PortsThatOthersHaveCountWhileOneIsLookedFor) {
  PortSpace ports;
  const std::uint16_t first = ports.take_any(0, {});
  for (std::uint16_t i = 2; i < 200; ++i) {
    ASSERT_TRUE(ports.take(static_cast<std::uint16_t>(first + i), 1, {}));
  }
  const auto behind = static_cast<std::uint16_t>(first + 200);
  const auto take = [&](std::size_t looks) {
    return ports.take_any(
        0, {}, {.fits = [&](std::uint16_t each) { return each == behind; }, .looks = looks});
  };
  const std::uint16_t spare = take(64);
  EXPECT_EQ(spare, first + 1) << "the first free one";
  ports.release(spare);
  // Others that are free are found from where the last search ended.
  EXPECT_EQ(take(400), behind);
}

TEST(PortSpace, TheLastPortIsFoundWhateverIsWished) {
  PortSpace ports;
  std::size_t count = 0;
  for (std::uint16_t port = ports.take_any(0, {}); port != 0; port = ports.take_any(0, {})) ++count;
  EXPECT_EQ(count, 32768u);
  ports.release(50'000);
  const PortWish never{.fits = [](std::uint16_t) { return false; }, .looks = 64};
  EXPECT_EQ(ports.take_any(0, {}, never), 50'000);
  EXPECT_EQ(ports.take_any(0, {}, never), 0);
}

}  // namespace
}  // namespace millrace::io
