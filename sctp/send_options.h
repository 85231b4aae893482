// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/time.h"

namespace millrace::sctp {

// SendOptions is how one message is to be delivered. The default is reliable, in order.
struct SendOptions {
  bool unordered = false;
  // RFC 3758 §4.1, RFC 7496 §4: the message is abandoned when this much time has passed
  // since `send`, or a fragment of it has been retransmitted this often. At most one.
  std::optional<Duration> max_lifetime{};
  std::optional<std::uint32_t> max_retransmits{};
};

// SendStatus is the outcome of `Association::send`. Only kOk has taken the message.
enum class [[nodiscard]] SendStatus : std::uint8_t{
    kOk,
    kWouldBlock,     // The send buffer is full; kWritable follows once it is not.
    kTooLarge,       // Above Options::max_message_bytes.
    kEmpty,          // SCTP carries no empty message.
    kInvalidStream,  // Not among the streams negotiated.
    kStreamClosing,  // Between `reset_streams` and its outcome.
    kClosed,         // Shutting down, or closed.
};

}  // namespace millrace::sctp
