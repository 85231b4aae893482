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
        if (answer.use_candidate) nominate(now, path, digest);
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
  const std::uint64_t first = paths_[path].first;
  proven_ = (proven_ && nominated_ == path) || (first != kForgotten && first != transaction);
  selected_ = nominated_ = path;
  nominated_at_ = now;
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
      if (i == selected_ || i == nominated_) continue;
      if (index == kNone || !paths_[i].used() || paths_[i].last_check < paths_[index].last_check) {
        index = i;
      }
      if (!paths_[i].used()) break;
    }
    // What the evicted path's transactions were seen on is no path any more.
    for (Seen& seen : seen_) {
      if (seen.path == index) seen.path = kEvicted;
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
  for (const Seen& seen : seen_) {
    if (!seen.used || seen.id != id) continue;
    if (seen.path == path) return Recall::kRepeated;
    recalled = Recall::kReplayed;
  }
  return recalled;
}

void IceLiteAgent::remember(std::uint64_t id, std::uint8_t path) {
  seen_[next_seen_] = Seen{.id = id, .path = path, .used = true};
  next_seen_ = (next_seen_ + 1) % kSeen;
}

bool IceLiteAgent::is_authenticated(const CandidatePair& pair) const { return find(pair) != kNone; }

void IceLiteAgent::note_handshake(const CandidatePair& pair) {
  const std::size_t path = find(pair);
  if (!proven_ && path != kNone) selected_ = path;
}

void IceLiteAgent::note_record(Time now, const CandidatePair& pair, bool newest) {
  if (proven_) return;
  const std::size_t path = find(pair);
  if (path == kNone) return;
  proven_ = path == nominated_;
  const bool settled = nominated_ == kNone || now - nominated_at_ >= kSettling;
  if (proven_ || (newest && settled)) selected_ = path;
}

const CandidatePair* IceLiteAgent::selected() const {
  return selected_ == kNone ? nullptr : &paths_[selected_].pair;
}

}  // namespace millrace::ice
