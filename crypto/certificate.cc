// SPDX-License-Identifier: Apache-2.0
#include "crypto/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <utility>

namespace millrace::crypto {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kValidityDays = 30;  // What the browsers use.

Failure<std::string> failure(const char* what) {
  // The reason that the library gives is a constant string such as NO_START_LINE.
  std::string text(what);
  const std::uint32_t code = ERR_peek_error();
  if (code != 0) {
    const char* const reason = ERR_reason_error_string(code);
    text += ": ";
    text += reason != nullptr ? reason : "unknown error";
  }
  ERR_clear_error();
  return Failure(std::move(text));
}

bssl::UniquePtr<EVP_PKEY> make_p256_key() {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (!ec || !key || EC_KEY_generate_key(ec.get()) != 1 ||
      EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) {
    return nullptr;
  }
  return key;
}

bool set_random_serial(X509* x509) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<std::uint8_t*>(&serial), sizeof(serial)) != 1) return false;
  // RFC 5280 §4.1.2.2: positive.
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), (serial >> 1) | 1) == 1;
}

bool set_name(X509* x509) {
  static constexpr std::uint8_t kCommonName[] = "millrace";
  X509_NAME* const name = X509_get_subject_name(x509);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kCommonName, -1, -1, 0) == 1 &&
         X509_set_issuer_name(x509, name) == 1;
}

bool set_validity(X509* x509, std::int64_t unix_seconds) {
  const std::int64_t from = unix_seconds - kDaySeconds;
  const std::int64_t to = unix_seconds + kValidityDays * kDaySeconds;
  return ASN1_TIME_set(X509_getm_notBefore(x509), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(x509), to) != nullptr;
}

bssl::UniquePtr<CRYPTO_BUFFER> to_der(X509* x509) {
  std::uint8_t* der = nullptr;
  const int length = i2d_X509(x509, &der);
  if (length <= 0) return nullptr;
  const bssl::UniquePtr<std::uint8_t> owned(der);
  return bssl::UniquePtr<CRYPTO_BUFFER>(
      CRYPTO_BUFFER_new(der, static_cast<std::size_t>(length), nullptr));
}

bssl::UniquePtr<BIO> reader_of(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Refuses an encrypted key instead of asking a terminal for its password.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

Certificate::Certificate(std::shared_ptr<crypto_buffer_st> buffer, std::shared_ptr<evp_pkey_st> key)
    : buffer_(std::move(buffer)), key_(std::move(key)) {}

Result<Certificate, std::string> Certificate::generate(std::int64_t unix_seconds) {
  bssl::UniquePtr<EVP_PKEY> key = make_p256_key();
  bssl::UniquePtr<X509> x509(X509_new());
  if (!key || !x509) return failure("cannot make a P-256 key");
  if (X509_set_version(x509.get(), X509_VERSION_3) != 1 || !set_random_serial(x509.get()) ||
      !set_name(x509.get()) || !set_validity(x509.get(), unix_seconds) ||
      X509_set_pubkey(x509.get(), key.get()) != 1 ||
      X509_sign(x509.get(), key.get(), EVP_sha256()) == 0) {
    return failure("cannot make a certificate");
  }
  bssl::UniquePtr<CRYPTO_BUFFER> buffer = to_der(x509.get());
  if (!buffer) return failure("cannot encode the certificate");
  return Certificate(std::move(buffer), std::move(key));
}

Result<Certificate, std::string> Certificate::from_pem(std::string_view certificate_pem,
                                                       std::string_view key_pem) {
  ERR_clear_error();
  const bssl::UniquePtr<BIO> certificate_bio = reader_of(certificate_pem);
  const bssl::UniquePtr<BIO> key_bio = reader_of(key_pem);
  if (!certificate_bio || !key_bio) return failure("cannot read PEM text");
  const bssl::UniquePtr<X509> x509(
      PEM_read_bio_X509(certificate_bio.get(), nullptr, no_password, nullptr));
  if (!x509) return failure("no certificate in the PEM text");
  bssl::UniquePtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr));
  if (!key) return failure("no unencrypted private key in the PEM text");
  const int kind = EVP_PKEY_id(key.get());
  if (kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA) {
    return failure("the private key is neither ECDSA nor RSA");
  }
  if (X509_check_private_key(x509.get(), key.get()) != 1) {
    return failure("the private key does not belong to the certificate");
  }
  bssl::UniquePtr<CRYPTO_BUFFER> buffer = to_der(x509.get());
  if (!buffer) return failure("cannot encode the certificate");
  return Certificate(std::move(buffer), std::move(key));
}

Fingerprint Certificate::fingerprint(HashAlgorithm algorithm) const {
  return Fingerprint::of(algorithm, der());
}

ByteSpan Certificate::der() const {
  return {CRYPTO_BUFFER_data(buffer_.get()), CRYPTO_BUFFER_len(buffer_.get())};
}

}  // namespace millrace::crypto
