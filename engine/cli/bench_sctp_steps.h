// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/time.h"

namespace millrace::cli {

// SctpCosts are nanoseconds for each packet with data, of a bulk transfer of 16 KiB
// messages between two associations without a network.
struct SctpCosts {
  double queue_ns = 0;         // Message copied into the send queue.
  double build_ns = 0;         // Packet written, payload copied.
  double parse_ns = 0;         // Packet walked, data placed, messages completed.
  double deliver_ns = 0;       // Messages taken as events, the burst's end.
  double sack_build_ns = 0;    // One SACK a burst, shared by its packets.
  double sack_process_ns = 0;  // Likewise.
  double payload_bytes = 0;
};

SctpCosts measure_sctp(Duration each);

}  // namespace millrace::cli
