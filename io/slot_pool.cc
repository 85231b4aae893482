// SPDX-License-Identifier: Apache-2.0
#include "io/slot_pool.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/poison.h"
#include "io/tx_run.h"

namespace millrace::io {

namespace {

// Guard, odd offset (33 to 95), the largest datagram, guard; lazily touched.
constexpr std::size_t kStride = (kMaxDatagramBytes + 2 * SlotPool::kGuardBytes + 96 + 63) & ~63ul;
constexpr std::uint8_t kGuard = 0xa5;
constexpr std::uint8_t kStale = 0xdb;
constexpr std::size_t kScatter = 7919;  // A prime larger than most pools: next is far away.

}  // namespace

SlotPool::SlotPool(std::size_t slots) : memory_(slots * kStride), bytes_(slots) {
  CHECK(slots > 0 && slots % kScatter != 0);
  for (std::size_t i = 0; i < slots; ++i) {
    free_.push_back(static_cast<std::uint32_t>(i * kScatter % slots));
  }
  poison(memory_.data(), memory_.size());
}

SlotPool::~SlotPool() {
  CHECK(free_.size() == bytes_.size());
  unpoison(memory_.data(), memory_.size());
}

std::uint8_t* SlotPool::data(std::uint32_t slot) const {
  return memory_.data() + slot * kStride + kGuardBytes + 17 + 2 * (slot % 31);
}

bool SlotPool::take(std::size_t bytes, std::uint32_t& slot) {
  if (free_.empty()) return false;
  slot = free_.back();
  free_.pop_back();
  bytes_[slot] = static_cast<std::uint32_t>(bytes);
  std::uint8_t* const at = data(slot);
  unpoison(at - kGuardBytes, bytes + 2 * kGuardBytes);
  std::fill_n(at - kGuardBytes, kGuardBytes, kGuard);
  std::fill_n(at, bytes, kStale);
  std::fill_n(at + bytes, kGuardBytes, kGuard);
  poison(at - kGuardBytes, kGuardBytes);
  poison(at + bytes, kGuardBytes);
  return true;
}

void SlotPool::put(std::uint32_t slot) {
  const std::size_t bytes = bytes_[slot];
  CHECK(bytes > 0);
  std::uint8_t* const at = data(slot);
  unpoison(at - kGuardBytes, bytes + 2 * kGuardBytes);
  const auto whole = [](const std::uint8_t* guard) {
    return std::all_of(guard, guard + kGuardBytes, [](std::uint8_t b) { return b == kGuard; });
  };
  CHECK(whole(at - kGuardBytes) && whole(at + bytes));
  std::fill_n(at, bytes, kStale);
  poison(at - kGuardBytes, bytes + 2 * kGuardBytes);
  bytes_[slot] = 0;
  free_.push_back(slot);
}

}  // namespace millrace::io
