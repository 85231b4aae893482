// SPDX-License-Identifier: Apache-2.0
#include "engine/base/siphash.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace {
namespace {

// The key 00 01 .. 0f of the paper, and the message 00 01 .. of n bytes.
constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::array<std::uint8_t, 24> counting() {
  std::array<std::uint8_t, 24> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

TEST(SipHash, TwoFourGivesThePapersVector) {
  const auto bytes = counting();
  EXPECT_EQ((siphash<2, 4>(kKey, ByteSpan(bytes).first(15))), 0xa129ca6149be45e5u);
}

TEST(SipHash, TwoFourGivesTheReferenceVectors) {
  const auto bytes = counting();
  EXPECT_EQ((siphash<2, 4>(kKey, {})), 0x726fdb47dd0e0e31u);
  EXPECT_EQ((siphash<2, 4>(kKey, ByteSpan(bytes).first(7))), 0xab0200f58b01d137u);
  EXPECT_EQ((siphash<2, 4>(kKey, ByteSpan(bytes).first(8))), 0x93f5f5799a932462u);
}

// CPython 3.11 hashes bytes by SipHash-1-3; with PYTHONHASHSEED=0 its key is zero.
TEST(SipHash, OneThreeAgreesWithCPython) {
  const auto hash = [](std::string_view text) {
    return siphash<1, 3>(SipKey{},
                         {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(hash("a"), 0x407448d2b89b1813u);
  EXPECT_EQ(hash("millrace"), 0x22792da040331642u);
  EXPECT_EQ(hash("0123456789abcdef"), 0x1d42b30f7e060c24u);
}

TEST(SipHash, WordsHashAsTheirLittleEndianBytes) {
  const auto bytes = counting();
  const std::array<std::uint64_t, 3> words{0x0706050403020100, 0x0f0e0d0c0b0a0908,
                                           0x1716151413121110};
  EXPECT_EQ((siphash_words<1, 3>(kKey, words)), (siphash<1, 3>(kKey, bytes)));
  EXPECT_EQ((siphash_words<1, 3>(kKey, words)), 0xf464aeb267349c8cu);
  EXPECT_EQ((siphash_words<1, 3>(kKey, std::array{words[0]})), 0x369095118d299a8eu);
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  const std::array<std::uint64_t, 1> words{42};
  const std::uint64_t hash = siphash_words<1, 3>(kKey, words);
  EXPECT_NE(hash, (siphash_words<1, 3>(SipKey{kKey.k0 ^ 1, kKey.k1}, words)));
  EXPECT_NE(hash, (siphash_words<1, 3>(SipKey{kKey.k0, kKey.k1 ^ 1}, words)));
}

}  // namespace
}  // namespace millrace
