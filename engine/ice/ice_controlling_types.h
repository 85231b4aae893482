// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/time.h"
#include "engine/ice/candidate.h"
#include "engine/ice/credentials.h"

namespace millrace::ice {

// IceControllingOptions are the timers of an IceControllingAgent.
struct IceControllingOptions {
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
  // The interval ends at a multiple of this where its bounds allow; above 0.
  Duration consent_grain = milliseconds(16);
  Duration consent_timeout = seconds(30);
  // RFC 8863 §4: how long to wait for a full peer's own checks although all of ours
  // have failed. A lite peer sends none, so with one the wait does not apply.
  Duration patience = milliseconds(39500);
};

// IceControllingSetup is what signalling has settled.
struct IceControllingSetup {
  Credentials local;
  Credentials remote;
  bool remote_is_lite = false;
  // By falling preference. An unspecified address stands for whichever the kernel
  // chooses of its family.
  std::vector<IpAddress> local_addresses;
  // What exceeds the agent's limits, or has no local address of its family, is left out.
  std::vector<Candidate> remote_candidates;
};

// IceControllingEvent tells of a step in the life of an IceControllingAgent.
struct IceControllingEvent {
  enum class Type : std::uint8_t {
    kPairAuthenticated,  // A check of ours was answered on `pair`: DTLS may begin.
    kNominated,          // `pair` is the one to send on.
    kConsentLost,        // Nothing may be sent any more (RFC 7675 §5.1, §5.2).
    kFailed,             // No pair works.
  };
  Type type = Type::kFailed;
  CandidatePair pair;
};

// IceControllingStats counts what an IceControllingAgent did and dropped.
struct IceControllingStats {
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

}  // namespace millrace::ice
