// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace millrace::sctp {

// StreamedPayload is the payload of a message that comes part by part: blocks of one size in
// a row, of which only those are kept that hold bytes not yet acknowledged. Fragments do not
// reach across blocks, so each is one span.
class StreamedPayload {
 public:
  static constexpr std::uint32_t kBlockBytes = 32 * 1024;

  // `pool` outlives it.
  explicit StreamedPayload(BlockPool& pool) : pool_(pool) {}
  ~StreamedPayload();
  StreamedPayload(const StreamedPayload&) = delete;
  StreamedPayload& operator=(const StreamedPayload&) = delete;

  // What the blocks cost that `part_bytes` behind `size` bytes need besides.
  static constexpr std::size_t cost_of(std::size_t size, std::size_t part_bytes) {
    return (blocks_of(size + part_bytes) - blocks_of(size)) * kBlockBytes;
  }
  // Copies `part` behind what is there. False, and nothing changes, where the pool is at its
  // limit.
  bool append(ByteSpan part);

  // `offset` is of a byte appended and not released; those up to the block's end follow it.
  const std::uint8_t* at(std::uint32_t offset) const {
    DCHECK(offset / kBlockBytes >= first_ && offset < size_);
    return blocks_[slot(offset / kBlockBytes)] + offset % kBlockBytes;
  }
  static constexpr std::uint32_t rest_of_block(std::uint32_t offset) {
    return kBlockBytes - offset % kBlockBytes;
  }

  // Bytes below `offset` are not read again.
  void release_until(std::uint32_t offset);
  // Bytes below `offset` have left the queue. Returns what the queue is relieved of.
  std::size_t note_sent(std::uint32_t offset) {
    const std::size_t before = queued_cost();
    sent_blocks_ = offset / kBlockBytes;
    return before - queued_cost();
  }
  // Of the blocks with bytes that were not sent.
  std::size_t queued_cost() const { return std::size_t{end_ - sent_blocks_} * kBlockBytes; }

 private:
  static constexpr std::size_t blocks_of(std::size_t bytes) {
    return (bytes + kBlockBytes - 1) / kBlockBytes;
  }
  std::size_t slot(std::uint32_t block) const { return block & (capacity_ - 1); }
  bool reserve(std::uint32_t end);

  BlockPool& pool_;
  std::uint8_t** blocks_ = nullptr;  // A ring in the pool, of `capacity_` places.
  std::uint32_t capacity_ = 0;       // A power of two.
  std::uint32_t first_ = 0;          // Of the blocks by their number in the message, the
  std::uint32_t end_ = 0;            // oldest that is kept and the one behind the newest.
  std::uint32_t sent_blocks_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace millrace::sctp
