// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sctp/dcep/dcep_message.h"
#include "sctp/event.h"
#include "sctp/message_view.h"
#include "sctp/types.h"

namespace millrace::sctp {

// ChannelHandle names one data channel of a DataChannels for ever: a closed channel's
// handle never becomes another's. `slot` is small and dense, fit to index a table of the
// owner's; slots are used again, so compare whole handles.
struct ChannelHandle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 names no channel.
  friend bool operator==(ChannelHandle, ChannelHandle) = default;

  // The handle as one number, and back.
  constexpr std::uint64_t word() const { return std::uint64_t{generation} << 32 | slot; }
  static constexpr ChannelHandle from_word(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
  }
};

// RFC 8831 §6.4: below normal is 128, high 512, extra high 1024.
inline constexpr std::uint16_t kNormalPriority = 256;

// ChannelConfig is what a channel is opened with. Both ends give the same for a
// negotiated one, which is not announced to the peer.
struct ChannelConfig {
  std::string_view label = {};     // UTF-8, at most 65535 bytes.
  std::string_view protocol = {};  // UTF-8, at most 65535 bytes.
  ChannelReliability reliability = {};
  std::uint16_t priority = kNormalPriority;
  std::optional<StreamId> negotiated_id = {};
  // SendOptions::priority of its messages: a third limit, of which the peer is not told, for
  // DCEP has no word for it.
  std::optional<std::uint32_t> buffer_priority = {};
};

enum class ChannelState : std::uint8_t {
  kConnecting,  // Waits for the association, for room to send its OPEN, or for the answer
                // to a reset of the stream's former life. Messages may come.
  kOpen,        // Messages may be sent.
  kClosing,     // Waits until both directions of the stream are reset.
};

// DataChannel is one channel as its owner sees it.
struct DataChannel {
  ChannelHandle handle;
  StreamId stream;  // Means nothing until `has_stream`.
  bool has_stream = false;
  ChannelState state = ChannelState::kConnecting;
  bool negotiated = false;
  bool opened_by_peer = false;
  bool acknowledged = false;  // The peer has sent ACK or a message.
  std::uint16_t priority = 0;
  ChannelReliability reliability;
  std::optional<std::uint32_t> buffer_priority;
  std::string label;
  std::string protocol;
  std::size_t low_threshold = 0;

  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

// ChannelError says what was wrong with a channel that had to be closed.
enum class ChannelError : std::uint8_t {
  kNone,
  kNoFreeStream,     // Every stream id of our parity is in use, or the id is out of range.
  kOpenRefused,      // OPEN is larger than the messages that the peer accepts.
  kDuplicateOpen,    // The peer sent OPEN on a stream in use (RFC 8832 §6).
  kUnsupportedPpid,  // RFC 8831 §6.6
  kMalformedDcep,    // A DCEP message that is neither OPEN nor ACK (RFC 8832 §6).
  kResetRefused,     // The peer does not reset streams: the id stays unusable.
  kPeerRestarted,    // The peer lost its state.
  kAssociationClosed,
};

enum class MessageKind : std::uint8_t { kText, kBinary };

// ChannelEventKind tells which fields of a ChannelEvent hold something beside `channel`.
enum class ChannelEventKind : std::uint8_t {
  kAssociation,        // association: an event that concerns no single channel: kConnected,
                       // kRestarted, kWritable, kTotalBufferedAmountLow, kPeerShutdown,
                       // kPeerError, kClosed.
  kOpened,             // Our `open` took effect: messages may be sent. They may come, too.
  kAcknowledged,       // The peer has sent its ACK: it knows the channel.
  kOpenedByPeer,       // A new handle. Messages may be sent where the state is kOpen; else
                       // kOpened follows.
  kMessage,            // message, message_kind.
  kMessageProgress,    // association->progress, of a message that was sent with an id: before
                       // kClosed, but where the peer refuses the reset of the stream, or uses
                       // the stream again before it has answered.
  kWritable,           // There is room again within the channel's own bound.
  kBufferedAmountLow,  // The buffered amount fell to its threshold.
  kClosing,            // error, or kNone where the peer just closes: no message will follow.
  kClosed,             // error. The handle is dead; its stream id may be used again.
};

// ChannelEvent is one thing that happened. What `message` and `association` point to is
// lent until the next call on the DataChannels or its association.
struct ChannelEvent {
  ChannelEventKind kind = ChannelEventKind::kAssociation;
  ChannelError error = ChannelError::kNone;
  MessageKind message_kind = MessageKind::kBinary;
  ChannelHandle channel;
  MessageView message;
  const Event* association = nullptr;
};

}  // namespace millrace::sctp
