// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/send_queue.h"

#include <algorithm>
#include <utility>

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
  message->arrival = arrivals_++;
  message->next = nullptr;
  if (stream.head == nullptr) {
    stream.head = message;
  } else {
    stream.tail->next = message;
  }
  stream.tail = message;
  if (message->open) stream.open = message;
  stream.buffered += message->size;
  buffered_ += message->size;
  const std::size_t charge = charge_of(*message);
  stream.cost += charge;
  cost_ += charge;
  ++messages_;
  if (message->yields()) {
    stream.yielding.add(message->limit, charge);
    ++yielding_;
  }
  if (message->limited()) note_limited(index);
  note_expiry(message);
  if (stream.head == message) update_readiness(index);
}

void SendQueue::grow(OutgoingMessage& message, std::size_t bytes, std::size_t cost) {
  SendStream& stream = streams_[message.stream_index];
  message.size += static_cast<std::uint32_t>(bytes);
  stream.buffered += bytes;
  buffered_ += bytes;
  stream.cost += cost;
  cost_ += cost;
  if (message.yields()) stream.yielding.cost += cost;
  if (stream.head == &message) update_readiness(message.stream_index);
}

void SendQueue::set_hold_back(std::size_t bytes) {
  if (std::exchange(hold_back_, bytes) == bytes) return;
  for (std::uint32_t index = 0; index < streams_.size(); ++index) {
    SendStream& stream = streams_[index];
    if (stream.open == nullptr) continue;
    if (stream.head == stream.open) update_readiness(index);
    if (stream.wants_room) look_for_room(stream);
  }
}

void SendQueue::close(OutgoingMessage& message) {
  SendStream& stream = streams_[message.stream_index];
  DCHECK(stream.open == &message && message.size > message.sent);
  message.open = false;
  stream.open = nullptr;
  if (stream.head == &message) update_readiness(message.stream_index);
}

void SendQueue::consume(std::uint32_t bytes) {
  const std::uint32_t index = current_;
  SendStream& stream = streams_[index];
  OutgoingMessage* const message = stream.head;
  DCHECK(message != nullptr && bytes <= message->size - message->sent);
  message->sent += bytes;
  unbuffer(stream, bytes);
  if (message->streamed != nullptr) {
    const std::size_t relief = message->streamed->note_sent(message->sent);
    if (message->yields()) stream.yielding.cost -= relief;
    relieve(stream, relief);
  }
  if (interleaving_ && message->sent < message->size && scheduler_.is_alone() && !message->open) {
    scheduler_.charge(index, bytes);  // Its turn ends, and the next is its own.
  } else if (message->sent == message->size) {
    const std::size_t taken = interleaving_ ? bytes : message->size;
    pop_head(index);
    end_turn(index, taken);
  } else if (interleaving_) {
    end_turn(index, bytes);
  } else {
    begun_ = index;
    if (message->open) choose();
  }
}

void SendQueue::end_turn(std::uint32_t index, std::size_t bytes) {
  const SendStream& stream = streams_[index];
  begun_ = kNone;
  scheduler_.charge(index, bytes);
  if (is_ready(stream) && scheduler_.is_ready(index)) {
    scheduler_.end_turn(index, stream.head->arrival);
    choose();
  } else {
    update_readiness(index);
  }
}

void SendQueue::update_readiness(std::uint32_t index) {
  const SendStream& stream = streams_[index];
  const bool was_ready = scheduler_.is_ready(index);
  if (is_ready(stream)) {
    was_ready ? scheduler_.set_arrival(index, stream.head->arrival)
              : scheduler_.add(index, stream.head->arrival);
  } else if (was_ready) {
    scheduler_.remove(index);
  }
  choose();
}

void SendQueue::choose() {
  if (begun_ == kNone) {
    current_ = scheduler_.first();
  } else {
    current_ = is_sendable(*streams_[begun_].head) ? begun_ : kNone;
  }
}

void SendQueue::drop_head(std::uint32_t index) {
  SendStream& stream = streams_[index];
  const std::size_t sent = stream.head->sent;
  unbuffer(stream, stream.head->size - sent);
  pop_head(index);
  if (index == begun_) return end_turn(index, sent);
  update_readiness(index);
}

void SendQueue::drop_unbegun(OutgoingMessage* message) {
  DCHECK(message->sent == 0);
  SendStream& stream = streams_[message->stream_index];
  const std::uint32_t index = message->stream_index;
  unbuffer(stream, message->size);
  if (stream.head == message) {
    pop_head(index);
    return update_readiness(index);
  }
  OutgoingMessage* before = stream.head;
  while (before->next != message) before = before->next;
  before->next = message->next;
  if (stream.tail == message) stream.tail = before;
  let_go(stream, message);
}

void SendQueue::drop_expired(Time now, std::vector<OutgoingMessage*>& begun,
                             AbandonedCounts& dropped) {
  next_expiry_ = kNever;
  // From behind: a stream that is done with gives its place to the last, which was looked at.
  for (std::size_t i = limited_.size(); i-- > 0;) {
    const std::uint32_t index = limited_[i];
    SendStream& stream = streams_[index];
    const OutgoingMessage* const head = stream.head;
    while (stream.head != nullptr && stream.head->sent == 0 && stream.head->expired(now)) {
      unbuffer(stream, stream.head->size);
      stream.head->abandoned = true;
      pop_head(index);
      dropped.note(index, false);
    }
    if (stream.head != head) update_readiness(index);
    if (stream.head == nullptr || stream.head->abandoned) continue;
    if (stream.head->expired(now)) {
      begun.push_back(stream.head);
    } else {
      note_expiry(stream.head);
    }
  }
}

void SendQueue::pause(StreamId id) {
  const std::uint32_t index = streams_.find_or_add(id);
  streams_[index].paused = true;
  update_readiness(index);
}

void SendQueue::resume(StreamId id) {
  const std::uint32_t index = streams_.find_or_add(id);
  streams_[index].paused = false;
  update_readiness(index);
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
    let_go(stream, message);
    ++dropped;
  }
  stream.head = stream.tail = begun;
  if (begun != nullptr) begun->next = nullptr;
  update_readiness(index);
  return dropped;
}

void SendQueue::discard_streams_from(std::uint16_t streams) {
  for (std::uint32_t index = 0; index < streams_.size(); ++index) {
    if (streams_[index].id.value() >= streams) discard_unbegun(streams_[index].id);
  }
}

void SendQueue::unbuffer(SendStream& stream, std::size_t bytes) {
  const bool was_above = stream.buffered > stream.low_threshold;
  stream.buffered -= bytes;
  buffered_ -= bytes;
  if (was_above && stream.buffered <= stream.low_threshold && !stream.low_reported) {
    stream.low_reported = true;
    low_streams_.push_back(streams_.index_of(stream));
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
  let_go(stream, message);
}

// `message` is in the queue no more, and freed if nothing else needs it.
void SendQueue::let_go(SendStream& stream, OutgoingMessage* message) {
  if (stream.open == message) {
    stream.open = nullptr;
    stream.open_lost = true;
  }
  if (message->extras != 0) [[unlikely]]
    store_.note_left_queue(*message);
  const std::size_t charge = charge_of(*message);
  if (message->yields()) {
    stream.yielding.remove(charge);
    --yielding_;
  }
  if (message->limited()) forget_limited(stream);
  relieve(stream, charge);
  if (--messages_ == 0) next_expiry_ = kNever;
  message->next = nullptr;
  message->queued = false;
  store_.release_if_done(message);
}

// One more message of the stream expires or gives way.
void SendQueue::note_limited(std::uint32_t index) {
  SendStream& stream = streams_[index];
  if (stream.limited++ > 0) return;
  stream.limited_slot = static_cast<std::uint32_t>(limited_.size());
  limited_.push_back(index);
}

void SendQueue::forget_limited(SendStream& stream) {
  if (--stream.limited > 0) return;
  limited_[stream.limited_slot] = limited_.back();
  streams_[limited_.back()].limited_slot = stream.limited_slot;
  limited_.pop_back();
}

void SendQueue::note_expiry(const OutgoingMessage* message) {
  next_expiry_ = std::min(next_expiry_, message->expires_at);
}

}  // namespace millrace::sctp
