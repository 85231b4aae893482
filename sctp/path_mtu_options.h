// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace millrace::sctp {

// PathMtuOptions bound path MTU discovery (RFC 8899), which starts at
// `Options::max_packet_bytes`, its BASE_PLPMTU. Sizes are SCTP packets, common header
// included. Off, packets stay at that size.
struct PathMtuOptions {
  bool enabled = false;
  // MIN_PLPMTU: what is resorted to where the path does not carry the base. The default is
  // what a DTLS record carries in an IPv4 packet of 576 bytes, with room to spare.
  std::size_t min_packet_bytes = 468;
  // MAX_PLPMTU: at most what the interface carries. The default is an IPv4 packet of 9000.
  std::size_t max_packet_bytes = 8932;
};

}  // namespace millrace::sctp
