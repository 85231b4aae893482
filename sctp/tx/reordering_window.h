// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"
#include "sctp/types.h"

namespace millrace::sctp {

// ReorderingWindow says for how long a chunk that others overtook may still be on its way, RFC
// 8985 §6.2, steps 3 and 4. Until reordering was seen three packets prove a loss, as the three
// missing reports of RFC 9260 §7.2.4 do (decision 0008); from then on time alone does.
class ReorderingWindow {
 public:
  bool reordering_seen() const { return seen_; }
  // A chunk sent once was acknowledged below the highest acknowledged, or what was taken for
  // lost had arrived.
  void note_reordering() { seen_ = true; }

  // A SACK reported duplicates: the window was too short. It grows once a round trip at most.
  void note_duplicates(UnwrappedTsn cumulative, UnwrappedTsn next_tsn) {
    if (cumulative.next() < round_end_) return;
    round_end_ = next_tsn;
    if (quarters_ < kMaxQuarters) ++quarters_;
    persist_ = kPersist;
  }
  void note_recovery_end() {
    if (persist_ > 0) --persist_;
    if (persist_ == 0) quarters_ = 1;
  }

  // `packets_acked`: by gap blocks.
  Duration length(Duration min_rtt, Duration srtt, bool in_recovery,
                  std::size_t packets_acked) const {
    if (!seen_ && (in_recovery || packets_acked >= kPacketsForLoss)) return Duration::zero();
    if (min_rtt == Duration::max()) return kLeast;
    return std::max(std::min(quarters_ * (min_rtt / 4), srtt), kLeast);
  }

 private:
  static constexpr std::size_t kPacketsForLoss = 3;  // RFC 8985 §5.1: DupThresh.
  static constexpr std::uint8_t kPersist = 16;       // Recoveries.
  static constexpr std::uint8_t kMaxQuarters = 64;   // SRTT bounds the window long before.
  // A path or a receiver that holds single packets back for less does not reorder, and timers
  // are not finer.
  static constexpr Duration kLeast = milliseconds(1);

  UnwrappedTsn round_end_;  // RACK.dsack_round.
  std::uint8_t quarters_ = 1;
  std::uint8_t persist_ = kPersist;
  bool seen_ = false;
};

}  // namespace millrace::sctp
