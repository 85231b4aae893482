// SPDX-License-Identifier: Apache-2.0
#include "crypto/dtls_context.h"

#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include <array>
#include <utility>

#include "crypto/flight_clock.h"

namespace millrace::crypto {
namespace {

// A handshake message may claim this many bytes, of which BoringSSL reserves the whole at
// its first fragment, for up to seven messages at a time; WebRTC's certificates have 300
// to 1500.
constexpr std::size_t kMaxHandshakeMessageBytes = 16 * 1024;

const char* cipher_names(CipherSuite suite) {
  switch (suite) {
    case CipherSuite::kAes128GcmSha256:
      return "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    case CipherSuite::kAes256GcmSha384:
      return "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
    case CipherSuite::kChaCha20Poly1305Sha256:
      break;
  }
  return "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
}

std::string cipher_list(const std::vector<CipherSuite>& suites) {
  std::string list;
  for (const CipherSuite suite : suites) {
    if (!list.empty()) list += ':';
    list += cipher_names(suite);
  }
  return list;
}

void current_time(const SSL*, timeval* out) {
  static constexpr std::int64_t kSecond = 1'000'000;
  const std::int64_t now = FlightClock::now_microseconds();
  out->tv_sec = now / kSecond;
  out->tv_usec = now % kSecond;
}

void log_key(const SSL* ssl, const char* line) {
  const auto* const context =
      static_cast<const DtlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  context->key_log()->write_line(line);
}

bool set_versions_and_groups(SSL_CTX* ctx) {
  static constexpr std::array<int, 2> kGroups = {NID_X25519, NID_X9_62_prime256v1};
  return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set1_curves(ctx, kGroups.data(), kGroups.size()) == 1;
}

// No media is carried, yet pion and aiortc refuse a peer that does not negotiate use_srtp
// (RFC 5764 §4.1.1): their transports are made for media as well.
bool set_srtp_profiles(SSL_CTX* ctx) {
  return SSL_CTX_set_srtp_profiles(ctx,
                                   "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:"
                                   "SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32") == 1;
}

bool set_certificate(SSL_CTX* ctx, const Certificate& certificate) {
  CRYPTO_BUFFER* const chain[] = {certificate.buffer()};
  return SSL_CTX_set_chain_and_key(ctx, chain, 1, certificate.private_key(), nullptr) == 1;
}

}  // namespace

std::vector<CipherSuite> all_suites() {
  return {CipherSuite::kAes128GcmSha256, CipherSuite::kAes256GcmSha384,
          CipherSuite::kChaCha20Poly1305Sha256};
}

void DtlsContext::Deleter::operator()(ssl_ctx_st* ctx) const { SSL_CTX_free(ctx); }

DtlsContext::DtlsContext(Certificate certificate, DtlsOptions options, KeyLog* key_log)
    : certificate_(std::move(certificate)),
      options_(std::move(options)),
      key_log_(key_log),
      ctx_(SSL_CTX_new(DTLS_with_buffers_method())) {}

DtlsContext::~DtlsContext() = default;

Result<std::shared_ptr<const DtlsContext>, std::string> DtlsContext::create(Certificate certificate,
                                                                            DtlsOptions options,
                                                                            KeyLog* key_log) {
  if (options.suites.empty()) return Failure(std::string("no cipher suite is allowed"));
  if (options.mtu_bytes < 256 || options.mtu_bytes > 16384 || options.small_mtu_bytes < 256) {
    return Failure(std::string("the DTLS MTU must lie between 256 and 16384 bytes"));
  }
  if (options.initial_timeout < milliseconds(1) || options.initial_timeout > seconds(60)) {
    return Failure(std::string("the first DTLS time-out must lie between 1 ms and 60 s"));
  }
  struct Access : DtlsContext {
    Access(Certificate c, DtlsOptions o, KeyLog* k) : DtlsContext(std::move(c), std::move(o), k) {}
  };
  auto context = std::make_shared<Access>(std::move(certificate), std::move(options), key_log);
  SSL_CTX* const ctx = context->ctx_.get();
  if (ctx == nullptr || !set_versions_and_groups(ctx) ||
      SSL_CTX_set_strict_cipher_list(ctx, cipher_list(context->options_.suites).c_str()) != 1 ||
      !set_certificate(ctx, context->certificate_) || !set_srtp_profiles(ctx)) {
    ERR_clear_error();
    return Failure(std::string("the certificate or the cipher suites cannot be used for DTLS"));
  }
  // Tickets and resumption would bring abbreviated handshakes, whose last flight is the
  // client's; renegotiation is off unless a client asks for it.
  SSL_CTX_set_options(ctx,
                      SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, kMaxHandshakeMessageBytes);
  SSL_CTX_set_current_time_cb(ctx, current_time);
  SSL_CTX_set_app_data(ctx, context.get());
  if (key_log != nullptr) SSL_CTX_set_keylog_callback(ctx, log_key);
  return std::shared_ptr<const DtlsContext>(std::move(context));
}

}  // namespace millrace::crypto
