// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"

namespace millrace::io {

// While sends wait for the kernel's memory, or all buffers are held, a sleep is this short:
// nothing tells when that ends.
inline constexpr Duration kRetryInterval = milliseconds(1);

// KernelOptions are the settings that the two kernel datapaths share. Memory is
// mapped at creation and touched only when used, the hottest first.
struct KernelOptions {
  // Receive buffers of 66 KB each: one holds up to 64 KB of coalesced datagrams of one
  // sender, or a single small one. They bound what one burst can carry plus what is
  // held by the layers above. 128 x 66 KB = 8.3 MiB of address space.
  std::size_t rx_buffers = 128;
  // Transmit chunks of 64 KB each, shared by small runs: 64 x 64 KB = 4 MiB.
  std::size_t tx_chunks = 64;
  bool gso = true;
  bool gro = true;
};

}  // namespace millrace::io
