// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "engine/base/time.h"
#include "engine/ice/stun_message.h"

namespace millrace::ice {

// CheckTransaction is the retransmission state of one STUN request over UDP (RFC 8489
// §6.2.1): sent up to `max_transmissions` times with a doubling time-out, then awaited
// for `last_wait_factor` times the first one.
struct CheckTransaction {
  TransactionId id{};
  Time sent{};  // First transmission.
  Time last_sent{};
  Time due = kNever;  // Of the next transmission, or of giving up.
  Duration rto{};
  int transmissions = 0;

  void start(Time now, const TransactionId& new_id, Duration initial_rto) {
    id = new_id;
    sent = now;
    last_sent = now;
    rto = initial_rto;
    due = now + rto;
    transmissions = 1;
  }
  // Brings the next transmission forward, to no sooner than `interval` after the last.
  void hasten(Time now, Duration interval) {
    due = std::min(due, std::max(now, last_sent + interval));
  }
  bool exhausted(int max_transmissions) const { return transmissions >= max_transmissions; }
  void retransmitted(Time now, Duration initial_rto, int max_transmissions, int last_wait_factor) {
    ++transmissions;
    last_sent = now;
    rto *= 2;
    due = now + (exhausted(max_transmissions) ? initial_rto * last_wait_factor : rto);
  }
};

}  // namespace millrace::ice
