// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "engine/base/mac.h"

namespace millrace::ice {

// TestMac is a plain HMAC-SHA1 (RFC 2104, RFC 3174), so that the tests of this module
// need no crypto library. Slow, and not for use outside tests and fuzz targets.
class TestMac final : public Mac {
 public:
  Sha1Digest hmac_sha1(ByteSpan key, ByteSpan a, ByteSpan b) const override {
    std::array<std::uint8_t, 64> block{};
    if (key.size() > block.size()) {
      const Sha1Digest hashed = sha1({key.begin(), key.end()});
      std::copy(hashed.begin(), hashed.end(), block.begin());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    std::vector<std::uint8_t> inner;
    std::vector<std::uint8_t> outer;
    for (const std::uint8_t byte : block) {
      inner.push_back(byte ^ 0x36);
      outer.push_back(byte ^ 0x5C);
    }
    inner.insert(inner.end(), a.begin(), a.end());
    inner.insert(inner.end(), b.begin(), b.end());
    const Sha1Digest digest = sha1(inner);
    outer.insert(outer.end(), digest.begin(), digest.end());
    return sha1(outer);
  }
  // ICE asks for none.
  Sha256Digest hmac_sha256(ByteSpan, ByteSpan, ByteSpan) const override { return {}; }

 private:
  static Sha1Digest sha1(std::vector<std::uint8_t> message) {
    const std::uint64_t bits = 8 * std::uint64_t{message.size()};
    message.push_back(0x80);
    while (message.size() % 64 != 56) message.push_back(0);
    message.resize(message.size() + 8);
    store_be64(&message[message.size() - 8], bits);
    std::array<std::uint32_t, 5> h = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    for (std::size_t at = 0; at < message.size(); at += 64) compress(h, &message[at]);
    Sha1Digest digest;
    for (std::size_t i = 0; i < h.size(); ++i) store_be32(&digest[4 * i], h[i]);
    return digest;
  }

  static void compress(std::array<std::uint32_t, 5>& h, const std::uint8_t* block) {
    std::array<std::uint32_t, 80> w;
    for (std::size_t t = 0; t < 16; ++t) w[t] = load_be32(block + 4 * t);
    for (std::size_t t = 16; t < 80; ++t) {
      w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    auto [a, b, c, d, e] = h;
    for (std::size_t t = 0; t < 80; ++t) {
      const std::uint32_t f = t < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                              : t < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                              : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                       : (b ^ c ^ d) + 0xCA62C1D6;
      const std::uint32_t next = std::rotl(a, 5) + f + e + w[t];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    h = {h[0] + a, h[1] + b, h[2] + c, h[3] + d, h[4] + e};
  }
};

}  // namespace millrace::ice
