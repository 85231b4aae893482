// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/mac.h"
#include "engine/base/time.h"
#include "engine/ice/binding_responder.h"
#include "engine/ice/candidate.h"
#include "engine/ice/credentials.h"
#include "engine/ice/pending_pairs.h"

namespace millrace::ice {

// IceLiteAgent is the server's end of ICE for one session that a shard owns (RFC 8445
// §2.5, lite). It answers checks, knows from which paths DTLS may be taken, and which
// path to send on. It sends no check of its own, so it has no consent to keep; instead
// the session ends `expiry` after the peer's last authenticated check, which a peer that
// keeps RFC 7675 repeats every 4 to 6 s.
//
// Life cycle: constructed when a shard claims a PendingSession, whose paths it takes
// over; then `handle_check` for each STUN datagram of the session, `note_handshake` and
// `note_record` for DTLS from a path that `is_authenticated`, `note_keys` between the two;
// `handle_timeout` once `next_timeout` has come; ends when `expired`.
// One thread. Nothing allocates after construction.
class IceLiteAgent {
 public:
  static constexpr std::size_t kMaxPairs = 8;
  // For so long after a nomination a record on another path may have been under way at its time,
  // and for so long after its last record a peer is taken to be where that came from.
  static constexpr Duration kSettling = milliseconds(500);
  // Between a path that was tried in vain and the next, at first: less than there is between two
  // consent checks (RFC 7675 §5.1). Doubled each time, up to the longest.
  static constexpr Duration kRest = seconds(4);
  static constexpr Duration kLongestRest = seconds(64);

  struct Options {
    Duration expiry = seconds(30);
  };

  // Starts from the paths authenticated and the transactions seen so far; without a nomination a
  // DTLS client sends on the one that was checked last.
  IceLiteAgent(Time now, const PendingSession& pending, Options options);
  IceLiteAgent(Time now, Credentials local, std::string remote_ufrag, Options options);

  // Answers a check that arrived on `pair` into `out`. STUN has no replay protection, and
  // whoever sees a check can send it again from elsewhere to draw the session there: a
  // transaction seen lately on one path is therefore dropped when it comes on another.
  CheckAnswer handle_check(Time now, const StunMessageView& request, const CandidatePair& pair,
                           const Mac& mac, MutableByteSpan out);

  // True if a check was authenticated on `pair`, nominated or not: browsers begin DTLS
  // some 60 ms before USE-CANDIDATE. DTLS from any other path must be dropped.
  bool is_authenticated(const CandidatePair& pair) const;

  // The remote address that the last accepted check put out for want of room, told once:
  // no path of the session has it any more.
  std::optional<Address> take_evicted() { return std::exchange(evicted_, std::nullopt); }

  // Tells where DTLS comes from. A peer nominates several paths at once (aggressive nomination,
  // RFC 5245 §8.1.1.2), and some of these may lead here without leading back; it sends DTLS where
  // it has had an answer. So the latest path that DTLS came on is the one to send on, until the
  // one nominated last is known to lead back (decision 0016). Ignored unless the pair is
  // authenticated.
  //
  // A record of the handshake, before there are keys: it may be forged, and proves nothing.
  void note_handshake(const CandidatePair& pair);
  // There are keys. A check can be replayed once it is forgotten, so from here on no number of them
  // proves a path, and a nomination away from where the peer's records come from is only tried, and
  // only while it is not heard there (decision 0018).
  void note_keys();
  // A record that opened; `newest` if none of a higher number did. It proves the nominated path,
  // and takes back a nomination only if it is newer than that (RFC 9146 §6).
  void note_record(Time now, const CandidatePair& pair, bool newest);
  // True if these have something to learn from `pair`.
  bool is_news(const CandidatePair& pair) const {
    return !proven_ &&
           (selected_ == nominated_ || trial_at_ != kNever || !(paths_[selected_].pair == pair));
  }
  // When a record of the session opened last. For what is no news is not noted, it is to be told
  // before a check is handled.
  void note_heard(Time when) { heard_ = when; }

  // The path to send on: the latest nominated, or the latest that DTLS came on as above, or that
  // of the constructor. Valid until the next non-const call.
  const CandidatePair* selected() const;
  bool is_nominated() const { return nominated_ != kNone; }

  // When the session ends unless another check comes, or a nomination is tried before that.
  Time next_timeout() const { return std::min(last_check_ + options_.expiry, trial_at_); }
  void handle_timeout(Time now);
  bool expired(Time now) const { return now >= last_check_ + options_.expiry; }

  std::uint64_t count(CheckVerdict verdict) const {
    return counts_[static_cast<std::size_t>(verdict)];
  }
  const Credentials& local() const { return local_; }

 private:
  // No transaction's digest, which has 48 bits.
  static constexpr std::uint64_t kUnused = UINT64_MAX;
  static constexpr std::uint64_t kForgotten = UINT64_MAX - 1;
  struct Path {
    CandidatePair pair;
    Time last_check{};
    std::uint64_t first = kUnused;  // The transaction that it began with.
    bool used() const { return first != kUnused; }
  };
  enum class Recall : std::uint8_t { kFresh, kRepeated, kReplayed };
  // Ten minutes of consent checks.
  static constexpr std::size_t kSeen = 128;
  static constexpr std::size_t kNone = kMaxPairs;
  static constexpr std::uint8_t kEvicted = PendingPairs::kElsewhere;
  static_assert(kSeen >= PendingPairs::kSeen);
  static std::uint64_t seen_word(std::uint64_t id, std::uint8_t path) {
    return (id << 16) | 0x100u | path;
  }

  std::size_t find(const CandidatePair& pair) const;
  std::size_t find_or_add(Time now, const CandidatePair& pair, std::uint64_t transaction);
  void nominate(Time now, std::size_t path, std::uint64_t transaction);
  void contest(Time now, std::size_t path);
  void give_way(Time now, std::size_t path);
  bool on_trial() const { return home_ != kNone && selected_ != home_; }
  Recall recall(std::uint64_t id, std::size_t path) const;
  void remember(std::uint64_t id, std::uint8_t path);

  const Options options_;
  const Credentials local_;
  const std::string remote_ufrag_;
  Time last_check_;
  std::array<Path, kMaxPairs> paths_{};
  std::optional<Address> evicted_;
  std::size_t selected_ = kNone;
  std::size_t nominated_ = kNone;
  Time nominated_at_{};
  bool proven_ = false;  // The path nominated last leads back.
  bool keyed_ = false;
  // Where the peer is taken to be, once there are keys: where the newest record that decided came
  // from, before the first where the handshake ended.
  std::size_t home_ = kNone;
  Time heard_{};            // A record of the session opened last.
  Time trial_at_ = kNever;  // The nominated path is tried then, if nothing decides before.
  Time rested_at_{};        // Nor sooner than that, for others were tried in vain.
  Duration rest_ = kRest;
  std::array<std::uint64_t, static_cast<std::size_t>(CheckVerdict::kCount)> counts_{};
  // Transactions seen lately: a digest in the high 48 bits, then a bit that says so, then the index
  // of the path it came on. A ring.
  std::array<std::uint64_t, kSeen> seen_{};
  std::size_t next_seen_ = 0;
};

}  // namespace millrace::ice
