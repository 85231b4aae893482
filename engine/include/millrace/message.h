// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "millrace/types.h"

namespace millrace {

// MessageOptions is how one message is sent.
struct MessageOptions {
  MessageKind kind = MessageKind::kBinary;
  // Other than 0: Handler::on_message_progress tells what becomes of the message, under this
  // number, which is the application's own. It is not looked at, so two messages may have the
  // same. Until its end is told the message costs some 60 bytes more, which count against the
  // send buffer while it is queued; one without an id costs nothing.
  std::uint64_t id = 0;
};

// MessageProgress is one thing that became known of a message that was sent with an id. Of each
// kSent may come, once, and then or instead, exactly once, one of the others, which is the last.
struct MessageProgress {
  enum class Stage : std::uint8_t {
    kSent,       // Its last fragment was handed to the network for the first time.
    kDelivered,  // The peer has acknowledged all of it for good (RFC 9260 §6.2.1: cumulatively;
                 // what gap blocks report it may take back). SCTP has it; whether the peer's
                 // application has read it nobody can tell.
    kAbandoned,  // Given up by its channel's limits, or by Channel::abort_message (RFC 3758, 7496).
    kEnded,      // Its channel or session was closed, or the peer restarted, before anything else
                 // was known.
  };
  enum class Extent : std::uint8_t {
    kNone,
    kPart,   // The peer cannot have the message.
    kWhole,  // Of one that was abandoned or ended: the peer may have it.
  };
  std::uint64_t id = 0;
  Stage stage = Stage::kSent;
  Extent sent = Extent::kNone;  // What of the message had been sent by then.
  friend bool operator==(const MessageProgress&, const MessageProgress&) = default;
};

// MessageView lends a received message, or a part of one, for the length of the call
// that hands it over. Its pieces lie in the receive buffers they were decrypted in: one
// for a message of one packet, several for a fragmented one, in order. Whoever needs the
// bytes for longer copies them.
struct MessageView {
  MessageKind kind = MessageKind::kBinary;
  // Position of this part in its message; 0 and `last` for one that came whole.
  std::uint64_t offset = 0;
  bool last = true;
  // The rest will never come (its sender abandoned it, or the channel closed). Parts
  // handed over before are void.
  bool aborted = false;
  std::span<const std::span<const std::uint8_t>> pieces;

  std::size_t size() const {
    std::size_t total = 0;
    for (const auto& piece : pieces) total += piece.size();
    return total;
  }
  bool contiguous() const { return pieces.size() <= 1; }
  // The bytes, where `contiguous()`.
  std::span<const std::uint8_t> bytes() const {
    return pieces.empty() ? std::span<const std::uint8_t>{} : pieces.front();
  }
  // Appends the bytes to `out`.
  void append_to(std::vector<std::uint8_t>& out) const {
    for (const auto& piece : pieces) out.insert(out.end(), piece.begin(), piece.end());
  }
};

}  // namespace millrace
