// SPDX-License-Identifier: Apache-2.0
#include "io/net/neighbour_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace millrace::io {
namespace {

// Of the table's entries, what one MAC address may have that is no crowd.
constexpr std::size_t kShare = 16;
constexpr std::size_t kHousehold = 4;
constexpr std::size_t kMinCrowds = 4096;

}  // namespace

NeighbourTable::NeighbourTable(const NeighbourOptions& options, std::size_t pinned, Time now,
                               Rng& rng, NetStats& stats)
    : options_(options),
      stats_(stats),
      key_{rng.next(), rng.next()},
      entries_(options.max_neighbours + pinned),
      buckets_(std::bit_ceil(2 * entries_.size()), kNoIndex),
      crowds_(std::max(buckets_.size(), kMinCrowds)),
      largest_household_(std::max<std::size_t>(options.max_neighbours / kShare, kHousehold)),
      wheel_(entries_.size(), now),
      questions_(entries_.size()),
      ready_(options.max_parked) {
  for (std::size_t i = entries_.size(); i-- > 0;) {
    entries_[i].next = free_;
    free_ = static_cast<Index>(i);
  }
}

std::size_t NeighbourTable::bucket_of(const IpAddress& ip) const {
  const std::array<std::uint64_t, 3> words{load_be64(ip.bytes.data()),
                                           load_be64(ip.bytes.data() + 8),
                                           static_cast<std::uint64_t>(ip.family)};
  return siphash_words<1, 3>(key_, words) & (buckets_.size() - 1);
}

NeighbourTable::Index NeighbourTable::find(const IpAddress& ip) const {
  Index i = buckets_[bucket_of(ip)];
  while (i != kNoIndex &&
         (entries_[i].ip.bytes != ip.bytes || entries_[i].ip.family != ip.family)) {
    i = entries_[i].next;
  }
  return i;
}

NeighbourState NeighbourTable::state(const IpAddress& ip) const {
  const Index i = find(ip);
  return i != kNoIndex ? entries_[i].state : NeighbourState::kNone;
}

std::optional<MacAddress> NeighbourTable::known_mac(const IpAddress& ip) const {
  const Index i = find(ip);
  if (i == kNoIndex || !has_mac(entries_[i].state)) return std::nullopt;
  return entries_[i].mac;
}

NeighbourTable::Index NeighbourTable::insert(Time now, const IpAddress& ip, bool pinned) {
  CHECK(free_ != kNoIndex);
  const Index i = free_;
  Entry& entry = entries_[i];
  free_ = entry.next;
  entry.ip = ip;
  entry.ip.scope_id = 0;
  entry.pinned = pinned;
  entry.used = now;
  entry.entered = now;
  entry.changed = Time::min();
  entry.asked = Time::min();
  Index& bucket = buckets_[bucket_of(ip)];
  entry.next = bucket;
  bucket = i;
  if (!pinned) ++size_;
  return i;
}

void NeighbourTable::erase(Index i) {
  Entry& entry = entries_[i];
  DCHECK(entry.waiting_count == 0);
  set_state(i, NeighbourState::kNone);
  if (!entry.pinned) --size_;
  Index* link = &buckets_[bucket_of(entry.ip)];
  while (*link != i) link = &entries_[*link].next;
  *link = entry.next;
  entry.next = free_;
  free_ = i;
  wheel_.cancel(i);
}

void NeighbourTable::set_state(Index i, NeighbourState state) {
  Entry& entry = entries_[i];
  const NeighbourState before = std::exchange(entry.state, state);
  if (!entry.pinned) {
    if (is_unresolved(before)) --unresolved_;
    if (is_unresolved(state)) ++unresolved_;
    if (has_mac(before) && !has_mac(state)) --crowd_at(entry.mac);
    if (!has_mac(before) && has_mac(state)) join_crowd(entry);
    requeue(i);
  }
  // What a template holds does not change between the states that have an address.
  if (has_mac(before) != has_mac(state) || !has_mac(state)) ++entry.generation;
}

void NeighbourTable::add_static(const IpAddress& ip, const MacAddress& mac) {
  const Index i = insert(Time::min(), ip, true);
  entries_[i].mac = mac;
  set_state(i, NeighbourState::kStatic);
}

NeighbourTable::Index NeighbourTable::resolve(Time now, const IpAddress& ip, bool pinned,
                                              NetDrop& refusal) {
  Index i = find(ip);
  if (i == kNoIndex) {
    if (!pinned && !make_room(now)) {
      refusal = NetDrop::kTxNeighbourTable;
      return kNoIndex;
    }
    i = insert(now, ip, pinned);
    set_state(i, NeighbourState::kIncomplete);
    entries_[i].attempts = 0;
    ask(now, i);
  }
  Entry& entry = entries_[i];
  entry.used = now;
  if (entry.state == NeighbourState::kFailed) {
    refusal = NetDrop::kTxUnreachable;
    return kNoIndex;
  }
  if (entry.state == NeighbourState::kStale) probe(now, i);
  return i;
}

// Where the unresolved are too many, one of these has to go; where the table is full, too, if
// there is one.
bool NeighbourTable::make_room(Time now) {
  const bool may_ask = unresolved_ < options_.max_unresolved;
  if (may_ask && size_ < options_.max_neighbours) return true;
  Index victim = oldest_question(now);
  if (victim == kNoIndex && may_ask) victim = one_of_a_crowd(now);
  if (victim == kNoIndex && may_ask) victim = longest_unused(now);
  if (victim == kNoIndex) return false;
  release_waiting(entries_[victim], false);
  erase(victim);
  ++stats_.neighbours_displaced;
  return true;
}

NeighbourTable::Index NeighbourTable::oldest_question(Time now) const {
  const Index i = asked_.oldest;
  return i != kNoIndex && now - entries_[i].queued >= options_.retransmit_time ? i : kNoIndex;
}

std::uint16_t& NeighbourTable::crowd_at(const MacAddress& mac) {
  const std::array<std::uint64_t, 1> words{load_be48(mac.bytes.data())};
  return crowds_[siphash_words<1, 3>(key_, words) & (crowds_.size() - 1)];
}

// The clock algorithm: an entry that was used since it was queued is queued anew.
NeighbourTable::Index NeighbourTable::longest_unused(Time now) {
  for (int looks = 0; looks < kMaxLooks; ++looks) {
    const Index i = answered_.oldest;
    if (i == kNoIndex) break;
    const Entry& entry = entries_[i];
    if (entry.used == entry.queued) {
      return now - entry.queued >= options_.retransmit_time ? i : kNoIndex;
    }
    remove(answered_, i);
    append(answered_, i);
  }
  return kNoIndex;
}

// One that is not used if one is found, else the one that was looked at longest ago.
NeighbourTable::Index NeighbourTable::one_of_a_crowd(Time now) {
  Index victim = kNoIndex;
  Index next = crowded_.oldest;
  for (int looks = 0; looks < kMaxLooks && next != kNoIndex; ++looks) {
    const Index i = next;
    const Entry& entry = entries_[i];
    next = entry.newer;
    const bool had_its_chance = now - entry.entered >= options_.retransmit_time;
    const bool unused = entry.used == entry.queued;
    if (had_its_chance && (unused || victim == kNoIndex)) victim = i;
    if (unused && had_its_chance) break;
    remove(crowded_, i);
    append(crowded_, i);
  }
  return victim;
}

NeighbourTable::Queue* NeighbourTable::queue_of(const Entry& entry) {
  if (entry.state == NeighbourState::kNone || entry.state == NeighbourState::kStatic) {
    return nullptr;
  }
  if (is_unresolved(entry.state)) return &asked_;
  return entry.crowded ? &crowded_ : &answered_;
}

void NeighbourTable::join_crowd(Entry& entry) {
  entry.crowded = crowd_at(entry.mac)++ >= largest_household_;
}

// Puts it at the end of the queue that it belongs to, if that is another one.
void NeighbourTable::requeue(Index i) {
  Entry& entry = entries_[i];
  Queue* const to = queue_of(entry);
  if (to == entry.queue) return;
  if (entry.queue != nullptr) remove(*entry.queue, i);
  if (to != nullptr) append(*to, i);
}

void NeighbourTable::append(Queue& queue, Index i) {
  Entry& entry = entries_[i];
  entry.queue = &queue;
  entry.queued = entry.used;
  entry.older = queue.newest;
  entry.newer = kNoIndex;
  (queue.newest == kNoIndex ? queue.oldest : entries_[queue.newest].newer) = i;
  queue.newest = i;
}

void NeighbourTable::remove(Queue& queue, Index i) {
  Entry& entry = entries_[i];
  entry.queue = nullptr;
  (entry.older == kNoIndex ? queue.oldest : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNoIndex ? queue.newest : entries_[entry.newer].older) = entry.older;
}

// Queues a question, and the time by which it should be answered. RFC 4861 §7.2.2 asks at
// most once in RetransTimer; the time doubles so that many who are gone cost little.
void NeighbourTable::ask(Time now, Index i) {
  Entry& entry = entries_[i];
  if (!entry.question_queued) questions_.push_back(i);
  entry.question_queued = true;
  wheel_.schedule(i, now + options_.retransmit_time * (1 << entry.attempts));
  ++entry.attempts;
  entry.asked = now;
}

// RFC 4861 §7.3.3, but without the time of DELAY: no layer above vouches for a neighbour.
void NeighbourTable::probe(Time now, Index i) {
  set_state(i, NeighbourState::kProbe);
  entries_[i].attempts = 0;
  ask(now, i);
}

bool NeighbourTable::poll_solicitation(Solicitation& out) {
  while (!questions_.empty()) {
    Entry& entry = entries_[questions_.front()];
    questions_.pop_front();
    entry.question_queued = false;
    if (entry.state != NeighbourState::kIncomplete && entry.state != NeighbourState::kProbe) {
      continue;
    }
    out.ip = entry.ip;
    out.mac = entry.state == NeighbourState::kProbe ? entry.mac : MacAddress{};
    return true;
  }
  return false;
}

void NeighbourTable::become_reachable(Time now, Index i) {
  set_state(i, NeighbourState::kReachable);
  // RFC 4861 §6.3.2: uniform between half and one and a half times the base.
  const auto base = static_cast<std::uint64_t>(options_.reachable_time.count());
  const auto jittered = static_cast<std::int64_t>(
      base / 2 + siphash_words<1, 3>(key_, std::array{++jitter_}) % (base + 1));
  wheel_.schedule(i, now + Duration(jittered));
}

void NeighbourTable::become_stale(Time now, Index i) {
  set_state(i, NeighbourState::kStale);
  wheel_.schedule(i, now + options_.idle_time);
}

void NeighbourTable::take_mac(Time now, Index i, const MacAddress& mac) {
  Entry& entry = entries_[i];
  if (has_mac(entry.state)) {
    ++entry.generation;
    entry.changed = now;
  }
  const bool moves = has_mac(entry.state) && !entry.pinned;
  if (moves) --crowd_at(entry.mac);
  entry.mac = mac;
  if (!moves) return;
  join_crowd(entry);
  requeue(i);
}

NetDrop NeighbourTable::learn(Time now, const IpAddress& ip, const MacAddress& mac,
                              NeighbourClaim claim) {
  const Index i = find(ip);
  if (i == kNoIndex) return NetDrop::kRxUnknownNeighbour;
  Entry& entry = entries_[i];
  if (entry.state == NeighbourState::kFailed) {
    // It is there after all; the next use finds out for sure.
    take_mac(now, i, mac);
    become_stale(now, i);
    return NetDrop::kCount;
  }
  if (entry.state == NeighbourState::kStatic) {
    return entry.mac == mac ? NetDrop::kCount : NetDrop::kRxNeighbourConflict;
  }
  if (entry.state == NeighbourState::kIncomplete) {
    // RFC 4861 §7.2.5: the first word is taken, whatever its flags.
    take_mac(now, i, mac);
    claim.solicited ? become_reachable(now, i) : become_stale(now, i);
    ++stats_.resolved;
    release_waiting(entry, true);
    return NetDrop::kCount;
  }
  const bool other = entry.mac != mac;
  if (other && !claim.overrides) {
    // RFC 4861 §7.2.5 (I): doubt is all that it may sow.
    if (entry.state == NeighbourState::kReachable) become_stale(now, i);
    return NetDrop::kCount;
  }
  if (other && entry.changed != Time::min() && now - entry.changed < options_.min_change_interval) {
    return NetDrop::kRxNeighbourFlap;
  }
  // Where both ask at once, the other's question comes first, and then its answer to ours.
  const bool asked = entry.state == NeighbourState::kProbe ||
                     (entry.state == NeighbourState::kStale && entry.asked != Time::min() &&
                      now - entry.asked < options_.retransmit_time);
  const bool answer = claim.solicited && asked;
  if (other) take_mac(now, i, mac);
  if (answer) {
    ++stats_.resolved;
    become_reachable(now, i);
  } else if (other) {
    // RFC 4861 §7.2.5 (II): whether packets get there is for our own question to find out.
    become_stale(now, i);
  }
  return NetDrop::kCount;
}

bool NeighbourTable::park(Index i, FrameToken token) {
  Entry& entry = entries_[i];
  CHECK(entry.state == NeighbourState::kIncomplete);
  if (parked_ >= options_.max_parked) {
    stats_.drop(NetDrop::kTxParkedFull);
    return false;
  }
  if (entry.waiting_count == options_.max_parked_each) {
    ready_.push_back({entry.waiting[0], {}, false});
    std::copy(entry.waiting.begin() + 1, entry.waiting.begin() + entry.waiting_count,
              entry.waiting.begin());
    --entry.waiting_count;
    stats_.drop(NetDrop::kTxParkedFull);
  }
  entry.waiting[entry.waiting_count++] = token;
  ++parked_;
  return true;
}

void NeighbourTable::release_waiting(Entry& entry, bool send) {
  for (std::size_t i = 0; i < entry.waiting_count; ++i) {
    ready_.push_back({entry.waiting[i], entry.mac, send});
  }
  if (!send) stats_.drop(NetDrop::kTxUnreachable, entry.waiting_count);
  entry.waiting_count = 0;
}

bool NeighbourTable::poll_parked(FrameToken& token, bool& send, MacAddress& mac) {
  if (ready_.empty()) return false;
  const Ready& ready = ready_.front();
  token = ready.token;
  send = ready.send;
  mac = ready.mac;
  ready_.pop_front();
  --parked_;
  return true;
}

void NeighbourTable::handle_timeout(Time now) {
  // An entry moves down the wheel's nine levels at most before it fires: all get through.
  wheel_.advance(now, 10 * entries_.size() + 1, [&](TimerWheel::Id i) { expire(now, i); });
}

void NeighbourTable::ask_anew(Time now) {
  for (Index i = 0; i < entries_.size(); ++i) {
    if (entries_[i].state == NeighbourState::kFailed) {
      erase(i);
    } else if (entries_[i].state == NeighbourState::kIncomplete) {
      entries_[i].attempts = 0;
      ask(now, i);
    }
  }
}

void NeighbourTable::expire(Time now, Index i) {
  Entry& entry = entries_[i];
  switch (entry.state) {
    case NeighbourState::kIncomplete:
      if (entry.attempts < options_.max_attempts) return ask(now, i);
      ++stats_.resolve_failures;
      release_waiting(entry, false);
      set_state(i, NeighbourState::kFailed);
      wheel_.schedule(i, now + options_.failure_hold);
      return;
    case NeighbourState::kProbe:
      if (entry.attempts < options_.max_attempts) return ask(now, i);
      // RFC 4861 §7.3.3: forgotten, so that the next send asks everybody.
      ++stats_.resolve_failures;
      return erase(i);
    case NeighbourState::kReachable:
      return become_stale(now, i);
    case NeighbourState::kStale:  // Not used for all that time: use probes.
    case NeighbourState::kFailed:
      return erase(i);
    case NeighbourState::kNone:
    case NeighbourState::kStatic:
      return;
  }
}

}  // namespace millrace::io
