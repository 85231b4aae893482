// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/rx_buffer.h"

namespace millrace::bench {

// RxMemory is one receive buffer that is never given away, whatever its references do.
class RxMemory final : private RxBufferHome {
 public:
  explicit RxMemory(std::size_t bytes = 65536) : bytes_(bytes) {
    header_.home = this;
    header_.data = bytes_.data();
    header_.capacity = static_cast<std::uint32_t>(bytes);
  }
  BufferRef buffer() { return BufferRef(&header_); }

 private:
  void release(RxBuffer&) override {}

  std::vector<std::uint8_t> bytes_;
  RxBuffer header_;
};

}  // namespace millrace::bench
