// SPDX-License-Identifier: Apache-2.0
#include "sctp/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

// The definition, one bit at a time.
std::uint32_t crc32c_by_bits(ByteSpan bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
  }
  return ~crc;
}

Bytes random_bytes(std::size_t n) {
  SeededRng rng(n);
  Bytes out(n);
  rng.fill(out);
  return out;
}

// RFC 3720 Appendix B.4
TEST(Crc32c, AgreesWithPublishedVectors) {
  EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8A9136AAu);
  EXPECT_EQ(crc32c(Bytes(32, 0xFF)), 0x62A8AB43u);
  constexpr std::string_view kDigits = "123456789";
  EXPECT_EQ(crc32c(Bytes(kDigits.begin(), kDigits.end())), 0xE3069283u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, EverySizeAgreesWithTheDefinition) {
  for (std::size_t n = 0; n < 600; ++n) {
    const Bytes bytes = random_bytes(n);
    ASSERT_EQ(crc32c(bytes), crc32c_by_bits(bytes)) << n;
  }
}

TEST(Crc32c, PiecesMayBeCutAnywhere) {
  const Bytes bytes = random_bytes(500);
  const std::uint32_t whole = crc32c(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Crc32c crc;
    crc.update(ByteSpan(bytes).first(cut));
    crc.update(ByteSpan(bytes).subspan(cut));
    ASSERT_EQ(crc.value(), whole) << cut;
  }
}

// RFC 9260 §6.8
TEST(PacketChecksum, TakesTheChecksumFieldForZero) {
  for (std::size_t n = 12; n < 400; ++n) {
    Bytes packet = random_bytes(n);
    const std::uint32_t checksum = packet_checksum(packet);
    for (std::size_t i = 8; i < 12; ++i) packet[i] = 0;
    ASSERT_EQ(checksum, crc32c_by_bits(packet)) << n;
  }
}

}  // namespace
}  // namespace millrace::sctp
