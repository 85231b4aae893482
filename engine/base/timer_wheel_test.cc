// SPDX-License-Identifier: Apache-2.0
#include "engine/base/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/base/rng.h"

namespace millrace {
namespace {

using Id = TimerWheel::Id;
constexpr std::size_t kNoLimit = SIZE_MAX;

Time at(Duration since_start) { return Time(since_start); }

std::vector<Id> advance(TimerWheel& wheel, Time now, std::size_t budget = kNoLimit) {
  std::vector<Id> fired;
  wheel.advance(now, budget, [&](Id id) { fired.push_back(id); });
  return fired;
}

TEST(TimerWheel, AnEmptyWheelHasNothingToDo) {
  TimerWheel wheel(4);
  EXPECT_EQ(wheel.next_expiry(), kNever);
  EXPECT_TRUE(advance(wheel, at(seconds(100))).empty());
  EXPECT_EQ(wheel.next_expiry(), kNever);
}

TEST(TimerWheel, FiresNeverEarlyAndWithinOneTick) {
  for (const Duration delay :
       {Duration(1), Duration(16'384), Duration(16'385), Duration(1'000'000), Duration(4'194'304),
        Duration(268'435'456), Duration(seconds(30)), Duration(std::chrono::hours(30))}) {
    TimerWheel wheel(1, at(seconds(5)));
    const Time deadline = at(seconds(5)) + delay;
    wheel.schedule(0, deadline);
    EXPECT_EQ(wheel.deadline(0), deadline);
    EXPECT_TRUE(advance(wheel, deadline - Duration(1)).empty()) << delay.count();
    EXPECT_EQ(advance(wheel, deadline + TimerWheel::kTick), std::vector<Id>{0}) << delay.count();
    EXPECT_EQ(wheel.deadline(0), kNever);
    EXPECT_EQ(wheel.next_expiry(), kNever);
  }
}

TEST(TimerWheel, SkipsNoDeadline) {
  TimerWheel wheel(2, at(seconds(5)));
  EXPECT_TRUE(wheel.skip(at(seconds(6))));
  wheel.schedule(0, at(seconds(8)));
  wheel.schedule(1, at(seconds(20)));
  EXPECT_TRUE(wheel.skip(at(seconds(7))));
  EXPECT_FALSE(wheel.skip(at(seconds(9))));
  EXPECT_EQ(advance(wheel, at(seconds(9))), std::vector<Id>{0});
  EXPECT_TRUE(wheel.skip(at(seconds(10))));
  wheel.schedule(0, at(seconds(10)));  // Past already.
  EXPECT_FALSE(wheel.skip(at(seconds(10))));
  EXPECT_EQ(advance(wheel, at(seconds(10))), std::vector<Id>{0});
}

TEST(TimerWheel, SleepingUntilNextExpiryMeetsEveryDeadlineWithinOneTick) {
  SeededRng rng(7);
  TimerWheel wheel(64);
  for (Id id = 0; id < 64; ++id) {
    wheel.schedule(id, at(Duration(static_cast<std::int64_t>(rng.next() >> (20 + rng.below(40))))));
  }
  Time now{};
  int wakes = 0;
  std::size_t fired = 0;
  for (; wheel.next_expiry() != kNever; ++wakes) {
    ASSERT_GE(wheel.next_expiry(), now);
    now = wheel.next_expiry();
    std::vector<Time> deadlines(64);
    for (Id id = 0; id < 64; ++id) deadlines[id] = wheel.deadline(id);
    for (const Id id : advance(wheel, now)) {
      ++fired;
      EXPECT_LE(deadlines[id], now);
      EXPECT_LT(now - deadlines[id], TimerWheel::kTick);
    }
  }
  EXPECT_EQ(fired, 64u);
  EXPECT_LT(wakes, 64 * 6);  // At most one for each level that an entry comes down.
}

TEST(TimerWheel, ADeadlineInThePastFiresInTheNextCallAtTheSameTime) {
  TimerWheel wheel(2);
  EXPECT_TRUE(advance(wheel, at(seconds(1))).empty());
  wheel.schedule(0, at(seconds(1)));
  wheel.schedule(1, at(milliseconds(1)));
  EXPECT_LE(wheel.next_expiry(), at(seconds(1)));
  EXPECT_EQ(advance(wheel, at(seconds(1))), (std::vector<Id>{0, 1}));
}

TEST(TimerWheel, MovingLaterAndEarlierAndCancellingTakeEffect) {
  TimerWheel wheel(3);
  for (Id id = 0; id < 3; ++id) wheel.schedule(id, at(milliseconds(10)));
  wheel.schedule(0, at(milliseconds(20)));
  wheel.schedule(1, at(milliseconds(5)));
  wheel.cancel(2);
  EXPECT_EQ(wheel.deadline(2), kNever);
  EXPECT_EQ(advance(wheel, at(milliseconds(6))), std::vector<Id>{1});
  EXPECT_TRUE(advance(wheel, at(milliseconds(19))).empty());
  EXPECT_EQ(advance(wheel, at(milliseconds(21))), std::vector<Id>{0});
  // Later, then earlier again than where it is queued.
  wheel.schedule(0, at(milliseconds(40)));
  wheel.schedule(0, at(milliseconds(60)));
  wheel.schedule(0, at(milliseconds(30)));
  EXPECT_EQ(advance(wheel, at(milliseconds(31))), std::vector<Id>{0});
}

TEST(TimerWheel, AVisitMayScheduleAndCancelWithoutKeepingTheCallAlive) {
  TimerWheel wheel(4);
  for (Id id = 0; id < 4; ++id) wheel.schedule(id, at(milliseconds(1)));
  const Time now = at(seconds(3));
  std::vector<Id> fired;
  EXPECT_TRUE(wheel.advance(now, kNoLimit, [&](Id id) {
    fired.push_back(id);
    wheel.schedule(id, id == 0 ? at(milliseconds(2)) : now);  // Past: not in this call.
    if (id == 0) wheel.cancel(1);
    if (id == 2) wheel.schedule(3, at(seconds(4)));
  }));
  EXPECT_EQ(fired, (std::vector<Id>{0, 2}));
  EXPECT_LE(wheel.next_expiry(), now);
  EXPECT_EQ(advance(wheel, now), (std::vector<Id>{0, 2}));
  EXPECT_EQ(advance(wheel, at(seconds(5))), std::vector<Id>{3});
}

TEST(TimerWheel, ABudgetEndsTheCallAndTheRestComesNext) {
  TimerWheel wheel(100);
  for (Id id = 0; id < 100; ++id) wheel.schedule(id, at(milliseconds(1 + id)));
  const Time now = at(seconds(1));
  std::vector<Id> fired;
  int calls = 0;
  for (bool done = false; !done; ++calls) {
    EXPECT_LE(wheel.next_expiry(), now);
    const std::size_t before = fired.size();
    done = wheel.advance(now, 7, [&](Id id) { fired.push_back(id); });
    EXPECT_LE(fired.size() - before, 7u);
    ASSERT_LT(calls, 100);
  }
  EXPECT_EQ(fired.size(), 100u);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_EQ(wheel.next_expiry(), kNever);
}

// The hot case: each packet pushes the deadline out. The entry is handled once per
// deadline's length, not once per packet.
TEST(TimerWheel, ADeadlineThatKeepsMovingIsRequeuedSeldom) {
  TimerWheel wheel(1);
  Time now{};
  int turns_with_work = 0;
  for (int packet = 0; packet < 100'000; ++packet) {
    now += microseconds(10);
    wheel.schedule(0, now + milliseconds(100));
    turns_with_work += wheel.next_expiry() <= now;
    wheel.advance(now, kNoLimit, [](Id) { FAIL(); });
  }
  EXPECT_LE(turns_with_work, 40);  // One second of packets: ten deadlines, few levels each.
}

TEST(TimerWheel, TenThousandIdleTimersCostNothing) {
  TimerWheel wheel(10'000);
  for (Id id = 0; id < 10'000; ++id) wheel.schedule(id, at(seconds(20) + microseconds(id)));
  int turns_with_work = 0;
  for (Time now{}; now < at(seconds(2)); now += microseconds(50)) {
    turns_with_work += wheel.next_expiry() <= now;
    // A budget of one would not suffice if turns handled idle entries.
    EXPECT_TRUE(wheel.advance(now, 1, [](Id) { FAIL(); }));
  }
  EXPECT_EQ(turns_with_work, 0);
}

TEST(TimerWheel, AFarDeadlineDoesNotWrap) {
  TimerWheel wheel(2);
  wheel.schedule(0, kNever - Duration(1));
  wheel.schedule(1, at(std::chrono::hours(24 * 365)));
  EXPECT_TRUE(advance(wheel, at(std::chrono::hours(24 * 364))).empty());
  EXPECT_EQ(advance(wheel, at(std::chrono::hours(24 * 366))), std::vector<Id>{1});
  EXPECT_EQ(wheel.deadline(0), kNever - Duration(1));
  wheel.cancel(0);
  EXPECT_EQ(wheel.next_expiry(), kNever);
}

// Against a plain array of deadlines: what fires is what is due, give or take a tick.
TEST(TimerWheel, AgreesWithAModelUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SeededRng rng(seed);
    constexpr Id kIds = 50;
    TimerWheel wheel(kIds);
    std::vector<Time> model(kIds, kNever);
    Time now{};
    const auto random_delay = [&] {
      return Duration(static_cast<std::int64_t>(rng.next() >> (28 + rng.below(36))));
    };
    for (int step = 0; step < 4000; ++step) {
      const Id id = static_cast<Id>(rng.below(kIds));
      switch (rng.below(8)) {
        case 0:
          wheel.cancel(id);
          model[id] = kNever;
          break;
        case 1:
        case 2:
          now += random_delay() / 16;
          break;
        case 3:
          model[id] = now - std::min(now - Time{}, random_delay());
          wheel.schedule(id, model[id]);
          break;
        default:
          model[id] = now + random_delay();
          wheel.schedule(id, model[id]);
          break;
      }
      if (rng.below(3) != 0) continue;
      if (rng.below(2) == 0 && wheel.skip(now)) {
        for (const Time deadline : model) ASSERT_GT(deadline, now - TimerWheel::kTick);
      }
      const std::size_t budget = rng.below(4) == 0 ? 1 + rng.below(3) : kNoLimit;
      const bool done = wheel.advance(now, budget, [&](Id fired) {
        ASSERT_LE(model[fired], now) << "seed " << seed;
        model[fired] = kNever;
        if (fired % 5 == 0) {
          model[fired] = now + random_delay();
          wheel.schedule(fired, model[fired]);
        }
      });
      for (Id i = 0; i < kIds; ++i) {
        ASSERT_EQ(wheel.deadline(i), model[i]) << "seed " << seed;
        if (done) {
          ASSERT_GT(model[i], now - TimerWheel::kTick) << "seed " << seed;
        }
        if (model[i] > now && model[i] != kNever) {
          ASSERT_LE(wheel.next_expiry(), model[i] + TimerWheel::kTick);
        }
      }
      if (!done) {
        ASSERT_LE(wheel.next_expiry(), now);
      }
    }
  }
}

}  // namespace
}  // namespace millrace
