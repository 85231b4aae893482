// SPDX-License-Identifier: Apache-2.0
#pragma once

// One session's DTLS 1.2 (RFC 6347) as WebRTC uses it (RFC 8827 §6.5, RFC 8261).
//
// Life cycle:  kNew -> kConnecting -> kEstablished -> kClosed, or closed from anywhere.
//   make; `start` -> while `flight_ready`: `take_flight`, `run` it on a worker,
//   `return_flight` -> `established` -> records in batches -> `close`.

#include <cstdint>
#include <memory>
#include <vector>

#include "crypto/dtls_context.h"
#include "crypto/dtls_counters.h"
#include "crypto/fingerprint.h"
#include "crypto/handshake_flight.h"
#include "crypto/record_codec.h"
#include "crypto/record_keys.h"
#include "engine/base/bytes.h"
#include "engine/base/time.h"

namespace millrace::crypto {

// DtlsShard is what the sessions of one shard share; it must outlive them.
struct DtlsShard {
  RecordKeysPool keys;
  DtlsCounters counters;
};

// DtlsSession is one end of a DTLS session. It belongs to its shard's thread, performs no
// I/O and reads no clock. A peer cannot make a call fail: what is malformed, replayed or
// forged is counted in `DtlsShard::counters`. After any call that takes `now`: send what
// `poll_datagram` gives until it returns 0, ask `flight_ready`, look at `state`, and
// re-arm for `next_timeout`. Once closed, drain `poll_datagram` a last time (an alert may
// be waiting); the session is inert afterwards.
class DtlsSession {
 public:
  enum class State : std::uint8_t { kNew, kConnecting, kEstablished, kClosed };

  // What an opened record turned out to be.
  enum class Received : std::uint8_t {
    kApplicationData,  // `job.plaintext` is the application's.
    kControl,          // An alert or handshake message, dealt with here.
    kDropped,          // Counted.
  };

  // Bounds on what a peer that is not authenticated yet can make us hold (CVE-2022-29189).
  static constexpr std::size_t kMaxQueuedInputBytes = 32 * 1024;      // At a time, at true cost.
  static constexpr std::size_t kMaxHandshakeInputBytes = 512 * 1024;  // In all.
  static constexpr std::size_t kMaxHeldBytes = 32 * 1024;             // Early application data.
  // Records of epoch 1 for the SSL: each run gives it all of them again. A peer has a Finished to
  // send, and repeats it at most each time it repeats its flight; any one of them is enough.
  static constexpr std::size_t kMaxEncryptedRecords = 32;
  // Runs of the SSL that input may ask for; a retransmission that is due needs no leave. The
  // handshake of a peer behind a lossy path, in small fragments, takes a few hundred at most.
  static constexpr std::size_t kMaxFlights = 1024;
  static constexpr std::size_t kMaxAlertBytes = 64;  // Of a sealed alert.
  // The last flight goes out again at most this often, however often the peer asks.
  static constexpr Duration kLastFlightInterval = milliseconds(20);

  // `expected` are the fingerprints signalled for the peer: none matches no certificate,
  // so such a session never establishes.
  DtlsSession(std::shared_ptr<const DtlsContext> context, DtlsShard& shard, Role role,
              std::vector<Fingerprint> expected);
  ~DtlsSession();
  DtlsSession(const DtlsSession&) = delete;
  DtlsSession& operator=(const DtlsSession&) = delete;

  // Begins: a client has a flight ready, a server waits. The time-out of the handshake
  // runs from here. Datagrams that come before are dropped.
  void start(Time now);

  // Takes one received datagram. Records for the handshake are copied to its queue, early
  // application data is held. In an established session the records of its epoch are
  // appended to `jobs`, as views into `datagram`: neither the datagram nor this session may
  // go away before `open_batch` and `handle_opened`. Leave `jobs` room for a record per
  // kRecordHeaderBytes of the datagram, or the rest is dropped and counted.
  void handle_datagram(Time now, MutableByteSpan datagram, OpenQueue& jobs, OpenTag tag = {});

  // Takes a job of this session after `open_batch`.
  Received handle_opened(Time now, const OpenJob& job);

  // Says whether there is work for the SSL and it is here to do it.
  bool flight_ready() const;
  // Lends the handshake to a worker; `flight_ready` must hold. If this session is closed
  // or destroyed meanwhile, `return_flight` may be skipped: destroying the flight, on any
  // thread, is enough.
  std::unique_ptr<HandshakeFlight> take_flight(Time now);
  void return_flight(Time now, std::unique_ptr<HandshakeFlight> flight);

  // Copies the oldest datagram of early application data, held before the session was
  // established, to `out` and returns its length; 0 when there is none. Hand it to
  // `handle_datagram` as if it had just come. Call it until 0 on becoming established.
  // `out` must have room for DtlsOptions::mtu_bytes or more; what is longer is dropped.
  std::size_t poll_held(MutableByteSpan out);

  // Writes the next datagram of the handshake, the repeated last flight, or an alert to
  // `out` and returns its length, 0 when idle. `out` must hold DtlsOptions::mtu_bytes.
  std::size_t poll_datagram(Time now, MutableByteSpan out);
  // True: `poll_datagram` would return 0 and change nothing, as for most of a session's life.
  bool is_quiet() const {
    return state_ == State::kEstablished && handshake_ == nullptr && !alert_pending_ &&
           !keys_->worn_out();
  }
  // The length of the one datagram that `poll_datagram` has next in an established session, its
  // last flight; 0 if there is none, or more of them. A sealed record may follow in the same
  // datagram (RFC 6347 §4.1.1).
  std::size_t last_flight_waiting() const;

  Time next_timeout() const;
  void handle_timeout(Time now);

  // Ends an established session whose keys have worn out. `handle_opened` and `poll_datagram` ask
  // as well; who seals asks before `closed`, so as not to hear of the end by a later call alone.
  void check_limits();
  // Ends the session: an established one has a close_notify to send (RFC 5246 §7.2.1).
  void close(Time now);

  State state() const { return state_; }
  bool established() const { return state_ == State::kEstablished; }
  bool closed() const { return state_ == State::kClosed; }
  CloseReason close_reason() const { return reason_; }
  Role role() const { return role_; }

  // The record layer, for SealJobs: null before the session was established.
  RecordKeys* record_keys() const { return keys_.get(); }

  // Bytes held on the heap for the handshake and early data, the flight's included wherever it
  // is, but not the SSL's; 0 in a settled session.
  std::size_t handshake_memory() const;

 private:
  struct Handshake;

  void queue_record(const RecordView& record);
  void hold_record(ByteSpan record);
  void establish(Time now, HandshakeFlight& flight);
  Received handle_alert(ByteSpan alert);
  Received handle_handshake(Time now, ByteSpan message);
  void settle();  // Frees the handshake's state once nothing needs it.
  void finish(CloseReason reason);
  std::size_t poll_alert(MutableByteSpan out);
  void drop(DropReason reason) { shard_.counters.drop(reason); }

  DtlsShard& shard_;
  RecordKeysPtr keys_;
  // All that the handshake needs, freed at the first authenticated application record.
  std::unique_ptr<Handshake> handshake_;
  State state_ = State::kNew;
  CloseReason reason_ = CloseReason::kNone;
  Role role_;
  bool alert_pending_ = false;
};

}  // namespace millrace::crypto
