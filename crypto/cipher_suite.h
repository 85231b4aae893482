// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::crypto {

// CipherSuite is the AEAD of a session's records; how its keys were agreed no longer
// matters to the record layer (TLS_ECDHE_ECDSA_* and TLS_ECDHE_RSA_* map to the same).
enum class CipherSuite : std::uint8_t {
  kAes128GcmSha256,         // RFC 5289, the one that RFC 8827 §6.5 makes mandatory.
  kAes256GcmSha384,         // RFC 5289.
  kChaCha20Poly1305Sha256,  // RFC 7905.
};

// SuiteShape is what distinguishes the suites on the wire and in the key block.
struct SuiteShape {
  std::uint8_t key_bytes;
  std::uint8_t fixed_iv_bytes;        // Of the key block (RFC 5246 §6.3).
  std::uint8_t explicit_nonce_bytes;  // Between record header and ciphertext.
};

constexpr SuiteShape shape_of(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return {16, 4, 8};
    case CipherSuite::kAes256GcmSha384:
      return {32, 4, 8};
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return {32, 12, 0};
}

// cipher_name returns the name in IANA's registry of the suite that a handshake agreed on, for
// statistics; empty for one that this end never offers.
constexpr std::string_view cipher_name(std::uint16_t id) {
  switch (id) {
    case 0xc02b:  // RFC 5289 §3.2.
      return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    case 0xc02c:
      return "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    case 0xc02f:
      return "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    case 0xc030:
      return "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    case 0xcca8:  // RFC 7905 §2.
      return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
    case 0xcca9:
      return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    default:
      return {};
  }
}

inline constexpr std::size_t kAeadTagBytes = 16;  // Of every suite above.

}  // namespace millrace::crypto
