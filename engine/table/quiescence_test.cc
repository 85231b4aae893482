// SPDX-License-Identifier: Apache-2.0
#include "engine/table/quiescence.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace millrace::engine {
namespace {

TEST(Quiescence, ElapsesWhenEveryMemberHasBeenQuiescentSince) {
  Quiescence quiescence(4);
  const std::size_t a = quiescence.join();
  const std::size_t b = quiescence.join();
  const Quiescence::Epoch epoch = quiescence.retire();
  EXPECT_FALSE(quiescence.elapsed(epoch));
  quiescence.quiescent(a);
  EXPECT_FALSE(quiescence.elapsed(epoch));
  quiescence.quiescent(b);
  EXPECT_TRUE(quiescence.elapsed(epoch));
  EXPECT_FALSE(quiescence.elapsed(quiescence.retire()));
}

TEST(Quiescence, DoesNotWaitForThePausedOrForThoseWhoLeft) {
  Quiescence quiescence(2);
  const std::size_t a = quiescence.join();
  const std::size_t b = quiescence.join();
  const Quiescence::Epoch first = quiescence.retire();
  quiescence.pause(a);
  quiescence.leave(b);
  EXPECT_TRUE(quiescence.elapsed(first));
  quiescence.resume(a);
  const Quiescence::Epoch second = quiescence.retire();
  EXPECT_FALSE(quiescence.elapsed(second));
  quiescence.quiescent(a);
  EXPECT_TRUE(quiescence.elapsed(second));
}

TEST(Quiescence, AMemberThatJoinsLateHoldsUpNothingOlder) {
  Quiescence quiescence(2);
  const Quiescence::Epoch epoch = quiescence.retire();
  quiescence.join();
  EXPECT_TRUE(quiescence.elapsed(epoch));
}

TEST(Quiescence, PlacesAreUsedAgain) {
  Quiescence quiescence(1);
  for (int i = 0; i < 10; ++i) quiescence.leave(quiescence.join());
}

TEST(QuiescenceDeathTest, OneMemberTooManyIsABug) {
  Quiescence quiescence(1);
  quiescence.join();
  EXPECT_DEATH(quiescence.join(), "max_members");
}

// The cells are plain memory. A cell is overwritten only after it was unpublished and its
// epoch elapsed; TSan reports a race if that does not order the readers before the writer, and the
// check sees a torn cell. Readers pause now and then, as shards do that sleep.
TEST(Quiescence, OrdersReadersBeforeTheReuseOfWhatTheyRead) {
  constexpr std::size_t kReaders = 3;
  constexpr std::uint64_t kUpdates = 20'000;
  Quiescence quiescence(kReaders);
  struct Cell {
    std::uint64_t value = 0;
    std::uint64_t copy = 0;
  };
  std::array<Cell, 2> cells{};
  std::atomic<Cell*> published{&cells[0]};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> torn{0};
  std::vector<std::thread> readers;
  for (std::size_t r = 0; r < kReaders; ++r) {
    readers.emplace_back([&] {
      const std::size_t me = quiescence.join();
      for (std::uint64_t turn = 0; !stop.load(std::memory_order_relaxed); ++turn) {
        const Cell* cell = published.load(std::memory_order_acquire);
        torn += cell->value != cell->copy;
        if (turn % 64 == 0) {
          quiescence.pause(me);
          std::this_thread::yield();
          quiescence.resume(me);
        } else if (turn % 4 == 0) {
          quiescence.quiescent(me);
        }
      }
      quiescence.leave(me);
    });
  }
  for (std::uint64_t i = 1; i <= kUpdates; ++i) {
    Cell& next = cells[i % 2];
    next.value = i;
    next.copy = i;
    published.store(&next, std::memory_order_release);
    const Quiescence::Epoch epoch = quiescence.retire();
    while (!quiescence.elapsed(epoch)) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn.load(), 0u);
}

}  // namespace
}  // namespace millrace::engine
