// SPDX-License-Identifier: Apache-2.0
#include "crypto/handshake_flight.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "crypto/flight_clock.h"
#include "crypto/record_header.h"
#include "engine/base/check.h"

namespace millrace::crypto {

// FlightBio is the datagram BIO between the SSL and its flight: a read takes one record,
// a write gives one datagram.
struct FlightBio {
  static HandshakeFlight& flight_of(BIO* bio) {
    return *static_cast<HandshakeFlight*>(BIO_get_data(bio));
  }

  static int read(BIO* bio, char* out, int capacity) {
    BIO_clear_retry_flags(bio);
    const std::optional<ByteSpan> record = flight_of(bio).next_record();
    if (!record) {
      BIO_set_retry_read(bio);
      return -1;
    }
    // A datagram socket, too, cuts off what does not fit; the SSL then drops the record.
    const std::size_t length = std::min(record->size(), static_cast<std::size_t>(capacity));
    std::copy_n(record->begin(), length, reinterpret_cast<std::uint8_t*>(out));
    return static_cast<int>(length);
  }

  static int write(BIO* bio, const char* bytes, int length) {
    BIO_clear_retry_flags(bio);
    flight_of(bio).output_.append(
        {reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(length)});
    return length;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const kMethod = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flight");
      CHECK(made != nullptr);
      BIO_meth_set_create(made, create);
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return kMethod;
  }
};

namespace {

std::optional<CipherSuite> suite_of(const SSL* ssl) {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl);
  if (cipher == nullptr) return std::nullopt;
  switch (SSL_CIPHER_get_protocol_id(cipher)) {
    case 0xc02b:  // RFC 5289 §3.2, by ECDSA and by RSA.
    case 0xc02f:
      return CipherSuite::kAes128GcmSha256;
    case 0xc02c:
    case 0xc030:
      return CipherSuite::kAes256GcmSha384;
    case 0xcca9:  // RFC 7905 §2.
    case 0xcca8:
      return CipherSuite::kChaCha20Poly1305Sha256;
    default:
      return std::nullopt;
  }
}

// RFC 5246 §6.3: client key, server key, client IV, server IV; an AEAD has no MAC keys.
std::optional<TrafficKeys> export_keys(const SSL* ssl, Role role) {
  const std::optional<CipherSuite> suite = suite_of(ssl);
  if (!suite || SSL_version(ssl) != DTLS1_2_VERSION) return std::nullopt;
  const SuiteShape shape = shape_of(*suite);
  std::array<std::uint8_t, 2 * (32 + 12)> block{};
  const std::size_t length = std::size_t{2} * (shape.key_bytes + shape.fixed_iv_bytes);
  if (SSL_get_key_block_len(ssl) != length ||
      SSL_generate_key_block(ssl, block.data(), length) != 1) {
    return std::nullopt;
  }
  TrafficKeys keys;
  TrafficKeys::Direction& client = role == Role::kClient ? keys.write : keys.read;
  TrafficKeys::Direction& server = role == Role::kClient ? keys.read : keys.write;
  const std::uint8_t* from = block.data();
  const auto take = [&from](auto& to, std::size_t n) {
    std::copy_n(from, n, to.begin());
    from += n;
  };
  take(client.key, shape.key_bytes);
  take(server.key, shape.key_bytes);
  take(client.iv, shape.fixed_iv_bytes);
  take(server.iv, shape.fixed_iv_bytes);
  OPENSSL_cleanse(block.data(), block.size());
  const std::uint64_t next = SSL_get_write_sequence(ssl);
  keys.suite = *suite;
  keys.cipher_id = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl));
  keys.epoch = static_cast<std::uint16_t>(next >> 48);
  keys.write_sequence = next & kMaxSequence;
  return keys;
}

CloseReason reason_of_error(int ssl_error) {
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return CloseReason::kCloseNotify;
  const std::uint32_t code = ERR_peek_error();
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return CloseReason::kHandshakeFailed;
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return CloseReason::kNoPeerCertificate;
  // BoringSSL's numbering: a fatal alert from the peer is an error of its own.
  const bool alert = reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
  return alert ? CloseReason::kPeerAlert : CloseReason::kHandshakeFailed;
}

}  // namespace

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "none";
    case CloseReason::kLocal:
      return "local";
    case CloseReason::kCloseNotify:
      return "close_notify";
    case CloseReason::kPeerAlert:
      return "peer_alert";
    case CloseReason::kHandshakeFailed:
      return "handshake_failed";
    case CloseReason::kHandshakeTimeout:
      return "handshake_timeout";
    case CloseReason::kFingerprintMismatch:
      return "fingerprint_mismatch";
    case CloseReason::kNoPeerCertificate:
      return "no_peer_certificate";
    case CloseReason::kKeysWornOut:
      return "keys_worn_out";
  }
  return "unknown";
}

void HandshakeFlight::SslDeleter::operator()(ssl_st* ssl) const { SSL_free(ssl); }

HandshakeFlight::HandshakeFlight(std::shared_ptr<const DtlsContext> context, Role role,
                                 std::vector<Fingerprint> expected)
    : context_(std::move(context)), expected_(std::move(expected)), role_(role) {}

HandshakeFlight::~HandshakeFlight() = default;

void HandshakeFlight::run() {
  if (outcome_ != Outcome::kUnderWay) return;
  const FlightClock clock(now_);
  ERR_clear_error();
  refeed_ = 0;
  fed_.clear();  // What an earlier run was given this one is given first.
  if (!ssl_ && !make_ssl()) {
    fail(CloseReason::kHandshakeFailed);
    return;
  }
  drive();
  // Input first: it may have made the retransmission needless. BoringSSL itself decides
  // whether its timer has run out.
  if (outcome_ == Outcome::kUnderWay) {
    note_timeout();
    if (DTLSv1_handle_timeout(ssl_.get()) < 0) fail(CloseReason::kHandshakeTimeout);
  }
  timeval left{};
  deadline_ = kNever;
  if (outcome_ == Outcome::kUnderWay && DTLSv1_get_timeout(ssl_.get(), &left) == 1) {
    deadline_ = now_ + seconds(left.tv_sec) + microseconds(left.tv_usec);
  }
  ERR_clear_error();
}

// The SSL cuts its messages anew each time that it sends them.
void HandshakeFlight::note_timeout() {
  // The first repeat may be for a datagram that was lost.
  constexpr unsigned kTimeoutsUntilSmall = 2;
  if (now_ < deadline_ || ++timeouts_ != kTimeoutsUntilSmall) return;
  const DtlsOptions& options = context_->options();
  SSL_set_mtu(ssl_.get(), std::min(options.mtu_bytes, options.small_mtu_bytes));
}

bool HandshakeFlight::make_ssl() {
  ssl_.reset(SSL_new(context_->ssl_ctx()));
  bssl::UniquePtr<BIO> bio(BIO_new(FlightBio::method()));
  if (!ssl_ || !bio) return false;
  BIO_set_data(bio.get(), this);
  SSL* const ssl = ssl_.get();
  BIO* const owned = bio.release();
  SSL_set_bio(ssl, owned, owned);
  SSL_set_app_data(ssl, this);
  // RFC 8827 §6.5: both ends show a certificate.
  SSL_set_custom_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                        [](SSL* of, std::uint8_t* alert) {
                          auto* const flight = static_cast<HandshakeFlight*>(SSL_get_app_data(of));
                          return flight->verify_peer(alert) ? ssl_verify_ok : ssl_verify_invalid;
                        });
  SSL_set_mtu(ssl, context_->options().mtu_bytes);
  const auto initial =
      std::chrono::duration_cast<milliseconds>(context_->options().initial_timeout);
  DTLSv1_set_initial_timeout_duration(ssl, static_cast<unsigned>(initial.count()));
  if (role_ == Role::kClient) {
    SSL_set_connect_state(ssl);
  } else {
    SSL_set_accept_state(ssl);
  }
  return true;
}

void HandshakeFlight::drive() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    complete();
    return;
  }
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return;
  fail(reason_ != CloseReason::kNone ? reason_ : reason_of_error(error));
}

void HandshakeFlight::complete() {
  keys_ = export_keys(ssl_.get(), role_);
  // The callback has run in every full handshake, and there are no others; what follows
  // rests upon it, so it is asked again.
  if (!peer_verified_ || !keys_) {
    keys_.reset();
    fail(CloseReason::kHandshakeFailed);
    return;
  }
  // A forged number above the highest authentic one must not count as seen.
  const std::uint64_t highest = SSL_get_read_sequence(ssl_.get()) & kMaxSequence;
  std::erase_if(fed_, [highest](std::uint64_t sequence) { return sequence > highest; });
  outcome_ = Outcome::kComplete;
  ssl_.reset();
}

void HandshakeFlight::fail(CloseReason reason) {
  outcome_ = Outcome::kFailed;
  reason_ = reason;
  ssl_.reset();
}

// next_record gives epoch 0 first and then what lies in epoch 1, from its start in every
// run: the SSL discards the latter unread until it has seen the peer's ChangeCipherSpec,
// which reordering may have put behind it.
std::optional<ByteSpan> HandshakeFlight::next_record() {
  while (!input_.empty()) {
    const ByteSpan record = input_[0];
    current_.assign(record.begin(), record.end());
    input_.pop_front();
    if (load_be16(current_.data() + 3) == 0) return current_;
    encrypted_.append(current_);
  }
  if (refeed_ == encrypted_.size()) return std::nullopt;
  const ByteSpan record = encrypted_[refeed_++];
  fed_.push_back(load_be48(record.data() + 5));
  return record;
}

bool HandshakeFlight::verify_peer(std::uint8_t* alert) {
  const STACK_OF(CRYPTO_BUFFER)* const chain = SSL_get0_peer_certificates(ssl_.get());
  if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0) {
    reason_ = CloseReason::kNoPeerCertificate;
    *alert = SSL_AD_CERTIFICATE_REQUIRED;
    return false;
  }
  const CRYPTO_BUFFER* const leaf = sk_CRYPTO_BUFFER_value(chain, 0);
  if (!matches_any(expected_, {CRYPTO_BUFFER_data(leaf), CRYPTO_BUFFER_len(leaf)})) {
    // RFC 8122 §6.2: bad_certificate.
    reason_ = CloseReason::kFingerprintMismatch;
    *alert = SSL_AD_BAD_CERTIFICATE;
    return false;
  }
  peer_verified_ = true;
  return true;
}

}  // namespace millrace::crypto
