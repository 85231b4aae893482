// SPDX-License-Identifier: Apache-2.0
// DataSender's messages that come part by part.
#include <algorithm>

#include "sctp/tx/data_sender.h"

namespace millrace::sctp {

SendStatus DataSender::send_part(Time now, StreamId id, Ppid ppid, ByteSpan part,
                                 const MessagePart& which, const SendOptions& options) {
  SendStream* const stream = queue_.find(id);
  if (stream != nullptr && std::exchange(stream->open_lost, false)) return SendStatus::kAbandoned;
  if (stream != nullptr && stream->open != nullptr) {
    return continue_message(now, *stream->open, part, which.last);
  }
  const std::size_t whole = std::max(part.size(), which.total_bytes);
  if (whole > options_.max_message_bytes) return SendStatus::kTooLarge;
  if (which.last) return send(now, id, ppid, part, options);
  const std::size_t extra = tracking_bytes(options);
  const auto refused =
      refusal(now, id, whole, MessageStore::open_cost(part.size(), extra), options);
  if (refused) return *refused;
  OutgoingMessage* const message = store_.open(extra);
  if (message == nullptr || !message->streamed->append(part)) {
    if (message != nullptr) store_.release(message);
    want_room(0);
    return SendStatus::kWouldBlock;
  }
  message->size = static_cast<std::uint32_t>(part.size());
  enqueue(now, message, id, ppid, options);
  return SendStatus::kOk;
}

SendStatus DataSender::continue_message(Time now, OutgoingMessage& message, ByteSpan part,
                                        bool last) {
  if (!accepting_) return SendStatus::kClosed;
  if (part.size() > options_.max_message_bytes - message.size) return SendStatus::kTooLarge;
  if (last && message.size + part.size() == 0) return SendStatus::kEmpty;
  const std::size_t cost = StreamedPayload::cost_of(message.size, part.size());
  if (!has_room_for_part(now, message, cost)) return SendStatus::kWouldBlock;
  if (!message.streamed->append(part)) {
    want_room(0);
    return SendStatus::kWouldBlock;
  }
  queue_.grow(message, part.size(), cost);
  if (last) queue_.close(message);
  update_thresholds();
  return SendStatus::kOk;
}

bool DataSender::abort_message(Time now, StreamId id) {
  SendStream* const stream = queue_.find(id);
  if (stream == nullptr) return true;
  stream->open_lost = false;
  OutgoingMessage* const message = stream->open;
  if (message == nullptr) return true;
  if (message->sent == 0) {
    abandoned_.note(message->stream_index, false);
    message->abandoned = true;
    queue_.drop_unbegun(message);
  } else if (forward_tsn_) {
    // It stays open, so that its last byte, which would end it, is never sent.
    outstanding_.abandon(*message);
    drop_rest_of_abandoned();
    note_ack_point(now);
  } else {
    return false;
  }
  stream->open = nullptr;
  stream->open_lost = false;
  update_thresholds();
  return true;
}

bool DataSender::abort_open_messages(Time now) {
  bool all = true;
  for (std::uint32_t index = 0; index < queue_.stream_count(); ++index) {
    all &= abort_message(now, queue_.stream_at(index).id);
  }
  return all;
}

// What has expired in the queue, begun or not (RFC 3758 §3.5 A).
void DataSender::expire_queued(Time now) {
  expired_.clear();
  queue_.drop_expired(now, expired_, abandoned_);
  for (OutgoingMessage* const message : expired_) outstanding_.abandon(*message);
  drop_rest_of_abandoned();
  update_thresholds();
  note_ack_point(now);
}

}  // namespace millrace::sctp
