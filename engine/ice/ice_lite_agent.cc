// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/ice_lite_agent.h"

#include <algorithm>
#include <utility>

namespace millrace::ice {

IceLiteAgent::IceLiteAgent(Time now, Credentials local, std::string remote_ufrag, Options options)
    : options_(options),
      local_(std::move(local)),
      remote_ufrag_(std::move(remote_ufrag)),
      last_check_(now) {}

IceLiteAgent::IceLiteAgent(Time now, const PendingSession& pending, Options options)
    : IceLiteAgent(now, pending.local(), pending.remote_ufrag(), options) {
  const PendingPairs::Snapshot known = pending.pairs().snapshot();
  static_assert(kMaxPairs >= PendingPairs::kSlots);
  for (std::size_t i = 0; i < known.count; ++i) {
    const PendingPairs::Entry& entry = known.entries[i];
    paths_[i] = Path{.pair = entry.pair, .last_check = entry.last_check, .first = kForgotten};
    if (nominated_ != kNone) continue;
    if (entry.nominated) {
      nominated_ = i;
      nominated_at_ = entry.last_check;
    }
    const bool later = selected_ == kNone || entry.last_check > paths_[selected_].last_check;
    if (nominated_ == i || later) selected_ = i;
  }
  const bool all_known = known.seen_count < PendingPairs::kSeen;
  for (std::size_t i = 0; i < known.seen_count; ++i) {
    const auto& [digest, entry] = known.seen[i];
    remember(digest, entry);
    if (all_known && entry < known.count && paths_[entry].first == kForgotten) {
      paths_[entry].first = digest;
    }
  }
  if (known.count > 0) last_check_ = std::min(now, pending.pairs().last_check());
}

CheckAnswer IceLiteAgent::handle_check(Time now, const StunMessageView& request,
                                       const CandidatePair& pair, const Mac& mac,
                                       MutableByteSpan out) {
  CheckAnswer answer = judge_lite_check(request, local_, remote_ufrag_, mac);
  if (answer.verdict == CheckVerdict::kAccepted) {
    const std::uint64_t digest = transaction_digest(request.transaction_id());
    const Recall recalled = recall(digest, find(pair));
    if (recalled == Recall::kReplayed) {
      answer.verdict = CheckVerdict::kReplayed;
    } else {
      const std::size_t path = find_or_add(now, pair, digest);
      last_check_ = now;
      // A check that is repeated had no answer: no news, and none that speaks for the path.
      if (recalled == Recall::kFresh) {
        remember(digest, static_cast<std::uint8_t>(path));
        if (answer.use_candidate) {
          nominate(now, path, digest);
        } else if (on_trial() && path == home_ && now - nominated_at_ >= kSettling) {
          give_way(now, home_);  // The peer asks there for consent, and not on the path on trial.
        }
      }
    }
  }
  ++counts_[static_cast<std::size_t>(answer.verdict)];
  answer.response_bytes = write_check_response(owe_response(request, answer.verdict), pair.remote,
                                               local_.pwd, mac, out);
  return answer;
}

// RFC 8489 §6.2.1: a check without an answer is repeated as it was, so where another transaction is
// begun the last one was answered, and the path leads back. libwebrtc, which begins them sooner,
// nominates no path to a lite agent that was not answered on it.
void IceLiteAgent::nominate(Time now, std::size_t path, std::uint64_t transaction) {
  if (home_ != kNone && path != home_) return contest(now, path);
  const std::uint64_t first = paths_[path].first;
  const bool answered = !keyed_ && first != kForgotten && first != transaction;
  proven_ = (proven_ && nominated_ == path) || answered;
  selected_ = nominated_ = path;
  nominated_at_ = now;
  trial_at_ = kNever;
}

// A nomination away from where the peer's records come from. It may be a replay, so it is tried
// only while no record comes there, and not soon after one that was tried in vain; and whatever
// else is nominated meanwhile gets no time of its own.
void IceLiteAgent::contest(Time now, std::size_t path) {
  nominated_ = path;
  if (on_trial()) {
    selected_ = path;
  } else if (trial_at_ == kNever) {
    proven_ = false;
    nominated_at_ = now;
    trial_at_ = std::max(heard_ + kSettling, rested_at_);
    handle_timeout(now);
  }
}

void IceLiteAgent::handle_timeout(Time now) {
  if (now < trial_at_) return;
  trial_at_ = kNever;
  selected_ = nominated_;
}

// The peer is heard on another path than the nominated one.
void IceLiteAgent::give_way(Time now, std::size_t path) {
  if (on_trial()) {
    rested_at_ = now + rest_;
    rest_ = std::min(2 * rest_, kLongestRest);
  }
  selected_ = home_ = path;
  trial_at_ = kNever;
}

std::size_t IceLiteAgent::find(const CandidatePair& pair) const {
  for (std::size_t i = 0; i < kMaxPairs; ++i) {
    if (paths_[i].used() && paths_[i].pair == pair) return i;
  }
  return kNone;
}

std::size_t IceLiteAgent::find_or_add(Time now, const CandidatePair& pair,
                                      std::uint64_t transaction) {
  std::size_t index = find(pair);
  if (index == kNone) {
    for (std::size_t i = 0; i < kMaxPairs; ++i) {
      if (i == selected_ || i == nominated_ || i == home_) continue;
      if (index == kNone || !paths_[i].used() || paths_[i].last_check < paths_[index].last_check) {
        index = i;
      }
      if (!paths_[i].used()) break;
    }
    // What the evicted path's transactions were seen on is no path any more.
    for (std::uint64_t& seen : seen_) {
      if (seen != 0 && (seen & 0xFF) == index) seen |= kEvicted;
    }
    const Path old = std::exchange(paths_[index], Path{.pair = pair, .first = transaction});
    const bool left =
        old.used() && std::none_of(paths_.begin(), paths_.end(), [&](const Path& path) {
          return path.used() && path.pair.remote == old.pair.remote;
        });
    if (left) evicted_ = old.pair.remote;
  }
  paths_[index].last_check = now;
  return index;
}

IceLiteAgent::Recall IceLiteAgent::recall(std::uint64_t id, std::size_t path) const {
  if (path != kNone && paths_[path].first == id) return Recall::kRepeated;
  Recall recalled = Recall::kFresh;
  for (const std::uint64_t seen : seen_) {
    if (seen == 0 || (seen >> 16) != id) continue;
    if ((seen & 0xFF) == path) return Recall::kRepeated;
    recalled = Recall::kReplayed;
  }
  return recalled;
}

void IceLiteAgent::remember(std::uint64_t id, std::uint8_t path) {
  seen_[next_seen_] = seen_word(id, path);
  next_seen_ = (next_seen_ + 1) % kSeen;
}

bool IceLiteAgent::is_authenticated(const CandidatePair& pair) const { return find(pair) != kNone; }

void IceLiteAgent::note_handshake(const CandidatePair& pair) {
  const std::size_t path = find(pair);
  if (!proven_ && path != kNone) selected_ = path;
}

// No handshake ends without answers to what was sent, so that the selected path leads back, unless
// it was nominated at the last moment.
void IceLiteAgent::note_keys() {
  keyed_ = true;
  proven_ = false;
  home_ = selected_;
}

void IceLiteAgent::note_record(Time now, const CandidatePair& pair, bool newest) {
  if (proven_) return;
  const std::size_t path = find(pair);
  if (path == kNone) return;
  if (path == nominated_ && (newest || home_ == kNone || home_ == path)) {
    proven_ = true;
    selected_ = home_ = path;
    trial_at_ = kNever;
    rest_ = kRest;
  } else if (newest && (nominated_ == kNone || now - nominated_at_ >= kSettling)) {
    give_way(now, path);
  } else if (newest && path == home_ && trial_at_ != kNever) {
    trial_at_ = std::max(trial_at_, now + kSettling);
  }
}

const CandidatePair* IceLiteAgent::selected() const {
  return selected_ == kNone ? nullptr : &paths_[selected_].pair;
}

}  // namespace millrace::ice
