// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/result.h"
#include "engine/base/time.h"
#include "sctp/dcep/channel_table.h"
#include "sctp/dcep/data_channel.h"
#include "sctp/event.h"
#include "sctp/send_options.h"
#include "sctp/types.h"

namespace millrace::sctp {

// ChannelTransport is the part of sctp::Association that data channels are made of; a
// test puts another in its place.
template <class T>
concept ChannelTransport = requires(T t, const T& c, Time now, StreamId stream, ByteSpan payload,
                                    OwnedBytes owned, const SendOptions& options, Event& event) {
  { t.poll_event(event) } -> std::same_as<bool>;
  { c.may_have_event() } -> std::same_as<bool>;
  { t.send(now, stream, Ppid(), payload, options) } -> std::same_as<SendStatus>;
  { t.send(now, stream, Ppid(), std::move(owned), options) } -> std::same_as<SendStatus>;
  { t.send_part(now, stream, Ppid(), payload, MessagePart(), options) } -> std::same_as<SendStatus>;
  { t.abort_message(now, stream) } -> std::same_as<bool>;
  { t.reset_streams(now, std::span<const StreamId>()) } -> std::same_as<void>;
  { t.set_buffered_amount_low_threshold(stream, std::size_t{}) } -> std::same_as<void>;
  { t.set_stream_priority(stream, std::uint16_t{}) } -> std::same_as<void>;
  { c.buffered_amount(stream) } -> std::same_as<std::size_t>;
  { c.stream_is_full(stream) } -> std::same_as<bool>;
  { c.outgoing_generation(stream) } -> std::same_as<std::uint32_t>;
  { c.incoming_generation(stream) } -> std::same_as<std::uint32_t>;
};

// DtlsRole decides whose stream ids are even (RFC 8832 §6).
enum class DtlsRole : std::uint8_t { kClient, kServer };

// ChannelLimits bounds what the channels of one association may hold.
struct ChannelLimits {
  // Channels at once, those that the peer opens and those still closing included.
  std::size_t max_channels = 1024;
  // Labels and protocols of all channels together.
  std::size_t max_string_bytes = 1024 * 1024;
  // The largest message that the peer accepts (a=max-message-size, RFC 8841 §6).
  std::size_t max_message_bytes = 256 * 1024;
};

enum class OpenError : std::uint8_t {
  kBadConfig,        // More than one limit, a string too long or not UTF-8.
  kInvalidStream,    // Not a stream of this association, or none is left.
  kStreamInUse,      // The negotiated id belongs to a channel, perhaps one still closing.
  kTooManyChannels,  // ChannelLimits.
  kClosed,           // The association is shutting down or closed.
};

enum class [[nodiscard]] ChannelSendStatus : std::uint8_t{
    kOk,
    kWouldBlock,  // No room, or not connected yet: kWritable, of the association or where
                  // `is_full` of the channel, or kOpened follows.
    kTooLarge,    // Above ChannelLimits::max_message_bytes.
    kAbandoned,   // `send_part`: the message was given up by the channel's limits.
    kClosed,      // The channel is closing or closed, or the association is.
};

// ChannelDrop says why something that the peer sent on a stream was not obeyed.
enum class ChannelDrop : std::uint8_t {
  kMalformedDcep,    // Neither OPEN nor ACK, or an invalid one: the stream is reset.
  kWrongParity,      // OPEN on an id of our own kind: the stream is reset.
  kDuplicateOpen,    // OPEN on a stream in use: the channel is closed.
  kUnexpectedAck,    // ACK for a channel that waits for none: ignored.
  kUnusedStream,     // A message on a stream that belongs to no channel.
  kUnsupportedPpid,  // The channel is closed.
  kLate,             // A message for a channel that this end has closed: ignored.
  kTooManyChannels,  // OPEN beyond ChannelLimits: the stream is reset.
};
inline constexpr std::size_t kChannelDropCount =
    static_cast<std::size_t>(ChannelDrop::kTooManyChannels) + 1;

struct ChannelStats {
  std::uint64_t opened = 0;  // W3C dataChannelsOpened, of both ends' making.
  std::uint64_t closed = 0;  // W3C dataChannelsClosed
  std::array<std::uint64_t, kChannelDropCount> drops{};

  std::uint64_t dropped(ChannelDrop reason) const {
    return drops[static_cast<std::size_t>(reason)];
  }
};

// BasicDataChannels is the data channels of one association (RFC 8831, 8832). Like the
// association it is sans-IO, and it stands between that and its owner: call the
// association for packets and timers, but `poll_event`, `send` and `close` here.
//
//   channels.open(...)                        // Any time, also before the association is up.
//   association.handle_packet(...), handle_burst_end(...)
//   while (channels.poll_event(now, event)) ...
//   while (association.poll_packet(now, out)) ...
//
// A stream id is used again only after both its directions are reset (RFC 8831 §6.7), and
// events of an id's earlier life are told apart by the stream's generation.
template <ChannelTransport Transport>
class BasicDataChannels {
 public:
  // `transport` must outlive this object.
  BasicDataChannels(Transport& transport, DtlsRole role, const ChannelLimits& limits)
      : transport_(transport), limits_(limits), role_(role) {}
  BasicDataChannels(const BasicDataChannels&) = delete;
  BasicDataChannels& operator=(const BasicDataChannels&) = delete;

  // The two may be set until the association is connected; the peer's SDP has them.
  void set_role(DtlsRole role) { role_ = role; }
  void set_max_message_bytes(std::size_t bytes) { limits_.max_message_bytes = bytes; }

  // Opens a channel. kOpened follows once messages may be sent, which is when the
  // association is up: nobody waits for the peer's ACK (RFC 8832 §6). Open a negotiated
  // channel before its peer may send on it: an ordered message on an unused stream has
  // the stream reset.
  Result<ChannelHandle, OpenError> open(Time now, const ChannelConfig& config);

  // Sends one message, copied; empty ones, too.
  ChannelSendStatus send(Time now, ChannelHandle channel, MessageKind kind, ByteSpan payload);
  // The same without a copy: takes `payload` over where the answer is kOk.
  ChannelSendStatus send(Time now, ChannelHandle channel, MessageKind kind, OwnedBytes&& payload);
  // The same where kMessageProgress is to tell of the message; an `id` of 0 asks for nothing.
  ChannelSendStatus send(Time now, ChannelHandle channel, MessageKind kind, ByteSpan payload,
                         std::uint64_t id);
  ChannelSendStatus send(Time now, ChannelHandle channel, MessageKind kind, OwnedBytes&& payload,
                         std::uint64_t id);

  // Sends a message part by part, copied, within less memory than it has bytes; see
  // DataSender::send_part. The kind and id are those of the first part. kTooLarge comes before
  // anything of it is queued where the total is known, else for the part that exceeds it.
  ChannelSendStatus send_part(Time now, ChannelHandle channel, MessageKind kind, ByteSpan part,
                              const MessagePart& which, std::uint64_t id = 0);
  // Gives up the message that is being sent in parts; see Association::abort_message.
  bool abort_message(Time now, ChannelHandle channel);

  // ChannelConfig::buffer_priority of what is sent from here on; nothing makes it reliable again.
  // False for a channel with another limit, which has but one, and for a dead handle.
  bool set_buffer_priority(ChannelHandle channel, std::optional<std::uint32_t> priority);

  // Closes a channel: what was sent before is delivered as its reliability promises, but for
  // a message whose last part has not come, which is given up; what still arrives is
  // discarded, kClosed follows. A dead handle is ignored.
  void close(Time now, ChannelHandle channel);

  // Returns the next event, in place of `Association::poll_event`. Messages are lent as
  // the association lends them. Messages of the deprecated PPIDs 52 and 54 come as parts
  // of one message: MessageView::offset and `last` tell.
  bool poll_event(Time now, ChannelEvent& out);
  // False: `poll_event` would be, too. It is the cheaper question.
  bool may_have_event() const {
    return next_pending_ < pending_.size() || transport_.may_have_event();
  }

  // Returns nullptr for a dead handle; valid until the next non-const call.
  const DataChannel* find(ChannelHandle channel) const { return table_.find(channel); }
  // Channels and stream ids that are still closing or lost.
  std::size_t size() const { return table_.size(); }
  // Calls `visit(const DataChannel&)` with each channel that its owner knows.
  template <class Visit>
  void for_each(Visit visit) const {
    table_.for_each([&](const Channel& channel) {
      if (channel.announced) visit(static_cast<const DataChannel&>(channel));
    });
  }

  // Payload bytes sent and not yet put into a packet (W3C bufferedAmount); 0 for a dead
  // handle. kBufferedAmountLow fires when it falls from above to at most the threshold.
  std::size_t buffered_amount(ChannelHandle channel) const;
  void set_buffered_amount_low_threshold(ChannelHandle channel, std::size_t bytes);
  // Its kWouldBlock is for its own bound: the association's kWritable says nothing of it.
  bool is_full(ChannelHandle channel) const;

  const ChannelStats& stats() const { return stats_; }

 private:
  struct Pending {
    ChannelEventKind kind;
    ChannelError error;
    ChannelHandle channel;
  };
  using Channel = ChannelTable::Channel;

  // Opening (RFC 8832 §6).
  std::optional<OpenError> refuse_open(const ChannelConfig& config);
  void start(Time now, Channel& channel);
  std::optional<StreamId> free_stream() const;
  void bind(Channel& channel, StreamId stream);
  void announce_open(Channel& channel);
  void send_open(Time now, Channel& channel);
  void send_ack(Time now, Channel& channel);
  void resume(Time now);
  bool is_usable(StreamId stream) const;
  bool is_peers(StreamId stream) const;

  static SendOptions options_of(const Channel& channel, std::uint64_t id);
  static ChannelSendStatus status_of(SendStatus status);
  template <class Payload>
  ChannelSendStatus send_message(Time now, ChannelHandle handle, MessageKind kind,
                                 std::size_t bytes, Payload&& payload, std::uint64_t id);

  // Messages. True if `out` holds an event.
  bool handle_message(Time now, const Event& event, ChannelEvent& out);
  static bool is_current(const Channel* channel, std::uint32_t incoming_generation);
  bool deliver(Time now, Channel& channel, const MessageView& message, ChannelEvent& out);
  void handle_dcep(Time now, const Event& event);
  void handle_open(Time now, StreamId stream, std::uint32_t generation, const OpenMessage& open);
  void handle_ack(Channel* channel);
  void handle_garbage(Time now, StreamId stream, std::uint32_t generation);
  ByteSpan gather(const MessageView& message);

  // Closing (RFC 8831 §6.7).
  void begin_close(Time now, Channel& channel, ChannelError error);
  void reject(Time now, StreamId stream, std::uint32_t incoming_generation);
  void finish_if_reset(Channel& channel);
  void forget(Channel& channel, ChannelError error);
  void handle_incoming_reset(Time now, const Event& event);
  void handle_reset_done(Time now, const Event& event);
  void handle_reset_refused(Time now, const Event& event);
  void finish_former_reset(Time now, Channel& channel);
  void collect_streams(const Event& event);
  void close_all(ChannelError error);

  bool handle_event(Time now, ChannelEvent& out);
  bool tell_channel(ChannelEventKind kind, ChannelEvent& out);
  bool tell_progress(ChannelEvent& out);
  void connect(Time now);
  void push(ChannelEventKind kind, const Channel& channel,
            ChannelError error = ChannelError::kNone);
  void push(ChannelEventKind kind);
  bool take_pending(ChannelEvent& out);
  void drop(ChannelDrop reason) { ++stats_.drops[static_cast<std::size_t>(reason)]; }

  Transport& transport_;
  ChannelTable table_;
  ChannelLimits limits_;
  DtlsRole role_;
  bool connected_ = false;
  bool closed_ = false;
  std::uint16_t usable_streams_ = 0;  // The lesser of both directions.
  std::size_t unsent_ = 0;            // Channels whose OPEN or ACK found no room.

  // Events of the last thing that happened; drained before the next is looked at.
  std::vector<Pending> pending_;
  std::size_t next_pending_ = 0;
  std::vector<std::uint8_t> scratch_;  // A DCEP message, to be built or gathered.
  std::vector<StreamId> streams_;      // Those of an event, kept past its lending.
  Event event_;                        // The association's, until `pending_` is drained.
  ChannelStats stats_;
};

}  // namespace millrace::sctp
