// SPDX-License-Identifier: Apache-2.0
#include "io/net/checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/base/rng.h"

namespace millrace::io {
namespace {

// RFC 1071 §1, word by word.
std::uint16_t naive(ByteSpan bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, MatchesTheExampleOfRfc1071) {
  const std::vector<std::uint8_t> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(checksum_fold(checksum_add(ChecksumSum{}, bytes)), 0xddf2);
  EXPECT_EQ(checksum_finish(checksum_add(ChecksumSum{}, bytes)), 0x220d);
}

TEST(Checksum, EqualsTheNaiveOneAtEveryLengthAndAlignment) {
  SeededRng rng(7);
  std::vector<std::uint8_t> memory(700);
  rng.fill(memory);
  for (std::size_t start = 0; start < 17; ++start) {
    for (std::size_t length = 0; length + start <= memory.size(); ++length) {
      const ByteSpan bytes = ByteSpan(memory).subspan(start, length);
      ASSERT_EQ(checksum_finish(checksum_add(ChecksumSum{}, bytes)), naive(bytes))
          << start << " " << length;
    }
  }
}

TEST(Checksum, LosesNoCarryInLongRunsOfOnes) {
  for (const std::size_t length : {64u, 1500u, 9001u, 65535u}) {
    const std::vector<std::uint8_t> bytes(length, 0xff);
    EXPECT_EQ(checksum_finish(checksum_add(ChecksumSum{UINT64_MAX}, bytes)), naive(bytes));
  }
}

TEST(Checksum, PiecesOfEvenLengthAddUp) {
  SeededRng rng(8);
  std::vector<std::uint8_t> memory(1001);
  rng.fill(memory);
  for (std::size_t cut = 0; cut < memory.size(); cut += 2) {
    ChecksumSum sum = checksum_add(ChecksumSum{}, ByteSpan(memory).first(cut));
    const ChecksumSum rest = checksum_add(ChecksumSum{}, ByteSpan(memory).subspan(cut));
    ASSERT_EQ(checksum_finish(checksum_add(sum, rest)), naive(memory)) << cut;
    sum = checksum_add(sum, ByteSpan(memory).subspan(cut));
    ASSERT_EQ(checksum_finish(sum), naive(memory)) << cut;
  }
}

TEST(Checksum, WordsAddUpAsTheirBytesDo) {
  const std::vector<std::uint8_t> bytes{0x12, 0x34, 0xff, 0xfe};
  const ChecksumSum sum = checksum_add(checksum_add(ChecksumSum{}, std::uint16_t{0x1234}), 0xfffe);
  EXPECT_EQ(checksum_finish(sum), naive(bytes));
}

TEST(Checksum, AnIntactSumIsGoodAndOneFlippedBitIsNot) {
  std::vector<std::uint8_t> bytes{0x45, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x00};
  store_be16(bytes.data() + 6, naive(bytes));
  EXPECT_TRUE(checksum_is_good(checksum_add(ChecksumSum{}, bytes)));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << bit % 8));
    EXPECT_FALSE(checksum_is_good(checksum_add(ChecksumSum{}, bytes))) << bit;
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << bit % 8));
  }
}

// RFC 768: zero on the wire means that there is none.
TEST(Checksum, UdpNeverSendsZero) {
  const std::vector<std::uint8_t> bytes{0xff, 0xff};
  EXPECT_EQ(checksum_finish(checksum_add(ChecksumSum{}, bytes)), 0);
  EXPECT_EQ(udp_checksum_finish(checksum_add(ChecksumSum{}, bytes)), 0xffff);
  EXPECT_EQ(udp_checksum_finish(ChecksumSum{}), 0xffff);
}

}  // namespace
}  // namespace millrace::io
