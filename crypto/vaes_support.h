// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the AES-GCMs of our own, on vectors of two blocks and of four, have in common.
//
// GHASH is kept as its specification's bits reversed within a block, so that multiplying is
// carry-less multiplying, and the powers of its key once times x, which is the bit that a product
// of reversed operands is short of.

#include <cpuid.h>
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// Named on each function rather than given for the file: what a header defines is not to be
// compiled for some processors alone.
#define MILLRACE_VAES __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))
#define MILLRACE_VAES_INLINE MILLRACE_VAES __attribute__((always_inline)) inline
// Vectors that are indexed by a loop's variable lie in memory.
#define MILLRACE_UNROLLED _Pragma("GCC unroll 16")

namespace millrace::crypto {

using GcmBlock = __m128i;

inline constexpr std::size_t kGcmBlockBytes = 16;

// What a passage does: open, seal, or seal a message of which a part lies elsewhere.
enum class Way { kOpen, kSeal, kSealAround };

// Keys are read anew for each use: otherwise compilers keep more of them at hand than there are
// registers, and leave them on the stack.
template <class Key>
MILLRACE_VAES_INLINE const Key& read_anew(const Key& key) {
  const Key* again = &key;
  __asm__ volatile("" : "+r"(again));
  return *again;
}

MILLRACE_VAES_INLINE GcmBlock load(const void* from) {
  return _mm_loadu_si128(static_cast<const GcmBlock*>(from));
}
MILLRACE_VAES_INLINE void store(void* to, GcmBlock block) {
  _mm_storeu_si128(static_cast<GcmBlock*>(to), block);
}

MILLRACE_VAES_INLINE GcmBlock reversed(GcmBlock block) {
  return _mm_shuffle_epi8(block, _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f));
}

template <class Key>
MILLRACE_VAES_INLINE GcmBlock encrypted(const Key& known_key, GcmBlock block) {
  constexpr std::size_t kRounds = sizeof(known_key.round_keys) / sizeof(GcmBlock) - 1;
  const Key& key = read_anew(known_key);
  block ^= key.round_keys[0];
  MILLRACE_UNROLLED
  for (std::size_t round = 1; round < kRounds; ++round) {
    block = _mm_aesenc_si128(block, key.round_keys[round]);
  }
  return _mm_aesenclast_si128(block, key.round_keys[kRounds]);
}

// FIPS 197 §5.2: the four words of a round key from those as many words before as the key is long.
// `assist` holds, four times, the last word made as the round's rule changes it.
MILLRACE_VAES_INLINE GcmBlock next_words(GcmBlock before, GcmBlock assist) {
  before ^= _mm_slli_si128(before, 4);
  before ^= _mm_slli_si128(before, 8);
  return before ^ assist;
}

// SubWord of the rotated word, with the round's constant.
template <int kConstant>
MILLRACE_VAES_INLINE GcmBlock rotated_word(GcmBlock last) {
  return _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, kConstant), 0xff);
}
// SubWord alone, for every other key of AES-256.
MILLRACE_VAES_INLINE GcmBlock plain_word(GcmBlock last) {
  return _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, 0), 0xaa);
}

template <int kRound, int kConstant = 1>
MILLRACE_VAES_INLINE void expand_from(GcmBlock* keys) {
  if constexpr (kRound <= 10) {
    keys[kRound] = next_words(keys[kRound - 1], rotated_word<kConstant>(keys[kRound - 1]));
    // The constants double in the field of AES.
    expand_from<kRound + 1, (kConstant << 1 & 0xff) ^ (kConstant >> 7) * 0x1b>(keys);
  }
}

MILLRACE_VAES_INLINE void expand(GcmBlock (&keys)[11], const std::uint8_t* key) {
  keys[0] = load(key);
  expand_from<1>(keys);
}

template <int kRound, int kConstant = 1>
MILLRACE_VAES_INLINE void expand_two_from(GcmBlock* keys) {
  keys[kRound] = next_words(keys[kRound - 2], rotated_word<kConstant>(keys[kRound - 1]));
  if constexpr (kRound < 14) {
    keys[kRound + 1] = next_words(keys[kRound - 1], plain_word(keys[kRound]));
    expand_two_from<kRound + 2, kConstant << 1>(keys);
  }
}

MILLRACE_VAES_INLINE void expand(GcmBlock (&keys)[15], const std::uint8_t* key) {
  keys[0] = load(key);
  keys[1] = load(key + kGcmBlockBytes);
  expand_two_from<2>(keys);
}

// times_x shifts by a bit and takes the polynomial off where one falls out.
MILLRACE_VAES_INLINE GcmBlock times_x(GcmBlock block) {
  const GcmBlock carries = _mm_srai_epi32(_mm_shuffle_epi32(block, 0xff), 31);
  const GcmBlock polynomial = _mm_set_epi64x(static_cast<long long>(0xc200000000000000), 1);
  const GcmBlock shifted = _mm_slli_epi64(block, 1) | _mm_slli_si128(_mm_srli_epi64(block, 63), 8);
  return shifted ^ (carries & polynomial);
}

// The key of GHASH (SP 800-38D §6.4) as it is multiplied by here.
template <class Key>
MILLRACE_VAES_INLINE GcmBlock hash_key_of(const Key& key) {
  return times_x(reversed(encrypted(key, GcmBlock{})));
}

// The tag's counter, in the order of the wire: the nonce and a one (SP 800-38D §7.1).
MILLRACE_VAES_INLINE GcmBlock first_counter_of(const std::uint8_t* nonce) {
  return _mm_insert_epi32(load(nonce), 1 << 24, 3);
}

// The block of GHASH behind all others, reversed.
MILLRACE_VAES_INLINE GcmBlock lengths_of(std::size_t aad_bytes, std::size_t bytes) {
  return _mm_set_epi64x(static_cast<long long>(aad_bytes) * 8, static_cast<long long>(bytes) * 8);
}

// VAES is a bit of CPUID that clang 14 has no name for. To know AVX2 is to know that the system
// keeps the upper halves.
inline bool processor_has_vaes() {
  constexpr unsigned kVaes = 1u << 9;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx & kVaes) != 0 &&
         __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx2") &&
         __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

}  // namespace millrace::crypto
