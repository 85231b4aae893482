// SPDX-License-Identifier: Apache-2.0
// RFC 8260 §2.2.3: fragments to messages, messages in order, parts.
#include "sctp/rx/interleaved_messages.h"

#include <algorithm>
#include <utility>

namespace millrace::sctp {
namespace {

// Half the circle of MIDs is always ahead of the floor.
constexpr std::uint32_t kFarForWhole = 1u << 30;

}  // namespace

bool InterleavedMessages::add(UnwrappedTsn tsn, const IDataChunkHeader& header) {
  if (!continues_recent(header)) return add_any(tsn, header);
  Message& message = messages_[recent_];
  message.highest_fsn = header.fsn;
  if (!append(message, tsn)) return false;
  if (message.place != Place::kNextLife) update_offer(recent_);
  return true;
}

// The short way of what comes in order: from the middle of the message that had the last
// fragment, and next in it.
bool InterleavedMessages::continues_recent(const IDataChunkHeader& header) const {
  if (recent_ == kNone || reset_tsn_) return false;
  const Message& recent = messages_[recent_];
  return header.fsn == recent.next_fsn && recent.is_named_by(header) &&
         header.stream == streams_[recent.stream].id && !header.flags.beginning &&
         !header.flags.ending && recent.next_fsn > 0 && recent.last_fsn == kUnknown &&
         recent.beyond_count == 0;
}

bool InterleavedMessages::add_any(UnwrappedTsn tsn, const IDataChunkHeader& header) {
  const Index stream_index = streams_.find_or_add(header.stream);
  Stream& stream = stream_at(stream_index);
  const bool next_life = is_next_life(stream, tsn);
  if (!next_life) {
    if (is_stale(stream, header)) {
      ++stale_;
      store_.remove(tsn);
      return true;
    }
    if (deliver_whole(stream, tsn, header)) {
      if (!header.flags.unordered) deliver_next(stream_index);
      return true;
    }
  }
  const Index index = find_or_make(stream_index, header, next_life);
  return index != kNone && add_fragment(index, tsn, header);
}

bool InterleavedMessages::is_stale(const Stream& stream, const IDataChunkHeader& header) const {
  return header.mid.precedes(header.flags.unordered ? stream.unordered_floor : stream.next_mid);
}

// The short way of what comes in one chunk and has its turn.
bool InterleavedMessages::deliver_whole(Stream& stream, UnwrappedTsn tsn,
                                        const IDataChunkHeader& header) {
  if (!header.flags.beginning || !header.flags.ending || stream.open != kNone) return false;
  const bool unordered = header.flags.unordered;
  if (!unordered && header.mid != stream.next_mid) return false;
  const List& others = unordered ? stream.unordered : stream.ordered;
  if (others.count > 0 && by_mid_.find(key_of(stream.id, unordered, stream.life, header.mid))) {
    return false;  // Which contradicts this one.
  }
  if (unordered) {
    note_unordered(stream, header.mid, kFarForWhole);
  } else {
    stream.next_mid = stream.next_mid.next();
  }
  ready_.push(tsn);
  return true;
}

// Drags the floor along that is `far` behind. What it passes is of MIDs that the peer had done
// with before it could begin this one.
void InterleavedMessages::note_unordered(Stream& stream, Mid mid, std::uint32_t far) {
  if (mid.distance_from(stream.unordered_floor) <= far) return;
  skip_unordered(stream, mid.minus(2 * kMaxMidsAhead + 1));
}

// Each message of a stream and kind takes a TSN at least, in the order of MIDs, so those
// that are not over lie within as many MIDs as there are TSNs.
bool InterleavedMessages::mid_is_possible(const Stream& stream, const IDataChunkHeader& header,
                                          bool next_life) const {
  if (next_life) return header.mid.distance_from(Mid()) < kMaxMidsAhead;
  if (!header.flags.unordered) {
    return header.mid.distance_from(stream.next_mid) < kMaxMidsAhead;
  }
  if (stream.unordered.head == kNone) return true;
  const Mid other = messages_[stream.unordered.head].mid;
  return std::min(header.mid.distance_from(other), other.distance_from(header.mid)) < kMaxMidsAhead;
}

InterleavedMessages::Index InterleavedMessages::find_or_make(Index stream_index,
                                                             const IDataChunkHeader& header,
                                                             bool next_life) {
  Stream& stream = streams_[stream_index];
  const bool unordered = header.flags.unordered;
  const bool life = stream.life != next_life;
  if (recent_ != kNone) {
    const Message& recent = messages_[recent_];
    if (recent.stream == stream_index && recent.is_named_by(header) && recent.life == life) {
      return recent_;
    }
  }
  const std::uint64_t key = key_of(stream.id, unordered, life, header.mid);
  if (const std::optional<Index> found = by_mid_.find(key)) return recent_ = *found;
  if (!mid_is_possible(stream, header, next_life)) return kNone;
  // RFC 8260 §2.3.1: what an I-FORWARD-TSN walks over is paid for by how far it raises the floor.
  if (unordered && !next_life) note_unordered(stream, header.mid, 3 * kMaxMidsAhead);
  if (free_.empty()) {
    free_.push_back(static_cast<Index>(messages_.size()));
    messages_.emplace_back();
  }
  const Index index = free_.back();
  free_.pop_back();
  Message& message = messages_[index];
  message = Message();
  message.stream = stream_index;
  message.mid = header.mid;
  message.unordered = unordered;
  message.life = life;
  message.place = next_life ? Place::kNextLife : unordered ? Place::kUnordered : Place::kOrdered;
  by_mid_.insert(key, index);
  list(stream_index);
  push_back<&Message::in_stream>(list_of(message), index);
  return recent_ = index;
}

bool InterleavedMessages::add_fragment(Index index, UnwrappedTsn tsn,
                                       const IDataChunkHeader& header) {
  Message& message = messages_[index];
  const std::uint32_t fsn = header.fsn;
  // RFC 8260 §2.1: FSNs count from 0, which is the beginning's. A fragment has a byte, so
  // the limit of bytes is one of FSNs.
  if (header.flags.beginning != (fsn == 0) || fsn >= max_message_bytes_) return false;
  if (fsn < message.next_fsn) return false;
  if (message.last_fsn != kUnknown && (fsn > message.last_fsn || header.flags.ending)) return false;
  if (header.flags.ending) {
    if (fsn < message.highest_fsn) return false;
    message.last_fsn = fsn;
  }
  message.highest_fsn = std::max(message.highest_fsn, fsn);
  store_.at(tsn).fsn = fsn;
  if (fsn != message.next_fsn) {
    if (!by_fsn_.insert(fragment_key(index, fsn), tsn.wrap().value())) return false;
    push_beyond(message, tsn);
    return true;
  }
  if (!append(message, tsn) || !pull_in(index)) return false;
  settle(index);
  return true;
}

bool InterleavedMessages::append(Message& message, UnwrappedTsn tsn) {
  HeldChunk& chunk = store_.at(tsn);
  const std::uint32_t self = tsn.wrap().value();
  if (chunk.flags.beginning) message.ppid = chunk.ppid;
  chunk.other_end = self;
  if (message.prefix_bytes == 0) {
    message.head = self;
  } else {
    store_.at(Tsn(message.tail)).other_end = self;
  }
  message.tail = self;
  message.prefix_bytes += chunk.size;
  ++message.next_fsn;
  return std::size_t{message.offset} + message.prefix_bytes <= max_message_bytes_;
}

bool InterleavedMessages::pull_in(Index index) {
  Message& message = messages_[index];
  while (message.beyond_count > 0) {
    const std::optional<std::uint32_t> tsn = by_fsn_.take(fragment_key(index, message.next_fsn));
    if (!tsn) break;
    unlink_beyond(message, store_.at(Tsn(*tsn)), *tsn);
    if (!append(message, unwrap(*tsn))) return false;
  }
  return true;
}

void InterleavedMessages::push_beyond(Message& message, UnwrappedTsn tsn) {
  HeldChunk& chunk = store_.at(tsn);
  const std::uint32_t self = tsn.wrap().value();
  chunk.previous_fragment = self;
  chunk.other_end = self;
  if (message.beyond_count > 0) {
    chunk.other_end = message.beyond;
    store_.at(Tsn(message.beyond)).previous_fragment = self;
  }
  message.beyond = self;
  ++message.beyond_count;
}

void InterleavedMessages::unlink_beyond(Message& message, HeldChunk& chunk, std::uint32_t tsn) {
  --message.beyond_count;
  const bool is_first = chunk.previous_fragment == tsn;
  const bool is_last = chunk.other_end == tsn;
  if (is_first) {
    message.beyond = chunk.other_end;
  } else {
    store_.at(Tsn(chunk.previous_fragment)).other_end =
        is_last ? chunk.previous_fragment : chunk.other_end;
  }
  if (!is_last) {
    store_.at(Tsn(chunk.other_end)).previous_fragment =
        is_first ? chunk.other_end : chunk.previous_fragment;
  }
}

// What follows from fragments that were appended.
void InterleavedMessages::settle(Index index) {
  Message& message = messages_[index];
  if (message.place == Place::kNextLife) return;
  if (!message.complete()) return update_offer(index);
  remove_offer(index);
  const Index stream_index = message.stream;
  Stream& stream = streams_[stream_index];
  const bool unordered = message.unordered;
  if (stream.open == index) {
    DeliveredPart part = part_of(message);
    part.last = true;
    ready_.push_part(part);
    if (!unordered) stream.next_mid = stream.next_mid.next();
    release(index);
    end_open(stream);
  } else if (!unordered && message.mid != stream.next_mid) {
    return;
  } else if (stream.open != kNone) {
    if (unordered) move_to(index, Place::kParked);
    return;
  } else {
    if (unordered) note_unordered(stream, message.mid, kFarForWhole);
    if (!unordered) stream.next_mid = stream.next_mid.next();
    deliver(index);
  }
  deliver_next(stream_index);
}

// Whole, and nothing is in its way.
void InterleavedMessages::deliver(Index index) {
  ready_.push(unwrap(messages_[index].head));
  release(index);
}

void InterleavedMessages::deliver_next(Index stream_index) {
  Stream& stream = streams_[stream_index];
  while (stream.open == kNone && stream.ordered.count > 0) {
    const auto found = by_mid_.find(key_of(stream.id, false, stream.life, stream.next_mid));
    if (!found) return;
    if (!messages_[*found].complete()) return update_offer(*found);
    stream.next_mid = stream.next_mid.next();
    deliver(*found);
  }
}

void InterleavedMessages::end_open(Stream& stream) {
  stream.open = kNone;
  while (stream.parked.head != kNone) deliver(stream.parked.head);
}

// Parts: RFC 9260 §6.9, RFC 8260 §2.2.1.

bool InterleavedMessages::has_turn(Index index) const {
  const Message& message = messages_[index];
  const Stream& stream = streams_[message.stream];
  if (stream.open != kNone) return stream.open == index;
  return message.place == Place::kUnordered ||
         (message.place == Place::kOrdered && message.mid == stream.next_mid);
}

InterleavedMessages::Offer InterleavedMessages::offer_of(Index index) const {
  const Message& message = messages_[index];
  // The next fragment of one that is offered: its turn it is unless another was begun.
  if (message.offer == Offer::kIfEnough && message.prefix_bytes <= part_bytes_ &&
      streams_[message.stream].open == kNone) {
    return Offer::kIfEnough;
  }
  if (message.prefix_bytes == 0 || !has_turn(index)) return Offer::kNot;
  if (message.offset > 0 || message.prefix_bytes > bound_of_part(part_bytes_, message.ppid)) {
    return Offer::kAtOnce;
  }
  return message.ppid == kPpidDcep ? Offer::kNot : Offer::kIfEnough;
}

void InterleavedMessages::update_offer(Index index) {
  Message& message = messages_[index];
  const Offer offer = offer_of(index);
  if (offer != message.offer) {
    remove_offer(index);
    message.offer = offer;
    if (offer == Offer::kNot) return;
    push_back<&Message::in_offers>(offers_[static_cast<std::size_t>(offer) - 1], index);
  }
  if (offer != Offer::kIfEnough) return;
  offered_bytes_ += message.prefix_bytes - message.offered_bytes;
  message.offered_bytes = message.prefix_bytes;
}

void InterleavedMessages::remove_offer(Index index) {
  Message& message = messages_[index];
  if (message.offer == Offer::kNot) return;
  remove_from<&Message::in_offers>(offers_[static_cast<std::size_t>(message.offer) - 1], index);
  message.offer = Offer::kNot;
  offered_bytes_ -= std::exchange(message.offered_bytes, 0);
}

bool InterleavedMessages::has_part(std::size_t enough, UnwrappedTsn cumulative) const {
  if (offers_[1].head != kNone) return true;
  const Index oldest = offers_[0].head;
  if (oldest == kNone) return false;
  const UnwrappedTsn head = unwrap(messages_[oldest].head);
  const std::uint64_t age = head < cumulative ? cumulative.distance_from(head) : 0;
  return offered_bytes_ + ChunkStore::kPlaceBytes * age >= enough || age > kMaxAge;
}

std::optional<DeliveredPart> InterleavedMessages::take_part(std::size_t enough,
                                                            UnwrappedTsn cumulative) {
  while (has_part(enough, cumulative)) {
    const Index index = offers_[1].head != kNone ? offers_[1].head : offers_[0].head;
    remove_offer(index);
    // Another of the stream may have been begun since.
    if (!has_turn(index)) continue;
    Message& message = messages_[index];
    streams_[message.stream].open = index;
    const DeliveredPart part = part_of(message);
    message.offset += message.prefix_bytes;
    message.prefix_bytes = 0;
    return part;
  }
  return std::nullopt;
}

DeliveredPart InterleavedMessages::part_of(const Message& message) const {
  return {.first = unwrap(message.head),
          .stream = streams_[message.stream].id,
          .ppid = message.ppid,
          .unordered = message.unordered,
          .last = false,
          .aborted = false,
          .offset = message.offset};
}

// Lists.

InterleavedMessages::List& InterleavedMessages::list_of(const Message& message) {
  Stream& stream = streams_[message.stream];
  switch (message.place) {
    case Place::kOrdered:
      return stream.ordered;
    case Place::kUnordered:
      return stream.unordered;
    case Place::kParked:
      return stream.parked;
    case Place::kNextLife:
      break;
  }
  return stream.next_life;
}

template <InterleavedMessages::Links InterleavedMessages::Message::*kLinks>
void InterleavedMessages::push_back(List& list, Index index) {
  messages_[index].*kLinks = {.previous = list.tail, .next = kNone};
  if (list.tail == kNone) {
    list.head = index;
  } else {
    (messages_[list.tail].*kLinks).next = index;
  }
  list.tail = index;
  ++list.count;
}

template <InterleavedMessages::Links InterleavedMessages::Message::*kLinks>
void InterleavedMessages::remove_from(List& list, Index index) {
  const Links links = messages_[index].*kLinks;
  (links.previous == kNone ? list.head : (messages_[links.previous].*kLinks).next) = links.next;
  (links.next == kNone ? list.tail : (messages_[links.next].*kLinks).previous) = links.previous;
  --list.count;
}

void InterleavedMessages::move_to(Index index, Place place) {
  Message& message = messages_[index];
  remove_from<&Message::in_stream>(list_of(message), index);
  message.place = place;
  push_back<&Message::in_stream>(list_of(message), index);
}

void InterleavedMessages::release(Index index) {
  remove_offer(index);
  const Message& message = messages_[index];
  remove_from<&Message::in_stream>(list_of(message), index);
  by_mid_.take(key_of(streams_[message.stream].id, message.unordered, message.life, message.mid));
  free_.push_back(index);
  if (recent_ == index) recent_ = kNone;
}

void InterleavedMessages::trim() {
  if (!by_mid_.empty()) return;
  by_mid_.trim();
  by_fsn_.trim();
  for (const Index index : in_use_) streams_[index].listed = false;
  in_use_ = std::vector<Index>();
  messages_ = std::vector<Message>();
  free_ = std::vector<Index>();
  scratch_ = std::vector<Index>();
}

}  // namespace millrace::sctp
