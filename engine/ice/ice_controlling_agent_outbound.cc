// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/base/check.h"
#include "engine/ice/ice_controlling_agent.h"
#include "engine/ice/stun_writer.h"

namespace millrace::ice {

std::size_t IceControllingAgent::poll_datagram(Time now, CandidatePair& path, MutableByteSpan out) {
  CHECK(out.size() >= kMaxStunBytes);
  if (closed_) return 0;
  if (const std::size_t n = poll_reply(path, out); n != 0) return n;
  if (const std::size_t n = poll_new_check(now, path, out); n != 0) return n;
  if (const std::size_t n = poll_retransmission(now, path, out); n != 0) return n;
  return poll_consent(now, path, out);
}

std::size_t IceControllingAgent::poll_reply(CandidatePair& path, MutableByteSpan out) {
  while (reply_count_ > 0) {
    const Reply& reply = replies_[reply_head_];
    reply_head_ = (reply_head_ + 1) % kMaxReplies;
    --reply_count_;
    path = reply.path;
    const std::size_t n = write_check_response(reply.response, path.remote, local_.pwd, mac_, out);
    if (n != 0) return n;
  }
  return 0;
}

// The waiting pair to check now: the one to nominate whenever it waits, then triggered
// ones and ordinary ones at the pace of Ta (RFC 8445 §6.1.4.2). The nominating check
// need not keep the pace: it repeats one that has just been answered.
std::size_t IceControllingAgent::next_waiting(Time now) const {
  std::size_t best = kNoPair;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& pair = pairs_[i];
    if (pair.state != PairState::kWaiting) continue;
    if (pair.nominating) return i;
    if (now < next_check_) continue;
    if (best == kNoPair || pair.triggered > pairs_[best].triggered ||
        (pair.triggered == pairs_[best].triggered && pair.priority > pairs_[best].priority)) {
      best = i;
    }
  }
  return best;
}

std::size_t IceControllingAgent::poll_new_check(Time now, CandidatePair& path,
                                                MutableByteSpan out) {
  const std::size_t index = next_waiting(now);
  if (index == kNoPair) return 0;
  Pair& pair = pairs_[index];
  pair.state = PairState::kInProgress;
  pair.triggered = false;
  pair.transaction.start(now, draw_id(), options_.initial_rto);
  if (!pair.nominating) next_check_ = now + options_.check_interval;
  ++stats_.checks_sent;
  path = pair.path;
  return write_check(pair, pair.transaction.id, pair.nominating, out);
}

std::size_t IceControllingAgent::poll_retransmission(Time now, CandidatePair& path,
                                                     MutableByteSpan out) {
  for (Pair& pair : pairs_) {
    CheckTransaction& transaction = pair.transaction;
    if (pair.state != PairState::kInProgress || now < transaction.due ||
        transaction.exhausted(options_.max_transmissions)) {
      continue;
    }
    transaction.retransmitted(now, options_.initial_rto, options_.max_transmissions,
                              options_.last_wait_factor);
    ++stats_.retransmissions;
    path = pair.path;
    return write_check(pair, transaction.id, pair.nominating, out);
  }
  return 0;
}

// RFC 7675 §5.1: each consent check is a transaction of its own and is sent once. In the
// controlling role it repeats USE-CANDIDATE, so that a lite peer that was drawn to
// another path by a replayed check returns to this one.
std::size_t IceControllingAgent::poll_consent(Time now, CandidatePair& path, MutableByteSpan out) {
  if (!nominated_ || now < next_consent_) return 0;
  arm_consent(now);
  ConsentCheck& check = consent_[next_consent_slot_];
  next_consent_slot_ = (next_consent_slot_ + 1) % kMaxConsentChecks;
  check = ConsentCheck{.id = draw_id(), .sent = now, .outstanding = true};
  ++stats_.checks_sent;
  ++stats_.consent_sent;
  path = pairs_[selected_].path;
  return write_check(pairs_[selected_], check.id, controlling_, out);
}

std::size_t IceControllingAgent::write_check(const Pair& pair, const TransactionId& id,
                                             bool use_candidate, MutableByteSpan out) const {
  // RFC 8445 §7.1.1: the priority that a peer-reflexive candidate would have.
  const auto preference = static_cast<std::uint16_t>(UINT16_MAX - pair.local_index);
  const BindingRequest request{
      .id = id,
      .remote_ufrag = remote_.ufrag,
      .local_ufrag = local_.ufrag,
      .priority = candidate_priority(CandidateType::kPeerReflexive, preference),
      .tie_breaker = tie_breaker_,
      .controlling = controlling_,
      .use_candidate = use_candidate,
  };
  return build_binding_request(request, remote_.pwd, mac_, out);
}

TransactionId IceControllingAgent::draw_id() {
  TransactionId id;
  rng_.fill(id);
  return id;
}

}  // namespace millrace::ice
