// SPDX-License-Identifier: Apache-2.0
#pragma once

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
// that a block wastes at most a quarter of itself. It grows by slabs up to `max_bytes`
// and keeps what it has: after warm-up no call allocates. One per shard; not
// thread-safe. Everything allocated must be released before the pool is destroyed.
class BlockPool {
 public:
  static constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 30;

  explicit BlockPool(std::size_t max_bytes = std::size_t{1} << 32) : max_bytes_(max_bytes) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // Returns at least `bytes` bytes aligned to 16, uninitialised, or nullptr where the
  // pool is at its limit. `bytes` is at most kMaxBlockBytes.
  std::uint8_t* allocate(std::size_t bytes) {
    CHECK(bytes <= kMaxBlockBytes);
    const std::size_t size_class = class_of(bytes);
    if (free_[size_class] == nullptr && !grow(bytes)) return nullptr;
    FreeBlock* const block = free_[size_class];
    free_[size_class] = block->next;
    used_bytes_ += block_bytes(bytes);
    return reinterpret_cast<std::uint8_t*>(block);
  }
  // Takes back what `allocate(bytes)` returned; `bytes` must be the same number.
  void release(std::uint8_t* block, std::size_t bytes) {
    DCHECK(block != nullptr && used_bytes_ >= block_bytes(bytes));
    FreeBlock*& first = free_[class_of(bytes)];
    first = ::new (block) FreeBlock{first};
    used_bytes_ -= block_bytes(bytes);
  }
  // The true size of a block for `bytes`: what it costs.
  static constexpr std::size_t block_bytes(std::size_t bytes) {
    if (bytes <= kSmallestBytes) return kSmallestBytes;
    const std::size_t step_bits = doubling_of(bytes) - 2;
    return (((bytes - 1) >> step_bits) + 1) << step_bits;
  }

  std::size_t used_bytes() const { return used_bytes_; }          // Blocks handed out.
  std::size_t reserved_bytes() const { return reserved_bytes_; }  // Slabs, free blocks too.

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr std::size_t kSmallestBits = 6;
  static constexpr std::size_t kSmallestBytes = std::size_t{1} << kSmallestBits;
  static constexpr std::size_t kClasses = (30 - kSmallestBits) * 4 + 1;
  static constexpr std::size_t kSlabBytes = std::size_t{64} << 10;

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
  // Adds free blocks of the class of `bytes`; false at the limit.
  bool grow(std::size_t bytes);

  std::size_t max_bytes_;
  std::size_t used_bytes_ = 0;
  std::size_t reserved_bytes_ = 0;
  std::array<FreeBlock*, kClasses> free_{};
  std::vector<std::unique_ptr<std::uint8_t[]>> slabs_;
};

}  // namespace millrace
