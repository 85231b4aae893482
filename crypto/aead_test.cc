// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "crypto/aead_ops.h"
#include "crypto/dtls_test_support.h"
#include "engine/base/rng.h"

namespace millrace::crypto {
namespace {

std::vector<const AeadOps*> all_ops(CipherSuite suite) {
  std::vector<const AeadOps*> present = {boringssl_aead(suite), ipsec_mb_aead(suite),
                                         vaes_aead(suite), vaes512_aead(suite)};
  std::erase(present, nullptr);
  return present;
}

// The other tests are of what is here. A processor may lack VAES; ipsec-mb is there to be
// installed.
TEST(AeadOps, ThereAreThoseOfEachBackend) {
  if (!backend_available(AeadBackend::kVaes)) std::puts("no VAES here: kVaes is not tested");
  if (!backend_available(AeadBackend::kVaes512)) {
    std::puts("no AVX-512 with VAES here: kVaes512 is not tested");
  }
  if (!backend_available(AeadBackend::kIpsecMb)) GTEST_SKIP() << "no ipsec-mb here";
}

// Material of a key, and a message with its tag, for one back end.
class Aead {
 public:
  Aead(const AeadOps& ops, const Bytes& key) : ops_(ops) {
    ops_.install(material_.data(), key.data());
  }
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;
  ~Aead() {
    if (ops_.uninstall != nullptr) ops_.uninstall(material_.data());
  }

  // The ciphertext and its tag.
  Bytes seal(Bytes nonce, Bytes aad, const Bytes& data) const {
    const std::size_t bytes = data.size();
    const std::size_t aad_bytes = aad.size();
    pad(nonce, aad);
    Bytes sealed(bytes + kAeadTagBytes);  // Nothing lies behind it.
    std::ranges::copy(data, sealed.begin());
    ops_.seal(material_.data(), nonce.data(), aad.data(), aad_bytes, sealed.data(), bytes);
    return sealed;
  }

  // The same where a part of `data` lies elsewhere, in memory that ends where it does.
  Bytes seal_around(Bytes nonce, Bytes aad, const Bytes& data, std::size_t at,
                    std::size_t size) const {
    const std::size_t bytes = data.size();
    const std::size_t aad_bytes = aad.size();
    pad(nonce, aad);
    Bytes sealed(bytes + kAeadTagBytes);
    std::ranges::copy(data, sealed.begin());
    const auto part = sealed.begin() + static_cast<std::ptrdiff_t>(at);
    const Bytes lent(part, part + static_cast<std::ptrdiff_t>(size));
    std::fill_n(part, size, std::uint8_t{0xee});
    ops_.seal_around(material_.data(), nonce.data(), aad.data(), aad_bytes, sealed.data(), bytes,
                     {.data = lent.data(),
                      .at = static_cast<std::uint32_t>(at),
                      .size = static_cast<std::uint32_t>(size)});
    return sealed;
  }

  // The plaintext, or nothing where the tag is wrong. The tag stays as it was.
  std::optional<Bytes> open(Bytes nonce, Bytes aad, Bytes data) const {
    const std::size_t bytes = data.size() - kAeadTagBytes;
    const std::size_t aad_bytes = aad.size();
    pad(nonce, aad);
    const Bytes tag(data.end() - kAeadTagBytes, data.end());
    if (!ops_.open(material_.data(), nonce.data(), aad.data(), aad_bytes, data.data(), bytes)) {
      return std::nullopt;
    }
    EXPECT_TRUE(std::equal(tag.begin(), tag.end(), data.end() - kAeadTagBytes));
    data.resize(bytes);
    return data;
  }

 private:
  // What may be read behind them is no part of them.
  static void pad(Bytes& nonce, Bytes& aad) {
    nonce.resize(16, 0xa5);
    aad.resize((aad.size() + 15) / 16 * 16, 0x5a);
  }

  const AeadOps& ops_;
  alignas(64) std::array<std::uint8_t, RecordKeys::kMaterialBytes> material_{};
};

struct GcmVector {
  CipherSuite suite;
  const char* key;
  const char* aad;
  const char* plaintext;
  const char* ciphertext;
  const char* tag;
};

// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16.
constexpr const char* kGcmNonce = "cafebabefacedbaddecaf888";
constexpr const char* kGcmText =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
    "b525b16aedf5aa0de657ba637b39";
constexpr GcmVector kGcmVectors[] = {
    {CipherSuite::kAes128GcmSha256, "feffe9928665731c6d6a8f9467308308",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2", kGcmText,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
     "ac84aa051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {CipherSuite::kAes256GcmSha384,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2", kGcmText,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
     "56828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(AeadOps, GiveTheVectorsOfGcm) {
  for (const GcmVector& vector : kGcmVectors) {
    for (const AeadOps* const ops : all_ops(vector.suite)) {
      const Aead aead(*ops, from_hex(vector.key));
      const Bytes nonce = from_hex(kGcmNonce);
      const Bytes aad = from_hex(vector.aad);
      const Bytes sealed = aead.seal(nonce, aad, from_hex(vector.plaintext));
      EXPECT_EQ(to_hex(sealed), std::string(vector.ciphertext) + vector.tag);
      const std::optional<Bytes> opened = aead.open(nonce, aad, sealed);
      ASSERT_TRUE(opened.has_value());
      EXPECT_EQ(to_hex(*opened), vector.plaintext);
    }
  }
}

// Keys, nonces and additional data of every length besides, and a bit flipped anywhere.
TEST(AeadOps, AgreeOnRandomMessagesAndRefuseThemChanged) {
  SeededRng rng(3);
  for (const CipherSuite suite : kSuites) {
    for (std::size_t i = 0; i < 600; ++i) {
      Bytes key(shape_of(suite).key_bytes);
      Bytes nonce(12);
      Bytes aad(i % 50);
      Bytes plaintext(rng.below(700));
      for (Bytes* const bytes : {&key, &nonce, &aad, &plaintext}) rng.fill(*bytes);
      const Bytes expected = Aead(*boringssl_aead(suite), key).seal(nonce, aad, plaintext);
      Bytes changed = expected;
      const std::uint64_t bit = rng.below(changed.size() * 8);
      changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
      for (const AeadOps* const ops : all_ops(suite)) {
        const Aead aead(*ops, key);
        ASSERT_EQ(aead.seal(nonce, aad, plaintext), expected) << i;
        ASSERT_EQ(aead.open(nonce, aad, expected), plaintext) << i;
        ASSERT_EQ(aead.open(nonce, aad, changed), std::nullopt) << i;
      }
    }
  }
}

// A part of any place and size, from the first byte or to the last.
TEST(AeadOps, SealAroundWhatLiesElsewhere) {
  SeededRng rng(4);
  constexpr std::size_t kGrain = LentBytes::kGrain;
  for (const CipherSuite suite : kSuites) {
    for (std::size_t i = 0; i < 2000; ++i) {
      Bytes key(shape_of(suite).key_bytes);
      Bytes nonce(12);
      Bytes aad(i % 50);
      Bytes plaintext(kGrain + (i % 3 == 0 ? kGrain * rng.below(40) : rng.below(2500)));
      for (Bytes* const bytes : {&key, &nonce, &aad, &plaintext}) rng.fill(*bytes);
      const std::size_t grains = plaintext.size() / kGrain;
      const std::size_t at = i % 4 == 0 ? 0 : rng.below(grains);
      const std::size_t most = grains - at;
      const std::size_t size = i % 5 == 0 ? most : 1 + rng.below(most);
      for (const AeadOps* const ops : all_ops(suite)) {
        if (ops->seal_around == nullptr) continue;
        const Aead aead(*ops, key);
        ASSERT_EQ(aead.seal_around(nonce, aad, plaintext, at * kGrain, size * kGrain),
                  aead.seal(nonce, aad, plaintext))
            << plaintext.size() << ' ' << at << ' ' << size;
      }
    }
  }
}

}  // namespace
}  // namespace millrace::crypto
