// SPDX-License-Identifier: Apache-2.0
//
// What a datagram costs between an engine and a device past the kernel, step by step.
#pragma once

#include <cstddef>

#include "engine/reference/dpdk_frames.h"

namespace millrace::reference {

// FrameCosts are nanoseconds a frame. Checksums are those of a device that makes and verifies
// none, over the payload; the rest of what a header needs is with the headers.
struct FrameCosts {
  double alloc = 0;     // An mbuf from the pool.
  double checksum = 0;  // UDP's, over the payload.
  double headers = 0;   // Ethernet, IPv4, UDP, and what the driver is told of them.
  double tx_burst = 0;  // The driver: for memif a copy, and the mbuf back into its pool.
  double rx_burst = 0;  // The driver: for memif an mbuf, and a copy.
  double parse = 0;     // Headers read and checked, IPv4's checksum included.
  double verify = 0;    // UDP's checksum, over the payload.
  double free = 0;      // The mbuf back into its pool.
};

// measure_frame_costs sends bursts of `burst` datagrams of `bytes` of payload from one port to
// the other, which are connected, and receives them, all in the calling thread, until that has
// taken `each` for each step. By the engine's own network layer and pools. Fails where the link
// stays down, or a burst does not arrive.
Result<FrameCosts, io::IoError> measure_frame_costs(const FramePort& from, const FramePort& to,
                                                    std::size_t burst, std::size_t bytes,
                                                    Duration each);

}  // namespace millrace::reference
