// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/spsc_ring.h"

namespace millrace::engine {

// ByteRing is a bounded queue of records of bytes from one thread to another: what a shard
// hands to the writer of a file. Neither ever waits; a record that finds no room is counted
// and lost.
class ByteRing {
 public:
  // The capacity is rounded up to a power of two. A record may take a quarter of it.
  explicit ByteRing(std::size_t capacity)
      : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 1024)) - 1),
        bytes_(std::make_unique<std::uint8_t[]>(mask_ + 1)) {}
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  // Producer: appends the pieces as one record; false, and counted, when there is no room.
  bool push(std::initializer_list<ByteSpan> pieces) {
    std::size_t length = 0;
    for (const ByteSpan piece : pieces) length += piece.size();
    const std::size_t needed = kHeader + padded(length);
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    // A record lies in one piece: what is left at the end of the memory is skipped.
    const std::size_t left = mask_ + 1 - (tail & mask_);
    const std::size_t skipped = left < needed ? left : 0;
    // Acquire: the consumer is done with the places that its index gave back.
    const std::size_t used = tail - head_.load(std::memory_order_acquire);
    if (needed > (mask_ + 1) / 4 || used + skipped + needed > mask_ + 1) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    if (skipped != 0) store_length(tail, kSkip);
    std::size_t at = tail + skipped;
    store_length(at, static_cast<std::uint32_t>(length));
    std::uint8_t* to = place(at + kHeader);
    for (const ByteSpan piece : pieces) {
      if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    }
    tail_.store(tail + skipped + needed, std::memory_order_release);
    return true;
  }

  // Consumer: calls `visit(ByteSpan)` with the records there are, oldest first. The bytes are
  // 8-aligned.
  template <class Visit>
  void consume(Visit visit) {
    const std::size_t end = tail_.load(std::memory_order_acquire);
    std::size_t at = head_.load(std::memory_order_relaxed);
    while (at != end) {
      std::uint32_t length = 0;
      std::memcpy(&length, place(at), sizeof(length));
      if (length == kSkip) {
        at += mask_ + 1 - (at & mask_);
      } else {
        visit(ByteSpan(place(at + kHeader), length));
        at += kHeader + padded(length);
      }
      head_.store(at, std::memory_order_release);
    }
  }

  // Any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kHeader = 8;
  static constexpr std::uint32_t kSkip = UINT32_MAX;

  static constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }
  std::uint8_t* place(std::size_t at) const { return &bytes_[at & mask_]; }
  void store_length(std::size_t at, std::uint32_t length) {
    std::memcpy(place(at), &length, sizeof(length));
  }

  const std::size_t mask_;
  const std::unique_ptr<std::uint8_t[]> bytes_;
  alignas(kCacheLineBytes) std::atomic<std::size_t> tail_{0};
  std::atomic<std::uint64_t> dropped_{0};
  alignas(kCacheLineBytes) std::atomic<std::size_t> head_{0};
};

}  // namespace millrace::engine
