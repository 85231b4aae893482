// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "engine/base/address.h"
#include "engine/base/check.h"

namespace millrace {

struct RxBuffer;

// RxBufferHome takes a buffer back when its last reference is gone. A datapath is one.
class RxBufferHome {
 public:
  virtual void release(RxBuffer& buffer) = 0;

 protected:
  ~RxBufferHome() = default;
};

// RxBuffer is the header of a counted receive buffer: up to 64 KB of coalesced
// datagrams from one source (GRO), or one mbuf. The datapath that made it owns the
// memory; the count is not atomic, for a buffer never leaves its shard's thread.
struct RxBuffer {
  RxBufferHome* home = nullptr;
  std::uint8_t* data = nullptr;
  std::uint32_t capacity = 0;  // Bytes that a held reference pins.
  std::uint32_t refs = 0;
  std::uint32_t index = 0;  // For the home's use.
  std::uint8_t ecn = 0;     // The two ECN bits of the datagrams' IP header.
  // Its home runs short of buffers, and cannot receive without any: who would hold it beyond
  // the turn copies out of it.
  bool scarce = false;
  std::uint32_t socket = 0;  // io::SocketId that received it.
  Address source;
  IpAddress local;  // Destination address of the datagrams; kNone where unknown.
};

// BufferRef holds one reference to an RxBuffer, or none.
class BufferRef {
 public:
  BufferRef() = default;
  // Takes a new reference.
  explicit BufferRef(RxBuffer* buffer) : buffer_(buffer) {
    if (buffer_ != nullptr) ++buffer_->refs;
  }
  BufferRef(const BufferRef& other) : BufferRef(other.buffer_) {}
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() { reset(); }

  void reset() {
    RxBuffer* const buffer = std::exchange(buffer_, nullptr);
    if (buffer == nullptr) return;
    DCHECK(buffer->refs > 0);
    if (--buffer->refs == 0) buffer->home->release(*buffer);
  }
  RxBuffer* get() const { return buffer_; }
  RxBuffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }

 private:
  RxBuffer* buffer_ = nullptr;
};

}  // namespace millrace
