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

void PendingPairs::touch(Slot& slot, std::size_t index, std::uint32_t sequence, Time now,
                         bool use_candidate) {
  raise_to(slot.last_check, ticks(now));
  raise_to(last_check_, ticks(now));
  if (use_candidate) {
    nomination_.store((std::uint64_t{sequence} << 8) | index, std::memory_order_release);
  }
}

bool PendingPairs::replace(Slot& slot, std::size_t index, std::uint32_t sequence, Time now,
                           const Words& words, bool use_candidate) {
  std::uint32_t expected = sequence;
  if (!slot.sequence.compare_exchange_strong(expected, sequence + 1, std::memory_order_acq_rel)) {
    return false;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    slot.words[i].store(words[i], std::memory_order_release);
  }
  slot.last_check.store(ticks(now), std::memory_order_relaxed);
  slot.sequence.store(sequence + 2, std::memory_order_release);
  touch(slot, index, sequence + 2, now, use_candidate);
  return true;
}

bool PendingPairs::record(Time now, const CandidatePair& pair, bool use_candidate) {
  const Words wanted = pack(pair);
  // Each round loses a race to a thread that recorded something: the rounds are bounded.
  for (std::size_t round = 0; round < kSlots; ++round) {
    const std::uint64_t nomination = nomination_.load(std::memory_order_acquire);
    std::size_t victim = kSlots;
    std::uint32_t victim_sequence = 0;
    Time::rep victim_age = 0;
    for (std::size_t i = 0; i < kSlots; ++i) {
      Words words;
      if (const std::uint32_t sequence = read(slots_[i], words); sequence != 0 && words == wanted) {
        touch(slots_[i], i, sequence, now, use_candidate);
        return true;
      }
      const std::uint32_t sequence = slots_[i].sequence.load(std::memory_order_acquire);
      const bool is_nominated = nomination != 0 && (nomination & 0xFF) == i;
      if (sequence % 2 != 0 || is_nominated) continue;
      const Time::rep age = sequence == 0 ? Time::min().time_since_epoch().count()
                                          : slots_[i].last_check.load(std::memory_order_relaxed);
      if (victim == kSlots || age < victim_age) {
        victim = i;
        victim_sequence = sequence;
        victim_age = age;
      }
    }
    if (victim == kSlots) return false;
    if (replace(slots_[victim], victim, victim_sequence, now, wanted, use_candidate)) return true;
  }
  return false;
}

bool PendingPairs::contains(const CandidatePair& pair) const {
  const Words wanted = pack(pair);
  return std::any_of(slots_.begin(), slots_.end(), [&wanted](const Slot& slot) {
    Words words;
    return read(slot, words) != 0 && words == wanted;
  });
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

std::size_t PendingPairs::snapshot(std::array<Entry, kSlots>& out) const {
  const std::optional<CandidatePair> chosen = nominated();
  std::size_t count = 0;
  for (const Slot& slot : slots_) {
    Words words;
    if (read(slot, words) == 0) continue;
    Entry entry{.pair = unpack(words),
                .last_check = Time(Duration(slot.last_check.load(std::memory_order_relaxed)))};
    entry.nominated = chosen == entry.pair;
    // Two threads that met the same new path at once may each have given it a slot.
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(count);
    const bool is_known = std::any_of(
        out.begin(), end, [&entry](const Entry& other) { return other.pair == entry.pair; });
    if (!is_known) out[count++] = entry;
  }
  return count;
}

PendingSession::PendingSession(Credentials local, std::string remote_ufrag, Time created)
    : local_(std::move(local)), remote_ufrag_(std::move(remote_ufrag)), created_(created) {}

CheckAnswer PendingSession::handle_check(Time now, const StunMessageView& request,
                                         const CandidatePair& pair, const Mac& mac,
                                         MutableByteSpan out) {
  CheckAnswer answer = judge_lite_check(request, local_, remote_ufrag_, mac);
  // Recorded before it is answered: DTLS may follow the answer at once, on this path.
  if (answer.verdict == CheckVerdict::kAccepted &&
      !pairs_.record(now, pair, answer.use_candidate)) {
    answer.verdict = CheckVerdict::kNoRoom;
  }
  answer.response_bytes = write_check_response(owe_response(request, answer.verdict), pair.remote,
                                               local_.pwd, mac, out);
  return answer;
}

Time PendingSession::expiry(Duration timeout) const {
  return std::max(created_, pairs_.last_check()) + timeout;
}

}  // namespace millrace::ice
