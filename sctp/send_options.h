// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/time.h"
#include "sctp/message_progress.h"

namespace millrace::sctp {

// SendOptions is how one message is to be delivered. The default is reliable, in order.
struct SendOptions {
  bool unordered = false;
  // RFC 3758 §4.1, RFC 7496 §3: the message is abandoned when this much time has passed
  // since `send`, or a fragment of it has been retransmitted this often, or when a message
  // finds no room in the send buffer that is of higher `priority`, 0 being the highest, or has
  // none. At most one.
  std::optional<Duration> max_lifetime{};
  std::optional<std::uint32_t> max_retransmits{};
  std::optional<std::uint32_t> priority{};
  // With an id: `MessageProgress` tells what becomes of the message. Its record, some 50 bytes,
  // counts against the send buffer like the payload.
  MessageTag tag{};

  // Of two limits the number of retransmissions counts.
  bool gives_way() const { return priority && !max_retransmits; }
};

// No message is larger, whatever the peer would take.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 30;

// MessagePart says which part of its message a part is.
struct MessagePart {
  bool last = false;
  // Of the whole message, where it is known with the first part, else 0: what the peer would
  // not take is then refused at once.
  std::size_t total_bytes = 0;
};

// SendStatus is the outcome of `Association::send`. Only kOk has taken the message.
enum class [[nodiscard]] SendStatus : std::uint8_t{
    kOk,
    kWouldBlock,     // The send buffer is full, or the stream's part of it; kWritable or
                     // kStreamWritable follows once it is not.
    kTooLarge,       // Above Options::max_message_bytes.
    kEmpty,          // SCTP carries no empty message.
    kInvalidStream,  // Not among the streams negotiated.
    kStreamClosing,  // Between `reset_streams` and its outcome.
    kAbandoned,      // `send_part`: the message was given up by its limits.
    kClosed,         // Shutting down, or closed.
};

}  // namespace millrace::sctp
