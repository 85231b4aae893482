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
class PendingPairs {
 public:
  static constexpr std::size_t kSlots = 8;

  // Records an authenticated check. A new path takes a free slot, else that of the path
  // heard of least recently, the nominated one excepted. False if it was not recorded.
  bool record(Time now, const CandidatePair& pair, bool use_candidate);

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
  // Copies the settled entries into `out`; returns how many.
  std::size_t snapshot(std::array<Entry, kSlots>& out) const;

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
  // The slot's content and the even sequence it was read at, or 0 where none settled.
  static std::uint32_t read(const Slot& slot, Words& words);
  bool replace(Slot& slot, std::size_t index, std::uint32_t sequence, Time now, const Words& words,
               bool use_candidate);
  void touch(Slot& slot, std::size_t index, std::uint32_t sequence, Time now, bool use_candidate);

  std::array<Slot, kSlots> slots_;
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

  // Answers a check that arrived on `pair` into `out` and records its path.
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
