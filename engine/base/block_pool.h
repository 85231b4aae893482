// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "engine/base/check.h"

namespace millrace {

// BlockPool hands out blocks of memory by size class, four classes to a doubling, so
// that a block wastes at most a quarter of itself. Small blocks are cut from slabs, larger ones
// are made one by one. What is free stays with its class, so that after warm-up no call
// allocates; but `trim` gives back what was never needed since the last time, and at the limit a
// class takes what another has no use for. So whoever makes a pool large, peers included, does
// not leave it so. One per shard; not thread-safe. Everything allocated must be released before
// the pool is destroyed.
class BlockPool {
 public:
  static constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 30;
  static constexpr std::size_t kKeptBytes = std::size_t{8} << 20;     // Free, whatever happens.
  static constexpr std::size_t kTrimmedBytes = std::size_t{1} << 20;  // At a time: some 50 µs.

  explicit BlockPool(std::size_t max_bytes = std::size_t{1} << 32) : max_bytes_(max_bytes) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // Returns at least `bytes` bytes aligned to 16, uninitialised, or nullptr where the
  // pool is at its limit. `bytes` is at most kMaxBlockBytes.
  std::uint8_t* allocate(std::size_t bytes) {
    CHECK(bytes <= kMaxBlockBytes);
    const std::size_t size_class = class_of(bytes);
    if (bytes > kLargestInSlab) return take_large(size_class);
    Slab* const slab = partial_[size_class] != nullptr ? partial_[size_class] : provide(bytes);
    if (slab == nullptr) return nullptr;
    FreeBlock* const block = slab->free;
    slab->free = block->next;
    __builtin_prefetch(slab->free, 1);  // It will be written to, and names the one after it.
    if (slab->in_use++ == 0) note_used(*slab);
    if (slab->free == nullptr) partial_[size_class] = unlink<&Slab::of_class>(slab);
    ++in_use_[size_class];
    return reinterpret_cast<std::uint8_t*>(block);
  }
  // Takes back what `allocate(bytes)` returned; `bytes` must be the same number.
  void release(std::uint8_t* block, std::size_t bytes) {
    const std::size_t size_class = class_of(bytes);
    DCHECK(block != nullptr && in_use_[size_class] > 0);
    --in_use_[size_class];
    if (bytes > kLargestInSlab) return keep_large(block, size_class);
    Slab* const slab = slab_of(block);
    DCHECK(slab->in_use > 0 && slab->size_class == size_class);
    if (slab->free == nullptr) link<&Slab::of_class>(partial_[size_class], slab);
    slab->free = ::new (block) FreeBlock{slab->free};
    if (--slab->in_use == 0) note_empty(*slab);
  }
  // Gives back some of what was free all the time since the last call, if that is more than
  // kKeptBytes. To be called now and then: a shard does ten times a second.
  void trim();
  // Whether another call would give back something, did nothing happen before it.
  bool has_surplus() const { return free_bytes_ > kKeptBytes; }
  // The true size of a block for `bytes`: what it costs.
  static constexpr std::size_t block_bytes(std::size_t bytes) {
    if (bytes <= kSmallestBytes) return kSmallestBytes;
    const std::size_t step_bits = doubling_of(bytes) - 2;
    return (((bytes - 1) >> step_bits) + 1) << step_bits;
  }

  std::size_t used_bytes() const;  // Blocks handed out. For tests: it adds up all classes.
  std::size_t reserved_bytes() const { return reserved_bytes_; }  // Free blocks and slabs too.
  // What it has asked of the heap, the kernel's pages and its own lists too. For tests.
  std::size_t heap_bytes() const {
    return reserved_bytes_ + (regions_.size() + spare_.size()) * kSlabBytes +
           (regions_.capacity() + spare_.capacity()) * sizeof(void*);
  }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  struct Slab;
  struct Links {
    Slab* next = nullptr;
    Slab* previous = nullptr;
  };
  // Begins the memory that its blocks are cut from.
  struct Slab {
    FreeBlock* free = nullptr;
    std::uint32_t in_use = 0;
    std::uint32_t size_class = 0;
    Links of_class;  // While a block is free.
    Links of_empty;  // While none is in use.
  };
  static constexpr std::size_t kSmallestBits = 6;
  static constexpr std::size_t kSmallestBytes = std::size_t{1} << kSmallestBits;
  static constexpr std::size_t kClasses = (30 - kSmallestBits) * 4 + 1;
  static constexpr std::size_t kSlabBytes = std::size_t{64} << 10;
  static constexpr std::size_t kSlabsOfRegion = 32;  // Found by their alignment, made together.
  static constexpr std::size_t kLargestInSlab = std::size_t{8} << 10;
  static_assert(sizeof(Slab) <= kSmallestBytes);

  // The power of two that `bytes`, which is above the smallest, exceeds.
  static constexpr std::size_t doubling_of(std::size_t bytes) {
    return static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  }
  // Class 0 is the smallest; then each doubling is cut into four equal steps.
  static constexpr std::size_t class_of(std::size_t bytes) {
    if (bytes <= kSmallestBytes) return 0;
    const std::size_t doubling = doubling_of(bytes);
    const std::size_t step = ((bytes - 1) >> (doubling - 2)) & 3;
    return (doubling - kSmallestBits) * 4 + step + 1;
  }
  static constexpr std::size_t bytes_of_class(std::size_t size_class) {
    if (size_class == 0) return kSmallestBytes;
    const std::size_t quarter = kSmallestBytes << ((size_class - 1) / 4) >> 2;
    return quarter * (5 + (size_class - 1) % 4);
  }
  static Slab* slab_of(std::uint8_t* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(kSlabBytes - 1));
  }

  template <Links Slab::*kWhich>
  static void link(Slab*& first, Slab* slab) {
    (slab->*kWhich) = {first, nullptr};
    if (first != nullptr) (first->*kWhich).previous = slab;
    first = slab;
  }
  // Takes the first of a list out; returns the next.
  template <Links Slab::*kWhich>
  static Slab* unlink(Slab* first) {
    Slab* const next = (first->*kWhich).next;
    if (next != nullptr) (next->*kWhich).previous = nullptr;
    return next;
  }
  template <Links Slab::*kWhich>
  static void unlink(Slab*& first, Slab* slab) {
    const Links links = slab->*kWhich;
    (links.previous != nullptr ? (links.previous->*kWhich).next : first) = links.next;
    if (links.next != nullptr) (links.next->*kWhich).previous = links.previous;
  }

  void note_used(Slab& slab) {
    unlink<&Slab::of_empty>(empty_, &slab);
    note_less_free(kSlabBytes);
  }
  void note_empty(Slab& slab) {
    link<&Slab::of_empty>(empty_, &slab);
    free_bytes_ += kSlabBytes;
  }
  void note_less_free(std::size_t bytes) {
    free_bytes_ -= bytes;
    least_free_ = std::min(least_free_, free_bytes_);
  }

  // A slab with free blocks for `bytes`, the first of its class; nullptr at the limit.
  Slab* provide(std::size_t bytes);
  void cut(Slab& slab, std::size_t size_class);
  void give_back(Slab& slab);
  std::uint8_t* take_large(std::size_t size_class);
  void keep_large(std::uint8_t* block, std::size_t size_class);
  void free_large(std::size_t size_class);
  // Gives back one thing that is free; false if nothing is.
  bool give_back_any();
  // Gives back what is free until `bytes` more fit under the limit; false where they do not.
  bool make_room(std::size_t bytes);

  std::size_t max_bytes_;
  std::size_t reserved_bytes_ = 0;
  std::size_t free_bytes_ = 0;  // Of empty slabs and of large blocks that are free.
  std::size_t least_free_ = 0;  // Of those, since the last trim.
  std::array<std::size_t, kClasses> in_use_{};
  std::array<Slab*, kClasses> partial_{};
  std::array<FreeBlock*, kClasses> large_{};
  Slab* empty_ = nullptr;
  std::vector<Slab*> spare_;  // Their pages are the kernel's; none is written to.
  std::vector<std::unique_ptr<std::uint8_t[]>> regions_;
};

}  // namespace millrace
