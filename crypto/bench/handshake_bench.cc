// SPDX-License-Identifier: Apache-2.0
#include "crypto/bench/handshake_bench.h"

#include <openssl/bio.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <utility>
#include <vector>

#include "crypto/certificate.h"

namespace millrace::crypto {
namespace {

constexpr int kMaxFlights = 16;
constexpr unsigned kWarmup = 20;

double cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

bssl::UniquePtr<SSL_CTX> make_context() {
  const auto certificate = Certificate::generate(std::time(nullptr));
  bssl::UniquePtr<SSL_CTX> ctx(SSL_CTX_new(DTLS_with_buffers_method()));
  if (!certificate.ok() || !ctx) return nullptr;
  // The second is that of the certificates, which BoringSSL wants to be allowed.
  static constexpr std::array<int, 2> kGroups = {NID_X25519, NID_X9_62_prime256v1};
  CRYPTO_BUFFER* const chain[] = {certificate.value().buffer()};
  if (SSL_CTX_set_chain_and_key(ctx.get(), chain, 1, certificate.value().private_key(), nullptr) !=
          1 ||
      SSL_CTX_set_min_proto_version(ctx.get(), DTLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ctx.get(), DTLS1_2_VERSION) != 1 ||
      SSL_CTX_set1_curves(ctx.get(), kGroups.data(), kGroups.size()) != 1 ||
      SSL_CTX_set_strict_cipher_list(ctx.get(), "ECDHE-ECDSA-AES128-GCM-SHA256") != 1) {
    return nullptr;
  }
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_custom_verify(ctx.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                            [](SSL*, std::uint8_t*) { return ssl_verify_ok; });
  return ctx;
}

// Side is one end, and the CPU time that was spent in it.
struct Side {
  bssl::UniquePtr<SSL> ssl;
  double spent_us = 0;
  bool done = false;
  bool failed = false;

  void create(SSL_CTX* ctx, BIO* in, BIO* out, bool client) {
    const double from = cpu_us();
    ssl.reset(SSL_new(ctx));
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl.get(), in, out);
    SSL_set_mtu(ssl.get(), 1200);
    client ? SSL_set_connect_state(ssl.get()) : SSL_set_accept_state(ssl.get());
    spent_us += cpu_us() - from;
  }
  void advance() {
    const double from = cpu_us();
    const int result = SSL_do_handshake(ssl.get());
    done = result == 1;
    failed = !done && SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ;
    spent_us += cpu_us() - from;
  }
  void destroy() {
    const double from = cpu_us();
    ssl.reset();
    spent_us += cpu_us() - from;
  }
};

// The CPU time of client and server.
std::optional<std::pair<double, double>> one_handshake(SSL_CTX* client_ctx, SSL_CTX* server_ctx) {
  const bssl::UniquePtr<BIO> to_server(BIO_new(BIO_s_mem()));
  const bssl::UniquePtr<BIO> to_client(BIO_new(BIO_s_mem()));
  Side client;
  Side server;
  client.create(client_ctx, to_client.get(), to_server.get(), true);
  server.create(server_ctx, to_server.get(), to_client.get(), false);
  for (int i = 0; i < kMaxFlights && !(client.done && server.done); ++i) {
    if (!client.done) client.advance();
    if (!server.done) server.advance();
    if (client.failed || server.failed) return std::nullopt;
  }
  if (!client.done || !server.done) return std::nullopt;
  client.destroy();
  server.destroy();
  return std::pair(client.spent_us, server.spent_us);
}

double quantile(std::vector<double> values, double part) {
  const auto at = values.begin() + std::lround(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::optional<HandshakeCost> measure_plain_handshakes(unsigned handshakes) {
  const bssl::UniquePtr<SSL_CTX> client_ctx = make_context();
  const bssl::UniquePtr<SSL_CTX> server_ctx = make_context();
  if (!client_ctx || !server_ctx || handshakes == 0) return std::nullopt;
  std::vector<double> client;
  std::vector<double> server;
  std::vector<double> both;
  for (unsigned i = 0; i < handshakes + kWarmup; ++i) {
    const auto spent = one_handshake(client_ctx.get(), server_ctx.get());
    if (!spent) return std::nullopt;
    if (i < kWarmup) continue;
    client.push_back(spent->first);
    server.push_back(spent->second);
    both.push_back(spent->first + spent->second);
  }
  HandshakeCost cost;
  cost.handshakes = handshakes;
  cost.client_us = quantile(client, 0.5);
  cost.server_us = quantile(server, 0.5);
  cost.both_us = quantile(both, 0.5);
  cost.both_p10_us = quantile(both, 0.1);
  cost.both_p90_us = quantile(both, 0.9);
  return cost;
}

}  // namespace millrace::crypto
