// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/fingerprint.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"

struct crypto_buffer_st;
struct evp_pkey_st;

namespace millrace::crypto {

// Certificate is this end's X.509 certificate and its private key. It is immutable, cheap
// to copy, and may be read by several threads. Errors are one line for the operator.
class Certificate {
 public:
  // Makes a self-signed ECDSA P-256 certificate (RFC 8827 §6.5), valid from a day before
  // `unix_seconds` (a real clock, not the shard's) until 30 days after it.
  static Result<Certificate, std::string> generate(std::int64_t unix_seconds);

  // Reads the first certificate of `certificate_pem` and the unencrypted key of `key_pem`
  // (both may be the same text) and checks that they belong together.
  static Result<Certificate, std::string> from_pem(std::string_view certificate_pem,
                                                   std::string_view key_pem);

  Fingerprint fingerprint(HashAlgorithm algorithm) const;
  ByteSpan der() const;

  // For DtlsContext.
  crypto_buffer_st* buffer() const { return buffer_.get(); }
  evp_pkey_st* private_key() const { return key_.get(); }

 private:
  Certificate(std::shared_ptr<crypto_buffer_st> buffer, std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<crypto_buffer_st> buffer_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace millrace::crypto
