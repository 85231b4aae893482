// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/dtls_session.h"

namespace millrace::crypto {

using Bytes = std::vector<std::uint8_t>;

inline constexpr CipherSuite kSuites[] = {CipherSuite::kAes128GcmSha256,
                                          CipherSuite::kAes256GcmSha384,
                                          CipherSuite::kChaCha20Poly1305Sha256};
inline constexpr AeadBackend kBackends[] = {AeadBackend::kBoringSsl, AeadBackend::kIpsecMb,
                                            AeadBackend::kVaes, AeadBackend::kVaes512};

Bytes from_hex(std::string_view hex);
std::string to_hex(ByteSpan bytes);
// The records of a datagram without those that `unwanted` holds for.
Bytes without_records(Bytes datagram, const std::function<bool(const RecordView&)>& unwanted);
// Whether a record carries this handshake message (RFC 5246 §7.4) in the clear.
bool carries(const RecordView& record, std::uint8_t message_type);
ByteSpan bytes_of(std::string_view text);

// Certificates made once per process: key generation is slow under sanitizers.
const Certificate& shared_certificate(int which);
std::shared_ptr<const DtlsContext> make_context(int which, DtlsOptions options = {},
                                                KeyLog* key_log = nullptr);

// NonceWatch reads every datagram that one end sends and remembers which bytes went out
// under each record number of epoch 1.
class NonceWatch {
 public:
  void see(ByteSpan datagram);
  bool reused() const { return reused_; }  // Two different records under one number.
  std::size_t records() const { return seen_.size(); }

 private:
  std::map<std::uint64_t, Bytes> seen_;
  bool reused_ = false;
};

// DtlsEnd is one end of a test's session with its own shard, as the engine drives it.
class DtlsEnd {
 public:
  DtlsEnd(std::shared_ptr<const DtlsContext> context, Role role, std::vector<Fingerprint> expected,
          AeadBackend backend = best_backend());

  void receive(Time now, ByteSpan datagram);
  // Runs the flights that are ready, then collects what is to be sent.
  std::vector<Bytes> drain(Time now);
  // Seals one application record.
  Bytes seal(std::string_view text);

  DtlsShard shard;
  std::unique_ptr<DtlsSession> session;
  std::vector<std::string> received;  // Application data, in order of arrival.
  NonceWatch nonces;
  std::size_t largest_datagram = 0;

 private:
  void open(Time now, MutableByteSpan datagram);

  OpenQueue queue_{2000};
};

// DtlsPair is a client and a server with a network of the test's making between them and
// a virtual clock. Side 0 is the client.
class DtlsPair {
 public:
  struct Options {
    DtlsOptions client;
    DtlsOptions server;
    std::array<AeadBackend, 2> backends = {best_backend(), best_backend()};
    HashAlgorithm hash = HashAlgorithm::kSha256;
  };
  DtlsPair() : DtlsPair(Options{}) {}
  explicit DtlsPair(const Options& options);

  // Asked for every datagram: its sender and number (from 0). Gives the datagrams to
  // deliver in its place.
  using Network = std::function<std::vector<Bytes>(int from, std::size_t index, Bytes datagram)>;
  Network network;

  void start();
  // Exchanges what is ready; returns whether anything moved.
  bool step();
  // Exchanges datagrams, and moves the clock to the next timer when nothing moves, until
  // `done` or `limit` of virtual time has gone by. Returns whether `done` was reached.
  bool run(const std::function<bool()>& done, Duration limit = seconds(60));
  bool establish();
  void send(int from, std::string_view text);  // Application data, through the network.
  void transmit(int from, Bytes datagram);

  DtlsEnd& client() { return *ends[0]; }
  DtlsEnd& server() { return *ends[1]; }

  bool newest_first = false;  // Delivers what is under way in reverse order.
  Time now{};
  std::array<std::unique_ptr<DtlsEnd>, 2> ends;
  std::array<std::size_t, 2> sent{};  // Datagrams given to the network, lost ones included.
  std::deque<std::pair<int, Bytes>> in_flight;
};

}  // namespace millrace::crypto
