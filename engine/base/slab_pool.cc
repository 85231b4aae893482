// SPDX-License-Identifier: Apache-2.0
#include "engine/base/slab_pool.h"

#include <sys/mman.h>

#include <algorithm>

#include "engine/base/check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(place, bytes) static_cast<void>(0)
#define ASAN_UNPOISON_MEMORY_REGION(place, bytes) static_cast<void>(0)
#endif

namespace millrace {
namespace {

constexpr std::size_t kPageBytes = 4096;

}  // namespace

SlabMemory::SlabMemory(std::size_t bytes, std::size_t alignment)
    : place_bytes_((bytes + alignment - 1) / alignment * alignment) {
  CHECK(place_bytes_ <= kFirstSlabBytes && alignment <= kPageBytes);
}

SlabMemory::~SlabMemory() { CHECK(in_use() == 0); }

void SlabMemory::reserve(std::size_t n) {
  while (free_.size() < n) grow();
}

void* SlabMemory::take() {
  if (free_.empty()) grow();
  void* const place = free_.back();
  free_.pop_back();
  ASAN_UNPOISON_MEMORY_REGION(place, place_bytes_);
  return place;
}

void SlabMemory::give_back(void* place) {
  ASAN_POISON_MEMORY_REGION(place, place_bytes_);
  free_.push_back(place);
}

void SlabMemory::grow() {
  const bool huge = slab_bytes_ == kLargestSlabBytes;
  slabs_.emplace_back(std::aligned_alloc(huge ? slab_bytes_ : kPageBytes, slab_bytes_));
  void* const slab = slabs_.back().get();
  CHECK(slab != nullptr);
  // Advice: a kernel that knows neither brings the pages by faults, as ever.
  static_cast<void>(madvise(slab, slab_bytes_, huge ? MADV_HUGEPAGE : MADV_POPULATE_WRITE));
  const std::size_t count = slab_bytes_ / place_bytes_;
  places_ += count;
  free_.reserve(places_);
  // The first place is given out first.
  for (std::size_t i = count; i-- > 0;) {
    free_.push_back(static_cast<std::byte*>(slab) + i * place_bytes_);
  }
  ASAN_POISON_MEMORY_REGION(slab, slab_bytes_);
  slab_bytes_ = std::min(2 * slab_bytes_, kLargestSlabBytes);
}

}  // namespace millrace
