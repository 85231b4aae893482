// SPDX-License-Identifier: Apache-2.0
#include "engine/base/block_pool.h"

#include <algorithm>
#include <bit>
#include <new>

#include "engine/base/check.h"

namespace millrace {

BlockPool::~BlockPool() { CHECK(used_bytes_ == 0); }

// Class 0 is 64 bytes; then each doubling is cut into four equal steps.
std::size_t BlockPool::class_of(std::size_t bytes) {
  constexpr std::size_t kSmallest = std::size_t{1} << kSmallestBits;
  if (bytes <= kSmallest) return 0;
  const std::size_t last = bytes - 1;
  const auto doubling = static_cast<std::size_t>(std::bit_width(last)) - 1;
  const std::size_t step = (last >> (doubling - 2)) & 3;
  return (doubling - kSmallestBits) * 4 + step + 1;
}

std::size_t BlockPool::class_bytes(std::size_t size_class) {
  if (size_class == 0) return std::size_t{1} << kSmallestBits;
  const std::size_t doubling = (size_class - 1) / 4 + kSmallestBits;
  const std::size_t step = (size_class - 1) % 4 + 1;
  return (std::size_t{1} << doubling) + (step << (doubling - 2));
}

std::size_t BlockPool::block_bytes(std::size_t bytes) { return class_bytes(class_of(bytes)); }

bool BlockPool::grow(std::size_t size_class) {
  const std::size_t block = class_bytes(size_class);
  const std::size_t count = std::max<std::size_t>(1, kSlabBytes / block);
  const std::size_t slab_bytes = block * count;
  if (reserved_bytes_ + slab_bytes > max_bytes_) return false;
  slabs_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(slab_bytes));
  reserved_bytes_ += slab_bytes;
  std::uint8_t* const base = slabs_.back().get();
  for (std::size_t i = count; i-- > 0;) {
    free_[size_class] = ::new (base + i * block) FreeBlock{free_[size_class]};
  }
  return true;
}

std::uint8_t* BlockPool::allocate(std::size_t bytes) {
  CHECK(bytes <= kMaxBlockBytes);
  const std::size_t size_class = class_of(bytes);
  if (free_[size_class] == nullptr && !grow(size_class)) return nullptr;
  FreeBlock* const block = free_[size_class];
  free_[size_class] = block->next;
  used_bytes_ += class_bytes(size_class);
  return reinterpret_cast<std::uint8_t*>(block);
}

void BlockPool::release(std::uint8_t* block, std::size_t bytes) {
  DCHECK(block != nullptr);
  const std::size_t size_class = class_of(bytes);
  DCHECK(used_bytes_ >= class_bytes(size_class));
  free_[size_class] = ::new (block) FreeBlock{free_[size_class]};
  used_bytes_ -= class_bytes(size_class);
}

}  // namespace millrace
