// SPDX-License-Identifier: Apache-2.0
#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string>

namespace millrace::crypto {
namespace {

std::string text_of(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(BIO_mem_contents(bio, &data, &size), 1);
  return {reinterpret_cast<const char*>(data), size};
}

bssl::UniquePtr<X509> parsed(const Certificate& certificate) {
  const std::uint8_t* der = certificate.der().data();
  return bssl::UniquePtr<X509>(
      d2i_X509(nullptr, &der, static_cast<long>(certificate.der().size())));
}

std::string certificate_pem(const Certificate& certificate) {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), parsed(certificate).get());
  return text_of(bio.get());
}

// Encrypted where a password is given.
std::string key_pem(const Certificate& certificate, std::string password = "") {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), certificate.private_key(),
                                password.empty() ? nullptr : EVP_aes_128_cbc(), password.data(),
                                static_cast<int>(password.size()), nullptr, nullptr);
  return text_of(bio.get());
}

TEST(Certificate, IsSelfSignedEcdsaP256) {  // RFC 8827 §6.5
  const Certificate certificate = Certificate::generate(1'800'000'000).value();
  const bssl::UniquePtr<X509> x509 = parsed(certificate);
  ASSERT_TRUE(x509);
  const bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(x509.get()));
  EXPECT_EQ(X509_verify(x509.get(), key.get()), 1);
  ASSERT_EQ(EVP_PKEY_id(key.get()), EVP_PKEY_EC);
  const EC_KEY* const ec = EVP_PKEY_get0_EC_KEY(key.get());
  EXPECT_EQ(EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)), NID_X9_62_prime256v1);
}

TEST(Certificate, IsValidFromADayBeforeUntilThirtyDaysAfter) {
  const std::int64_t now = 1'800'000'000;
  const bssl::UniquePtr<X509> x509 = parsed(Certificate::generate(now).value());
  const auto around = [&](const ASN1_TIME* at, std::int64_t expected) {
    time_t before = expected - 1;
    time_t after = expected + 1;
    return X509_cmp_time(at, &before) > 0 && X509_cmp_time(at, &after) < 0;
  };
  EXPECT_TRUE(around(X509_get0_notBefore(x509.get()), now - 86'400));
  EXPECT_TRUE(around(X509_get0_notAfter(x509.get()), now + 30 * 86'400));
}

TEST(Certificate, DiffersEachTime) {
  EXPECT_NE(Certificate::generate(0).value().fingerprint(HashAlgorithm::kSha256),
            Certificate::generate(0).value().fingerprint(HashAlgorithm::kSha256));
}

TEST(Certificate, ReadsFromPemWhatItIs) {
  const Certificate made = Certificate::generate(1'800'000'000).value();
  const auto read = Certificate::from_pem(certificate_pem(made), key_pem(made));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read.value().fingerprint(HashAlgorithm::kSha512),
            made.fingerprint(HashAlgorithm::kSha512));
}

TEST(Certificate, ReadsBothFromOneText) {
  const Certificate made = Certificate::generate(1'800'000'000).value();
  const std::string both = key_pem(made) + certificate_pem(made);
  EXPECT_TRUE(Certificate::from_pem(both, both).ok());
}

TEST(Certificate, SaysInOneLineWhyPemIsRefused) {
  const Certificate one = Certificate::generate(1'800'000'000).value();
  const Certificate other = Certificate::generate(1'800'000'000).value();
  const struct {
    std::string certificate;
    std::string key;
    std::string expected;
  } cases[] = {
      {"", key_pem(one), "no certificate"},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key_pem(one),
       "no certificate"},
      {certificate_pem(one), "nonsense", "no unencrypted private key"},
      {certificate_pem(one), key_pem(one, "secret"), "no unencrypted private key"},
      {certificate_pem(one), key_pem(other), "does not belong"},
  };
  for (const auto& wrong : cases) {
    const auto result = Certificate::from_pem(wrong.certificate, wrong.key);
    ASSERT_FALSE(result.ok()) << wrong.expected;
    EXPECT_NE(result.error().find(wrong.expected), std::string::npos) << result.error();
    EXPECT_EQ(result.error().find('\n'), std::string::npos) << result.error();
  }
}

}  // namespace
}  // namespace millrace::crypto
