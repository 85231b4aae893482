// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "engine/base/time.h"
#include "sctp/types.h"

namespace millrace::sctp {

// LossProbe is the tail-loss probe of RFC 8985 §7: where a flight ends in silence, one packet
// more brings the SACK that tells what was lost of it, before T3-rtx takes all of it for lost.
// One probe is outstanding at a time, and each needs a new round-trip sample.
class LossProbe {
 public:
  // RFC 8985 §7.2: PTO. `sack_delay` is what the peer may add to the SACK of the last chunk.
  // `least` is what turns of a driver and timers may add to any round trip.
  static Duration timeout(Duration srtt, Duration sack_delay, Duration least) {
    return std::max(2 * srtt, srtt + least) + sack_delay;
  }

  // RFC 8985 §7.3, both conditions.
  bool may_be_sent() const { return !outstanding_ && sampled_; }
  bool repeats(UnwrappedTsn tsn) const { return outstanding_ && repeats_ && tsn == last_; }

  void note_rtt() { sampled_ = true; }
  // Sent with `last` as the highest TSN so far; `repeats` if it is that chunk again.
  void note_sent(UnwrappedTsn last, bool repeats) {
    outstanding_ = true;
    sampled_ = false;
    repeats_ = repeats;
    last_ = last;
  }
  // There was nothing to send: T3-rtx is next.
  void skip() { sampled_ = false; }
  // RFC 8985 §7.4.2, case 1: the peer had the chunk already.
  void note_duplicate() { outstanding_ = false; }
  // RFC 8985 §7.4.2: what was sent up to `cumulative` has arrived. True if the probe has
  // repaired a loss, to which congestion control must react.
  bool handle_ack(UnwrappedTsn cumulative) {
    if (!outstanding_ || cumulative < last_) return false;
    if (repeats_ && cumulative == last_) return false;
    outstanding_ = false;
    return repeats_;
  }
  // RFC 8985 §7.1: a recovery begins, which finds by itself what was lost.
  void reset() { outstanding_ = false; }

 private:
  UnwrappedTsn last_;  // TLP.end_seq.
  bool outstanding_ = false;
  bool repeats_ = false;  // TLP.is_retrans.
  bool sampled_ = false;
};

}  // namespace millrace::sctp
