// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/ice_controlling_agent.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace millrace::ice {
namespace {

bool is_malformed(const Candidate& candidate) {
  return candidate.address.port == 0 || candidate.address.ip.is_unspecified();
}

std::uint32_t local_priority(CandidateType type, std::size_t index) {
  return candidate_priority(type, static_cast<std::uint16_t>(UINT16_MAX - index));
}

}  // namespace

IceControllingAgent::IceControllingAgent(Time now, Setup setup, Options options, Rng& rng,
                                         const Mac& mac)
    : options_(options),
      local_(std::move(setup.local)),
      remote_(std::move(setup.remote)),
      remote_is_lite_(setup.remote_is_lite),
      rng_(rng),
      mac_(mac),
      locals_(std::move(setup.local_addresses)),
      tie_breaker_(rng.next()),
      patience_end_(now + options.patience),
      next_check_(now) {
  if (locals_.size() > kMaxLocalAddresses) locals_.resize(kMaxLocalAddresses);
  form_pairs(setup.remote_candidates);
  if (remote_is_lite_ && pairs_.size() == 1) nominate_at_once();
  if (is_hopeless() && remote_is_lite_) close(Event::Type::kFailed);
}

// RFC 8445 §6.1.2: pairs of equal family, by falling priority, the lowest dropped.
void IceControllingAgent::form_pairs(const std::vector<Candidate>& remotes) {
  const std::size_t count = std::min(remotes.size(), kMaxRemoteCandidates);
  for (std::size_t r = 0; r < count; ++r) {
    const Candidate& remote = remotes[r];
    if (is_malformed(remote)) continue;
    for (std::size_t l = 0; l < locals_.size(); ++l) {
      const IpAddress& local = locals_[l];
      if (local.family != remote.address.ip.family) continue;
      // From a loopback source no datagram leaves the host.
      if (local.is_loopback() && !remote.address.ip.is_loopback()) continue;
      if (find_pair({remote.address, local}) != kNoPair) continue;
      pairs_[add_pair(l, remote.address, remote.priority)].remote_type = remote.type;
    }
  }
  std::stable_sort(pairs_.begin(), pairs_.end(),
                   [](const Pair& a, const Pair& b) { return a.priority > b.priority; });
  if (pairs_.size() > kMaxPairs) pairs_.resize(kMaxPairs);
}

std::size_t IceControllingAgent::add_pair(std::size_t local_index, const Address& remote,
                                          std::uint32_t priority) {
  Pair pair;
  pair.path = CandidatePair{remote, locals_[local_index]};
  pair.remote_priority = priority;
  pair.local_index = local_index;
  pair.priority = priority_of(pair);
  pairs_.push_back(pair);
  return pairs_.size() - 1;
}

CandidateType IceControllingAgent::remote_type() const {
  return selected_ == kNoPair ? CandidateType::kPeerReflexive : pairs_[selected_].remote_type;
}

std::uint64_t IceControllingAgent::priority_of(const Pair& pair) const {
  const std::uint32_t ours = local_priority(CandidateType::kHost, pair.local_index);
  return controlling_ ? pair_priority(ours, pair.remote_priority)
                      : pair_priority(pair.remote_priority, ours);
}

std::size_t IceControllingAgent::local_index_of(const CandidatePair& path) const {
  std::size_t same_family = locals_.size();
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    if (locals_[i] == path.local) return i;
    if (same_family == locals_.size() && locals_[i].family == path.remote.ip.family) {
      same_family = i;
    }
  }
  return same_family;
}

std::size_t IceControllingAgent::find_pair(const CandidatePair& path) const {
  // Nearly all that comes is of the path that we send on.
  if (selected_ != kNoPair && pairs_[selected_].path == path) return selected_;
  const std::size_t local = local_index_of(path);
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].local_index == local && pairs_[i].path.remote == path.remote) return i;
  }
  return kNoPair;
}

bool IceControllingAgent::is_authenticated(const CandidatePair& path) const {
  const std::size_t index = find_pair(path);
  return index != kNoPair && (pairs_[index].valid || pairs_[index].heard);
}

const CandidatePair* IceControllingAgent::selected() const {
  return selected_ == kNoPair ? nullptr : &pairs_[selected_].path;
}

void IceControllingAgent::succeed(Time now, std::size_t index) {
  Pair& pair = pairs_[index];
  pair.state = PairState::kSucceeded;
  pair.transaction.due = kNever;
  pair.valid = true;
  pair.answered_at = now;
  if (selected_ == kNoPair) selected_ = index;
  if (!pair.announced) {
    pair.announced = true;
    push_event(Event::Type::kPairAuthenticated, pair.path);
  }
  if (pair.nominating || (!controlling_ && pair.peer_nominated)) {
    nominate(now, index);
  } else if (controlling_ && !nomination_begun_) {
    begin_nomination(index);
  }
}

// RFC 8445 §8.1.1 wants one pair picked from those that answered. A lite peer adds none to those
// that were signalled, so where they make one pair there is nothing to pick from, and its first
// check nominates it (decision 0015).
void IceControllingAgent::nominate_at_once() {
  nomination_begun_ = true;
  pairs_.front().nominating = true;
}

// RFC 8445 §8.1.1: the check is repeated with USE-CANDIDATE, as a triggered one.
void IceControllingAgent::begin_nomination(std::size_t index) {
  Pair& pair = pairs_[index];
  nomination_begun_ = true;
  pair.nominating = true;
  pair.triggered = true;
  pair.state = PairState::kWaiting;
  selected_ = index;
}

// A path that answered lately is in use, for DTLS begins before the nomination: a nominating check
// whose every copy was lost begins again for as long as that answer is consent (RFC 7675 §5.1),
// unless there is another path to take.
bool IceControllingAgent::nominate_again(Time now, std::size_t index) {
  const Pair& pair = pairs_[index];
  const bool fresh = pair.valid && now - pair.answered_at < options_.consent_timeout;
  if (!pair.nominating || !fresh || succeeded_pair() != kNoPair) return false;
  begin_nomination(index);
  return true;
}

// The first pair that answered and has no check under way; kNoPair if there is none.
std::size_t IceControllingAgent::succeeded_pair() const {
  const auto found = std::find_if(pairs_.begin(), pairs_.end(), [](const Pair& pair) {
    return pair.valid && pair.state == PairState::kSucceeded;
  });
  return found == pairs_.end() ? kNoPair : static_cast<std::size_t>(found - pairs_.begin());
}

void IceControllingAgent::nominate(Time now, std::size_t index) {
  const bool is_news = !nominated_ || selected_ != index;
  nominated_ = true;
  selected_ = index;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    pair.nominating = false;
    pair.peer_nominated = false;
    pair.triggered = false;
    // RFC 8445 §8.1.2: checks of other pairs are neither begun nor repeated.
    if (i == index || pair.state == PairState::kSucceeded) continue;
    pair.state = PairState::kFailed;
    pair.transaction.due = kNever;
  }
  if (!is_news) return;
  arm_consent(now);
  consent_expiry_ = now + options_.consent_timeout;
  // RFC 7675 §5.1: consent belongs to one path; what is owed on another proves nothing.
  for (ConsentCheck& check : consent_) check.outstanding = false;
  push_event(Event::Type::kNominated, pairs_[index].path);
}

void IceControllingAgent::arm_consent(Time now) {
  // RFC 7675 §5.1: a random interval keeps many sessions from falling into step.
  const auto period =
      static_cast<std::uint64_t>(std::max<Duration::rep>(options_.consent_period.count(), 5));
  const std::uint64_t interval = period - period / 5 + rng_.below(2 * (period / 5) + 1);
  next_consent_ = now + Duration(static_cast<Duration::rep>(interval));
  // Thousands of agents on one thread are then woken, and wake their peer, some at a time.
  const Duration past = next_consent_.time_since_epoch() % options_.consent_grain;
  if (Duration(static_cast<Duration::rep>(interval)) - past >= options_.consent_period * 4 / 5) {
    next_consent_ -= past;
  }
}

void IceControllingAgent::fail(Time now, std::size_t index) {
  Pair& pair = pairs_[index];
  pair.state = PairState::kFailed;
  pair.transaction.due = kNever;
  pair.valid = false;
  const bool was_nominating = std::exchange(pair.nominating, false);
  if (was_nominating) nomination_begun_ = false;
  if (selected_ == index && !nominated_) selected_ = kNoPair;
  if (was_nominating || selected_ == kNoPair) {
    if (const std::size_t next = succeeded_pair(); next != kNoPair) {
      selected_ = next;
      if (controlling_ && !nominated_) begin_nomination(selected_);
    }
  }
  const bool patient = !remote_is_lite_ && now < patience_end_;
  if (is_hopeless() && !patient) close(Event::Type::kFailed);
}

bool IceControllingAgent::is_hopeless() const {
  return !nominated_ && std::none_of(pairs_.begin(), pairs_.end(), [](const Pair& pair) {
    return pair.state == PairState::kWaiting || pair.state == PairState::kInProgress;
  });
}

// RFC 8445 §7.2.5.1 and §7.3.1.1. Checks on their way state the old role: each begins
// again with a new transaction, and pairs are ranked anew (§6.1.2.3).
void IceControllingAgent::switch_role() {
  controlling_ = !controlling_;
  ++stats_.role_switches;
  if (!nominated_) nomination_begun_ = false;
  std::size_t valid = kNoPair;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    pair.priority = priority_of(pair);
    pair.nominating = false;
    if (pair.state == PairState::kInProgress) {
      pair.state = PairState::kWaiting;
      pair.triggered = true;
      pair.transaction.due = kNever;
    }
    if (pair.valid && valid == kNoPair) valid = i;
  }
  if (controlling_ && !nominated_ && valid != kNoPair) begin_nomination(valid);
}

void IceControllingAgent::close(Event::Type type) {
  if (closed_) return;
  closed_ = true;
  push_event(type, selected_ == kNoPair ? CandidatePair{} : pairs_[selected_].path);
  reply_count_ = 0;
}

void IceControllingAgent::push_event(Event::Type type, const CandidatePair& pair) {
  // A driver that drains after each call never fills the queue; for one that does not,
  // the newest event is the one that counts.
  if (event_count_ == kMaxEvents) --event_count_;
  events_[(event_head_ + event_count_) % kMaxEvents] = Event{type, pair};
  ++event_count_;
}

bool IceControllingAgent::poll_event(Event& out) {
  if (event_count_ == 0) return false;
  out = events_[event_head_];
  event_head_ = (event_head_ + 1) % kMaxEvents;
  --event_count_;
  return true;
}

void IceControllingAgent::handle_timeout(Time now) {
  if (closed_) return;
  if (now >= consent_expiry_) return close(Event::Type::kConsentLost);
  for (std::size_t i = 0; i < pairs_.size() && !closed_; ++i) {
    const Pair& pair = pairs_[i];
    if (pair.state == PairState::kInProgress && now >= pair.transaction.due &&
        pair.transaction.exhausted(options_.max_transmissions) && !nominate_again(now, i)) {
      fail(now, i);
    }
  }
  if (!closed_ && is_hopeless() && now >= patience_end_) close(Event::Type::kFailed);
}

Time IceControllingAgent::next_timeout() const {
  if (closed_) return kNever;
  Time next = std::min(next_consent_, consent_expiry_);
  for (const Pair& pair : pairs_) {
    if (pair.state == PairState::kInProgress) next = std::min(next, pair.transaction.due);
    if (pair.state == PairState::kWaiting) next = std::min(next, next_check_);
  }
  if (is_hopeless()) next = std::min(next, patience_end_);
  return next;
}

}  // namespace millrace::ice
