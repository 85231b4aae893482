// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/owned_bytes.h"
#include "millrace/message.h"
#include "millrace/types.h"

namespace millrace {

namespace engine {
class ShardCore;
}

// ChannelOptions are those of RTCDataChannelInit (W3C WebRTC §6.1), and one more limit. At most
// one of `max_retransmits`, `max_packet_life_time` and `buffer_priority` may be set.
struct ChannelOptions {
  std::string label;     // At most 65,535 bytes of UTF-8.
  std::string protocol;  // At most 65,535 bytes of UTF-8.
  bool ordered = true;
  std::optional<std::uint16_t> max_retransmits;
  std::optional<milliseconds> max_packet_life_time;
  // RFC 7496 §3.2: a message waits for its turn unless the send buffer is needed for one of
  // higher priority, 0 being the highest, or of a channel without: then it is given up. It is
  // this end's business alone; to the peer the channel is reliable.
  std::optional<std::uint32_t> buffer_priority;
  // RFC 8831 §6.4: 128 below normal, 256 normal, 512 high, 1024 extra high.
  std::uint16_t priority = 256;
  // RFC 8832: true needs `id`; both ends then open it alike and no message is exchanged.
  // Otherwise `id` is not looked at.
  bool negotiated = false;
  std::optional<std::uint16_t> id;
};

// Channel is a handle to a data channel: small, copied freely, used on its shard's
// thread alone. It may outlive its session, though not its engine: a stale handle is
// closed, never another channel, since an id that is used again has another generation.
class Channel {
 public:
  Channel() = default;

  // Queues one message; the bytes are copied once. An empty message is sent as RFC 8831
  // §6.6 says. May be called with a message that is being received. kWouldBlock before
  // on_channel_open, too.
  SendStatus send(std::span<const std::uint8_t> bytes, MessageKind kind = MessageKind::kBinary);
  SendStatus send(std::span<const std::uint8_t> bytes, MessageOptions options);
  SendStatus send(std::string_view text);
  // Sends the concatenation of `pieces`, as MessageView has them, as one message.
  SendStatus send(std::span<const std::span<const std::uint8_t>> pieces, MessageKind kind);
  SendStatus send(std::span<const std::span<const std::uint8_t>> pieces, MessageOptions options);

  // Takes the memory over where the answer is kOk, and copies nothing: it is read until the
  // peer has acknowledged the message. Otherwise it stays with the caller. The release is
  // called on the shard's thread, at the latest when the session ends, and must not call
  // back. Pays for messages of some packets; shorter ones are copied sooner than remembered.
  SendStatus send(OwnedBytes&& bytes, MessageKind kind = MessageKind::kBinary);
  SendStatus send(OwnedBytes&& bytes, MessageOptions options);

  // Sends a message part by part; the bytes are copied. It may be larger than the send buffer,
  // up to the peer's max-message-size and 1 GiB: parts are taken while there is room for them
  // and are on their way before the last has come. The first part begins a message and gives
  // its kind and id; those that follow belong to it until one is `last`, which may be empty.
  // Messages sent on the channel meanwhile come behind it, and with peers that do not interleave
  // those of all channels: do not leave one unfinished. kWouldBlock and kTooLarge leave it as it
  // was. kAbandoned, once, says that the channel's limits have ended it and takes nothing.
  SendStatus send_part(std::span<const std::uint8_t> part, const MessagePart& which,
                       MessageOptions options);
  SendStatus send_part(std::span<const std::uint8_t> part, const MessagePart& which,
                       MessageKind kind = MessageKind::kBinary) {
    return send_part(part, which, MessageOptions{.kind = kind});
  }
  // Gives up the message that is being sent in parts; the peer never sees it. False where it
  // cannot be taken back, since the peer does not know partial reliability (RFC 3758).
  bool abort_message();

  // Closes gracefully: what is queued is sent first, then the stream is reset
  // (RFC 8831 §6.7). `on_channel_close` follows once both directions are.
  void close();

  bool open() const;
  // The SCTP stream; nothing before the session is open, and once the channel is closed.
  std::optional<std::uint16_t> id() const;
  SessionId session() const { return session_; }
  // Empty once the channel is closed; else valid until a channel of the session is opened
  // or closed, and within this event at most.
  std::string_view label() const;
  std::string_view protocol() const;
  bool ordered() const;
  bool reliable() const;  // It has none of the three limits.
  // The largest message that is taken: the peer's max-message-size (RFC 8841 §6), at most 1 GiB.
  std::size_t max_message_size() const;

  // Bytes queued and not yet handed to the network.
  std::size_t buffered_amount() const;
  // `on_buffered_amount_low` fires when the amount falls from above to this or less.
  void set_buffered_amount_low_threshold(std::size_t bytes);

  // ChannelOptions::buffer_priority of what is sent from here on, for channels that the peer
  // opened, too; nothing makes it reliable again. False where the channel has another limit or
  // is closed.
  bool set_buffer_priority(std::optional<std::uint32_t> priority);

  // A word of the application's own, 0 at first; kept until on_channel_close returns.
  std::uint64_t user_data() const;
  void set_user_data(std::uint64_t word);

  friend bool operator==(const Channel&, const Channel&) = default;

 private:
  friend class engine::ShardCore;
  engine::ShardCore* shard_ = nullptr;
  SessionId session_ = SessionId::kNone;
  std::uint32_t session_slot_ = 0;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace millrace
