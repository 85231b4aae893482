// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/cipher_suite.h"
#include "crypto/record_keys.h"

namespace millrace::crypto {

// AeadOps is one AEAD of one back end. `material` is RecordKeys::kMaterialBytes at an
// address that is a multiple of 64; nonces have 12 bytes, tags 16, and data is worked on
// in place. Every function is free of shared state, so any thread may call it.
struct AeadOps {
  // Expands `key` into `material`, which `uninstall` (null: nothing to do) gives up.
  void (*install)(std::uint8_t* material, const std::uint8_t* key);
  void (*uninstall)(std::uint8_t* material);
  void (*seal)(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
               std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes, std::uint8_t* tag);
  // Returns false where `tag` is not that of the ciphertext, compared in constant time;
  // `data` is then worthless.
  bool (*open)(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
               std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes,
               const std::uint8_t* tag);
};

// Null where this build or this CPU does not have them.
const AeadOps* boringssl_aead(CipherSuite suite);
const AeadOps* ipsec_mb_aead(CipherSuite suite);

}  // namespace millrace::crypto
