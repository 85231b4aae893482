// SPDX-License-Identifier: Apache-2.0
#include "engine/base/slab_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/check.h"
#include "engine/base/poison.h"

namespace millrace {
namespace {

constexpr std::size_t kPageBytes = 4096;

}  // namespace

// Slab is one piece of memory and which of its places are free. It lies apart from the places: a
// free one is not touched, and is poisoned.
struct SlabMemory::Slab {
  Slab(SlabMemory& of, std::size_t size)
      : owner(of),
        bytes(size),
        count(static_cast<std::uint32_t>(size / of.place_bytes_)),
        memory(static_cast<std::byte*>(
            std::aligned_alloc(is_huge() ? kLargestSlabBytes : kPageBytes, size))) {
    CHECK(memory != nullptr);
    free.reserve(count);
    poison(memory.get(), bytes);
  }

  bool is_huge() const { return bytes == kLargestSlabBytes; }

  // Advice: a kernel that knows neither brings the pages by faults, as ever.
  void populate() const {
    static_cast<void>(
        madvise(memory.get(), bytes, is_huge() ? MADV_HUGEPAGE : MADV_POPULATE_WRITE));
  }
  void* take() {
    std::uint32_t place = begun;
    if (free.empty()) {
      ++begun;
    } else {
      place = free.back();
      free.pop_back();
    }
    ++used;
    void* const at = memory.get() + place * owner.place_bytes_;
    unpoison(at, owner.place_bytes_);
    return at;
  }
  void give_back(void* at) {
    poison(at, owner.place_bytes_);
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(at) - memory.get());
    free.push_back(static_cast<std::uint32_t>(offset / owner.place_bytes_));
    --used;
  }
  // Where no place is in use: what was written is gone.
  void forget() {
    free.clear();
    begun = 0;
    static_cast<void>(madvise(memory.get(), bytes, MADV_DONTNEED));
  }

  SlabMemory& owner;
  const std::size_t bytes;
  const std::uint32_t count;
  std::uint32_t used = 0;
  std::uint32_t begun = 0;          // The places from here on were never given out.
  std::vector<std::uint32_t> free;  // Those before it that are free; the last first.
  Slab* next = nullptr;
  Slab* previous = nullptr;

  struct Free {
    void operator()(std::byte* slab) const { std::free(slab); }
  };
  const std::unique_ptr<std::byte, Free> memory;
};

void SlabMemory::List::push(Slab& slab) {
  slab.previous = nullptr;
  slab.next = first;
  if (first != nullptr) first->previous = &slab;
  first = &slab;
}

void SlabMemory::List::remove(Slab& slab) {
  (slab.previous != nullptr ? slab.previous->next : first) = slab.next;
  if (slab.next != nullptr) slab.next->previous = slab.previous;
}

SlabMemory::SlabMemory(std::size_t bytes, std::size_t alignment)
    : place_bytes_((bytes + alignment - 1) / alignment * alignment) {
  CHECK(place_bytes_ <= kFirstSlabBytes && alignment <= kPageBytes);
}

SlabMemory::~SlabMemory() { CHECK(in_use() == 0); }

void SlabMemory::reserve(std::size_t n) {
  reserved_ = std::max(reserved_, in_use_ + n);
  while (places_ < reserved_) empty_.push(*populate());
}

SlabMemory::Place SlabMemory::take() {
  Slab* const slab = partial_.first != nullptr ? partial_.first : provide();
  void* const at = slab->take();
  if (slab->used == slab->count) [[unlikely]]
    partial_.remove(*slab);
  ++in_use_;
  return {at, slab};
}

void SlabMemory::give_back(const Place& place) {
  Slab& slab = *place.slab;
  SlabMemory& memory = slab.owner;
  if (slab.used == slab.count) [[unlikely]]
    memory.partial_.push(slab);
  slab.give_back(place.at);
  --memory.in_use_;
  if (slab.used == 0) [[unlikely]]
    memory.note_empty(slab);
}

// A slab to take from, first in the list of those in use.
SlabMemory::Slab* SlabMemory::provide() {
  Slab* slab = empty_.first;
  if (slab != nullptr) {
    empty_.remove(*slab);
  } else {
    slab = populate();
  }
  empty_places_ -= slab->count;
  partial_.push(*slab);
  return slab;
}

// A slab with memory and without a place in use, in no list: one that was there before, or another.
SlabMemory::Slab* SlabMemory::populate() {
  if (released_.first == nullptr) make_slab();
  Slab* const slab = released_.first;
  released_.remove(*slab);
  slab->populate();
  places_ += slab->count;
  empty_places_ += slab->count;
  return slab;
}

void SlabMemory::make_slab() {
  slabs_.push_back(std::make_unique<Slab>(*this, slab_bytes_));
  released_.push(*slabs_.back());
  slab_bytes_ = std::min(2 * slab_bytes_, kLargestSlabBytes);
}

// Since none was left over before, two slabs of this one's size go at most, or some smaller ones.
void SlabMemory::note_empty(Slab& slab) {
  partial_.remove(slab);
  empty_.push(slab);
  empty_places_ += slab.count;
  const std::size_t kept = std::max(reserved_, kKeptBytes / place_bytes_);
  while (2 * empty_places_ > places_ && places_ - empty_.first->count >= kept) {
    Slab& victim = *empty_.first;
    empty_.remove(victim);
    release(victim);
  }
}

void SlabMemory::release(Slab& slab) {
  empty_places_ -= slab.count;
  places_ -= slab.count;
  slab.forget();
  released_.push(slab);
}

}  // namespace millrace
