// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace millrace::sctp {

// MessageTag names a message whose sender wishes to know what becomes of it. Both numbers are
// the sender's own and not looked at, but that an `id` of 0 asks for no news; they need not
// differ from those of other messages.
struct MessageTag {
  std::uint64_t id = 0;
  std::uint64_t owner = 0;
  friend bool operator==(const MessageTag&, const MessageTag&) = default;
};

// MessageStage is what became of a message. kSent may come first; one of the others comes, once,
// and is the last.
enum class MessageStage : std::uint8_t {
  kSent,       // Its last fragment has left for the first time.
  kDelivered,  // The peer's cumulative TSN ack has passed all of it: it cannot be taken back. Gap
               // blocks do not count, for they can (RFC 9260 §6.2.1).
  kAbandoned,  // Given up by its limits or its sender (RFC 3758, 7496).
  kEnded,      // Its stream was reset, or its association ended or began anew, before anything else
               // was known of it.
};

// MessageExtent is how much of a message had left at least once.
enum class MessageExtent : std::uint8_t {
  kNone,
  kPart,   // It cannot have been delivered.
  kWhole,  // Of one that was abandoned or ended: it may have been.
};

// MessageProgress is one thing that became known of a message.
struct MessageProgress {
  MessageTag tag;
  MessageStage stage = MessageStage::kSent;
  MessageExtent sent = MessageExtent::kNone;
  friend bool operator==(const MessageProgress&, const MessageProgress&) = default;
};

}  // namespace millrace::sctp
