// SPDX-License-Identifier: Apache-2.0
#include "sctp/control_queue.h"

#include <algorithm>

namespace millrace::sctp {

void ControlQueue::RawChunk::write(MutableByteSpan out) const {
  std::ranges::copy(bytes, out.begin());
}

MutableByteSpan ControlQueue::reserve(std::size_t bytes, bool alone, VerificationTag tag) {
  if (count_ == kMaxChunks || bytes_.size() + bytes > kMaxBytes) return {};
  if (bytes_.size() + bytes > bytes_.capacity()) {
    bytes_.reserve(std::clamp(bytes_.capacity() * 2, bytes_.size() + bytes, kMaxBytes));
    if (bytes_.capacity() < kKeptBytes) bytes_.reserve(kKeptBytes);
  }
  slots_[(first_ + count_) % kMaxChunks] = {
      .size = static_cast<std::uint16_t>(bytes), .alone = alone, .tag = tag};
  ++count_;
  const std::size_t at = bytes_.size();
  bytes_.resize(at + bytes);
  return MutableByteSpan(bytes_).subspan(at);
}

ControlQueue::Chunk ControlQueue::front() const {
  DCHECK(count_ > 0);
  const Slot& slot = slots_[first_];
  return {
      .raw = {ByteSpan(bytes_).subspan(read_, slot.size)}, .alone = slot.alone, .tag = slot.tag};
}

void ControlQueue::pop() {
  DCHECK(count_ > 0);
  read_ += slots_[first_].size;
  first_ = (first_ + 1) % kMaxChunks;
  if (--count_ == 0) clear();
}

void ControlQueue::clear() {
  first_ = count_ = read_ = 0;
  bytes_.clear();
  // Not shrink_to_fit, which does nothing where exceptions are off.
  if (bytes_.capacity() > kKeptBytes) bytes_ = std::vector<std::uint8_t>();
}

}  // namespace millrace::sctp
