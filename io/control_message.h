// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "engine/base/address.h"

namespace millrace::io {

// RxControl is what the kernel tells about a received buffer beside its bytes.
struct RxControl {
  std::uint32_t segment_bytes = 0;  // UDP_GRO; 0: the buffer is one datagram.
  std::uint32_t overflow = 0;       // SO_RXQ_OVFL: drops of this socket since it opened.
  std::uint8_t ecn = 0;
  IpAddress local;  // PKTINFO; kNone where the socket has no wildcard address.
};

// kRxControlBytes holds GRO size, packet info, both traffic classes and the overflow
// count, each with its header.
inline constexpr std::size_t kRxControlBytes = 144;
// kTxControlBytes holds packet info and the GSO size.
inline constexpr std::size_t kTxControlBytes = 64;

// read_control walks the control data at `control`, which must be aligned for cmsghdr.
// Unknown or short entries are skipped.
RxControl read_control(const std::uint8_t* control, std::size_t length);

// write_control puts the GSO segment size (0: none) and the source address (kNone: the
// kernel's choice) into `out`, which has kTxControlBytes and is aligned for cmsghdr, and
// returns the length used.
std::size_t write_control(std::uint8_t* out, std::size_t gso_bytes, const IpAddress& local,
                          bool v6_socket);

}  // namespace millrace::io
