// SPDX-License-Identifier: Apache-2.0
#include <intel-ipsec-mb.h>

#include <algorithm>
#include <array>

#include "crypto/aead_ops.h"
#include "engine/base/mac.h"

namespace millrace::crypto {
namespace {

// manager holds the functions chosen for this CPU; null where ipsec-mb cannot run. The
// direct calls made through it touch nothing but their arguments, so one serves all
// threads; its job queues, which do have state, stay unused.
const IMB_MGR* manager() {
  static const IMB_MGR* const kManager = []() -> const IMB_MGR* {
    IMB_MGR* const made = alloc_mb_mgr(0);
    if (made == nullptr) return nullptr;
    init_mb_mgr_auto(made, nullptr);
    if (imb_get_errno(made) == 0) return made;
    free_mb_mgr(made);
    return nullptr;
  }();
  return kManager;
}

static_assert(sizeof(gcm_key_data) <= RecordKeys::kMaterialBytes);

gcm_key_data* key_in(std::uint8_t* material) { return reinterpret_cast<gcm_key_data*>(material); }
const gcm_key_data* key_in(const std::uint8_t* material) {
  return reinterpret_cast<const gcm_key_data*>(material);
}

template <bool k256>
void install_gcm(std::uint8_t* material, const std::uint8_t* key) {
  if constexpr (k256) {
    IMB_AES256_GCM_PRE(manager(), key, key_in(material));
  } else {
    IMB_AES128_GCM_PRE(manager(), key, key_in(material));
  }
}

template <bool k256>
void seal_gcm(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
              std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  gcm_context_data context;
  if constexpr (k256) {
    IMB_AES256_GCM_ENC(manager(), key_in(material), &context, data, data, bytes, nonce, aad,
                       aad_bytes, data + bytes, kAeadTagBytes);
  } else {
    IMB_AES128_GCM_ENC(manager(), key_in(material), &context, data, data, bytes, nonce, aad,
                       aad_bytes, data + bytes, kAeadTagBytes);
  }
}

template <bool k256>
bool open_gcm(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
              std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  gcm_context_data context;
  std::array<std::uint8_t, kAeadTagBytes> actual;
  if constexpr (k256) {
    IMB_AES256_GCM_DEC(manager(), key_in(material), &context, data, data, bytes, nonce, aad,
                       aad_bytes, actual.data(), kAeadTagBytes);
  } else {
    IMB_AES128_GCM_DEC(manager(), key_in(material), &context, data, data, bytes, nonce, aad,
                       aad_bytes, actual.data(), kAeadTagBytes);
  }
  return equal_in_constant_time(actual, {data + bytes, kAeadTagBytes});
}

template <bool k256>
constexpr AeadOps kGcm = {install_gcm<k256>, nullptr, seal_gcm<k256>, nullptr, open_gcm<k256>};

// ChaCha20-Poly1305 is BoringSSL's for short records and ipsec-mb's for long ones, where
// each is the faster (on Zen 4 with AVX-512: equal near 400 bytes, at 1200 bytes ipsec-mb
// by a tenth, at 9000 by a third; its job queue, which would save another tenth, has
// state and would have to be one a thread). The material holds BoringSSL's context and, behind it,
// the key.
constexpr std::size_t kShortRecordBytes = 384;
constexpr std::size_t kKeyOffset = 768;
constexpr std::size_t kChaChaKeyBytes = 32;

const AeadOps& short_records() { return *boringssl_aead(CipherSuite::kChaCha20Poly1305Sha256); }

void install_chacha(std::uint8_t* material, const std::uint8_t* key) {
  short_records().install(material, key);
  std::copy_n(key, kChaChaKeyBytes, material + kKeyOffset);
}

void uninstall_chacha(std::uint8_t* material) { short_records().uninstall(material); }

void seal_chacha(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
                 std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  if (bytes < kShortRecordBytes) {
    short_records().seal(material, nonce, aad, aad_bytes, data, bytes);
    return;
  }
  chacha20_poly1305_context_data context;
  IMB_CHACHA20_POLY1305_INIT(manager(), material + kKeyOffset, &context, nonce, aad, aad_bytes);
  IMB_CHACHA20_POLY1305_ENC_UPDATE(manager(), material + kKeyOffset, &context, data, data, bytes);
  IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager(), &context, data + bytes, kAeadTagBytes);
}

bool open_chacha(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
                 std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes) {
  if (bytes < kShortRecordBytes) {
    return short_records().open(material, nonce, aad, aad_bytes, data, bytes);
  }
  chacha20_poly1305_context_data context;
  std::array<std::uint8_t, kAeadTagBytes> actual;
  IMB_CHACHA20_POLY1305_INIT(manager(), material + kKeyOffset, &context, nonce, aad, aad_bytes);
  IMB_CHACHA20_POLY1305_DEC_UPDATE(manager(), material + kKeyOffset, &context, data, data, bytes);
  IMB_CHACHA20_POLY1305_DEC_FINALIZE(manager(), &context, actual.data(), kAeadTagBytes);
  return equal_in_constant_time(actual, {data + bytes, kAeadTagBytes});
}

constexpr AeadOps kChaCha = {install_chacha, uninstall_chacha, seal_chacha, nullptr, open_chacha};

}  // namespace

const AeadOps* ipsec_mb_aead(CipherSuite suite) {
  if (manager() == nullptr) return nullptr;
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return &kGcm<false>;
    case CipherSuite::kAes256GcmSha384:
      return &kGcm<true>;
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return &kChaCha;
}

}  // namespace millrace::crypto
