// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sctp/types.h"

namespace millrace::sctp {

// LossUndo finds out whether what a recovery, or a time-out, took for lost had arrived after
// all: it was acknowledged before it was sent again, or the peer reports what was sent again
// as a duplicate (RFC 3708, RFC 8985 §6.2). Only where that holds for every single one may the
// reaction be undone (RFC 4015). An episode lasts until the next begins, for duplicates are
// reported a round trip after the recovery.
class LossUndo {
 public:
  // An episode in which more than that was sent again is not worth the proof.
  static constexpr std::size_t kMaxResent = 64;

  void begin() {
    lost_ = disproved_ = 0;
    overflowed_ = false;
    resent_.clear();
  }
  void note_lost(std::size_t chunks) { lost_ += chunks; }
  // Acknowledged in the state of lost, before they were sent again.
  void note_arrived(std::size_t chunks) { disproved_ += chunks; }
  void note_resent(UnwrappedTsn tsn) {
    overflowed_ = overflowed_ || resent_.size() == kMaxResent;
    if (!overflowed_) resent_.push_back({tsn, 1});
  }
  // It was sent again twice: one duplicate says nothing, the other came first.
  void note_repeated(UnwrappedTsn tsn) {
    const auto at = find(tsn);
    if (at != resent_.end()) ++at->copies;
  }
  // The peer reports `tsn` as a duplicate. False if that does not prove its first transmission to
  // have arrived: another copy of it did, or the network has doubled it.
  bool note_duplicate(UnwrappedTsn tsn) {
    const auto at = find(tsn);
    if (at == resent_.end() || --at->copies > 0) return false;
    return disprove(at);
  }
  // `tsn` was acknowledged before any copy of it can have been.
  bool note_early(UnwrappedTsn tsn) {
    const auto at = find(tsn);
    return at != resent_.end() && disprove(at);
  }
  bool is_spurious() const { return lost_ > 0 && disproved_ == lost_ && !overflowed_; }

 private:
  struct Resent {
    UnwrappedTsn tsn;
    int copies;  // Of which no duplicate was reported.
  };
  std::vector<Resent>::iterator find(UnwrappedTsn tsn) {
    return std::find_if(resent_.begin(), resent_.end(),
                        [tsn](const Resent& resent) { return resent.tsn == tsn; });
  }
  bool disprove(std::vector<Resent>::iterator at) {
    resent_.erase(at);
    ++disproved_;
    return true;
  }

  std::size_t lost_ = 0;
  std::size_t disproved_ = 0;
  bool overflowed_ = false;
  std::vector<Resent> resent_;
};

}  // namespace millrace::sctp
