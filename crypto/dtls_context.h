// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/cipher_suite.h"
#include "crypto/key_log.h"
#include "crypto/record_keys.h"
#include "engine/base/result.h"
#include "engine/base/time.h"

struct ssl_ctx_st;

namespace millrace::crypto {

// all_suites is every suite, AES-128-GCM (mandatory by RFC 8827 §6.5) first.
std::vector<CipherSuite> all_suites();

// DtlsOptions are the settings that all sessions of an engine share.
struct DtlsOptions {
  // Suites offered or accepted, the preferred one first; must not be empty.
  std::vector<CipherSuite> suites = all_suites();
  // Largest handshake datagram, in bytes of UDP payload: 256 to 16384.
  std::uint32_t mtu_bytes = 1200;
  // The same from a flight's second repeat on, should the path not carry the others (RFC 6347
  // §4.1.1.1): 256 to `mtu_bytes`.
  std::uint32_t small_mtu_bytes = 508;
  // First retransmission; it doubles each time (RFC 6347 §4.2.4.1 advises 1 s, WebRTC's
  // stacks use 50 ms because ICE has proved the path).
  Duration initial_timeout = milliseconds(50);
  Duration handshake_timeout = seconds(30);
  // For the pool that sessions' record keys come from.
  KeyLimits key_limits{};
};

// DtlsContext is the immutable configuration of DTLS sessions: certificate, suites,
// DTLS 1.2 alone, X25519 and P-256, no tickets, no resumption, no renegotiation. A
// certificate is demanded of the peer in both roles. Shared by all shards and workers.
class DtlsContext {
 public:
  // `key_log` may be null; it must outlive the context.
  static Result<std::shared_ptr<const DtlsContext>, std::string> create(Certificate certificate,
                                                                        DtlsOptions options = {},
                                                                        KeyLog* key_log = nullptr);
  ~DtlsContext();
  DtlsContext(const DtlsContext&) = delete;
  DtlsContext& operator=(const DtlsContext&) = delete;

  const Certificate& certificate() const { return certificate_; }
  const DtlsOptions& options() const { return options_; }
  KeyLog* key_log() const { return key_log_; }

  // For HandshakeFlight.
  ssl_ctx_st* ssl_ctx() const { return ctx_.get(); }

 private:
  struct Deleter {
    void operator()(ssl_ctx_st* ctx) const;
  };
  DtlsContext(Certificate certificate, DtlsOptions options, KeyLog* key_log);

  Certificate certificate_;
  DtlsOptions options_;
  KeyLog* key_log_;
  std::unique_ptr<ssl_ctx_st, Deleter> ctx_;
};

}  // namespace millrace::crypto
