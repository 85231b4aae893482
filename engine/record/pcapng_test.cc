// SPDX-License-Identifier: Apache-2.0
#include "engine/record/pcapng.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::engine::pcapng {
namespace {

std::string hex(const Buffer& bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    if (i != 0 && i % 4 == 0) out += ' ';
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

// draft-ietf-opsawg-pcapng §4.1.
TEST(Pcapng, SectionHeaderNamesByteOrderVersionAndApplication) {
  Buffer out;
  append_section_header(out, "mill");
  EXPECT_EQ(hex(out),
            "0a0d0d0a 28000000 4d3c2b1a 01000000 ffffffff ffffffff "
            "04000400 6d696c6c 00000000 28000000");
}

// §4.2.
TEST(Pcapng, InterfaceIsRawIpInNanoseconds) {
  Buffer out;
  append_interface(out, "m");
  EXPECT_EQ(hex(out),
            "01000000 28000000 65000000 00000000 02000100 6d000000 "
            "09000100 09000000 00000000 28000000");
}

// §4.3, RFC 791 §3.1, RFC 768.
TEST(Pcapng, PacketHasIpV4AndUdpHeadersWithTheirChecksums) {
  Buffer out;
  const std::uint8_t payload[] = {1, 2, 3};
  append_packet(out, {.unix_ns = 0x0000000100000002,
                      .outbound = true,
                      .source = *Address::parse("192.0.2.1:5000"),
                      .destination = *Address::parse("192.0.2.2:6000"),
                      .payload = payload});
  EXPECT_EQ(hex(out),
            "06000000 4c000000 00000000 01000000 02000000 1f000000 1f000000 "
            "4500001f 00004000 4011b6ca c0000201 c0000202 "
            "13881770 000b4cda 01020300 "
            "02000400 02000000 00000000 4c000000");
}

// RFC 8200 §3, §8.1.
TEST(Pcapng, PacketOverIpV6ChecksItsPseudoHeader) {
  Buffer out;
  const std::uint8_t payload[] = {0xff, 0x00};
  append_packet(out, {.unix_ns = 1,
                      .outbound = false,
                      .source = *Address::parse("[2001:db8::1]:5000"),
                      .destination = *Address::parse("[2001:db8::2]:6000"),
                      .payload = payload});
  EXPECT_EQ(hex(out),
            "06000000 60000000 00000000 00000000 01000000 32000000 32000000 "
            "60000000 000a1140 20010db8 00000000 00000000 00000001 "
            "20010db8 00000000 00000000 00000002 "
            "13881770 000a7a6c ff000000 "
            "02000400 01000000 00000000 60000000");
}

// §4.7: secrets_type "TLSK".
TEST(Pcapng, SecretsArePaddedToFour) {
  Buffer out;
  append_secrets(out, "CLIENT_RANDOM a b\n");
  EXPECT_EQ(hex(out).substr(0, 35), "0a000000 28000000 4b534c54 12000000");
  EXPECT_EQ(out.size(), 40u);
  EXPECT_EQ(std::string(out.begin() + 16, out.begin() + 34), "CLIENT_RANDOM a b\n");
}

// §4.6.
TEST(Pcapng, StatisticsTellOfLoss) {
  Buffer out;
  append_statistics(out, 3, 7, 2);
  EXPECT_EQ(hex(out),
            "05000000 34000000 00000000 00000000 03000000 04000800 07000000 00000000 "
            "05000800 02000000 00000000 00000000 34000000");
}

TEST(Pcapng, EveryPayloadLengthMakesAWholeBlock) {
  for (std::size_t length = 0; length < 64; ++length) {
    Buffer out;
    const Buffer payload(length, 0x5a);
    append_packet(out, {.source = *Address::parse("10.0.0.1:1"),
                        .destination = *Address::parse("10.0.0.2:2"),
                        .payload = payload});
    ASSERT_EQ(out.size() % 4, 0u);
    // Both lengths, at the head and the end, are the block's.
    EXPECT_EQ(out[4] + 256u * out[5], out.size());
    EXPECT_EQ(out[out.size() - 4] + 256u * out[out.size() - 3], out.size());
  }
}

}  // namespace
}  // namespace millrace::engine::pcapng
