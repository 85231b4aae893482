// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/base/bytes.h"

namespace millrace {

// SipKey is the secret of a keyed hash. It is drawn at random for each table, so that a
// peer who chooses keys cannot choose buckets.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

// SipState is SipHash (Aumasson and Bernstein, 2012) with C rounds per word and D rounds
// to finish. SipHash-1-3 is for hash tables, where an attacker never sees the output;
// SipHash-2-4 is the cautious variant.
template <int C, int D>
class SipState {
 public:
  explicit constexpr SipState(const SipKey& key)
      : v0_(key.k0 ^ 0x736f6d6570736575),
        v1_(key.k1 ^ 0x646f72616e646f6d),
        v2_(key.k0 ^ 0x6c7967656e657261),
        v3_(key.k1 ^ 0x7465646279746573) {}

  constexpr void absorb(std::uint64_t word) {
    v3_ ^= word;
    for (int i = 0; i < C; ++i) round();
    v0_ ^= word;
  }
  constexpr std::uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < D; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  constexpr void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

// siphash_words hashes N words as the 8 * N bytes of their little-endian form.
template <int C, int D, std::size_t N>
constexpr std::uint64_t siphash_words(const SipKey& key,
                                      const std::array<std::uint64_t, N>& words) {
  SipState<C, D> state(key);
  for (const std::uint64_t word : words) state.absorb(word);
  state.absorb(std::uint64_t{(8 * N) & 0xff} << 56);
  return state.finish();
}

// siphash hashes bytes of any length.
template <int C, int D>
std::uint64_t siphash(const SipKey& key, ByteSpan bytes) {
  SipState<C, D> state(key);
  std::uint64_t last = std::uint64_t{bytes.size() & 0xff} << 56;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    state.absorb(__builtin_bswap64(load_be64(bytes.data())));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) last |= std::uint64_t{bytes[i]} << (8 * i);
  state.absorb(last);
  return state.finish();
}

}  // namespace millrace
