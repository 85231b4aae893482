// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::sctp {

// StreamScheduling names the rule by which streams with something to send take turns (RFC
// 8260 §3). A turn is a message, or one fragment of it where messages interleave.
enum class StreamScheduling : std::uint8_t {
  kFirstComeFirstServed,  // §3.1: messages in the order of `send`.
  kRoundRobin,            // §3.2: a turn for each stream after the other.
  kWeightedFair,          // §3.6: bytes in proportion to the streams' priorities.
  kStrictPriority,        // §3.4: the highest priority alone; equals by turns.
};

}  // namespace millrace::sctp
