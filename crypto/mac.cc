// SPDX-License-Identifier: Apache-2.0
#include "crypto/mac.h"

#include <openssl/hmac.h>

namespace millrace::crypto {
namespace {

template <std::size_t kBytes>
std::array<std::uint8_t, kBytes> hmac(const EVP_MD* hash, ByteSpan key, ByteSpan a, ByteSpan b) {
  std::array<std::uint8_t, kBytes> digest{};
  unsigned length = 0;
  bssl::ScopedHMAC_CTX context;
  // An empty key is a key: a null pointer would mean "the key of before".
  static constexpr std::uint8_t kNothing = 0;
  const std::uint8_t* const key_data = key.empty() ? &kNothing : key.data();
  CHECK(HMAC_Init_ex(context.get(), key_data, key.size(), hash, nullptr) == 1);
  CHECK(HMAC_Update(context.get(), a.data(), a.size()) == 1);
  CHECK(HMAC_Update(context.get(), b.data(), b.size()) == 1);
  CHECK(HMAC_Final(context.get(), digest.data(), &length) == 1);
  CHECK(length == kBytes);
  return digest;
}

}  // namespace

Sha1Digest BoringMac::hmac_sha1(ByteSpan key, ByteSpan a, ByteSpan b) const {
  return hmac<20>(EVP_sha1(), key, a, b);
}

Sha256Digest BoringMac::hmac_sha256(ByteSpan key, ByteSpan a, ByteSpan b) const {
  return hmac<32>(EVP_sha256(), key, a, b);
}

}  // namespace millrace::crypto
