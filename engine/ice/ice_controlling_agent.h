// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/mac.h"
#include "engine/base/rng.h"
#include "engine/base/time.h"
#include "engine/ice/binding_responder.h"
#include "engine/ice/candidate.h"
#include "engine/ice/check_transaction.h"
#include "engine/ice/credentials.h"
#include "engine/ice/stun_message.h"
#include "engine/ice/stun_writer.h"

namespace millrace::ice {

// IceControllingAgent is the dialling end of ICE for one session with one UDP socket:
// a full agent (RFC 8445) with host candidates, one component, and consent freshness
// (RFC 7675). It makes the offer and is controlling; should a peer insist on that role
// too, the tie-breakers decide (RFC 8445 §7.3.1.1), and it goes on as the controlled one.
//
// It performs no I/O, reads no clock and starts no thread. After construction and after
// any call that takes `now`, drain it in this order: `poll_datagram` until it returns
// 0, `poll_event` until false, then re-arm for `next_timeout` and call `handle_timeout`
// when it comes. After kFailed or kConsentLost the agent is inert.
//
// Nomination: the first pair that answers is nominated at once. It is the path of the
// least delay, and DTLS need not wait for it: kPairAuthenticated comes a round trip
// before kNominated. With one component there is nothing to freeze (RFC 8445 §6.1.2.6):
// all pairs start out waiting.
class IceControllingAgent {
 public:
  static constexpr std::size_t kMaxPairs = 32;
  static constexpr std::size_t kMaxRemoteCandidates = 16;
  static constexpr std::size_t kMaxLocalAddresses = 8;

  struct Options {
    // Ta, the pace of new checks (RFC 8445 §14.2). The first one goes at once.
    Duration check_interval = milliseconds(50);
    // First retransmission time-out; doubles at each. RFC 8445 §14.3 wants 500 ms where
    // nothing is known of the path, lest a slow path be flooded. One check of some 100
    // bytes that is sent twice floods nothing, browsers repeat after 50 ms, and a lost
    // first check would otherwise cost half a second of set-up.
    Duration initial_rto = milliseconds(100);
    // RFC 8489 §6.2.1: Rc sends, then a wait of Rm times the first RTO.
    int max_transmissions = 7;
    int last_wait_factor = 16;
    // RFC 7675 §5.1: each interval is drawn from 0.8 to 1.2 times the period.
    Duration consent_period = seconds(5);
    Duration consent_timeout = seconds(30);
    // RFC 8863 §4: how long to wait for a full peer's own checks although all of ours
    // have failed. A lite peer sends none, so with one the wait does not apply.
    Duration patience = milliseconds(39500);
  };

  struct Setup {
    Credentials local;
    Credentials remote;
    bool remote_is_lite = false;
    // Local addresses by falling preference, then the peer's candidates. What exceeds
    // the limits above, or pairs different address families, is left out.
    std::vector<IpAddress> local_addresses;
    std::vector<Candidate> remote_candidates;
  };

  struct Event {
    enum class Type : std::uint8_t {
      kPairAuthenticated,  // A check of ours was answered on `pair`: DTLS may begin.
      kNominated,          // `pair` is the one to send on.
      kConsentLost,        // Nothing may be sent any more (RFC 7675 §5.1, §5.2).
      kFailed,             // No pair works.
    };
    Type type = Type::kFailed;
    CandidatePair pair;
  };

  struct Stats {
    std::uint64_t checks_sent = 0;  // New transactions, consent included.
    std::uint64_t retransmissions = 0;
    std::uint64_t responses = 0;  // Authenticated, of a transaction of ours.
    std::uint64_t dropped_malformed = 0;
    std::uint64_t dropped_unauthenticated = 0;
    std::uint64_t dropped_unknown_transaction = 0;
    std::uint64_t dropped_no_room = 0;  // A bound of pairs or of answers was reached.
    std::uint64_t requests_accepted = 0;
    std::uint64_t requests_refused = 0;
    std::uint64_t role_switches = 0;
    std::uint64_t consent_sent = 0;
    std::uint64_t consent_confirmed = 0;
  };

  // `rng` and `mac` must outlive the agent. `rng` must not be predictable outside
  // tests: transaction ids keep forged answers out.
  IceControllingAgent(Time now, Setup setup, Options options, Rng& rng, const Mac& mac);

  // Consumes one STUN datagram that arrived on `path`; a `path.local` of no family
  // matches the first local address of the remote's family. Malformed or foreign input
  // is counted and otherwise ignored.
  void handle_datagram(Time now, const CandidatePair& path, ByteSpan datagram);
  void handle_timeout(Time now);

  // Writes the next STUN datagram into `out`, which should hold kMaxStunBytes, and its
  // path into `path`. Returns the bytes written, 0 when there is nothing to send.
  std::size_t poll_datagram(Time now, CandidatePair& path, MutableByteSpan out);
  bool poll_event(Event& out);
  Time next_timeout() const;

  // DTLS may be taken from `path`: a check of ours was answered on it, or an
  // authenticated one of the peer's came from it.
  bool is_authenticated(const CandidatePair& path) const;
  // The path to send on: the nominated pair, else the best that was answered, else none.
  const CandidatePair* selected() const;
  bool is_nominated() const { return selected_pair_ != kNoPair && nominated_; }
  bool is_closed() const { return closed_; }
  bool is_controlling() const { return controlling_; }
  // The round-trip time of the latest answer to a check that was sent once only.
  std::optional<Duration> rtt() const { return rtt_; }
  const Stats& stats() const { return stats_; }

 private:
  enum class PairState : std::uint8_t { kWaiting, kInProgress, kSucceeded, kFailed };

  struct Pair {
    CandidatePair path;
    std::uint64_t priority = 0;
    std::uint32_t remote_priority = 0;
    std::uint16_t local_index = 0;
    PairState state = PairState::kWaiting;
    bool triggered = false;       // Checked before ordinary pairs (RFC 8445 §6.1.4.1).
    bool nominating = false;      // The transaction carries USE-CANDIDATE.
    bool peer_nominated = false;  // Controlled role: USE-CANDIDATE came.
    bool heard = false;           // An authenticated check of the peer's came on it.
    CheckTransaction transaction;
  };

  // An answer owed to a check of the peer's; built when it is polled.
  struct Reply {
    TransactionId id{};
    CandidatePair path;
    CheckVerdict verdict = CheckVerdict::kAccepted;
    std::array<std::uint16_t, 4> unknown{};
    std::uint8_t unknown_count = 0;
    std::uint16_t request_bytes = 0;
  };

  struct ConsentCheck {
    TransactionId id{};
    Time sent{};
    bool outstanding = false;
  };

  static constexpr std::size_t kNoPair = SIZE_MAX;
  static constexpr std::size_t kMaxReplies = 16;
  static constexpr std::size_t kMaxConsentChecks = 4;
  static constexpr std::size_t kMaxEvents = 2 * kMaxPairs + 4;

  void form_pairs(const Setup& setup);
  std::size_t add_pair(std::size_t local_index, const Address& remote, std::uint32_t priority);
  std::uint64_t priority_of(std::size_t local_index, std::uint32_t remote_priority) const;
  std::size_t find_pair(const CandidatePair& path) const;
  std::size_t local_index_of(const CandidatePair& path) const;
  CandidatePair canonical(const CandidatePair& path) const;

  void handle_request(Time now, const StunMessageView& request, const CandidatePair& path);
  bool settle_role(const StunMessageView& request);
  void learn_from_request(Time now, const StunMessageView& request, const CandidatePair& path);
  void push_reply(const StunMessageView& request, const CandidatePair& path, CheckVerdict verdict);
  void handle_response(Time now, const StunMessageView& response, const CandidatePair& path);
  void handle_pair_response(Time now, std::size_t index, const StunMessageView& response,
                            const CandidatePair& path);
  bool handle_consent_response(Time now, const StunMessageView& response,
                               const CandidatePair& path);
  void succeed(Time now, std::size_t index);
  void fail(Time now, std::size_t index);
  void nominate(Time now, std::size_t index);
  void request_nomination(std::size_t index);
  void switch_role(bool controlling);
  void close(Event::Type type);
  void fail_if_hopeless(Time now);
  void push_event(Event::Type type, const CandidatePair& pair);
  void arm_consent(Time now);

  std::size_t next_new_check() const;
  std::size_t poll_reply(CandidatePair& path, MutableByteSpan out);
  std::size_t poll_retransmission(Time now, CandidatePair& path, MutableByteSpan out);
  std::size_t poll_new_check(Time now, CandidatePair& path, MutableByteSpan out);
  std::size_t poll_consent(Time now, CandidatePair& path, MutableByteSpan out);
  std::size_t write_check(const Pair& pair, const TransactionId& id, bool use_candidate,
                          MutableByteSpan out) const;
  TransactionId draw_id();

  const Options options_;
  const Credentials local_;
  const Credentials remote_;
  const bool remote_is_lite_;
  Rng& rng_;
  const Mac& mac_;
  const Time started_;
  std::vector<IpAddress> locals_;
  std::vector<Pair> pairs_;  // By falling priority at first; learnt ones at the end.
  std::uint64_t tie_breaker_;
  bool controlling_ = true;
  bool closed_ = false;
  bool nominated_ = false;
  bool nomination_begun_ = false;
  std::size_t selected_pair_ = kNoPair;
  Time next_check_;  // Earliest time of the next new check.
  Time next_consent_ = kNever;
  Time consent_expiry_ = kNever;
  std::array<ConsentCheck, kMaxConsentChecks> consent_{};
  std::size_t next_consent_slot_ = 0;
  std::array<Reply, kMaxReplies> replies_{};
  std::size_t reply_head_ = 0;
  std::size_t reply_count_ = 0;
  std::array<Event, kMaxEvents> events_{};
  std::size_t event_head_ = 0;
  std::size_t event_count_ = 0;
  std::optional<Duration> rtt_;
  Stats stats_;
};

}  // namespace millrace::ice
