// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/mapped_memory.h"

namespace millrace::io {

// SlotPool is the memory of a SlotDatapath: slots of one datagram each, scattered, at
// odd addresses, between guard bytes, and unreadable while they are free.
class SlotPool {
 public:
  static constexpr std::size_t kGuardBytes = 16;

  explicit SlotPool(std::size_t slots);
  // CHECKs that every slot is home.
  ~SlotPool();

  // Opens a slot for `bytes` bytes, which hold a pattern; false when none is free.
  bool take(std::size_t bytes, std::uint32_t& slot);
  // CHECKs the guards and takes the slot back.
  void put(std::uint32_t slot);
  std::uint8_t* data(std::uint32_t slot) const;

  std::size_t size() const { return bytes_.size(); }
  std::size_t free() const { return free_.size(); }

 private:
  MappedMemory memory_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> bytes_;  // Per slot: room opened, 0 while free.
};

}  // namespace millrace::io
