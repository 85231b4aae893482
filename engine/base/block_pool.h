// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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
  std::uint8_t* allocate(std::size_t bytes);
  // Takes back what `allocate(bytes)` returned; `bytes` must be the same number.
  void release(std::uint8_t* block, std::size_t bytes);
  // The true size of a block for `bytes`: what it costs.
  static std::size_t block_bytes(std::size_t bytes);

  std::size_t used_bytes() const { return used_bytes_; }          // Blocks handed out.
  std::size_t reserved_bytes() const { return reserved_bytes_; }  // Slabs, free blocks too.

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr std::size_t kSmallestBits = 6;
  static constexpr std::size_t kClasses = (30 - kSmallestBits) * 4 + 1;
  static constexpr std::size_t kSlabBytes = std::size_t{64} << 10;

  static std::size_t class_of(std::size_t bytes);
  static std::size_t class_bytes(std::size_t size_class);
  bool grow(std::size_t size_class);

  std::size_t max_bytes_;
  std::size_t used_bytes_ = 0;
  std::size_t reserved_bytes_ = 0;
  std::array<FreeBlock*, kClasses> free_{};
  std::vector<std::unique_ptr<std::uint8_t[]>> slabs_;
};

}  // namespace millrace
