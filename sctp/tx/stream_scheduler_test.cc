// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/stream_scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

using enum StreamScheduling;
using Order = std::vector<std::uint32_t>;

// Who is first, turn by turn; stream `i` always has another message, of `bytes[i]`.
Order serve(StreamScheduler& scheduler, std::size_t turns, const std::vector<std::size_t>& bytes) {
  Order order;
  static std::uint32_t arrivals = 0xFFFFFF00;  // They wrap on the way.
  for (std::size_t i = 0; i < turns; ++i) {
    const std::uint32_t stream = scheduler.first();
    order.push_back(stream);
    scheduler.charge(stream, bytes[stream]);
    scheduler.end_turn(stream, arrivals++);
  }
  return order;
}

// RFC 8260 §3.6, §3.5
TEST(StreamScheduler, EqualWeightsAndMessagesTakeTurns) {
  StreamScheduler scheduler(kWeightedFair);
  for (std::uint32_t stream = 0; stream < 3; ++stream) scheduler.add(stream, stream);
  EXPECT_EQ(serve(scheduler, 7, {50, 50, 50}), (Order{0, 1, 2, 0, 1, 2, 0}));
}

// RFC 8260 §3.6: n times the weight has n times the capacity, whatever the messages.
TEST(StreamScheduler, BytesAreSharedByWeight) {
  StreamScheduler scheduler(kWeightedFair);
  const std::vector<std::size_t> bytes = {1200, 100, 16384, 700};
  const std::vector<std::uint16_t> weights = {128, 256, 512, 1024};  // RFC 8831 §6.4
  for (std::uint32_t stream = 0; stream < 4; ++stream) {
    scheduler.set_priority(stream, weights[stream]);
    scheduler.add(stream, stream);
  }
  std::array<double, 4> sent{};
  double total = 0;
  for (const std::uint32_t stream : serve(scheduler, 100000, bytes)) {
    sent[stream] += static_cast<double>(bytes[stream]);
    total += static_cast<double>(bytes[stream]);
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(sent[i] / total, weights[i] / 1920.0, 0.001) << i;
}

TEST(StreamScheduler, WhoWasIdleComesSoonAndHasSavedUpNothing) {
  StreamScheduler scheduler(kWeightedFair);
  const std::vector<std::size_t> bytes(9, 1000);
  scheduler.add(8, 0);
  scheduler.remove(8);
  for (std::uint32_t stream = 0; stream < 8; ++stream) scheduler.add(stream, stream);
  serve(scheduler, 8000, bytes);
  scheduler.add(8, 0);
  const Order order = serve(scheduler, 18, bytes);
  EXPECT_EQ(std::ranges::count(Order(order.begin(), order.begin() + 9), 8u), 1);
  EXPECT_EQ(std::ranges::count(order, 8u), 2);
}

TEST(StreamScheduler, WhoIsAloneForAWhileOwesNothingToThoseWhoCome) {
  StreamScheduler scheduler(kWeightedFair);
  scheduler.add(0, 0);
  serve(scheduler, 5000, {1000});
  scheduler.remove(0);
  scheduler.add(1, 0);
  scheduler.add(0, 0);
  EXPECT_EQ(serve(scheduler, 6, {1000, 1000}), (Order{1, 0, 1, 0, 1, 0}));
}

// RFC 8260 §3.2
TEST(StreamScheduler, RoundRobinCountsTurnsAndNotBytes) {
  StreamScheduler scheduler(kRoundRobin);
  for (std::uint32_t stream = 0; stream < 3; ++stream) scheduler.add(stream, stream);
  scheduler.set_priority(1, 1024);
  EXPECT_EQ(serve(scheduler, 6, {1, 100000, 10}), (Order{0, 1, 2, 0, 1, 2}));
}

// RFC 8260 §3.1
TEST(StreamScheduler, FirstComeFirstServedFollowsTheMessages) {
  StreamScheduler scheduler(kFirstComeFirstServed);
  scheduler.add(0, 0xFFFFFFFE);
  scheduler.add(1, 0xFFFFFFFF);
  scheduler.add(2, 0);
  EXPECT_EQ(scheduler.first(), 0u);
  scheduler.end_turn(0, 1);  // Its second message came last.
  EXPECT_EQ(scheduler.first(), 1u);
  scheduler.set_arrival(1, 2);  // Its first was dropped.
  EXPECT_EQ(scheduler.first(), 2u);
  scheduler.remove(2);
  EXPECT_EQ(scheduler.first(), 0u);
}

// RFC 8260 §3.4
TEST(StreamScheduler, TheHighestPriorityIsServedAloneAndItsEqualsByTurns) {
  StreamScheduler scheduler(kStrictPriority);
  for (std::uint32_t stream = 0; stream < 4; ++stream) {
    scheduler.set_priority(stream, stream < 2 ? 512 : 0xFFFF);
    scheduler.add(stream, stream);
  }
  const std::vector<std::size_t> bytes = {9, 9, 9, 9000};
  EXPECT_EQ(serve(scheduler, 4, bytes), (Order{2, 3, 2, 3}));
  scheduler.remove(2);
  scheduler.remove(3);
  EXPECT_EQ(serve(scheduler, 3, bytes), (Order{0, 1, 0}));
  scheduler.add(3, 9);
  EXPECT_EQ(serve(scheduler, 2, bytes), (Order{3, 3}));
}

// The heap against a search, through a thousand comings and goings.
TEST(StreamScheduler, TheFirstIsTheOneThatWaitedLongestWhateverComesAndGoes) {
  SeededRng rng(7);
  StreamScheduler scheduler(kRoundRobin);
  std::map<std::uint32_t, std::uint64_t> since;
  std::uint64_t turns = 0;
  for (int step = 0; step < 20000; ++step) {
    const auto stream = static_cast<std::uint32_t>(rng.below(40));
    if (!since.contains(stream)) {
      scheduler.add(stream, 0);
      since[stream] = turns++;
    } else if (rng.below(2) == 0) {
      scheduler.remove(stream);
      since.erase(stream);
    } else {
      scheduler.end_turn(scheduler.first(), 0);
      since[std::ranges::min_element(since, {}, [](const auto& entry) {
              return entry.second;
            })->first] = turns++;
    }
    const auto longest =
        std::ranges::min_element(since, {}, [](const auto& entry) { return entry.second; });
    ASSERT_EQ(scheduler.first(), since.empty() ? StreamScheduler::kNone : longest->first) << step;
    ASSERT_EQ(scheduler.is_ready(stream), since.contains(stream));
  }
}

}  // namespace
}  // namespace millrace::sctp
