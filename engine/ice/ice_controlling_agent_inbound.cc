// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/ice/ice_controlling_agent.h"

namespace millrace::ice {

void IceControllingAgent::handle_datagram(Time now, const CandidatePair& path, ByteSpan datagram) {
  if (closed_) return;
  const std::optional<StunMessageView> message = StunMessageView::parse(datagram);
  if (!message || message->method() != kBindingMethod) {
    ++stats_.dropped_malformed;
    return;
  }
  switch (message->message_class()) {
    case StunClass::kRequest:
      return handle_request(now, *message, path);
    case StunClass::kSuccess:
    case StunClass::kError:
      return handle_response(now, *message, path);
    case StunClass::kIndication:
      return;  // RFC 8445 §11: a keep-alive, to be ignored.
  }
}

void IceControllingAgent::handle_request(Time now, const StunMessageView& request,
                                         const CandidatePair& path) {
  CheckVerdict verdict = verify_binding_request(request, local_, remote_.ufrag, mac_);
  if (verdict == CheckVerdict::kAccepted && !settle_role(request)) {
    verdict = CheckVerdict::kRoleConflict;
  }
  if (verdict == CheckVerdict::kAccepted) {
    ++stats_.requests_accepted;
    learn_from_request(now, request, path);
  } else {
    ++stats_.requests_refused;
  }
  push_reply(request, path, verdict);
}

// RFC 8445 §7.3.1.1. False if the request must be refused with 487.
bool IceControllingAgent::settle_role(const StunMessageView& request) {
  if (controlling_ && request.controlling()) {
    if (tie_breaker_ >= *request.controlling()) return false;
    switch_role();
  } else if (!controlling_ && request.controlled()) {
    if (tie_breaker_ < *request.controlled()) return false;
    switch_role();
  }
  return true;
}

// RFC 8445 §7.3.1.3 to §7.3.1.5: peer-reflexive candidates, triggered checks, nomination.
void IceControllingAgent::learn_from_request(Time now, const StunMessageView& request,
                                             const CandidatePair& path) {
  std::size_t index = find_pair(path);
  if (index == kNoPair) {
    const std::size_t local = local_index_of(path);
    if (local == locals_.size() || pairs_.size() >= kMaxPairs) {
      ++stats_.dropped_no_room;
      return;
    }
    index = add_pair(local, path.remote, request.priority().value_or(0));
    // After the nomination only the peer's USE-CANDIDATE makes a new path worth a check.
    if (nominated_) pairs_[index].state = PairState::kFailed;
  }
  Pair& pair = pairs_[index];
  pair.heard = true;
  const bool is_nomination = request.use_candidate() && !controlling_;
  if (is_nomination) pair.peer_nominated = true;

  if (pair.state == PairState::kSucceeded) {
    if (is_nomination) nominate(now, index);
    return;
  }
  if (nominated_ && !is_nomination) return;
  if (pair.state == PairState::kInProgress) {
    // The path works towards us: repeat the check at once instead of a new one, but a
    // flood of requests must not make a flood of ours.
    if (!pair.transaction.exhausted(options_.max_transmissions)) {
      pair.transaction.hasten(now, options_.check_interval);
    }
    return;
  }
  pair.state = PairState::kWaiting;
  pair.triggered = true;
}

void IceControllingAgent::push_reply(const StunMessageView& request, const CandidatePair& path,
                                     CheckVerdict verdict) {
  if (reply_count_ == kMaxReplies) {
    ++stats_.dropped_no_room;
    return;
  }
  replies_[(reply_head_ + reply_count_) % kMaxReplies] =
      Reply{.response = owe_response(request, verdict), .path = path};
  ++reply_count_;
}

void IceControllingAgent::handle_response(Time now, const StunMessageView& response,
                                          const CandidatePair& path) {
  const TransactionId& id = response.transaction_id();
  for (ConsentCheck& check : consent_) {
    if (check.outstanding && check.id == id) {
      return handle_consent_response(now, check, response, path);
    }
  }
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].state == PairState::kInProgress && pairs_[i].transaction.id == id) {
      return handle_check_response(now, i, response, path);
    }
  }
  ++stats_.dropped_unknown_transaction;
}

// RFC 8489 §9.1.4: what is not authentic is as if it had never come, errors included.
bool IceControllingAgent::is_authentic(const StunMessageView& response) {
  if (!response.has_integrity(remote_.pwd, mac_)) {
    ++stats_.dropped_unauthenticated;
    return false;
  }
  ++stats_.responses;
  return true;
}

void IceControllingAgent::handle_check_response(Time now, std::size_t index,
                                                const StunMessageView& response,
                                                const CandidatePair& path) {
  if (!is_authentic(response)) return;
  Pair& pair = pairs_[index];
  // RFC 8489 §6.3.3, §6.3.4.
  if (!response.unknown_required().empty()) return fail(now, index);
  if (response.message_class() == StunClass::kError) {
    return handle_check_error(now, index, response.error_code());
  }
  // RFC 8445 §7.2.5.2.1: the answer must come from where the check went, to where it
  // came from.
  if (find_pair(path) != index) return fail(now, index);
  if (!response.mapped_address()) {
    ++stats_.dropped_malformed;
    return;
  }
  // Karn: an answer to a check that was repeated is of unknown age.
  if (pair.transaction.transmissions == 1) measure(now - pair.transaction.sent);
  succeed(now, index);
}

void IceControllingAgent::measure(Duration rtt) {
  rtt_ = rtt;
  total_rtt_ += rtt;
}

void IceControllingAgent::handle_check_error(Time now, std::size_t index, int code) {
  if (code != kErrorRoleConflict || stats_.role_switches >= kMaxRoleSwitches) {
    return fail(now, index);
  }
  // RFC 8445 §7.2.5.1: switch, with a new tie-breaker, and check again. The transaction
  // states the present role: `switch_role` restarts any other.
  tie_breaker_ = rng_.next();
  switch_role();
}

void IceControllingAgent::handle_consent_response(Time now, ConsentCheck& check,
                                                  const StunMessageView& response,
                                                  const CandidatePair& path) {
  if (!is_authentic(response)) return;
  if (response.message_class() == StunClass::kError) {
    check.outstanding = false;
    // RFC 7675 §5.2: the peer revokes its consent.
    if (response.error_code() == kErrorForbidden) close(Event::Type::kConsentLost);
    return;
  }
  // RFC 7675 §5.1: from the peer's transport address, or it confirms nothing.
  if (find_pair(path) != selected_) return;
  check.outstanding = false;
  measure(now - check.sent);
  consent_expiry_ = now + options_.consent_timeout;
  ++stats_.consent_confirmed;
}

}  // namespace millrace::ice
