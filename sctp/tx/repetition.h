// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "sctp/types.h"

namespace millrace::sctp {

// Repetition holds the chunks that were sent again by the packet before: in the packet that
// follows, each rides once more. Where an application sends small messages, which leave most of
// a packet empty, that costs next to nothing, and a retransmission must be lost twice to hold
// the messages behind it up for another round trip (decision 0022).
class Repetition {
 public:
  // Of one packet; what is beyond goes once.
  static constexpr std::size_t kMost = 8;

  bool empty() const { return due_.count + fresh_.count == 0; }
  void clear() { due_.count = fresh_.count = 0; }

  // A packet begins. What the one before sent again is due; what was due before has had no
  // packet to ride in, or did ride.
  void begin_packet() {
    if (fresh_.count == 0) return;
    due_ = fresh_;
    fresh_.count = 0;
  }
  // `tsn` leaves again in this packet.
  void note_resent(UnwrappedTsn tsn) {
    forget(tsn);
    if (fresh_.count < kMost) fresh_.tsns[fresh_.count++] = tsn;
  }
  // It leaves in this packet anyway.
  void forget(UnwrappedTsn tsn) {
    const auto begin = due_.tsns.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(due_.count);
    due_.count = static_cast<std::size_t>(std::remove(begin, end, tsn) - begin);
  }
  // Calls `append` with each that is due, once.
  template <class Append>
  void take_due(Append append) {
    for (std::size_t i = 0; i < due_.count; ++i) append(due_.tsns[i]);
    due_.count = 0;
  }

 private:
  struct Tsns {
    std::array<UnwrappedTsn, kMost> tsns;
    std::size_t count = 0;
  };
  Tsns due_;
  Tsns fresh_;
};

}  // namespace millrace::sctp
