// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/time.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/tx/delivery_rate.h"
#include "sctp/tx/outgoing_message.h"
#include "sctp/tx/sack_status.h"

namespace millrace::sctp {

// OutstandingChunk is a chunk that has been given a TSN and that the cumulative TSN ack
// has not passed.
struct OutstandingChunk {
  enum class State : std::uint8_t {
    kInFlight,
    kLost,       // To be retransmitted.
    kAcked,      // By a gap block; the peer may renege (RFC 9260 §6.2.1).
    kSilent,     // A SACK had no room for it, and it cannot be on its way any more.
    kAbandoned,  // RFC 3758: FORWARD-TSN will pass it.
  };

  OutgoingMessage* message = nullptr;
  Time sent_at{};  // Last transmission.
  std::uint32_t offset = 0;
  std::uint16_t size = 0;  // Payload; 0 stands for the unsent rest of an abandoned message.
  std::uint16_t retransmits = 0;
  State state = State::kInFlight;
  bool begins_packet = false;       // The first of its packet, which stands for it in counts.
  DeliveryRate::Record record = 0;  // Of the last transmission.
  bool ack_may_wait = false;        // For the peer's SACK delay: no measure of the round trip.
  bool large = false;               // Left in a packet that puts the path MTU to the test.
  // Left, or was waited for, while the peer's window was shut to it: its loss tells of the peer.
  bool into_shut_window = false;

  ByteSpan payload() const { return message->bytes(offset, size); }
};
static_assert(sizeof(OutstandingChunk) <= 32);

// AckResult is what a SACK changed.
struct AckResult {
  SackStatus status = SackStatus::kProcessed;
  bool cumulative_advanced = false;
  bool earliest_acked = false;  // The lowest chunk in flight was acknowledged (§6.3.2 R3).
  bool reneged = false;
  bool large_acked = false;       // A `large` one was acknowledged,
  bool large_lost = false;        // or lost,
  bool large_lost_again = false;  // and not for the first time.
  // Chunks, overtaken (RFC 8985), but for those of which the peer's window may be the cause.
  std::size_t newly_lost = 0;
  std::size_t found_arrived = 0;  // Of those, before they were sent again.
  Time lost_sent_at{};            // The newest transmission among those lost.
  std::size_t acked_bytes = 0;    // As OutstandingQueue::wire_bytes.
  std::size_t acked_chunks = 0;
  // The newest transmission among those, where it was in flight.
  std::optional<DeliveryRate::Anchor> newest_acked;
  // The shortest of the chunks newly acknowledged that were sent once (Karn, §6.3.1 C5).
  std::optional<Duration> rtt;
  // The same of those whose SACK the peer may have delayed: no more than this.
  std::optional<Duration> rtt_at_most;
};

}  // namespace millrace::sctp
