// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/streamed_payload.h"

#include <algorithm>
#include <new>

namespace millrace::sctp {
namespace {

constexpr std::uint32_t kFirstBlocks = 8;

}  // namespace

StreamedPayload::~StreamedPayload() {
  for (; first_ < end_; ++first_) pool_.release(blocks_[slot(first_)], kBlockBytes);
  if (blocks_ != nullptr) {
    pool_.release(reinterpret_cast<std::uint8_t*>(blocks_), capacity_ * sizeof(*blocks_));
  }
}

// Makes room for the blocks up to `end` and gets them.
bool StreamedPayload::reserve(std::uint32_t end) {
  if (end - first_ > capacity_) {
    std::uint32_t capacity = std::max(kFirstBlocks, capacity_);
    while (capacity < end - first_) capacity *= 2;
    std::uint8_t* const memory = pool_.allocate(capacity * sizeof(*blocks_));
    if (memory == nullptr) return false;
    auto** const grown = ::new (memory) std::uint8_t*[capacity];
    for (std::uint32_t block = first_; block < end_; ++block) {
      grown[block & (capacity - 1)] = blocks_[slot(block)];
    }
    if (blocks_ != nullptr) {
      pool_.release(reinterpret_cast<std::uint8_t*>(blocks_), capacity_ * sizeof(*blocks_));
    }
    blocks_ = grown;
    capacity_ = capacity;
  }
  const std::uint32_t end_before = end_;
  while (end_ < end) {
    std::uint8_t* const block = pool_.allocate(kBlockBytes);
    if (block == nullptr) {
      while (end_ > end_before) pool_.release(blocks_[slot(--end_)], kBlockBytes);
      return false;
    }
    blocks_[slot(end_++)] = block;
  }
  return true;
}

bool StreamedPayload::append(ByteSpan part) {
  if (!reserve(static_cast<std::uint32_t>(blocks_of(size_ + part.size())))) return false;
  while (!part.empty()) {
    const std::size_t bytes = std::min<std::size_t>(part.size(), rest_of_block(size_));
    std::uint8_t* const to = blocks_[slot(size_ / kBlockBytes)] + size_ % kBlockBytes;
    copy_payload({to, bytes}, part.first(bytes), copy_counters().send);
    size_ += static_cast<std::uint32_t>(bytes);
    part = part.subspan(bytes);
  }
  return true;
}

void StreamedPayload::release_until(std::uint32_t offset) {
  for (; first_ < std::min(end_, offset / kBlockBytes); ++first_) {
    pool_.release(blocks_[slot(first_)], kBlockBytes);
  }
}

}  // namespace millrace::sctp
