// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/send_queue.h"

#include <algorithm>

namespace millrace::sctp {

SendQueue::~SendQueue() {
  for (SendStream& stream : streams_) {
    while (stream.head != nullptr) {
      OutgoingMessage* const message = stream.head;
      stream.head = message->next;
      message->queued = false;
      store_.release_if_done(message);
    }
  }
}

void SendQueue::push(OutgoingMessage* message) {
  const std::uint32_t index = streams_.find_or_add(message->stream);
  SendStream& stream = streams_[index];
  message->stream_index = index;
  message->queued = true;
  message->next = nullptr;
  if (stream.head == nullptr) {
    stream.head = message;
  } else {
    stream.tail->next = message;
  }
  stream.tail = message;
  stream.buffered += message->size;
  buffered_ += message->size;
  cost_ += MessageStore::cost_of(*message);
  ++messages_;
  note_expiry(message);
  if (!stream.active && !stream.paused) activate(index);
}

void SendQueue::consume(std::uint32_t bytes) {
  const std::uint32_t index = current_;
  SendStream& stream = streams_[index];
  OutgoingMessage* const message = stream.head;
  DCHECK(message != nullptr && bytes <= message->size - message->sent);
  message->sent += bytes;
  unbuffer(stream, bytes);
  if (message->sent < message->size) {
    if (interleaving_) rotate();
    return;
  }
  rotate();
  pop_head(index);
  if (stream.head == nullptr || stream.paused) deactivate(index);
}

void SendQueue::drop_head(std::uint32_t index) {
  SendStream& stream = streams_[index];
  unbuffer(stream, stream.head->size - stream.head->sent);
  if (current_ == index) rotate();
  pop_head(index);
  if (stream.active && (stream.head == nullptr || stream.paused)) deactivate(index);
}

std::size_t SendQueue::drop_expired(Time now) {
  std::size_t dropped = 0;
  next_expiry_ = kNever;
  for (std::uint32_t index = 0; index < streams_.size(); ++index) {
    SendStream& stream = streams_[index];
    while (stream.head != nullptr && stream.head->sent == 0 && stream.head->expired(now)) {
      unbuffer(stream, stream.head->size);
      pop_head(index);
      ++dropped;
    }
    if (stream.head == nullptr) {
      if (stream.active) deactivate(index);
    } else if (stream.head->sent == 0) {
      note_expiry(stream.head);
    }
  }
  return dropped;
}

void SendQueue::pause(StreamId id) {
  const std::uint32_t index = streams_.find_or_add(id);
  SendStream& stream = streams_[index];
  stream.paused = true;
  // A message in progress is finished first: its fragments have consecutive TSNs.
  if (stream.active && stream.head->sent == 0) deactivate(index);
}

void SendQueue::resume(StreamId id) {
  const std::uint32_t index = streams_.find_or_add(id);
  SendStream& stream = streams_[index];
  stream.paused = false;
  if (!stream.active && stream.head != nullptr) activate(index);
}

std::size_t SendQueue::discard_unbegun(StreamId id) {
  const std::uint32_t index = streams_.find(id);
  if (index == kNone) return 0;
  SendStream& stream = streams_[index];
  OutgoingMessage* begun = nullptr;
  if (stream.head != nullptr && stream.head->sent > 0) begun = stream.head;
  OutgoingMessage* rest = begun != nullptr ? begun->next : stream.head;
  std::size_t dropped = 0;
  while (rest != nullptr) {
    OutgoingMessage* const message = rest;
    rest = message->next;
    unbuffer(stream, message->size);
    cost_ -= MessageStore::cost_of(*message);
    --messages_;
    message->queued = false;
    store_.release_if_done(message);
    ++dropped;
  }
  stream.head = stream.tail = begun;
  if (begun != nullptr) begun->next = nullptr;
  if (begun == nullptr && stream.active) deactivate(index);
  return dropped;
}

void SendQueue::discard_streams_from(std::uint16_t streams) {
  for (std::uint32_t index = 0; index < streams_.size(); ++index) {
    if (streams_[index].id.value() >= streams) discard_unbegun(streams_[index].id);
  }
}

// The ring of active streams is circular; whoever comes new is last in turn, right
// behind the current one's predecessor.
void SendQueue::activate(std::uint32_t index) {
  SendStream& stream = streams_[index];
  stream.active = true;
  if (current_ == kNone) {
    current_ = stream.next_active = stream.previous_active = index;
    return;
  }
  const std::uint32_t before = streams_[current_].previous_active;
  stream.next_active = current_;
  stream.previous_active = before;
  streams_[before].next_active = index;
  streams_[current_].previous_active = index;
}

void SendQueue::deactivate(std::uint32_t index) {
  SendStream& stream = streams_[index];
  stream.active = false;
  if (stream.next_active == index) {
    current_ = kNone;
    return;
  }
  streams_[stream.previous_active].next_active = stream.next_active;
  streams_[stream.next_active].previous_active = stream.previous_active;
  if (current_ == index) current_ = stream.next_active;
}

void SendQueue::unbuffer(SendStream& stream, std::size_t bytes) {
  const bool was_above = stream.buffered > stream.low_threshold;
  stream.buffered -= bytes;
  buffered_ -= bytes;
  if (was_above && stream.buffered <= stream.low_threshold && !stream.low_reported) {
    stream.low_reported = true;
    low_streams_.push_back(streams_.find(stream.id));
  }
}

void SendQueue::pop_head(std::uint32_t index) {
  SendStream& stream = streams_[index];
  OutgoingMessage* const message = stream.head;
  stream.head = message->next;
  if (stream.head == nullptr) {
    stream.tail = nullptr;
  } else {
    note_expiry(stream.head);
  }
  cost_ -= MessageStore::cost_of(*message);
  if (--messages_ == 0) next_expiry_ = kNever;
  message->next = nullptr;
  message->queued = false;
  store_.release_if_done(message);
}

void SendQueue::note_expiry(const OutgoingMessage* message) {
  next_expiry_ = std::min(next_expiry_, message->expires_at);
}

}  // namespace millrace::sctp
