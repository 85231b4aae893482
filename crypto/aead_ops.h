// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/cipher_suite.h"
#include "crypto/record_keys.h"
#include "engine/base/lent_bytes.h"

namespace millrace::crypto {

// AeadOps is one AEAD of one back end. `material` is RecordKeys::kMaterialBytes at an
// address that is a multiple of 64. Data is worked on in place, and its tag of 16 bytes lies
// behind it. Nonces have 12 bytes; 16 can be read where one lies, and where additional data
// lies, as many as make whole blocks of 16. Every function is free of shared state, so any
// thread may call it.
struct AeadOps {
  // Expands `key` into `material`, which `uninstall` (null: nothing to do) gives up.
  void (*install)(std::uint8_t* material, const std::uint8_t* key);
  void (*uninstall)(std::uint8_t* material);
  void (*seal)(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
               std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes);
  // The same where `lent`, not empty, is a part of `data` that lies elsewhere and is read there.
  // Null: no part may be lent (RecordKeys::takes_lent).
  void (*seal_around)(const std::uint8_t* material, const std::uint8_t* nonce,
                      const std::uint8_t* aad, std::size_t aad_bytes, std::uint8_t* data,
                      std::size_t bytes, const LentBytes& lent);
  // Returns false where the tag is not that of the ciphertext, compared in constant time;
  // `data` is then worthless.
  bool (*open)(const std::uint8_t* material, const std::uint8_t* nonce, const std::uint8_t* aad,
               std::size_t aad_bytes, std::uint8_t* data, std::size_t bytes);
};

// Null where this build or this CPU does not have them, or they do not have the suite.
const AeadOps* boringssl_aead(CipherSuite suite);
const AeadOps* ipsec_mb_aead(CipherSuite suite);
const AeadOps* vaes_aead(CipherSuite suite);
const AeadOps* vaes512_aead(CipherSuite suite);

}  // namespace millrace::crypto
