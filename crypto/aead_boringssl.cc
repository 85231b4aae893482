// SPDX-License-Identifier: Apache-2.0
#include <openssl/aead.h>
#include <openssl/err.h>

#include "crypto/aead_ops.h"
#include "engine/base/check.h"

namespace millrace::crypto {
namespace {

// The rest of the material is aead_ipsec_mb.cc's.
static_assert(sizeof(EVP_AEAD_CTX) <= 768 && 768 < RecordKeys::kMaterialBytes);

EVP_AEAD_CTX* context_in(std::uint8_t* material) {
  return reinterpret_cast<EVP_AEAD_CTX*>(material);
}
const EVP_AEAD_CTX* context_in(const std::uint8_t* material) {
  return reinterpret_cast<const EVP_AEAD_CTX*>(material);
}

template <const EVP_AEAD* (*kAead)()>
void install(std::uint8_t* material, const std::uint8_t* key) {
  EVP_AEAD_CTX* const context = context_in(material);
  EVP_AEAD_CTX_zero(context);
  CHECK(EVP_AEAD_CTX_init(context, kAead(), key, EVP_AEAD_key_length(kAead()), kAeadTagBytes,
                          nullptr) == 1);
}

void uninstall(std::uint8_t* material) { EVP_AEAD_CTX_cleanup(context_in(material)); }

void seal(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
          std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  std::size_t tag_bytes = 0;
  CHECK(EVP_AEAD_CTX_seal_scatter(context_in(material), data, data + bytes, &tag_bytes,
                                  kAeadTagBytes, nonce, 12, data, bytes, nullptr, 0, aad,
                                  aad_bytes) == 1);
}

bool open(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
          std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  const bool authentic =
      EVP_AEAD_CTX_open_gather(context_in(material), data, nonce, 12, data, bytes, data + bytes,
                               kAeadTagBytes, aad, aad_bytes) == 1;
  if (!authentic) ERR_clear_error();
  return authentic;
}

template <const EVP_AEAD* (*kAead)()>
constexpr AeadOps kOps = {install<kAead>, uninstall, seal, nullptr, open};

}  // namespace

const AeadOps* boringssl_aead(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return &kOps<EVP_aead_aes_128_gcm>;
    case CipherSuite::kAes256GcmSha384:
      return &kOps<EVP_aead_aes_256_gcm>;
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return &kOps<EVP_aead_chacha20_poly1305>;
}

}  // namespace millrace::crypto
