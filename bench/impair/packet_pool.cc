// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/packet_pool.h"

namespace millrace::impair {

PacketPool::PacketPool()
    : small_(kSmall * kSmallBytes), large_(kLarge * kLargeBytes), holders_(kSmall + kLarge) {
  free_small_.reserve(kSmall);
  free_large_.reserve(kLarge);
  for (std::uint32_t i = kSmall; i > 0; --i) free_small_.push_back(i - 1);
  for (std::uint32_t i = kLarge; i > 0; --i) free_large_.push_back(kSmall + i - 1);
}

std::uint32_t PacketPool::put(ByteSpan datagram) {
  if (datagram.size() > kLargeBytes) return kNone;
  std::vector<std::uint32_t>& free = datagram.size() <= kSmallBytes ? free_small_ : free_large_;
  if (free.empty()) return kNone;
  const std::uint32_t slot = free.back();
  free.pop_back();
  holders_[slot] = 1;
  copy_payload({data(slot), datagram.size()}, datagram, copied_);
  return slot;
}

void PacketPool::release(std::uint32_t slot) {
  CHECK(holders_[slot] > 0);
  if (--holders_[slot] > 0) return;
  (slot < kSmall ? free_small_ : free_large_).push_back(slot);
}

std::uint8_t* PacketPool::data(std::uint32_t slot) const {
  return slot < kSmall ? small_.data() + slot * kSmallBytes
                       : large_.data() + (slot - kSmall) * kLargeBytes;
}

}  // namespace millrace::impair
