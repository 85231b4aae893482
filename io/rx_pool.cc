// SPDX-License-Identifier: Apache-2.0
#include "io/rx_pool.h"

#include <algorithm>

namespace millrace::io {

RxPool::RxPool(std::size_t buffers) : memory_(buffers * kSlotBytes), buffers_(buffers) {
  CHECK(buffers > 0 && buffers <= 32768);
  free_.reserve(buffers);
  for (std::size_t i = buffers; i-- > 0;) {
    RxBuffer& buffer = buffers_[i];
    buffer.home = this;
    buffer.index = static_cast<std::uint32_t>(i);
    buffer.data = slot(i) + kPayloadOffset;
    buffer.capacity = kSlotBytes;
    free_.push_back(buffer.index);
  }
}

RxPool::~RxPool() {
  // A reference that is still held would outlive its memory.
  for (const RxBuffer& buffer : buffers_) CHECK(buffer.refs == 0);
}

RxBuffer* RxPool::take() {
  if (free_.empty()) return nullptr;
  RxBuffer& buffer = buffers_[free_.back()];
  free_.pop_back();
  return &buffer;
}

RxSplitter::RxSplitter(std::size_t buffers) : filled_(buffers) { lent_.reserve(buffers); }

RxSplitter::~RxSplitter() {
  done();
  while (!filled_.empty()) {
    BufferRef last(filled_.front().buffer);
    --last->refs;
    filled_.pop_front();
  }
}

void RxSplitter::add(RxBuffer& buffer, std::uint32_t length, std::uint32_t segment_bytes) {
  DCHECK(buffer.refs == 0 && length > 0);
  buffer.refs = 1;
  filled_.push_back({&buffer, 0, length, segment_bytes == 0 ? length : segment_bytes});
}

std::size_t RxSplitter::split(std::span<RxView> in) {
  std::size_t n = 0;
  while (n < in.size() && !filled_.empty()) {
    Filled& filled = filled_.front();
    while (n < in.size() && filled.offset < filled.length) {
      const std::uint32_t length = std::min(filled.segment_bytes, filled.length - filled.offset);
      in[n++] = {filled.buffer->data + filled.offset, length, filled.buffer};
      filled.offset += length;
    }
    if (filled.offset < filled.length) break;
    lent_.push_back(filled.buffer);
    filled_.pop_front();
  }
  return n;
}

void RxSplitter::end_loans() {
  for (RxBuffer* buffer : lent_) {
    DCHECK(buffer->refs > 0);
    if (--buffer->refs == 0) buffer->home->release(*buffer);
  }
  lent_.clear();
}

}  // namespace millrace::io
