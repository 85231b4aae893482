// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/time.h"
#include "sctp/event.h"
#include "sctp/packet/chunk_test_support.h"
#include "sctp/send_options.h"
#include "sctp/types.h"

namespace millrace::sctp {

// FakeTransport stands in for the association: it records what is asked of it and
// says what a test tells it to.
class FakeTransport {
 public:
  struct Sent {
    StreamId stream;
    Ppid ppid;
    Bytes payload;
    SendOptions options;
  };

  struct Part {
    Sent sent;
    MessagePart which;
  };

  // What the association would offer.
  bool poll_event(Event& out) {
    if (events_.empty()) return false;
    current_ = events_.front();
    events_.pop_front();
    out = current_.event;
    out.streams = current_.streams;
    pieces_.assign(current_.pieces.begin(), current_.pieces.end());
    out.message.pieces = pieces_;
    return true;
  }
  bool may_have_event() const { return !events_.empty(); }
  SendStatus send(Time, StreamId stream, Ppid ppid, ByteSpan payload, const SendOptions& options) {
    if (next_status != SendStatus::kOk) return next_status;
    sent.push_back({stream, ppid, Bytes(payload.begin(), payload.end()), options});
    return SendStatus::kOk;
  }
  SendStatus send(Time now, StreamId stream, Ppid ppid, OwnedBytes&& payload,
                  const SendOptions& options) {
    const SendStatus status = send(now, stream, ppid, payload.bytes(), options);
    if (status == SendStatus::kOk) const OwnedBytes taken = std::move(payload);
    return status;
  }
  SendStatus send_part(Time, StreamId stream, Ppid ppid, ByteSpan part, const MessagePart& which,
                       const SendOptions& options) {
    if (next_status != SendStatus::kOk) return next_status;
    parts.push_back({{stream, ppid, Bytes(part.begin(), part.end()), options}, which});
    return SendStatus::kOk;
  }
  bool abort_message(Time, StreamId stream) {
    aborted.push_back(stream);
    return abortable;
  }
  void reset_streams(Time, std::span<const StreamId> streams) {
    resets.insert(resets.end(), streams.begin(), streams.end());
  }
  void set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes) {
    thresholds[stream] = bytes;
  }
  void set_stream_priority(StreamId stream, std::uint16_t priority) {
    priorities[stream] = priority;
  }
  std::size_t buffered_amount(StreamId stream) const {
    const auto found = buffered.find(stream);
    return found == buffered.end() ? 0 : found->second;
  }
  bool stream_is_full(StreamId stream) const { return full.contains(stream); }
  std::uint32_t outgoing_generation(StreamId stream) const { return of(outgoing, stream); }
  std::uint32_t incoming_generation(StreamId stream) const { return of(incoming, stream); }

  // What a test makes happen.
  void happen(EventKind kind) {
    Event event;
    event.kind = kind;
    events_.push_back({event, {}, {}});
  }
  void connected(std::uint16_t incoming_streams = 65535, std::uint16_t outgoing_streams = 65535,
                 EventKind kind = EventKind::kConnected) {
    Event event;
    event.kind = kind;
    event.incoming_streams = incoming_streams;
    event.outgoing_streams = outgoing_streams;
    events_.push_back({event, {}, {}});
  }
  void message(std::uint16_t stream, Ppid ppid, const Bytes& payload, bool unordered = false) {
    Event event;
    event.kind = EventKind::kMessage;
    event.generation = of(incoming, StreamId(stream));
    event.message.stream = StreamId(stream);
    event.message.ppid = ppid;
    event.message.unordered = unordered;
    event.message.size = payload.size();
    // In two pieces where there is more than one byte: nobody may rely on one.
    const auto middle = payload.begin() + static_cast<std::ptrdiff_t>(payload.size() / 2);
    Queued queued{event, {}, {Bytes(middle, payload.end())}};
    if (middle != payload.begin())
      queued.pieces.insert(queued.pieces.begin(), Bytes(payload.begin(), middle));
    events_.push_back(queued);
  }
  void incoming_reset(std::uint16_t stream) {
    ++incoming[StreamId(stream)];
    reset(EventKind::kIncomingStreamReset, stream);
  }
  void reset_done(std::uint16_t stream) {
    ++outgoing[StreamId(stream)];
    reset(EventKind::kStreamResetDone, stream);
  }
  void reset_refused(std::uint16_t stream) { reset(EventKind::kStreamResetRefused, stream); }
  void happen_to(EventKind kind, std::uint16_t stream) {
    Event event;
    event.kind = kind;
    event.stream = StreamId(stream);
    events_.push_back({event, {}, {}});
  }

  // What became of a message that was sent with these options.
  void progress(const SendOptions& options, MessageStage stage) {
    Event event;
    event.kind = EventKind::kMessageProgress;
    event.progress = {.tag = options.tag, .stage = stage, .sent = MessageExtent::kWhole};
    events_.push_back({event, {}, {}});
  }

  SendStatus next_status = SendStatus::kOk;
  std::vector<Sent> sent;
  std::vector<Part> parts;
  std::vector<StreamId> aborted;
  bool abortable = true;
  std::vector<StreamId> resets;
  std::map<StreamId, std::size_t> thresholds;
  std::map<StreamId, std::uint16_t> priorities;
  std::map<StreamId, std::size_t> buffered;
  std::set<StreamId> full;
  std::map<StreamId, std::uint32_t> incoming;
  std::map<StreamId, std::uint32_t> outgoing;

 private:
  struct Queued {
    Event event;
    std::vector<StreamId> streams;
    std::vector<Bytes> pieces;
  };
  static std::uint32_t of(const std::map<StreamId, std::uint32_t>& map, StreamId stream) {
    const auto found = map.find(stream);
    return found == map.end() ? 0 : found->second;
  }
  void reset(EventKind kind, std::uint16_t stream) {
    Event event;
    event.kind = kind;
    events_.push_back({event, {StreamId(stream)}, {}});
  }

  std::deque<Queued> events_;
  Queued current_;
  std::vector<ByteSpan> pieces_;
};

}  // namespace millrace::sctp
