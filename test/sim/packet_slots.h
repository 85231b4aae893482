// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/rx_buffer.h"

namespace millrace::sim {

// PacketSlots is the memory of packets under way: a sender writes into a slot, the receiver
// gets a view of it. It grows by slabs and keeps what it has. Slots must all be back before it
// is destroyed.
class PacketSlots final : public RxBufferHome {
 public:
  // A kernel's buffer of a datagram of Ethernet size.
  static constexpr std::size_t kLeastBytes = 2048;

  // `slot_bytes` is at least the largest packet.
  explicit PacketSlots(std::size_t slot_bytes = kLeastBytes)
      : slot_bytes_(std::max(slot_bytes, kLeastBytes)) {}
  PacketSlots(const PacketSlots&) = delete;
  PacketSlots& operator=(const PacketSlots&) = delete;
  ~PacketSlots() { CHECK(free_.size() == slabs_.size() * kPerSlab); }

  BufferRef take() {
    if (free_.empty()) grow();
    RxBuffer* const buffer = free_.back();
    free_.pop_back();
    return BufferRef(buffer);
  }
  void release(RxBuffer& buffer) override { free_.push_back(&buffer); }
  std::size_t slot_bytes() const { return slot_bytes_; }
  std::size_t in_use() const { return slabs_.size() * kPerSlab - free_.size(); }

 private:
  static constexpr std::size_t kPerSlab = 256;
  struct Slab {
    std::vector<RxBuffer> headers;
    std::unique_ptr<std::uint8_t[]> bytes;
  };

  void grow() {
    Slab& slab = slabs_.emplace_back();
    slab.headers.resize(kPerSlab);
    slab.bytes = std::make_unique<std::uint8_t[]>(kPerSlab * slot_bytes_);
    free_.reserve(slabs_.size() * kPerSlab);
    for (std::size_t i = kPerSlab; i-- > 0;) {
      RxBuffer& header = slab.headers[i];
      header.home = this;
      header.data = slab.bytes.get() + i * slot_bytes_;
      header.capacity = static_cast<std::uint32_t>(slot_bytes_);
      free_.push_back(&header);
    }
  }

  const std::size_t slot_bytes_;
  std::vector<Slab> slabs_;
  std::vector<RxBuffer*> free_;
};

}  // namespace millrace::sim
