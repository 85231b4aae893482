// SPDX-License-Identifier: Apache-2.0
#include "engine/base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace millrace {

TimerWheel::TimerWheel(std::size_t capacity, Time start)
    : capacity_(capacity),
      cursor_(tick_at_or_before(start)),
      target_(cursor_),
      now_(start),
      entries_(capacity + kLists) {
  CHECK(capacity < UINT32_MAX - kLists);
  for (std::uint16_t list = 0; list < kLists; ++list) {
    entries_[head(list)].next = entries_[head(list)].previous = head(list);
  }
}

std::uint64_t TimerWheel::tick_at_or_after(Time time) {
  const std::int64_t ns = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  return (static_cast<std::uint64_t>(ns) + (1u << kTickBits) - 1) >> kTickBits;
}

void TimerWheel::requeue(Id id, Time deadline) {
  Entry& entry = entries_[id];
  if (entry.list != kNoList) unlink(id);
  entry.deadline = entry.queued = deadline;
  if (deadline == kNever) return;
  if (deadline <= now_) {
    append(id, kOverdueList);
    next_tick_ = 0;
  } else {
    place(id);
  }
}

// Two ticks that first differ in the l-th group of six bits meet in a slot of level l: it
// comes up when the wheel has turned to the later one's group, and never before `cursor_`.
void TimerWheel::place(Id id) {
  const std::uint64_t tick = tick_at_or_after(entries_[id].queued);
  DCHECK(tick > cursor_);
  const std::uint64_t difference = tick ^ cursor_;
  const std::uint32_t level =
      static_cast<std::uint32_t>(std::bit_width(difference) - 1) / kLevelBits;
  DCHECK(level < kLevels);
  const std::uint32_t shift = level * kLevelBits;
  const std::uint64_t slot = (tick >> shift) & (kSlots - 1);
  next_tick_ = std::min(next_tick_, tick >> shift << shift);
  levels_used_ |= 1u << level;
  slots_used_[level] |= std::uint64_t{1} << slot;
  append(id, static_cast<std::uint16_t>(level * kSlots + slot));
}

void TimerWheel::append(Id id, std::uint16_t list) {
  Entry& entry = entries_[id];
  Entry& end = entries_[head(list)];
  entry.list = list;
  entry.next = head(list);
  entry.previous = end.previous;
  entries_[end.previous].next = id;
  end.previous = id;
}

void TimerWheel::unlink(Id id) {
  Entry& entry = entries_[id];
  entries_[entry.previous].next = entry.next;
  entries_[entry.next].previous = entry.previous;
  const std::uint16_t list = entry.list;
  entry.list = kNoList;
  // An entry that is being drained still bears its slot's number; that slot's bit is then
  // clear already, or stands for others.
  if (list < kOverdueList && list_empty(list)) clear_used(list);
}

void TimerWheel::clear_used(std::uint16_t list) {
  const std::uint32_t level = list / kSlots;
  slots_used_[level] &= ~(std::uint64_t{1} << (list % kSlots));
  if (slots_used_[level] == 0) levels_used_ &= ~(1u << level);
}

// Appends a whole list to those being drained, whatever its length.
void TimerWheel::drain(std::uint16_t list) {
  if (list_empty(list)) return;
  Entry& from = entries_[head(list)];
  Entry& to = entries_[head(kDrainList)];
  entries_[from.next].previous = to.previous;
  entries_[to.previous].next = from.next;
  entries_[from.previous].next = head(kDrainList);
  to.previous = from.previous;
  from.next = from.previous = head(list);
  if (list < kOverdueList) clear_used(list);
}

TimerWheel::Step TimerWheel::next_step() {
  if (list_empty(kDrainList) && !open_next_slot()) return {StepKind::kDone, 0};
  const Id id = entries_[head(kDrainList)].next;
  unlink(id);
  Entry& entry = entries_[id];
  if (entry.deadline <= now_) {
    entry.deadline = entry.queued = kNever;
    return {StepKind::kFire, id};
  }
  // It was moved later, or waits in a coarse slot: to its proper place.
  entry.queued = entry.deadline;
  place(id);
  return {StepKind::kMoved, id};
}

// Turns the wheel to the next slot in use, at or before the target, and takes its entries.
bool TimerWheel::open_next_slot() {
  std::uint16_t list = 0;
  const std::uint64_t tick = next_slot_tick(list);
  next_tick_ = list_empty(kOverdueList) ? tick : 0;
  if (tick > target_) {
    cursor_ = target_;
    return false;
  }
  cursor_ = tick;
  drain(list);
  return true;
}

bool TimerWheel::work_left() const {
  std::uint16_t list = 0;
  return !list_empty(kDrainList) || next_slot_tick(list) <= target_;
}

// The lowest level in use holds the earliest entries: those of the levels above differ from
// the cursor in a higher group of bits.
std::uint64_t TimerWheel::next_slot_tick(std::uint16_t& list) const {
  if (levels_used_ == 0) return UINT64_MAX;
  const auto level = static_cast<std::uint32_t>(std::countr_zero(levels_used_));
  const auto slot = static_cast<std::uint32_t>(std::countr_zero(slots_used_[level]));
  list = static_cast<std::uint16_t>(level * kSlots + slot);
  const std::uint32_t shift = level * kLevelBits;
  const std::uint64_t group = cursor_ >> shift >> kLevelBits << kLevelBits;
  return (group | slot) << shift;
}

Time TimerWheel::next_expiry() const {
  if (!list_empty(kOverdueList) || !list_empty(kDrainList)) return now_;
  std::uint16_t list = 0;
  const std::uint64_t tick = next_slot_tick(list);
  if (tick >= static_cast<std::uint64_t>(INT64_MAX) >> kTickBits) return kNever;
  return Time(Duration(static_cast<std::int64_t>(tick << kTickBits)));
}

}  // namespace millrace
