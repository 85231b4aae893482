// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"

namespace millrace::sctp {

// Crc32c computes the checksum of RFC 9260 Appendix A over a sequence of pieces.
class Crc32c {
 public:
  void update(ByteSpan piece);
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xFFFFFFFF;
};

std::uint32_t crc32c(ByteSpan bytes);

// packet_checksum computes the checksum of an SCTP packet as if its checksum field
// were zero (RFC 9260 §6.8); the packet is only read. Compare the result with
// `CommonHeader::checksum`. `packet` holds at least a common header.
std::uint32_t packet_checksum(ByteSpan packet);

}  // namespace millrace::sctp
