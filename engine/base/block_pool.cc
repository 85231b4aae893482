// SPDX-License-Identifier: Apache-2.0
#include "engine/base/block_pool.h"

#include <sys/mman.h>

namespace millrace {

BlockPool::~BlockPool() {
  CHECK(used_bytes() == 0);
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    while (large_[size_class] != nullptr) free_large(size_class);
  }
}

BlockPool::Slab* BlockPool::provide(std::size_t bytes) {
  if (!make_room(kSlabBytes)) return nullptr;
  if (spare_.empty()) {
    // One more than they need, so that the first can begin where slabs do.
    const std::size_t count = kSlabsOfRegion;
    regions_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>((count + 1) * kSlabBytes));
    spare_.reserve(regions_.size() * count);
    std::uint8_t* const first =
        reinterpret_cast<std::uint8_t*>(slab_of(regions_.back().get() + kSlabBytes - 1));
    for (std::size_t i = count; i-- > 0;) {
      spare_.push_back(reinterpret_cast<Slab*>(first + i * kSlabBytes));
    }
  }
  Slab* const slab = ::new (spare_.back()) Slab;
  spare_.pop_back();
  reserved_bytes_ += kSlabBytes;
  cut(*slab, class_of(bytes));
  return slab;
}

// Its blocks lie behind it, where the first aligned to a line is.
void BlockPool::cut(Slab& slab, std::size_t size_class) {
  const std::size_t bytes = bytes_of_class(size_class);
  std::uint8_t* const base = reinterpret_cast<std::uint8_t*>(&slab) + kSmallestBytes;
  const std::size_t count = (kSlabBytes - kSmallestBytes) / bytes;
  slab.size_class = static_cast<std::uint32_t>(size_class);
  for (std::size_t i = count; i-- > 0;) slab.free = ::new (base + i * bytes) FreeBlock{slab.free};
  link<&Slab::of_class>(partial_[size_class], &slab);
  link<&Slab::of_empty>(empty_, &slab);
  free_bytes_ += kSlabBytes;
}

void BlockPool::give_back(Slab& slab) {
  unlink<&Slab::of_class>(partial_[slab.size_class], &slab);
  unlink<&Slab::of_empty>(empty_, &slab);
  note_less_free(kSlabBytes);
  reserved_bytes_ -= kSlabBytes;
  static_cast<void>(madvise(&slab, kSlabBytes, MADV_DONTNEED));
  spare_.push_back(&slab);
}

std::size_t BlockPool::used_bytes() const {
  static constexpr auto kBytes = [] {
    std::array<std::size_t, kClasses> bytes{};
    for (std::size_t i = 0; i < kClasses; ++i) bytes[i] = bytes_of_class(i);
    return bytes;
  }();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kClasses; ++i) bytes += in_use_[i] * kBytes[i];
  return bytes;
}

std::uint8_t* BlockPool::take_large(std::size_t size_class) {
  const std::size_t bytes = bytes_of_class(size_class);
  FreeBlock* const block = large_[size_class];
  if (block != nullptr) {
    large_[size_class] = block->next;
    note_less_free(bytes);
  } else if (!make_room(bytes)) {
    return nullptr;
  } else {
    reserved_bytes_ += bytes;
  }
  ++in_use_[size_class];
  if (block != nullptr) return reinterpret_cast<std::uint8_t*>(block);
  return std::make_unique_for_overwrite<std::uint8_t[]>(bytes).release();
}

void BlockPool::keep_large(std::uint8_t* block, std::size_t size_class) {
  large_[size_class] = ::new (block) FreeBlock{large_[size_class]};
  free_bytes_ += bytes_of_class(size_class);
}

void BlockPool::free_large(std::size_t size_class) {
  FreeBlock* const block = large_[size_class];
  large_[size_class] = block->next;
  note_less_free(bytes_of_class(size_class));
  reserved_bytes_ -= bytes_of_class(size_class);
  const std::unique_ptr<std::uint8_t[]> memory(reinterpret_cast<std::uint8_t*>(block));
}

bool BlockPool::give_back_any() {
  if (empty_ != nullptr) return give_back(*empty_), true;
  for (std::size_t size_class = kClasses; size_class-- > 0;) {
    if (large_[size_class] != nullptr) return free_large(size_class), true;
  }
  return false;
}

bool BlockPool::make_room(std::size_t bytes) {
  while (reserved_bytes_ + bytes > max_bytes_) {
    if (!give_back_any()) return false;
  }
  return true;
}

void BlockPool::trim() {
  const std::size_t surplus = least_free_ - std::min(least_free_, kKeptBytes);
  const std::size_t kept = free_bytes_ - std::min(surplus, kTrimmedBytes);
  while (free_bytes_ > kept && give_back_any()) {
  }
  least_free_ = free_bytes_;
}

}  // namespace millrace
