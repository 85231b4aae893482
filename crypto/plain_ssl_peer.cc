// SPDX-License-Identifier: Apache-2.0
#include "crypto/plain_ssl_peer.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>

namespace millrace::crypto {

struct PlainSslPeer::Inside {
  std::deque<Bytes> input;
  std::vector<Bytes> output;
  bssl::UniquePtr<EVP_PKEY> key;
  bssl::UniquePtr<CRYPTO_BUFFER> certificate;
  bssl::UniquePtr<BIO_METHOD> method;
  bssl::UniquePtr<SSL_CTX> ctx;
  bssl::UniquePtr<SSL> ssl;
};

namespace {

using Queues = std::pair<std::deque<Bytes>*, std::vector<Bytes>*>;

Queues& queues_of(BIO* bio) { return *static_cast<Queues*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* out, int capacity) {
  BIO_clear_retry_flags(bio);
  std::deque<Bytes>& input = *queues_of(bio).first;
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t n = std::min(input.front().size(), static_cast<std::size_t>(capacity));
  std::copy_n(input.front().begin(), n, reinterpret_cast<std::uint8_t*>(out));
  input.pop_front();
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* bytes, int length) {
  BIO_clear_retry_flags(bio);
  const auto* const from = reinterpret_cast<const std::uint8_t*>(bytes);
  queues_of(bio).second->emplace_back(from, from + length);
  return length;
}

bssl::UniquePtr<BIO_METHOD> make_method() {
  bssl::UniquePtr<BIO_METHOD> method(BIO_meth_new(0, "plain peer"));
  BIO_meth_set_create(method.get(), [](BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  });
  BIO_meth_set_destroy(method.get(), [](BIO* bio) {
    const std::unique_ptr<Queues> owned(static_cast<Queues*>(BIO_get_data(bio)));
    return 1;
  });
  BIO_meth_set_read(method.get(), bio_read);
  BIO_meth_set_write(method.get(), bio_write);
  BIO_meth_set_ctrl(method.get(), [](BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1L : 0L;
  });
  return method;
}

bssl::UniquePtr<EVP_PKEY> make_rsa_key() {
  bssl::UniquePtr<RSA> rsa(RSA_new());
  bssl::UniquePtr<BIGNUM> exponent(BN_new());
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  CHECK(BN_set_word(exponent.get(), RSA_F4) == 1);
  CHECK(RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr) == 1);
  CHECK(EVP_PKEY_set1_RSA(key.get(), rsa.get()) == 1);
  return key;
}

bssl::UniquePtr<CRYPTO_BUFFER> self_signed(EVP_PKEY* key) {
  bssl::UniquePtr<X509> x509(X509_new());
  CHECK(X509_set_version(x509.get(), X509_VERSION_3) == 1);
  CHECK(X509_gmtime_adj(X509_getm_notBefore(x509.get()), -1000) != nullptr);
  CHECK(X509_gmtime_adj(X509_getm_notAfter(x509.get()), 100'000) != nullptr);
  CHECK(X509_set_pubkey(x509.get(), key) == 1);
  CHECK(X509_sign(x509.get(), key, EVP_sha256()) != 0);
  std::uint8_t* der = nullptr;
  const int length = i2d_X509(x509.get(), &der);
  const bssl::UniquePtr<std::uint8_t> owned(der);
  return bssl::UniquePtr<CRYPTO_BUFFER>(
      CRYPTO_BUFFER_new(der, static_cast<std::size_t>(length), nullptr));
}

}  // namespace

PlainSslPeer::PlainSslPeer(const Options& options) : inside_(std::make_unique<Inside>()) {
  inside_->method = make_method();
  inside_->ctx.reset(SSL_CTX_new(DTLS_with_buffers_method()));
  SSL_CTX* const ctx = inside_->ctx.get();
  if (options.rsa) {
    inside_->key = make_rsa_key();
    inside_->certificate = self_signed(inside_->key.get());
  } else {
    const Certificate& shared = shared_certificate(2);
    EVP_PKEY_up_ref(shared.private_key());
    CRYPTO_BUFFER_up_ref(shared.buffer());
    inside_->key.reset(shared.private_key());
    inside_->certificate.reset(shared.buffer());
  }
  if (options.with_certificate) {
    CRYPTO_BUFFER* const chain[] = {inside_->certificate.get()};
    CHECK(SSL_CTX_set_chain_and_key(ctx, chain, 1, inside_->key.get(), nullptr) == 1);
  }
  if (options.offers_srtp) {
    CHECK(SSL_CTX_set_srtp_profiles(ctx, "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM") == 1);
  }
  if (!options.ciphers.empty()) {
    CHECK(SSL_CTX_set_strict_cipher_list(ctx, options.ciphers.c_str()) == 1);
  }
  if (options.dtls10_only) {
    CHECK(SSL_CTX_set_min_proto_version(ctx, DTLS1_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ctx, DTLS1_VERSION) == 1);
  }
  SSL_CTX_set_custom_verify(ctx, SSL_VERIFY_PEER,
                            [](SSL*, std::uint8_t*) { return ssl_verify_ok; });
  inside_->ssl.reset(SSL_new(ctx));
  SSL* const ssl = inside_->ssl.get();
  BIO* const bio = BIO_new(inside_->method.get());
  BIO_set_data(bio, std::make_unique<Queues>(&inside_->input, &inside_->output).release());
  SSL_set_bio(ssl, bio, bio);
  SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(ssl, options.mtu_bytes);
  if (options.large_hello) {
    Bytes protocols;
    for (int i = 0; i < 6; ++i) {
      protocols.push_back(210);
      protocols.insert(protocols.end(), 210, static_cast<std::uint8_t>('a' + i));
    }
    CHECK(SSL_set_alpn_protos(ssl, protocols.data(), static_cast<unsigned>(protocols.size())) == 0);
  }
  options.role == Role::kClient ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
}

PlainSslPeer::~PlainSslPeer() = default;

void PlainSslPeer::receive(ByteSpan datagram) {
  inside_->input.emplace_back(datagram.begin(), datagram.end());
  advance();
}

void PlainSslPeer::advance() {
  SSL* const ssl = inside_->ssl.get();
  ERR_clear_error();
  if (failed_ || closed_) return;
  if (!established_) {
    const int result = SSL_do_handshake(ssl);
    if (result != 1) {
      failed_ = SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ;
      return;
    }
    established_ = true;
  }
  std::array<std::uint8_t, 16384> buffer;
  int result = 0;
  while ((result = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()))) > 0) {
    received_.emplace_back(buffer.begin(), buffer.begin() + result);
  }
  const int error = SSL_get_error(ssl, result);
  closed_ = error == SSL_ERROR_ZERO_RETURN;
  failed_ = !closed_ && error != SSL_ERROR_WANT_READ;
}

std::vector<Bytes> PlainSslPeer::drain() {
  advance();
  return std::exchange(inside_->output, {});
}

void PlainSslPeer::write(std::string_view text) {
  CHECK(SSL_write(inside_->ssl.get(), text.data(), static_cast<int>(text.size())) ==
        static_cast<int>(text.size()));
}

void PlainSslPeer::shutdown() { SSL_shutdown(inside_->ssl.get()); }

Fingerprint PlainSslPeer::fingerprint() const {
  const CRYPTO_BUFFER* const der = inside_->certificate.get();
  return Fingerprint::of(HashAlgorithm::kSha256, {CRYPTO_BUFFER_data(der), CRYPTO_BUFFER_len(der)});
}

}  // namespace millrace::crypto
