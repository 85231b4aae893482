// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/time.h"

namespace millrace {

// TimerWheel holds at most one deadline for each id below its capacity (a shard's session
// slots) in a hierarchy of 64-slot wheels. `schedule` and `cancel` cost O(1); entries that
// are not due cost nothing, however many they are; no call allocates after construction.
//
// Deadlines that move later, as each packet's does, are one store: the entry stays where
// it is queued and is queued anew when that place comes up. An entry never fires early. It
// fires in the first `advance` whose `now` is at least its deadline rounded up to
// kTick (16.4 us), provided that the call's budget reaches it; one whose deadline is past
// when it is scheduled fires in the next `advance`, whatever its `now`.
class TimerWheel {
 public:
  using Id = std::uint32_t;
  static constexpr Duration kTick{std::int64_t{1} << 14};

  // `start` is at or before every later `now`. Times are not negative.
  explicit TimerWheel(std::size_t capacity, Time start = Time{});

  std::size_t capacity() const { return capacity_; }

  // Sets the one deadline of `id`; kNever cancels it.
  void schedule(Id id, Time deadline) {
    DCHECK(id < capacity_);
    Entry& entry = entries_[id];
    if (entry.list != kNoList && deadline >= entry.queued && deadline != kNever) {
      entry.deadline = deadline;
      return;
    }
    requeue(id, deadline);
  }
  void cancel(Id id) { schedule(id, kNever); }

  // The deadline of `id`, or kNever.
  Time deadline(Id id) const {
    DCHECK(id < capacity_);
    return entries_[id].list == kNoList ? kNever : entries_[id].deadline;
  }

  // Calls `visit(id)` for entries whose time has come; each is off the wheel when its
  // visit begins, and the visit may schedule and cancel any id. What it schedules at or
  // before `now` waits for the next call, so that a call ends. Handles at most `budget`
  // entries, fired or moved; returns whether it got through. If it did not,
  // `next_expiry()` is at or before `now`. `now` never goes back.
  template <class Visitor>
  bool advance(Time now, std::size_t budget, Visitor&& visit) {
    if (skip(now)) return true;
    // Whatever a visit adds to the overdue list from here on is for the next call.
    drain(kOverdueList);
    for (; budget != 0; --budget) {
      const Step step = next_step();
      if (step.kind == StepKind::kDone) return true;
      if (step.kind == StepKind::kFire) visit(step.id);
    }
    return !work_left();
  }

  // `advance` where it has nothing to do but note the time; else false, and that is to be called.
  bool skip(Time now) {
    DCHECK(now >= now_);
    now_ = std::max(now, now_);
    target_ = tick_at_or_before(now_);
    if (target_ >= next_tick_) return false;
    cursor_ = target_;
    return true;
  }

  // A time before which `advance` has nothing to do; kNever when no entry is set. It may be
  // earlier than the first deadline, by less than 1/64 of its distance or by a deadline's
  // moves, and then the call to `advance` at that time makes it exact.
  Time next_expiry() const;

 private:
  static constexpr std::uint32_t kTickBits = 14;
  static constexpr std::uint32_t kLevelBits = 6;
  static constexpr std::uint32_t kSlots = 1u << kLevelBits;
  // 9 levels of 6 bits span every tick of a 63-bit nanosecond count: nothing wraps.
  static constexpr std::uint32_t kLevels = 9;
  static constexpr std::uint16_t kOverdueList = kLevels * kSlots;
  static constexpr std::uint16_t kDrainList = kOverdueList + 1;
  static constexpr std::uint16_t kLists = kDrainList + 1;
  static constexpr std::uint16_t kNoList = UINT16_MAX;

  struct Entry {
    Time deadline = kNever;
    Time queued = kNever;  // The deadline that chose its place; never after `deadline`.
    std::uint32_t next = 0;
    std::uint32_t previous = 0;
    std::uint16_t list = kNoList;
  };
  enum class StepKind : std::uint8_t { kDone, kMoved, kFire };
  struct Step {
    StepKind kind;
    Id id;
  };

  static std::uint64_t tick_at_or_after(Time time);
  static std::uint64_t tick_at_or_before(Time time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0)) >>
           kTickBits;
  }
  // The list heads follow the entries in `entries_`.
  std::uint32_t head(std::uint16_t list) const {
    return static_cast<std::uint32_t>(capacity_) + list;
  }
  bool list_empty(std::uint16_t list) const { return entries_[head(list)].next == head(list); }

  void requeue(Id id, Time deadline);
  void place(Id id);
  void append(Id id, std::uint16_t list);
  void unlink(Id id);
  void clear_used(std::uint16_t list);
  void drain(std::uint16_t list);
  Step next_step();
  bool open_next_slot();
  bool work_left() const;
  std::uint64_t next_slot_tick(std::uint16_t& list) const;

  std::size_t capacity_;
  std::uint64_t cursor_;  // Tick that the wheel has turned to.
  std::uint64_t target_;  // Tick of the latest `now`; `cursor_` lags when a budget ends.
  Time now_;
  // Nothing is due before this tick: no slot in use comes up. 0 where an entry is overdue.
  std::uint64_t next_tick_ = UINT64_MAX;
  std::uint32_t levels_used_ = 0;  // Bit l: slots_used_[l] is not zero.
  std::array<std::uint64_t, kLevels> slots_used_{};
  std::vector<Entry> entries_;
};

}  // namespace millrace
