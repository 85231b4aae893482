// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/mac.h"

namespace millrace::test {

// TestMac is a keyed hash for tests of the cores, which do not link the crypto library:
// every bit of key and message changes it, and it protects nothing.
class TestMac final : public Mac {
 public:
  Sha1Digest hmac_sha1(ByteSpan key, ByteSpan a, ByteSpan b) const override {
    return digest<Sha1Digest>(key, a, b);
  }
  Sha256Digest hmac_sha256(ByteSpan key, ByteSpan a, ByteSpan b) const override {
    return digest<Sha256Digest>(key, a, b);
  }

 private:
  static void mix(std::uint64_t& state, ByteSpan bytes) {
    for (const std::uint8_t byte : bytes) state = (state ^ byte) * 0x100000001b3;
    state ^= bytes.size();
  }
  template <class Digest>
  static Digest digest(ByteSpan key, ByteSpan a, ByteSpan b) {
    std::uint64_t state = 0xcbf29ce484222325;
    mix(state, key);
    mix(state, a);
    mix(state, b);
    Digest out{};
    for (std::uint8_t& byte : out) {
      state ^= state >> 29;
      state *= 0xbf58476d1ce4e5b9;
      byte = static_cast<std::uint8_t>(state >> 56);
    }
    return out;
  }
};

}  // namespace millrace::test
