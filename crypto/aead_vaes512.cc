// SPDX-License-Identifier: Apache-2.0
//
// AES-GCM (NIST SP 800-38D) four blocks an instruction, for processors that have VAES and
// VPCLMULQDQ with AVX-512: Intel's servers since Ice Lake, AMD's since Zen 4. Decision 0019 says
// why it is here. Time and addresses depend on lengths alone.
#include <algorithm>
#include <array>
#include <new>

#include "crypto/aead_ops.h"
#include "crypto/vaes_support.h"

#define MILLRACE_VAES512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi2,aes,pclmul,vaes,vpclmulqdq")))
#define MILLRACE_VAES512_INLINE MILLRACE_VAES512 __attribute__((always_inline)) inline

namespace millrace::crypto {
// The names of both widths are alike.
namespace vaes512 {
namespace {

using crypto::reversed;  // Beside that of quads.

using GcmQuad = __m512i;  // Four blocks, the earliest one in the lowest quarter.

constexpr std::size_t kQuadBlocks = 4;
constexpr std::size_t kQuadBytes = 64;
// A step is what is encrypted side by side, so that a quad's rounds hide the latency of another's,
// and a group what is hashed with one reduction. Sealing, the first step has nothing to be hashed
// meanwhile, and the last one's hash nothing to be encrypted: steps of four or six quads are up to
// a tenth slower at 512 bytes. Groups of six quads are slower by a fiftieth.
constexpr std::size_t kStepQuads = 3;
constexpr std::size_t kStepBlocks = kStepQuads * kQuadBlocks;
constexpr std::size_t kStepBytes = kStepQuads * kQuadBytes;
constexpr std::size_t kGroupQuads = 3 * kStepQuads;
constexpr std::size_t kGroupBlocks = kGroupQuads * kQuadBlocks;
constexpr std::size_t kGroupBytes = kGroupQuads * kQuadBytes;
// A group's, or those of the last blocks and their lengths, and of the additional data before
// either.
constexpr std::size_t kPowerQuads = kGroupQuads + 1;
constexpr std::size_t kPowers = kPowerQuads * kQuadBlocks;

constexpr std::size_t blocks_of(std::size_t bytes) {
  return (bytes + kGcmBlockBytes - 1) / kGcmBlockBytes;
}

template <std::size_t kRounds>
struct GcmKey {
  GcmBlock round_keys[kRounds + 1];
  // Of the hash key, the highest first, and what a quad of the lowest reaches behind them.
  alignas(64) GcmBlock powers[kPowers + kQuadBlocks - 1];
};
static_assert(sizeof(GcmKey<14>) <= RecordKeys::kMaterialBytes);
static_assert(kStepQuads < 10, "a quad is hashed in each round but the last");

// The forms of what follows that take a mask, all ones: those without one are in gcc 12 made from a
// vector left undefined, of which it warns.
constexpr __mmask8 kAll = 0xff;
constexpr __mmask16 kAllWords = 0xffff;

MILLRACE_VAES512_INLINE GcmQuad load_quad(const void* from) { return _mm512_loadu_si512(from); }
MILLRACE_VAES512_INLINE GcmQuad four_of(GcmBlock block) {
  return _mm512_maskz_broadcast_i32x4(kAllWords, block);
}
MILLRACE_VAES512_INLINE GcmQuad first_of_four(GcmBlock block) {
  return _mm512_zextsi128_si512(block);
}

MILLRACE_VAES512_INLINE GcmQuad reversed(GcmQuad quad) {
  return _mm512_shuffle_epi8(quad, four_of(_mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f)));
}
MILLRACE_VAES512_INLINE GcmQuad halves_swapped(GcmQuad quad) {
  return _mm512_maskz_shuffle_epi32(kAllWords, quad, _MM_PERM_BADC);
}
MILLRACE_VAES512_INLINE GcmQuad sum_of(GcmQuad a, GcmQuad b, GcmQuad c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

// The counters of a message's first quads, but for the nonce: to put them together is one
// instruction a quad, where counting on and turning round what was counted are three. The first is
// the tag's.
constexpr std::size_t kTabledQuads = 63;  // Those of which one byte is not zero.
alignas(64) constexpr auto kCounters = [] {
  std::array<std::uint8_t, kTabledQuads * kQuadBytes> made{};
  for (std::size_t i = 0; i < kTabledQuads * kQuadBlocks; ++i) {
    made[i * kGcmBlockBytes + 15] = static_cast<std::uint8_t>(i + 2);
  }
  return made;
}();

// Products is a sum of products that is still to be reduced.
struct Products {
  GcmQuad low{};
  GcmQuad middle{};
  GcmQuad high{};
};

MILLRACE_VAES512_INLINE void add_products(Products& sum, GcmQuad blocks, GcmQuad powers) {
  sum.low ^= _mm512_clmulepi64_epi128(blocks, powers, 0x00);
  sum.middle = sum_of(sum.middle, _mm512_clmulepi64_epi128(blocks, powers, 0x01),
                      _mm512_clmulepi64_epi128(blocks, powers, 0x10));
  sum.high ^= _mm512_clmulepi64_epi128(blocks, powers, 0x11);
}

// The lowest 64 bits are the highest coefficients: the field's polynomial is added, shifted so that
// they vanish, twice. Each of the four is reduced for itself.
MILLRACE_VAES512_INLINE GcmQuad reduced(const Products& sum) {
  const GcmQuad polynomial = four_of(_mm_set_epi64x(0, static_cast<long long>(0xc200000000000000)));
  const GcmQuad middle = sum_of(sum.middle, halves_swapped(sum.low),
                                _mm512_clmulepi64_epi128(sum.low, polynomial, 0x00));
  return sum_of(sum.high, halves_swapped(middle),
                _mm512_clmulepi64_epi128(middle, polynomial, 0x00));
}

MILLRACE_VAES512_INLINE GcmBlock quarters_added(GcmQuad quad) {
  const __m256i half = _mm512_maskz_extracti64x4_epi64(kAll, quad, 0) ^
                       _mm512_maskz_extracti64x4_epi64(kAll, quad, 1);
  return _mm256_castsi256_si128(half) ^ _mm256_extracti128_si256(half, 1);
}

MILLRACE_VAES512_INLINE GcmQuad products_of(GcmQuad a, GcmQuad b) {
  Products sum;
  add_products(sum, a, b);
  return reduced(sum);
}

// As many ones as are asked for, at most 64, for as many bytes.
MILLRACE_VAES512_INLINE __mmask64 leading(std::size_t bytes) {
  return _cvtu64_mask64(_bzhi_u64(~std::uint64_t{0}, static_cast<unsigned>(bytes)));
}

// One message on its way through.
template <std::size_t kRounds, Way kWay>
class Passage {
 public:
  static constexpr bool kSeals = kWay != Way::kOpen;

  MILLRACE_VAES512_INLINE Passage(const GcmKey<kRounds>& key, const std::uint8_t* nonce,
                                  const LentBytes& lent = {}, const std::uint8_t* begin = nullptr)
      : key_(key),
        lent_(lent),
        begin_(begin),
        first_counter_(first_counter_of(nonce)),
        first_key_(four_of(key.round_keys[0])),
        nonce_(four_of(_mm_insert_epi32(first_counter_, 0, 3)) ^ first_key_),
        start_(_mm512_add_epi32(four_of(reversed(first_counter_)),
                                _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1))) {
  }

  // Crypts `bytes` in place and returns the tag that belongs to the ciphertext.
  MILLRACE_VAES512_INLINE GcmBlock run(const std::uint8_t* aad, std::size_t aad_bytes,
                                       std::uint8_t* data, std::size_t bytes) {
    begin_group(bytes);
    add_additional(aad, aad_bytes);
    const std::size_t tail_bytes = bytes % kStepBytes;
    if (bytes >= kStepBytes) pass_steps(data, bytes);
    return pass_tail_of<1>(data + (bytes - tail_bytes), tail_bytes, lengths_of(aad_bytes, bytes));
  }

 private:
  // From where what belongs at `place` is read: a quad is in one piece.
  MILLRACE_VAES512_INLINE const std::uint8_t* source(const std::uint8_t* place) const {
    if constexpr (kWay != Way::kSealAround) return place;
    const std::size_t at = static_cast<std::size_t>(place - begin_) - lent_.at;
    return at < lent_.size ? lent_.data + at : place;
  }

  MILLRACE_VAES512_INLINE const GcmBlock& power_of(std::size_t exponent) const {
    return key_.powers[kPowers - exponent];
  }
  // That power and the next lower ones.
  MILLRACE_VAES512_INLINE GcmQuad powers_from(std::size_t exponent) const {
    return load_quad(&power_of(exponent));
  }

  // With `left` bytes to be hashed: the last group takes the lengths, too, and what is left of it.
  MILLRACE_VAES512_INLINE void begin_group(std::size_t left) {
    exponent_ = left < kGroupBytes ? blocks_of(left) + 1 : kGroupBlocks;
  }

  MILLRACE_VAES512_INLINE void add_additional(const std::uint8_t* aad, std::size_t bytes) {
    if (bytes == 0) return;
    for (; bytes > kGcmBlockBytes; bytes -= kGcmBlockBytes, aad += kGcmBlockBytes) {
      hash_ = quarters_added(
          products_of(first_of_four(hash_ ^ reversed(load(aad))), first_of_four(power_of(1))));
    }
    const GcmBlock last = _mm_maskz_loadu_epi8(static_cast<__mmask16>(leading(bytes)), aad);
    add_products(sum_, first_of_four(hash_ ^ reversed(last)),
                 first_of_four(power_of(exponent_ + 1)));
    hash_ = GcmBlock{};
  }

  // The next counters, and the first round key added to them.
  template <std::size_t kQuads>
  MILLRACE_VAES512_INLINE void next_counters(GcmQuad (&quads)[kQuads]) {
    if (counted_ + kQuads <= kTabledQuads) [[likely]] {
      MILLRACE_UNROLLED
      for (std::size_t i = 0; i < kQuads; ++i) {
        quads[i] = nonce_ ^ load_quad(kCounters.data() + (counted_ + i) * kQuadBytes);
      }
    } else {
      constexpr __mmask16 kLast = 0x1111;  // Word of each block, reversed.
      const auto before = static_cast<int>(counted_ * kQuadBlocks);
      GcmQuad counters = _mm512_add_epi32(start_, _mm512_maskz_set1_epi32(kLast, before));
      MILLRACE_UNROLLED
      for (GcmQuad& quad : quads) {
        quad = reversed(counters) ^ first_key_;
        counters = _mm512_add_epi32(counters, four_of(_mm_set_epi32(0, 0, 0, kQuadBlocks)));
      }
    }
    counted_ += kQuads;
  }

  // All rounds but the last, and between them, if wanted, the products of `hashed`.
  template <bool kHashes, std::size_t kQuads>
  MILLRACE_VAES512_INLINE void encrypt(GcmQuad (&quads)[kQuads], const GcmQuad* hashed) {
    const GcmKey<kRounds>& key = read_anew(key_);
    MILLRACE_UNROLLED
    for (std::size_t round = 1; round < kRounds; ++round) {
      const GcmQuad now = four_of(key.round_keys[round]);
      MILLRACE_UNROLLED
      for (GcmQuad& quad : quads) quad = _mm512_aesenc_epi128(quad, now);
      if constexpr (kHashes) {
        if (round <= kStepQuads) add_quad(hashed[round - 1], round - 1);
      }
    }
  }

  MILLRACE_VAES512_INLINE void add_quad(GcmQuad quad, std::size_t i) {
    if (i == 0) quad ^= first_of_four(hash_);
    add_products(sum_, quad, powers_from(exponent_ - i * kQuadBlocks));
  }

  // `left` bytes are to be hashed still.
  MILLRACE_VAES512_INLINE void end_step(std::size_t left) {
    hash_ = GcmBlock{};
    exponent_ -= kStepBlocks;
    if (exponent_ > 0) return;
    hash_ = quarters_added(reduced(sum_));
    sum_ = {};
    begin_group(left);
  }

  // Sealing, a step is hashed while the next one is encrypted; opening, while it is decrypted.
  MILLRACE_VAES512_INLINE void pass_steps(std::uint8_t* data, std::size_t left) {
    GcmQuad hashed[kStepQuads];
    const std::uint8_t* const end = data + left / kStepBytes * kStepBytes;
    if constexpr (kSeals) {
      pass_step<false>(data, hashed);
      data += kStepBytes;
    }
    for (; data != end; data += kStepBytes) {
      pass_step<true>(data, hashed);
      left -= kStepBytes;
      end_step(left);
    }
    if constexpr (kSeals) {
      MILLRACE_UNROLLED
      for (std::size_t i = 0; i < kStepQuads; ++i) add_quad(hashed[i], i);
      end_step(left - kStepBytes);
    }
  }

  template <bool kHashes>
  MILLRACE_VAES512_INLINE void pass_step(std::uint8_t* data, GcmQuad (&hashed)[kStepQuads]) {
    GcmQuad quads[kStepQuads];
    next_counters(quads);
    if constexpr (!kSeals) {
      MILLRACE_UNROLLED
      for (std::size_t i = 0; i < kStepQuads; ++i) {
        hashed[i] = reversed(load_quad(data + i * kQuadBytes));
      }
    }
    encrypt<kHashes>(quads, hashed);
    const GcmQuad last = four_of(read_anew(key_).round_keys[kRounds]);
    MILLRACE_UNROLLED
    for (std::size_t i = 0; i < kStepQuads; ++i) {
      std::uint8_t* const place = data + i * kQuadBytes;
      const GcmQuad after = _mm512_aesenclast_epi128(quads[i], last ^ load_quad(source(place)));
      _mm512_storeu_si512(place, after);
      if constexpr (kSeals) hashed[i] = reversed(after);
    }
  }

  template <std::size_t kQuads>
  MILLRACE_VAES512_INLINE GcmBlock pass_tail_of(std::uint8_t* data, std::size_t bytes,
                                                GcmBlock lengths) {
    if constexpr (kQuads <= kStepQuads) {
      if (blocks_of(bytes) / kQuadBlocks + 1 > kQuads) {
        return pass_tail_of<kQuads + 1>(data, bytes, lengths);
      }
    }
    return pass_tail<kQuads>(data, bytes, lengths);
  }

  // Behind the last block comes that of the lengths, and the tag's counter is encrypted in its
  // place. Of what lies behind `bytes` nothing is changed.
  template <std::size_t kQuads>
  MILLRACE_VAES512_INLINE GcmBlock pass_tail(std::uint8_t* data, std::size_t bytes,
                                             GcmBlock lengths) {
    const auto own = static_cast<__mmask8>(3u << blocks_of(bytes) % kQuadBlocks * 2);
    GcmQuad quads[kQuads];
    next_counters(quads);
    quads[kQuads - 1] =
        _mm512_mask_mov_epi64(quads[kQuads - 1], own, four_of(first_counter_) ^ first_key_);
    encrypt<false>(quads, nullptr);
    const GcmQuad last = four_of(read_anew(key_).round_keys[kRounds]);
    GcmQuad mask{};
    MILLRACE_UNROLLED
    for (std::size_t i = 0; i < kQuads; ++i) {
      std::uint8_t* const place = data + i * kQuadBytes;
      GcmQuad hashed;
      if (i + 2 < kQuads) {
        const GcmQuad before = load_quad(source(place));
        const GcmQuad after = _mm512_aesenclast_epi128(quads[i], last ^ before);
        _mm512_storeu_si512(place, after);
        hashed = reversed(kSeals ? after : before);
      } else {
        const std::size_t here = i * kQuadBytes;
        const __mmask64 present = leading(bytes > here ? std::min(bytes - here, kQuadBytes) : 0);
        const GcmQuad before = _mm512_maskz_loadu_epi8(present, source(place));
        const GcmQuad after = _mm512_aesenclast_epi128(quads[i], last ^ before);
        _mm512_mask_storeu_epi8(place, present, after);
        hashed = reversed(kSeals ? _mm512_maskz_mov_epi8(present, after) : before);
        if (i + 1 == kQuads) {
          hashed = _mm512_mask_mov_epi64(hashed, own, four_of(lengths));
          mask = _mm512_maskz_mov_epi64(own, after);
        }
      }
      if (i == 0) hashed ^= first_of_four(hash_);
      add_products(sum_, hashed, powers_from(exponent_ - i * kQuadBlocks));
    }
    return quarters_added(reversed(reduced(sum_)) ^ mask);
  }

  const GcmKey<kRounds>& key_;
  const LentBytes lent_;
  const std::uint8_t* const begin_;
  const GcmBlock first_counter_;
  const GcmQuad first_key_;
  const GcmQuad nonce_;  // With that key added.
  const GcmQuad start_;  // The first counters, reversed.
  std::size_t counted_ = 0;
  GcmBlock hash_{};  // Of what went before, to be added to the next block.
  Products sum_;
  std::size_t exponent_ = 0;  // Of the power that goes with that block.
};

template <std::size_t kRounds>
MILLRACE_VAES512 void install_vaes512(std::uint8_t* material, const std::uint8_t* bytes) {
  auto& key = *new (material) GcmKey<kRounds>;
  expand(key.round_keys, bytes);
  const GcmQuad first = four_of(hash_key_of(key));
  const GcmQuad second = products_of(first, first);
  // The first, and the second as well, times each of them.
  const GcmQuad by_two = _mm512_mask_mov_epi64(first, 0x0f, second);
  GcmQuad powers = _mm512_mask_mov_epi64(first, 0x33, second);
  powers = _mm512_mask_mov_epi64(powers, 0x0f, products_of(powers, by_two));
  GcmQuad fourth = _mm512_maskz_shuffle_i64x2(kAll, powers, powers, 0);
  for (std::size_t i = kPowerQuads; i-- > 0; powers = products_of(powers, fourth)) {
    _mm512_storeu_si512(key.powers + i * kQuadBlocks, powers);
  }
}

template <std::size_t kRounds>
const GcmKey<kRounds>& key_in(const std::uint8_t* material) {
  return *std::launder(reinterpret_cast<const GcmKey<kRounds>*>(material));
}

template <std::size_t kRounds>
MILLRACE_VAES512 void seal_vaes512(const std::uint8_t* material, const std::uint8_t* nonce,
                                   const std::uint8_t* aad, std::size_t aad_bytes,
                                   std::uint8_t* data, std::size_t bytes) {
  Passage<kRounds, Way::kSeal> passage(key_in<kRounds>(material), nonce);
  store(data + bytes, passage.run(aad, aad_bytes, data, bytes));
}

template <std::size_t kRounds>
MILLRACE_VAES512 void seal_vaes512_around(const std::uint8_t* material, const std::uint8_t* nonce,
                                          const std::uint8_t* aad, std::size_t aad_bytes,
                                          std::uint8_t* data, std::size_t bytes,
                                          const LentBytes& lent) {
  Passage<kRounds, Way::kSealAround> passage(key_in<kRounds>(material), nonce, lent, data);
  store(data + bytes, passage.run(aad, aad_bytes, data, bytes));
}

template <std::size_t kRounds>
MILLRACE_VAES512 bool open_vaes512(const std::uint8_t* material, const std::uint8_t* nonce,
                                   const std::uint8_t* aad, std::size_t aad_bytes,
                                   std::uint8_t* data, std::size_t bytes) {
  const GcmBlock claimed = load(data + bytes);
  Passage<kRounds, Way::kOpen> passage(key_in<kRounds>(material), nonce);
  const GcmBlock difference = claimed ^ passage.run(aad, aad_bytes, data, bytes);
  return _mm_testz_si128(difference, difference) != 0;
}

template <std::size_t kRounds>
constexpr AeadOps kVaes512Gcm = {install_vaes512<kRounds>, nullptr, seal_vaes512<kRounds>,
                                 seal_vaes512_around<kRounds>, open_vaes512<kRounds>};

bool processor_has_them() {
  return processor_has_vaes() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2");
}

}  // namespace
}  // namespace vaes512

const AeadOps* vaes512_aead(CipherSuite suite) {
  static const bool kPresent = vaes512::processor_has_them();
  if (!kPresent) return nullptr;
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return &vaes512::kVaes512Gcm<10>;
    case CipherSuite::kAes256GcmSha384:
      return &vaes512::kVaes512Gcm<14>;
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return nullptr;
}

}  // namespace millrace::crypto
