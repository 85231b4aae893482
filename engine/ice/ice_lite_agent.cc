// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/ice_lite_agent.h"

#include <algorithm>
#include <utility>

#include "engine/base/bytes.h"

namespace millrace::ice {
namespace {

std::uint64_t digest_of(const TransactionId& id) { return load_be64(&id[0]) ^ load_be32(&id[8]); }

}  // namespace

IceLiteAgent::IceLiteAgent(Time now, Credentials local, std::string remote_ufrag, Options options)
    : options_(options),
      local_(std::move(local)),
      remote_ufrag_(std::move(remote_ufrag)),
      last_check_(now) {}

IceLiteAgent::IceLiteAgent(Time now, const PendingSession& pending, Options options)
    : IceLiteAgent(now, pending.local(), pending.remote_ufrag(), options) {
  std::array<PendingPairs::Entry, PendingPairs::kSlots> entries;
  const std::size_t count = pending.pairs().snapshot(entries);
  static_assert(kMaxPairs >= PendingPairs::kSlots);
  for (std::size_t i = 0; i < count; ++i) {
    paths_[i] = Path{.pair = entries[i].pair, .last_check = entries[i].last_check, .used = true};
    if (nominated_ != kNone) continue;
    if (entries[i].nominated) nominated_ = i;
    const bool later = selected_ == kNone || entries[i].last_check > paths_[selected_].last_check;
    if (nominated_ == i || later) selected_ = i;
  }
  if (count > 0) last_check_ = std::min(now, pending.pairs().last_check());
}

CheckAnswer IceLiteAgent::handle_check(Time now, const StunMessageView& request,
                                       const CandidatePair& pair, const Mac& mac,
                                       MutableByteSpan out) {
  CheckAnswer answer = judge_lite_check(request, local_, remote_ufrag_, mac);
  if (answer.verdict == CheckVerdict::kAccepted) {
    if (is_replay(request, find(pair))) {
      answer.verdict = CheckVerdict::kReplayed;
    } else {
      const std::size_t path = find_or_add(now, pair);
      const bool fresh = remember(request, path);
      last_check_ = now;
      // A check that is repeated had no answer: no news, and none that speaks for the path.
      if (answer.use_candidate && fresh) {
        if (nominated_ != path) proven_ = false;
        selected_ = nominated_ = path;
      }
    }
  }
  ++counts_[static_cast<std::size_t>(answer.verdict)];
  answer.response_bytes = write_check_response(owe_response(request, answer.verdict), pair.remote,
                                               local_.pwd, mac, out);
  return answer;
}

std::size_t IceLiteAgent::find(const CandidatePair& pair) const {
  for (std::size_t i = 0; i < kMaxPairs; ++i) {
    if (paths_[i].used && paths_[i].pair == pair) return i;
  }
  return kNone;
}

std::size_t IceLiteAgent::find_or_add(Time now, const CandidatePair& pair) {
  std::size_t index = find(pair);
  if (index == kNone) {
    for (std::size_t i = 0; i < kMaxPairs; ++i) {
      if (i == selected_ || i == nominated_) continue;
      if (index == kNone || !paths_[i].used || paths_[i].last_check < paths_[index].last_check) {
        index = i;
      }
      if (!paths_[i].used) break;
    }
    // What the evicted path's transactions were seen on is no path any more.
    for (Seen& seen : seen_) {
      if (seen.path == index) seen.path = kEvicted;
    }
    const Path old = std::exchange(paths_[index], Path{.pair = pair, .used = true});
    const bool left = old.used && std::none_of(paths_.begin(), paths_.end(), [&](const Path& path) {
                        return path.used && path.pair.remote == old.pair.remote;
                      });
    if (left) evicted_ = old.pair.remote;
  }
  paths_[index].last_check = now;
  return index;
}

bool IceLiteAgent::is_replay(const StunMessageView& request, std::size_t path) const {
  const std::uint64_t id = digest_of(request.transaction_id());
  return std::any_of(seen_.begin(), seen_.end(), [id, path](const Seen& seen) {
    return seen.used && seen.id == id && seen.path != path;
  });
}

// False if it is known already.
bool IceLiteAgent::remember(const StunMessageView& request, std::size_t path) {
  const std::uint64_t id = digest_of(request.transaction_id());
  const bool is_repeat = std::any_of(seen_.begin(), seen_.end(),
                                     [id](const Seen& seen) { return seen.used && seen.id == id; });
  if (is_repeat) return false;
  seen_[next_seen_] = Seen{.id = id, .path = static_cast<std::uint8_t>(path), .used = true};
  next_seen_ = (next_seen_ + 1) % kSeen;
  return true;
}

bool IceLiteAgent::is_authenticated(const CandidatePair& pair) const { return find(pair) != kNone; }

void IceLiteAgent::note_dtls(const CandidatePair& pair) {
  if (proven_) return;
  const std::size_t path = find(pair);
  if (path == kNone) return;
  selected_ = path;
  proven_ = path == nominated_;
}

const CandidatePair* IceLiteAgent::selected() const {
  return selected_ == kNone ? nullptr : &paths_[selected_].pair;
}

}  // namespace millrace::ice
