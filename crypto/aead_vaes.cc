// SPDX-License-Identifier: Apache-2.0
//
// AES-GCM (NIST SP 800-38D) two blocks an instruction, for processors that have VAES and
// VPCLMULQDQ with AVX2 and not AVX-512: AMD's Zen 3 and Intel's since Alder Lake. Decision 0019
// says why it is here; crypto/aead_vaes512.cc is its like for the others. Time and addresses depend
// on lengths alone.
#include <algorithm>
#include <array>
#include <new>

#include "crypto/aead_ops.h"
#include "crypto/vaes_support.h"

namespace millrace::crypto {
// The names of both widths are alike.
namespace vaes256 {
namespace {

using crypto::reversed;  // Beside that of pairs.

using GcmPair = __m256i;  // Two blocks, the earlier one in the lower half.

constexpr std::size_t kPairBytes = 32;
// A group is what is encrypted side by side, so that a pair's rounds hide the latency of another's,
// and hashed with one reduction. Four are a seventh slower at 1200 bytes, eight no faster.
constexpr std::size_t kGroupPairs = 6;
constexpr std::size_t kGroupBytes = kGroupPairs * kPairBytes;
// A group, or the last blocks and their lengths, and the additional data before either.
constexpr std::size_t kPowers = 2 * kGroupPairs + 2;

template <std::size_t kRounds>
struct GcmKey {
  GcmBlock round_keys[kRounds + 1];
  GcmBlock powers[kPowers];  // Of the hash key, the highest first.
};
static_assert(sizeof(GcmKey<14>) <= RecordKeys::kMaterialBytes);

MILLRACE_VAES_INLINE GcmPair load_pair(const void* from) {
  return _mm256_loadu_si256(static_cast<const GcmPair*>(from));
}
MILLRACE_VAES_INLINE void store_pair(void* to, GcmPair pair) {
  _mm256_storeu_si256(static_cast<GcmPair*>(to), pair);
}

MILLRACE_VAES_INLINE GcmPair reversed(GcmPair pair) {
  return _mm256_shuffle_epi8(pair, _mm256_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f,
                                                     0x0001020304050607, 0x08090a0b0c0d0e0f));
}
MILLRACE_VAES_INLINE GcmBlock halves_swapped(GcmBlock block) {
  return _mm_shuffle_epi32(block, 0x4e);
}

// Products is a sum of products that is still to be reduced.
struct Products {
  GcmPair low{};
  GcmPair middle{};
  GcmPair high{};
};

MILLRACE_VAES_INLINE void add_products(Products& sum, GcmPair blocks, GcmPair powers) {
  sum.low ^= _mm256_clmulepi64_epi128(blocks, powers, 0x00);
  sum.middle ^= _mm256_clmulepi64_epi128(blocks, powers, 0x01);
  sum.middle ^= _mm256_clmulepi64_epi128(blocks, powers, 0x10);
  sum.high ^= _mm256_clmulepi64_epi128(blocks, powers, 0x11);
}

MILLRACE_VAES_INLINE GcmBlock halves_added(GcmPair pair) {
  return _mm256_castsi256_si128(pair) ^ _mm256_extracti128_si256(pair, 1);
}

// The lowest 64 bits are the highest coefficients: the field's polynomial is added, shifted so that
// they vanish, twice.
MILLRACE_VAES_INLINE GcmBlock reduced(const Products& sum) {
  const GcmBlock polynomial = _mm_set_epi64x(0, static_cast<long long>(0xc200000000000000));
  const GcmBlock low = halves_added(sum.low);
  const GcmBlock middle =
      halves_added(sum.middle) ^ halves_swapped(low) ^ _mm_clmulepi64_si128(low, polynomial, 0x00);
  return halves_added(sum.high) ^ halves_swapped(middle) ^
         _mm_clmulepi64_si128(middle, polynomial, 0x00);
}

MILLRACE_VAES_INLINE GcmBlock product(GcmBlock a, GcmBlock b) {
  Products sum;
  add_products(sum, _mm256_zextsi128_si256(a), _mm256_zextsi128_si256(b));
  return reduced(sum);
}

template <std::size_t kRounds>
MILLRACE_VAES_INLINE GcmPair round_key(const GcmKey<kRounds>& key, std::size_t round) {
  return _mm256_broadcastsi128_si256(key.round_keys[round]);
}

template <std::size_t kRounds, std::size_t kPairs>
MILLRACE_VAES_INLINE void encrypt(const GcmKey<kRounds>& known_key, GcmPair (&pairs)[kPairs]) {
  const GcmKey<kRounds>& key = read_anew(known_key);
  MILLRACE_UNROLLED
  for (GcmPair& pair : pairs) pair ^= round_key(key, 0);
  MILLRACE_UNROLLED
  for (std::size_t round = 1; round < kRounds; ++round) {
    const GcmPair now = round_key(key, round);
    MILLRACE_UNROLLED
    for (GcmPair& pair : pairs) pair = _mm256_aesenc_epi128(pair, now);
  }
  MILLRACE_UNROLLED
  for (GcmPair& pair : pairs) pair = _mm256_aesenclast_epi128(pair, round_key(key, kRounds));
}

// Keystream counts blocks on (SP 800-38D §6.5); it holds two counters, reversed.
class Keystream {
 public:
  // Begins at the second block: the first is the tag's.
  MILLRACE_VAES_INLINE explicit Keystream(GcmBlock first)
      : counters_(_mm256_add_epi32(_mm256_broadcastsi128_si256(first),
                                   _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1))) {}

  template <std::size_t kRounds, std::size_t kPairs>
  MILLRACE_VAES_INLINE void next(const GcmKey<kRounds>& key, GcmPair (&pairs)[kPairs]) {
    MILLRACE_UNROLLED
    for (GcmPair& pair : pairs) {
      pair = reversed(counters_);
      counters_ = _mm256_add_epi32(counters_, _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2));
    }
    encrypt(key, pairs);
  }

 private:
  GcmPair counters_;
};

// As many bytes of ones as are asked for, at most a pair.
MILLRACE_VAES_INLINE GcmPair leading(std::size_t bytes) {
  alignas(64) static constexpr auto kOnesThenZeros = [] {
    std::array<std::uint8_t, 2 * kPairBytes> made{};
    for (std::size_t i = 0; i < kPairBytes; ++i) made[i] = 0xff;
    return made;
  }();
  return load_pair(kOnesThenZeros.data() + kPairBytes - bytes);
}

// One message on its way through.
template <std::size_t kRounds, Way kWay>
class Passage {
 public:
  static constexpr bool kSeals = kWay != Way::kOpen;

  MILLRACE_VAES_INLINE Passage(const GcmKey<kRounds>& key, const std::uint8_t* nonce,
                               const LentBytes& lent = {}, const std::uint8_t* begin = nullptr)
      : key_(key),
        lent_(lent),
        begin_(begin),
        first_counter_(reversed(first_counter_of(nonce))),
        keystream_(first_counter_) {}

  // Crypts `bytes` in place and returns the tag that belongs to the ciphertext.
  MILLRACE_VAES_INLINE GcmBlock run(const std::uint8_t* aad, std::size_t aad_bytes,
                                    std::uint8_t* data, std::size_t bytes) {
    GcmBlock mask = encrypted(key_, reversed(first_counter_));
    __asm__ volatile("" : "+x"(mask));  // Now, with the keys that were read for it.
    const GcmBlock lengths = lengths_of(aad_bytes, bytes);
    const std::size_t tail_blocks = (bytes % kGroupBytes + kGcmBlockBytes - 1) / kGcmBlockBytes;
    add_additional(aad, aad_bytes, bytes < kGroupBytes ? tail_blocks + 1 : 2 * kGroupPairs);
    for (; bytes >= kGroupBytes; bytes -= kGroupBytes, data += kGroupBytes) pass_group(data);
    std::size_t power = tail_blocks + 1;
    for (; bytes > kGcmBlockBytes; power -= 2) {
      const std::size_t now = std::min(bytes, kPairBytes);
      pass_pair(data, now, power);
      data += now;
      bytes -= now;
    }
    if (bytes > 0) pass_block(data, bytes, power);
    add_products(sum_, _mm256_zextsi128_si256(hash_ ^ lengths),
                 _mm256_zextsi128_si256(power_of(1)));
    return reversed(reduced(sum_)) ^ mask;
  }

 private:
  // From where what belongs at `place` is read: a pair is in one piece.
  MILLRACE_VAES_INLINE const std::uint8_t* source(const std::uint8_t* place) const {
    if constexpr (kWay != Way::kSealAround) return place;
    const std::size_t at = static_cast<std::size_t>(place - begin_) - lent_.at;
    return at < lent_.size ? lent_.data + at : place;
  }

  MILLRACE_VAES_INLINE const GcmBlock& power_of(std::size_t exponent) const {
    return key_.powers[kPowers - exponent];
  }
  // That power and the next lower one.
  MILLRACE_VAES_INLINE GcmPair powers_from(std::size_t exponent) const {
    return load_pair(&power_of(exponent));
  }

  // `behind` is how many blocks the first reduction takes besides.
  MILLRACE_VAES_INLINE void add_additional(const std::uint8_t* aad, std::size_t bytes,
                                           std::size_t behind) {
    if (bytes == 0) return;
    for (; bytes > kGcmBlockBytes; bytes -= kGcmBlockBytes, aad += kGcmBlockBytes) {
      hash_ = product(hash_ ^ reversed(load(aad)), power_of(1));
    }
    const GcmBlock last = load(aad) & _mm256_castsi256_si128(leading(bytes));
    add_products(sum_, _mm256_zextsi128_si256(hash_ ^ reversed(last)),
                 _mm256_zextsi128_si256(power_of(behind + 1)));
    hash_ = GcmBlock{};
  }

  MILLRACE_VAES_INLINE void add_pair(GcmPair ciphertext, std::size_t power) {
    add_products(sum_, reversed(ciphertext) ^ _mm256_zextsi128_si256(hash_), powers_from(power));
    hash_ = GcmBlock{};
  }

  MILLRACE_VAES_INLINE void pass_group(std::uint8_t* data) {
    GcmPair keystream[kGroupPairs];
    keystream_.next(key_, keystream);
    MILLRACE_UNROLLED
    for (std::size_t i = 0; i < kGroupPairs; ++i) {
      const GcmPair before = load_pair(source(data + i * kPairBytes));
      const GcmPair after = before ^ keystream[i];
      store_pair(data + i * kPairBytes, after);
      add_pair(kSeals ? after : before, 2 * (kGroupPairs - i));
    }
    hash_ = reduced(sum_);
    sum_ = {};
  }

  // Of what lies behind `bytes` nothing is changed.
  MILLRACE_VAES_INLINE void pass_pair(std::uint8_t* data, std::size_t bytes, std::size_t power) {
    GcmPair keystream[1];
    keystream_.next(key_, keystream);
    const GcmPair mask = leading(bytes);
    const GcmPair before = load_pair(source(data));
    const GcmPair after = before ^ (keystream[0] & mask);
    store_pair(data, after);
    add_pair((kSeals ? after : before) & mask, power);
  }

  MILLRACE_VAES_INLINE void pass_block(std::uint8_t* data, std::size_t bytes, std::size_t power) {
    GcmPair keystream[1];
    keystream_.next(key_, keystream);
    const GcmBlock mask = _mm256_castsi256_si128(leading(bytes));
    const GcmBlock before = load(data);
    const GcmBlock after = before ^ (_mm256_castsi256_si128(keystream[0]) & mask);
    store(data, after);
    add_products(sum_, _mm256_zextsi128_si256(reversed((kSeals ? after : before) & mask) ^ hash_),
                 _mm256_zextsi128_si256(power_of(power)));
    hash_ = GcmBlock{};
  }

  const GcmKey<kRounds>& key_;
  const LentBytes lent_;
  const std::uint8_t* const begin_;
  const GcmBlock first_counter_;
  Keystream keystream_;
  GcmBlock hash_{};  // Of what went before, to be added to the next block.
  Products sum_;
};

template <std::size_t kRounds>
MILLRACE_VAES void install_vaes(std::uint8_t* material, const std::uint8_t* bytes) {
  auto& key = *new (material) GcmKey<kRounds>;
  expand(key.round_keys, bytes);
  const GcmBlock hash_key = hash_key_of(key);
  GcmBlock power = hash_key;
  for (std::size_t i = kPowers; i-- > 0; power = product(power, hash_key)) key.powers[i] = power;
}

template <std::size_t kRounds>
const GcmKey<kRounds>& vaes_key_in(const std::uint8_t* material) {
  return *std::launder(reinterpret_cast<const GcmKey<kRounds>*>(material));
}

template <std::size_t kRounds>
MILLRACE_VAES void seal_vaes(const std::uint8_t* material, const std::uint8_t* nonce,
                             const std::uint8_t* aad, std::size_t aad_bytes, std::uint8_t* data,
                             std::size_t bytes) {
  Passage<kRounds, Way::kSeal> passage(vaes_key_in<kRounds>(material), nonce);
  store(data + bytes, passage.run(aad, aad_bytes, data, bytes));
}

template <std::size_t kRounds>
MILLRACE_VAES void seal_vaes_around(const std::uint8_t* material, const std::uint8_t* nonce,
                                    const std::uint8_t* aad, std::size_t aad_bytes,
                                    std::uint8_t* data, std::size_t bytes, const LentBytes& lent) {
  Passage<kRounds, Way::kSealAround> passage(vaes_key_in<kRounds>(material), nonce, lent, data);
  store(data + bytes, passage.run(aad, aad_bytes, data, bytes));
}

template <std::size_t kRounds>
MILLRACE_VAES bool open_vaes(const std::uint8_t* material, const std::uint8_t* nonce,
                             const std::uint8_t* aad, std::size_t aad_bytes, std::uint8_t* data,
                             std::size_t bytes) {
  const GcmBlock claimed = load(data + bytes);
  Passage<kRounds, Way::kOpen> passage(vaes_key_in<kRounds>(material), nonce);
  const GcmBlock difference = claimed ^ passage.run(aad, aad_bytes, data, bytes);
  return _mm_testz_si128(difference, difference) != 0;
}

template <std::size_t kRounds>
constexpr AeadOps kVaesGcm = {install_vaes<kRounds>, nullptr, seal_vaes<kRounds>,
                              seal_vaes_around<kRounds>, open_vaes<kRounds>};

}  // namespace
}  // namespace vaes256

const AeadOps* vaes_aead(CipherSuite suite) {
  static const bool kPresent = processor_has_vaes();
  if (!kPresent) return nullptr;
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return &vaes256::kVaesGcm<10>;
    case CipherSuite::kAes256GcmSha384:
      return &vaes256::kVaesGcm<14>;
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return nullptr;
}

}  // namespace millrace::crypto
