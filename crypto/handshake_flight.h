// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "crypto/dtls_context.h"
#include "crypto/fingerprint.h"
#include "crypto/packet_list.h"
#include "crypto/record_keys.h"
#include "engine/base/time.h"

struct ssl_st;

namespace millrace::crypto {

// Role of this end in the handshake; SDP's a=setup decides it (active: client).
enum class Role : std::uint8_t { kClient, kServer };

// CloseReason says why a session is closed.
enum class CloseReason : std::uint8_t {
  kNone,
  kLocal,                // `close` was called.
  kCloseNotify,          // The peer closed.
  kPeerAlert,            // The peer sent a fatal alert.
  kHandshakeFailed,      // No common ground, or the peer broke the protocol.
  kHandshakeTimeout,     // DtlsOptions::handshake_timeout went by.
  kFingerprintMismatch,  // The peer's certificate is not the one signalled.
  kNoPeerCertificate,    // The peer presented none.
  kKeysWornOut,          // KeyLimits were reached.
};
std::string_view to_string(CloseReason reason);

// HandshakeFlight is a handshake on its way: the SSL, the records that came for it, and
// what it answers. It is self-contained, so `run` may be called on any one thread while
// the session lives on, or dies, on its shard. Only DtlsSession makes one.
class HandshakeFlight {
 public:
  HandshakeFlight(std::shared_ptr<const DtlsContext> context, Role role,
                  std::vector<Fingerprint> expected);
  ~HandshakeFlight();
  HandshakeFlight(const HandshakeFlight&) = delete;
  HandshakeFlight& operator=(const HandshakeFlight&) = delete;

  // Feeds the queued records to the SSL one by one, performs the public-key work (some
  // 0.3 ms) and the retransmission that is due. It reads no clock: time stands still at
  // the `now` with which the flight was taken. Once the handshake is complete the keys
  // are exported and the SSL is freed: it can never write again.
  void run();
  // Before its first run: this is a ClientHello, for which there is no public-key work.
  bool is_first_of_client() const { return !ssl_ && role_ == Role::kClient; }

 private:
  friend class DtlsSession;
  friend struct FlightBio;

  struct SslDeleter {
    void operator()(ssl_st* ssl) const;
  };
  enum class Outcome : std::uint8_t { kUnderWay, kComplete, kFailed };

  bool make_ssl();
  void drive();
  void note_timeout();
  void complete();
  void fail(CloseReason reason);
  std::optional<ByteSpan> next_record();
  // What the lists of records take; the SSL bounds its own.
  std::size_t input_cost() const {
    return input_.cost() + encrypted_.cost() + fed_.size() * sizeof(fed_[0]);
  }
  bool verify_peer(std::uint8_t* alert);

  std::shared_ptr<const DtlsContext> context_;
  std::unique_ptr<ssl_st, SslDeleter> ssl_;
  std::vector<Fingerprint> expected_;
  Role role_;
  Time now_{};

  PacketList input_;      // Records that came since the last run, oldest first.
  PacketList encrypted_;  // Records of epoch 1, given to the SSL anew in each run.
  PacketList output_;     // Datagrams that this run produced.
  std::size_t refeed_ = 0;
  std::vector<std::uint64_t> fed_;     // Epoch-1 numbers that this run gave to the SSL.
  std::vector<std::uint8_t> current_;  // The record that the SSL is reading.
  Time deadline_ = kNever;             // Of the SSL's retransmission timer.
  unsigned timeouts_ = 0;              // Of that timer.
  Outcome outcome_ = Outcome::kUnderWay;
  CloseReason reason_ = CloseReason::kNone;
  bool peer_verified_ = false;
  std::optional<TrafficKeys> keys_;
};

}  // namespace millrace::crypto
