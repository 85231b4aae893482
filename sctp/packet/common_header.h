// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "sctp/types.h"

namespace millrace::sctp {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |      Source Port Number       |    Destination Port Number    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                       Verification Tag                        |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                           Checksum                            |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// CommonHeader opens every SCTP packet (RFC 9260 §3.1). `checksum` compares with
// `packet_checksum` of sctp/crc32c.h; `write` leaves its field zero, for PacketWriter
// to fill at the end.
struct CommonHeader {
  static constexpr std::size_t kBytes = 12;
  static constexpr std::size_t kChecksumOffset = 8;

  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  VerificationTag verification_tag;
  std::uint32_t checksum = 0;

  // Returns nothing when `packet` is too short to hold a header.
  static std::optional<CommonHeader> parse(ByteSpan packet) {
    if (packet.size() < kBytes) return std::nullopt;
    const std::uint8_t* const p = packet.data();
    return CommonHeader{load_be16(p), load_be16(p + 2), VerificationTag(load_be32(p + 4)),
                        load_checksum(p + kChecksumOffset)};
  }
  // `out` has at least kBytes.
  void write(MutableByteSpan out) const {
    CHECK(out.size() >= kBytes);
    store_be16(out.data(), source_port);
    store_be16(out.data() + 2, destination_port);
    store_be32(out.data() + 4, verification_tag.value());
    store_be32(out.data() + kChecksumOffset, 0);
  }

  // RFC 9260 Appendix A: the CRC's least significant byte travels first.
  static std::uint32_t load_checksum(const std::uint8_t* p) {
    return __builtin_bswap32(load_be32(p));
  }
  static void store_checksum(std::uint8_t* p, std::uint32_t crc) {
    store_be32(p, __builtin_bswap32(crc));
  }
};

}  // namespace millrace::sctp
