// SPDX-License-Identifier: Apache-2.0
#include "engine/table/key_index.h"

#include <algorithm>
#include <bit>

#include "engine/base/check.h"

namespace millrace::engine {

KeyIndex::KeyIndex(std::size_t max_keys)
    // Six words of seven at most, and far fewer in practice: few sessions have all the
    // addresses that they may have, and the power of two rounds up.
    : mask_(std::bit_ceil(std::max<std::size_t>((max_keys + kWords - 2) / (kWords - 1), 2)) - 1),
      buckets_(std::make_unique<Bucket[]>(mask_ + 1)) {}

void KeyIndex::insert(std::uint64_t hash, Place place) {
  const std::uint64_t tag = tag_of(hash);
  const std::uint64_t word = word_of(tag, place);
  std::size_t at = hash & mask_;
  for (std::size_t probes = 0; probes <= mask_; ++probes) {
    Bucket& bucket = buckets_[at];
    for (std::atomic<std::uint64_t>& slot : bucket.words) {
      std::uint64_t empty = 0;
      // Release: whoever sees the word sees the key that it leads to.
      if (slot.load(std::memory_order_relaxed) == 0 &&
          slot.compare_exchange_strong(empty, word, std::memory_order_release,
                                       std::memory_order_relaxed)) {
        return;
      }
    }
    // Before the word is there: a reader that may find it must walk on.
    bucket.passed.fetch_add(1, std::memory_order_release);
    at = (at + stride_of(tag)) & mask_;
  }
  constexpr bool kRoomForEveryKey = false;
  CHECK(kRoomForEveryKey);
}

void KeyIndex::erase(std::uint64_t hash, Place place) {
  const std::uint64_t tag = tag_of(hash);
  const std::uint64_t word = word_of(tag, place);
  const std::size_t home = hash & mask_;
  std::size_t at = home;
  for (std::size_t probes = 0; probes <= mask_; ++probes) {
    for (std::atomic<std::uint64_t>& slot : buckets_[at].words) {
      if (slot.load(std::memory_order_relaxed) != word) continue;
      slot.store(0, std::memory_order_release);
      // Only now may readers stop before the place where it was.
      for (std::size_t passed = home; passed != at; passed = (passed + stride_of(tag)) & mask_) {
        buckets_[passed].passed.fetch_sub(1, std::memory_order_release);
      }
      return;
    }
    at = (at + stride_of(tag)) & mask_;
  }
  constexpr bool kPlaceWasInserted = false;
  CHECK(kPlaceWasInserted);
}

std::uint64_t KeyIndex::displaced() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i <= mask_; ++i) {
    sum += buckets_[i].passed.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace millrace::engine
