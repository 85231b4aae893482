// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/mac.h"
#include "engine/base/time.h"
#include "engine/ice/binding_responder.h"
#include "engine/ice/candidate.h"
#include "engine/ice/credentials.h"

namespace millrace::ice {

// PendingPairs records the paths that checks of a session were authenticated on, while
// no shard owns the session yet. Every function may be called by any number of threads
// at once; none takes a lock, waits for another thread or allocates.
//
// Each slot is a sequence lock made of atomics: odd while its writer is at work. A reader
// that meets a slot in motion passes it by, which costs the peer one retransmission and
// never a wait, even if the writer was suspended in the middle. Two writers that race for
// a slot: the loser records nothing and answers nothing, and its peer checks again.
//
// Beside the paths it keeps the latest transactions, each with the path that it came on, for
// STUN has no replay protection (see IceLiteAgent::handle_check). A check and its replay that
// two threads record at the same instant both count: which is which nobody can tell.
class PendingPairs {
 public:
  static constexpr std::size_t kSlots = 8;
  static constexpr std::size_t kSeen = 64;

  // Records an authenticated check. A new path takes a free slot, else that of the path
  // heard of least recently, the nominated one excepted. kNoRoom if it was not recorded;
  // kReplayed, and nothing else is done, where its transaction was seen on another path. One
  // that is repeated on its own path nominates nothing anew.
  CheckVerdict record(Time now, const CandidatePair& pair, const TransactionId& id,
                      bool use_candidate);

  bool contains(const CandidatePair& pair) const;
  // The path of the latest USE-CANDIDATE.
  std::optional<CandidatePair> nominated() const;
  // The time of the latest recorded check; `Time::min()` before the first.
  Time last_check() const;

  struct Entry {
    CandidatePair pair;
    Time last_check{};
    bool nominated = false;
  };
  // A transaction, and which of a snapshot's entries it came on; kElsewhere: none of them.
  struct Seen {
    std::uint64_t digest = 0;
    std::uint8_t entry = 0;
  };
  static constexpr std::uint8_t kElsewhere = UINT8_MAX;
  struct Snapshot {
    std::array<Entry, kSlots> entries;
    std::size_t count = 0;
    std::array<Seen, kSeen> seen;
    std::size_t seen_count = 0;
  };
  // The settled entries, and the transactions seen.
  Snapshot snapshot() const;

 private:
  // A pair as words that can be stored atomically.
  using Words = std::array<std::uint64_t, 6>;
  static Words pack(const CandidatePair& pair);
  static CandidatePair unpack(const Words& words);

  struct Slot {
    std::atomic<std::uint32_t> sequence{0};  // 0: never used. Odd: being written.
    std::atomic<Time::rep> last_check{0};
    std::array<std::atomic<std::uint64_t>, 6> words{};
  };
  // A slot's content as long as it has that sequence.
  struct Place {
    std::size_t index = 0;
    std::uint32_t sequence = 0;
  };
  // The low 16 bits of a word of `seen_`: never 0, and another's once the slot's content was
  // replaced (again after 4096 replacements).
  static std::uint64_t mark_of(const Place& place) {
    return 1 | (place.index << 1) | ((std::uint64_t{place.sequence / 2} & 0xFFF) << 4);
  }
  // The slot's content and the even sequence it was read at, or 0 where none settled.
  static std::uint32_t read(const Slot& slot, Words& words);
  std::optional<Place> find(const Words& wanted) const;
  std::optional<Place> place_of(std::uint64_t seen, const Words& wanted) const;
  std::optional<Place> find_or_add(Time now, const Words& wanted);
  std::optional<Place> replace(const Place& victim, Time now, const Words& words);
  void touch(const Place& place, Time now);

  std::array<Slot, kSlots> slots_;
  // A transaction's digest in the high 48 bits, the mark of its path below; 0: none. A ring.
  std::array<std::atomic<std::uint64_t>, kSeen> seen_{};
  std::atomic<std::uint32_t> next_seen_{0};
  // Slot index in the low byte, its sequence above it; 0: none. Valid only while the
  // slot still has that sequence.
  std::atomic<std::uint64_t> nomination_{0};
  std::atomic<Time::rep> last_check_{Time::min().time_since_epoch().count()};
};

// PendingSession is the ICE part of a session that signalling has made and no shard has
// claimed. Credentials never change; the paths are a PendingPairs, so any thread may call
// any const or non-const function at any time while the table keeps the entry alive.
class PendingSession {
 public:
  PendingSession(Credentials local, std::string remote_ufrag, Time created);

  // Answers a check that arrived on `pair` into `out` and records its path; one that was
  // replayed is not answered.
  CheckAnswer handle_check(Time now, const StunMessageView& request, const CandidatePair& pair,
                           const Mac& mac, MutableByteSpan out);

  // DTLS may be taken from `pair`.
  bool is_authenticated(const CandidatePair& pair) const { return pairs_.contains(pair); }
  const PendingPairs& pairs() const { return pairs_; }
  const Credentials& local() const { return local_; }
  const std::string& remote_ufrag() const { return remote_ufrag_; }
  // When the table should forget the session: `timeout` after the later of its making
  // and its last authenticated check.
  Time expiry(Duration timeout) const;

 private:
  const Credentials local_;
  const std::string remote_ufrag_;
  const Time created_;
  PendingPairs pairs_;
};

}  // namespace millrace::ice
