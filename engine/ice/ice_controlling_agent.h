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
#include "engine/ice/ice_controlling_types.h"
#include "engine/ice/stun_message.h"

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

  using Options = IceControllingOptions;
  using Setup = IceControllingSetup;
  using Event = IceControllingEvent;
  using Stats = IceControllingStats;

  // `rng` and `mac` must outlive the agent. `rng` must not be predictable outside
  // tests: transaction ids keep forged answers out.
  IceControllingAgent(Time now, Setup setup, Options options, Rng& rng, const Mac& mac);

  // Consumes one STUN datagram that arrived on `path`; a `path.local` of no family
  // matches the first local address of the remote's family. Malformed or foreign input
  // is counted and otherwise ignored.
  void handle_datagram(Time now, const CandidatePair& path, ByteSpan datagram);
  void handle_timeout(Time now);

  // Writes the next STUN datagram into `out`, which must hold kMaxStunBytes, and its
  // path into `path`. Returns the bytes written, 0 when there is nothing to send.
  std::size_t poll_datagram(Time now, CandidatePair& path, MutableByteSpan out);
  bool poll_event(Event& out);
  Time next_timeout() const;

  // DTLS may be taken from `path`: a check of ours was answered on it, or an
  // authenticated one of the peer's came from it.
  bool is_authenticated(const CandidatePair& path) const;
  // The path to send on: the nominated pair, else the first that was answered, else none.
  // Valid until the next non-const call.
  const CandidatePair* selected() const;
  bool is_nominated() const { return nominated_; }
  bool is_closed() const { return closed_; }
  bool is_controlling() const { return controlling_; }
  // The round-trip time of the latest answer to a check that was sent once only.
  std::optional<Duration> rtt() const { return rtt_; }
  // Of all answers to requests that were sent once.
  Duration total_rtt() const { return total_rtt_; }
  // How the selected pair's remote candidate was learnt; without one that says nothing.
  CandidateType remote_type() const;
  const Stats& stats() const { return stats_; }

 private:
  enum class PairState : std::uint8_t { kWaiting, kInProgress, kSucceeded, kFailed };

  struct Pair {
    CandidatePair path;
    std::uint64_t priority = 0;
    std::uint32_t remote_priority = 0;
    CandidateType remote_type = CandidateType::kPeerReflexive;
    std::size_t local_index = 0;
    PairState state = PairState::kWaiting;
    bool valid = false;           // A check of ours was answered on it.
    bool announced = false;       // kPairAuthenticated was told of it.
    bool heard = false;           // An authenticated check of the peer's came on it.
    bool triggered = false;       // Checked before ordinary pairs (RFC 8445 §6.1.4.1).
    bool nominating = false;      // Its check carries USE-CANDIDATE.
    bool peer_nominated = false;  // Controlled role: the peer's check carried it.
    CheckTransaction transaction;
    Time answered_at{};  // Meaningful if valid: when an answer last made it so.
  };
  struct Reply {
    OwedResponse response;
    CandidatePair path;
  };
  struct ConsentCheck {
    TransactionId id{};
    Time sent{};
    bool outstanding = false;
  };

  static constexpr std::size_t kNoPair = SIZE_MAX;
  static constexpr std::size_t kMaxReplies = 8;
  static constexpr std::size_t kMaxConsentChecks = 4;
  static constexpr std::size_t kMaxEvents = 8;
  static constexpr std::uint64_t kMaxRoleSwitches = 8;

  // ice_controlling_agent.cc: pairs, nomination, the end.
  void form_pairs(const std::vector<Candidate>& remotes);
  std::size_t add_pair(std::size_t local_index, const Address& remote, std::uint32_t priority);
  std::uint64_t priority_of(const Pair& pair) const;
  std::size_t local_index_of(const CandidatePair& path) const;
  std::size_t find_pair(const CandidatePair& path) const;
  void succeed(Time now, std::size_t index);
  void fail(Time now, std::size_t index);
  void nominate_at_once();
  void begin_nomination(std::size_t index);
  bool nominate_again(Time now, std::size_t index);
  std::size_t succeeded_pair() const;
  void nominate(Time now, std::size_t index);
  void switch_role();
  bool is_hopeless() const;
  void close(Event::Type type);
  void push_event(Event::Type type, const CandidatePair& pair);
  void arm_consent(Time now);

  // ice_controlling_agent_inbound.cc: RFC 8445 §7.2.5 and §7.3.
  void handle_request(Time now, const StunMessageView& request, const CandidatePair& path);
  bool settle_role(const StunMessageView& request);
  void learn_from_request(Time now, const StunMessageView& request, const CandidatePair& path);
  void push_reply(const StunMessageView& request, const CandidatePair& path, CheckVerdict verdict);
  void handle_response(Time now, const StunMessageView& response, const CandidatePair& path);
  bool is_authentic(const StunMessageView& response);
  void handle_check_response(Time now, std::size_t index, const StunMessageView& response,
                             const CandidatePair& path);
  void handle_check_error(Time now, std::size_t index, int code);
  void measure(Duration rtt);
  void handle_consent_response(Time now, ConsentCheck& check, const StunMessageView& response,
                               const CandidatePair& path);

  // ice_controlling_agent_outbound.cc: RFC 8445 §6.1.4, §14 and RFC 7675 §5.1.
  std::size_t next_waiting(Time now) const;
  std::size_t poll_reply(CandidatePair& path, MutableByteSpan out);
  std::size_t poll_new_check(Time now, CandidatePair& path, MutableByteSpan out);
  std::size_t poll_retransmission(Time now, CandidatePair& path, MutableByteSpan out);
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
  std::vector<IpAddress> locals_;
  std::vector<Pair> pairs_;
  std::uint64_t tie_breaker_;
  bool controlling_ = true;
  bool closed_ = false;
  bool nominated_ = false;
  bool nomination_begun_ = false;
  std::size_t selected_ = kNoPair;
  Time patience_end_;
  Time next_check_;  // Earliest time of the next paced check.
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
  Duration total_rtt_{};
  Stats stats_;
};

}  // namespace millrace::ice
