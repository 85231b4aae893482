// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/pending_pairs.h"

#include <algorithm>
#include <utility>

#include "engine/base/bytes.h"

namespace millrace::ice {
namespace {

Time::rep ticks(Time time) { return time.time_since_epoch().count(); }

std::uint64_t family_code(const IpAddress& ip) { return static_cast<std::uint8_t>(ip.family); }

IpAddress unpack_ip(std::uint64_t high, std::uint64_t low, std::uint64_t family,
                    std::uint64_t scope) {
  IpAddress ip;
  store_be64(&ip.bytes[0], high);
  store_be64(&ip.bytes[8], low);
  ip.family = static_cast<IpAddress::Family>(family);
  ip.scope_id = static_cast<std::uint32_t>(scope);
  return ip;
}

void raise_to(std::atomic<Time::rep>& value, Time::rep to) {
  // At most one more turn per thread that raises it too, each to a later time.
  Time::rep seen = value.load(std::memory_order_relaxed);
  while (seen < to && !value.compare_exchange_weak(seen, to, std::memory_order_relaxed)) {
  }
}

constexpr bool is_settled(std::uint32_t sequence) { return sequence != 0 && sequence % 2 == 0; }

}  // namespace

PendingPairs::Words PendingPairs::pack(const CandidatePair& pair) {
  const IpAddress& remote = pair.remote.ip;
  const IpAddress& local = pair.local;
  return {load_be64(&remote.bytes[0]),
          load_be64(&remote.bytes[8]),
          std::uint64_t{pair.remote.port} | (family_code(remote) << 16) |
              (std::uint64_t{remote.scope_id} << 32),
          load_be64(&local.bytes[0]),
          load_be64(&local.bytes[8]),
          (family_code(local) << 16) | (std::uint64_t{local.scope_id} << 32)};
}

CandidatePair PendingPairs::unpack(const Words& words) {
  CandidatePair pair;
  pair.remote.ip = unpack_ip(words[0], words[1], (words[2] >> 16) & 0xFF, words[2] >> 32);
  pair.remote.port = static_cast<std::uint16_t>(words[2]);
  pair.local = unpack_ip(words[3], words[4], (words[5] >> 16) & 0xFF, words[5] >> 32);
  return pair;
}

// The words are stored with release and loaded with acquire: a reader that sees one word
// of a writer at work also sees that writer's odd sequence when it looks again.
std::uint32_t PendingPairs::read(const Slot& slot, Words& words) {
  const std::uint32_t before = slot.sequence.load(std::memory_order_acquire);
  if (!is_settled(before)) return 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = slot.words[i].load(std::memory_order_acquire);
  }
  return slot.sequence.load(std::memory_order_relaxed) == before ? before : 0;
}

void PendingPairs::touch(const Place& place, Time now) {
  raise_to(slots_[place.index].last_check, ticks(now));
  raise_to(last_check_, ticks(now));
}

std::optional<PendingPairs::Place> PendingPairs::replace(const Place& victim, Time now,
                                                         const Words& words) {
  Slot& slot = slots_[victim.index];
  std::uint32_t expected = victim.sequence;
  if (!slot.sequence.compare_exchange_strong(expected, victim.sequence + 1,
                                             std::memory_order_acq_rel)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    slot.words[i].store(words[i], std::memory_order_release);
  }
  slot.last_check.store(ticks(now), std::memory_order_relaxed);
  slot.sequence.store(victim.sequence + 2, std::memory_order_release);
  return Place{.index = victim.index, .sequence = victim.sequence + 2};
}

std::optional<PendingPairs::Place> PendingPairs::find(const Words& wanted) const {
  for (std::size_t i = 0; i < kSlots; ++i) {
    Words words;
    const std::uint32_t sequence = read(slots_[i], words);
    if (sequence != 0 && words == wanted) return Place{.index = i, .sequence = sequence};
  }
  return std::nullopt;
}

// The place that a word of `seen_` names, if it is `wanted`'s still.
std::optional<PendingPairs::Place> PendingPairs::place_of(std::uint64_t seen,
                                                          const Words& wanted) const {
  Words words;
  Place place{.index = (seen >> 1) % kSlots};
  place.sequence = read(slots_[place.index], words);
  const bool same = place.sequence != 0 && mark_of(place) == (seen & 0xFFFF) && words == wanted;
  return same ? std::optional(place) : std::nullopt;
}

std::optional<PendingPairs::Place> PendingPairs::find_or_add(Time now, const Words& wanted) {
  // Each round loses a race to a thread that recorded something: the rounds are bounded.
  for (std::size_t round = 0; round < kSlots; ++round) {
    if (const std::optional<Place> known = find(wanted)) return known;
    const std::uint64_t nomination = nomination_.load(std::memory_order_acquire);
    std::optional<Place> victim;
    Time::rep victim_age = 0;
    for (std::size_t i = 0; i < kSlots; ++i) {
      const std::uint32_t sequence = slots_[i].sequence.load(std::memory_order_acquire);
      const bool is_nominated = nomination != 0 && (nomination & 0xFF) == i;
      if (sequence % 2 != 0 || is_nominated) continue;
      const Time::rep age = sequence == 0 ? Time::min().time_since_epoch().count()
                                          : slots_[i].last_check.load(std::memory_order_relaxed);
      if (victim && age >= victim_age) continue;
      victim = Place{.index = i, .sequence = sequence};
      victim_age = age;
    }
    if (!victim) return std::nullopt;
    if (const std::optional<Place> added = replace(*victim, now, wanted)) return added;
  }
  return std::nullopt;
}

CheckVerdict PendingPairs::record(Time now, const CandidatePair& pair, const TransactionId& id,
                                  bool use_candidate) {
  const Words wanted = pack(pair);
  const std::uint64_t digest = transaction_digest(id);
  bool replayed = false;
  for (const std::atomic<std::uint64_t>& seen : seen_) {
    const std::uint64_t word = seen.load(std::memory_order_acquire);
    if (word == 0 || (word >> 16) != digest) continue;
    if (const std::optional<Place> place = place_of(word, wanted)) {
      touch(*place, now);
      return CheckVerdict::kAccepted;
    }
    replayed = true;
  }
  if (replayed) return CheckVerdict::kReplayed;
  const std::optional<Place> place = find_or_add(now, wanted);
  if (!place) return CheckVerdict::kNoRoom;
  touch(*place, now);
  const std::size_t at = next_seen_.fetch_add(1, std::memory_order_relaxed) % kSeen;
  seen_[at].store((digest << 16) | mark_of(*place), std::memory_order_release);
  if (use_candidate) {
    nomination_.store((std::uint64_t{place->sequence} << 8) | place->index,
                      std::memory_order_release);
  }
  return CheckVerdict::kAccepted;
}

bool PendingPairs::contains(const CandidatePair& pair) const {
  return find(pack(pair)).has_value();
}

std::optional<CandidatePair> PendingPairs::nominated() const {
  const std::uint64_t nomination = nomination_.load(std::memory_order_acquire);
  if (nomination == 0) return std::nullopt;
  Words words;
  const std::uint32_t sequence = read(slots_[nomination & 0xFF], words);
  if (sequence != static_cast<std::uint32_t>(nomination >> 8)) return std::nullopt;
  return unpack(words);
}

Time PendingPairs::last_check() const {
  return Time(Duration(last_check_.load(std::memory_order_relaxed)));
}

PendingPairs::Snapshot PendingPairs::snapshot() const {
  const std::optional<CandidatePair> chosen = nominated();
  Snapshot out;
  std::array<std::uint64_t, kSlots> marks{};  // By slot, of those that settled.
  std::array<std::uint8_t, kSlots> entry_of{};
  for (std::size_t i = 0; i < kSlots; ++i) {
    Words words;
    const std::uint32_t sequence = read(slots_[i], words);
    if (sequence == 0) continue;
    const CandidatePair pair = unpack(words);
    // Two threads that met the same new path at once may each have given it a slot.
    std::size_t at = 0;
    while (at < out.count && out.entries[at].pair != pair) ++at;
    marks[i] = mark_of({.index = i, .sequence = sequence});
    entry_of[i] = static_cast<std::uint8_t>(at);
    if (at < out.count) continue;
    out.entries[out.count++] =
        Entry{.pair = pair,
              .last_check = Time(Duration(slots_[i].last_check.load(std::memory_order_relaxed))),
              .nominated = chosen == pair};
  }
  // Oldest first. After the paths, so that none of a path that was found is missing.
  const std::uint32_t begin = next_seen_.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < kSeen; ++i) {
    const std::uint64_t word = seen_[(begin + i) % kSeen].load(std::memory_order_acquire);
    if (word == 0) continue;
    const auto mark = std::find(marks.begin(), marks.end(), word & 0xFFFF);
    out.seen[out.seen_count++] = Seen{
        .digest = word >> 16,
        .entry = mark == marks.end() ? kElsewhere
                                     : entry_of[static_cast<std::size_t>(mark - marks.begin())]};
  }
  return out;
}

PendingSession::PendingSession(Credentials local, std::string remote_ufrag, Time created)
    : local_(std::move(local)), remote_ufrag_(std::move(remote_ufrag)), created_(created) {}

CheckAnswer PendingSession::handle_check(Time now, const StunMessageView& request,
                                         const CandidatePair& pair, const Mac& mac,
                                         MutableByteSpan out) {
  CheckAnswer answer = judge_lite_check(request, local_, remote_ufrag_, mac);
  // Recorded before it is answered: DTLS may follow the answer at once, on this path.
  if (answer.verdict == CheckVerdict::kAccepted) {
    answer.verdict = pairs_.record(now, pair, request.transaction_id(), answer.use_candidate);
  }
  answer.response_bytes = write_check_response(owe_response(request, answer.verdict), pair.remote,
                                               local_.pwd, mac, out);
  return answer;
}

Time PendingSession::expiry(Duration timeout) const {
  return std::max(created_, pairs_.last_check()) + timeout;
}

}  // namespace millrace::ice
