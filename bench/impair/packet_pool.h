// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/bytes.h"
#include "io/mapped_memory.h"

namespace millrace::impair {

// PacketPool keeps the bytes of datagrams on their way: small ones in slots of 2 KiB,
// others in slots of 64 KiB. Memory is touched when it is first used, the same first
// again.
class PacketPool {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  PacketPool();

  // Copies `datagram` in; kNone when there is no room. Each slot has one holder.
  std::uint32_t put(ByteSpan datagram);
  // Another holder.
  void hold(std::uint32_t slot) { ++holders_[slot]; }
  void release(std::uint32_t slot);
  std::uint8_t* data(std::uint32_t slot) const;

 private:
  static constexpr std::uint32_t kSmall = 1u << 16;
  static constexpr std::uint32_t kLarge = 1u << 10;
  static constexpr std::size_t kSmallBytes = 2048;
  static constexpr std::size_t kLargeBytes = 1u << 16;

  io::MappedMemory small_;
  io::MappedMemory large_;
  std::vector<std::uint32_t> free_small_;
  std::vector<std::uint32_t> free_large_;
  std::vector<std::uint8_t> holders_;
  std::uint64_t copied_ = 0;
};

}  // namespace millrace::impair
