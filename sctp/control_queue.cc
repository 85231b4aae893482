// SPDX-License-Identifier: Apache-2.0
#include "sctp/control_queue.h"

namespace millrace::sctp {

bool ControlQueue::push(ByteSpan chunk) { return add(chunk, Slot{}); }

bool ControlQueue::push_alone(VerificationTag tag, ByteSpan chunk) {
  return add(chunk, Slot{.size = 0, .alone = true, .tag = tag});
}

bool ControlQueue::add(ByteSpan chunk, Slot slot) {
  DCHECK(chunk.size() % 4 == 0);
  if (count_ == kMaxChunks || bytes_.size() + chunk.size() > kMaxBytes) return false;
  if (bytes_.capacity() < kMaxBytes) bytes_.reserve(kMaxBytes);
  slot.size = static_cast<std::uint16_t>(chunk.size());
  slots_[(first_ + count_) % kMaxChunks] = slot;
  ++count_;
  bytes_.insert(bytes_.end(), chunk.begin(), chunk.end());
  return true;
}

ControlQueue::Chunk ControlQueue::front() const {
  DCHECK(count_ > 0);
  const Slot& slot = slots_[first_];
  return {
      .bytes = ByteSpan(bytes_).subspan(read_, slot.size), .alone = slot.alone, .tag = slot.tag};
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
}

}  // namespace millrace::sctp
