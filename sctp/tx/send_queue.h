// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/time.h"
#include "sctp/stream_table.h"
#include "sctp/tx/abandoned_counts.h"
#include "sctp/tx/outgoing_message.h"
#include "sctp/tx/stream_scheduler.h"
#include "sctp/tx/yielding_messages.h"
#include "sctp/types.h"

namespace millrace::sctp {

// SendStream is what the sending side keeps of one stream.
struct SendStream {
  explicit SendStream(StreamId stream_id) : id(stream_id) {}

  OutgoingMessage* head = nullptr;
  OutgoingMessage* tail = nullptr;
  OutgoingMessage* open = nullptr;  // The message to which parts are appended.
  std::size_t buffered = 0;         // Payload bytes that have no TSN yet.
  std::size_t cost = 0;             // Its part of SendQueue::cost.
  std::size_t room_level = 0;       // With `wants_room`: what `cost` is to fall to.
  std::size_t low_threshold = 0;
  Mid next_mid;  // Of ordered messages.
  Mid next_unordered_mid;
  // Of the FORWARD-TSN being built, per kind of message; see DataSender.
  std::array<std::uint32_t, 2> forward_stamp{};
  std::array<std::uint32_t, 2> forward_slot{};
  YieldingMessages yielding;
  std::uint32_t limited = 0;       // Messages that expire or give way;
  std::uint32_t limited_slot = 0;  // if there are any, its place in SendQueue::limited_.
  StreamId id;
  bool paused = false;
  bool closing = false;
  bool open_lost = false;     // It was given up, which the one who appends is to be told.
  bool low_reported = false;  // Awaits its kBufferedAmountLow event.
  bool wants_room = false;    // A message or part was refused for want of room of its own;
  bool part_waits = false;    // it was a part.
  bool in_parts_waiting = false;
};

// SendQueue holds the messages that have not been sent whole, per stream, and decides
// whose turn it is by a StreamScheduler: at message boundaries, for fragments of a DATA
// message have consecutive TSNs (RFC 9260 §6.9), or at those of fragments (RFC 8260).
class SendQueue {
 public:
  // No message counts for more than `max_charge` unless it comes in parts.
  SendQueue(MessageStore& store, StreamScheduling rule, std::size_t max_charge)
      : store_(store), scheduler_(rule), max_charge_(max_charge) {}
  ~SendQueue();
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // From here on a turn is one fragment, or a message; none has been begun.
  void enable_interleaving(bool on = true) { interleaving_ = on; }

  // Of an open message, more than so many bytes must be there before some are sent.
  void set_hold_back(std::size_t bytes);

  void push(OutgoingMessage* message);
  // So many bytes, at that cost, were appended to an open message.
  void grow(OutgoingMessage& message, std::size_t bytes, std::size_t cost);
  // No part of it follows.
  void close(OutgoingMessage& message);
  // Drops a message that has not been begun.
  void drop_unbegun(OutgoingMessage* message);
  // The message to send from, nullptr if there is none. It stays the same until `consume`
  // or `drop_head` ends its turn; of an open one there may be nothing to send meanwhile.
  OutgoingMessage* current() const { return current_ == kNone ? nullptr : streams_[current_].head; }
  // Takes `bytes` off the front of `current`. The last ones end it and pass the turn on; if
  // the message has outstanding chunks it then belongs to them.
  void consume(std::uint32_t bytes);
  // Drops what is unsent of the first message of the stream with this index.
  void drop_head(std::uint32_t index);
  // Drops expired messages that have not been begun, and counts them. Those that have are
  // appended to `begun`.
  void drop_expired(Time now, std::vector<OutgoingMessage*>& begun, AbandonedCounts& dropped);
  // No message expires before this time; kNever if none is limited.
  Time next_expiry() const { return next_expiry_; }

  // Of the stream as a whole; see StreamScheduler.
  void set_priority(StreamId stream, std::uint16_t priority) {
    scheduler_.set_priority(streams_.find_or_add(stream), priority);
  }
  void pause(StreamId stream);
  void resume(StreamId stream);
  std::size_t discard_unbegun(StreamId stream);
  // Drops all messages, begun ones too, of streams not below `streams`.
  void discard_streams_from(std::uint16_t streams);

  SendStream& stream(StreamId id) { return streams_[streams_.find_or_add(id)]; }
  SendStream& stream_at(std::uint32_t index) { return streams_[index]; }
  std::size_t stream_count() const { return streams_.size(); }
  // Of those the ones with messages that expire or give way, which are looked through where time
  // or room for others runs out: there are no more of them than messages.
  std::size_t limited_stream_count() const { return limited_.size(); }
  // Beyond all others where there is no such stream.
  std::uint32_t index_of(StreamId id) const { return streams_.find(id); }
  const SendStream* find(StreamId id) const { return streams_.get(id); }
  SendStream* find(StreamId id) { return streams_.get(id); }

  // The message of the stream that comes in parts has nothing to send until more of it comes,
  // though all before it is sent.
  bool is_starved(const SendStream& stream) const {
    return stream.open != nullptr && stream.head == stream.open && !is_sendable(*stream.open);
  }
  // So is this one, and nothing else may be sent before it either: what is queued stays so
  // until a part comes, whatever room there is.
  bool is_stuck(const SendStream& stream) const;
  // Lists the stream in `roomy_streams` once it costs no more than `level`; for a part, also
  // once it is starved.
  void want_room(SendStream& stream, std::size_t level, bool part);
  // A part of its message was refused for want of room in the queue.
  void note_part_waits(SendStream& stream);
  // One of those is stuck. All are forgotten when they are told to go on.
  bool any_part_stuck() const;
  void forget_parts_waiting();

  // RFC 7496 §3.2. Which of the queued messages give way: those of a priority from that number
  // on, and of those that were begun only where `begun`.
  struct Yielding {
    std::uint64_t from;
    bool begun;
  };
  bool has_yielding() const { return yielding_ > 0; }
  // What they cost, of one stream or of all.
  std::size_t yielding_cost(const SendStream& stream, const Yielding& which) const;
  std::size_t yielding_cost(const Yielding& which) const;
  // The first to go, nullptr if there is none: of the lowest priority, of those one that was not
  // begun, of those the oldest.
  OutgoingMessage* first_yielding(SendStream& stream, const Yielding& which);
  OutgoingMessage* first_yielding(const Yielding& which);

  bool empty() const { return messages_ == 0; }
  std::size_t buffered() const { return buffered_; }
  std::size_t messages() const { return messages_; }
  std::size_t cost() const { return cost_; }  // Of records and payloads; see `max_charge`.
  std::vector<std::uint32_t>& roomy_streams() { return roomy_streams_; }
  // Streams whose buffered amount has fallen to its threshold, to be reported.
  std::vector<std::uint32_t>& low_streams() { return low_streams_; }
  // Any of the two has some.
  bool has_news() const { return !low_streams_.empty() || !roomy_streams_.empty(); }

 private:
  static constexpr std::uint32_t kNone = StreamTable<SendStream>::kNone;
  static_assert(kNone == StreamScheduler::kNone);

  // Tells the scheduler what became of the stream, but for turns taken.
  void update_readiness(std::uint32_t index);
  // A turn of the stream, of `bytes`, has ended.
  void end_turn(std::uint32_t index, std::size_t bytes);
  bool is_sendable(const OutgoingMessage& message) const {
    return !message.open || message.size - message.sent > hold_back_;
  }
  // A message in progress is finished before the stream pauses.
  bool is_ready(const SendStream& stream) const {
    return stream.head != nullptr && (!stream.paused || stream.head->sent > 0) &&
           is_sendable(*stream.head);
  }
  void choose();
  void unbuffer(SendStream& stream, std::size_t bytes);
  void relieve(SendStream& stream, std::size_t cost);
  void look_for_room(SendStream& stream);
  void note_limited(std::uint32_t index);
  void forget_limited(SendStream& stream);
  // Unlinks the head of a stream and frees it if nothing else needs it.
  void pop_head(std::uint32_t index);
  void let_go(SendStream& stream, OutgoingMessage* message);
  void note_expiry(const OutgoingMessage* message);
  std::size_t charge_of(const OutgoingMessage& message) const {
    const std::size_t cost = MessageStore::cost_of(message);
    if (message.extras == 0) return std::min(cost, max_charge_);
    return message.streamed != nullptr ? cost : std::min(cost, max_charge_);
  }

  MessageStore& store_;
  StreamTable<SendStream> streams_;
  StreamScheduler scheduler_;
  std::uint32_t current_ = kNone;  // Of the streams, the one whose turn it is.
  std::uint32_t arrivals_ = 0;
  std::size_t messages_ = 0;
  std::size_t yielding_ = 0;
  std::size_t buffered_ = 0;
  std::size_t cost_ = 0;
  std::size_t max_charge_;
  Time next_expiry_ = kNever;
  std::vector<std::uint32_t> limited_;
  std::vector<std::uint32_t> low_streams_;
  std::vector<std::uint32_t> roomy_streams_;
  std::vector<std::uint32_t> parts_waiting_;
  std::size_t hold_back_ = 0;
  std::uint32_t begun_ = kNone;  // Without interleaving: the stream whose turn lasts to the end
                                 // of its message.
  bool interleaving_ = false;
};

}  // namespace millrace::sctp
