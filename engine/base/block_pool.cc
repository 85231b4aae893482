// SPDX-License-Identifier: Apache-2.0
#include "engine/base/block_pool.h"

#include <algorithm>

namespace millrace {

BlockPool::~BlockPool() { CHECK(used_bytes_ == 0); }

bool BlockPool::grow(std::size_t bytes) {
  const std::size_t block = block_bytes(bytes);
  const std::size_t count = std::max<std::size_t>(1, kSlabBytes / block);
  const std::size_t slab_bytes = block * count;
  if (reserved_bytes_ + slab_bytes > max_bytes_) return false;
  slabs_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(slab_bytes));
  reserved_bytes_ += slab_bytes;
  std::uint8_t* const base = slabs_.back().get();
  FreeBlock*& first = free_[class_of(bytes)];
  for (std::size_t i = count; i-- > 0;) first = ::new (base + i * block) FreeBlock{first};
  return true;
}

}  // namespace millrace
