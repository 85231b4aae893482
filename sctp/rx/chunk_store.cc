// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/chunk_store.h"

#include <algorithm>

namespace millrace::sctp {
namespace {

constexpr std::size_t kFirstCapacity = 4;

}  // namespace

ChunkStore::~ChunkStore() {
  while (!empty()) remove(first_);
}

bool ChunkStore::has_place_for(UnwrappedTsn tsn) const {
  if (first_ == end_) return true;
  const UnwrappedTsn first = std::min(first_, tsn);
  const UnwrappedTsn end = std::max(end_, tsn.next());
  return end.distance_from(first) <= kMaxSpan;
}

void ChunkStore::reserve(std::size_t span) {
  std::size_t capacity = std::max(kFirstCapacity, capacity_);
  while (capacity < span) capacity *= 2;
  auto ring = std::make_unique<HeldChunk[]>(capacity);
  places_.reset(capacity);
  for (UnwrappedTsn tsn = first_; tsn < end_; tsn = tsn.next()) {
    if (!holds(tsn)) continue;
    const std::size_t place = static_cast<std::size_t>(tsn.value()) & (capacity - 1);
    ring[place] = at(tsn);
    places_.take(place);
  }
  ring_ = std::move(ring);
  capacity_ = capacity;
}

void ChunkStore::make_place(UnwrappedTsn tsn) {
  if (first_ == end_) first_ = end_ = tsn;
  const UnwrappedTsn first = std::min(first_, tsn);
  const UnwrappedTsn end = std::max(end_, tsn.next());
  if (end.distance_from(first) > capacity_) reserve(end.distance_from(first));
  first_ = first;
  end_ = end;
}

HeldChunk& ChunkStore::add(Time now, UnwrappedTsn tsn, ByteSpan payload, const BufferRef& buffer) {
  DCHECK(has_place_for(tsn) && !holds(tsn));
  if (tsn == end_ && end_.distance_from(first_) < capacity_) {
    end_ = tsn.next();
  } else {
    make_place(tsn);
  }
  HeldChunk& chunk = at(tsn);
  chunk.data = payload.data();
  chunk.size = static_cast<std::uint16_t>(payload.size());
  chunk.state = HeldChunk::State::kPartial;
  places_.take(slot(tsn));
  chunk.other_end = tsn.wrap().value();
  link(pin_for(now, buffer), tsn, chunk);
  return chunk;
}

void ChunkStore::remove(UnwrappedTsn tsn) {
  HeldChunk& chunk = at(tsn);
  DCHECK(chunk.state != HeldChunk::State::kFree);
  if (chunk.pin == kCopied) {
    cost_ -= BlockPool::block_bytes(chunk.size);
    pool_.release(const_cast<std::uint8_t*>(chunk.data), chunk.size);
  } else {
    unlink(tsn, chunk);
  }
  chunk.state = HeldChunk::State::kFree;
  places_.free(slot(tsn));
  if (tsn == first_) {
    first_ = next_held(tsn.next());
  } else if (tsn.next() == end_) {
    end_ = last_held(tsn.previous()).next();
  }
}

// The last chunk held up to `tsn`, which is not before the first.
UnwrappedTsn ChunkStore::last_held(UnwrappedTsn tsn) const {
  if (holds(tsn)) return tsn;
  return tsn.minus((slot(tsn) - places_.previous(slot(tsn))) & (capacity_ - 1));
}

void ChunkStore::trim() {
  if (!empty()) return;
  ring_.reset();
  places_.trim();
  capacity_ = 0;
  pins_ = std::vector<Pin>();
  free_pins_ = std::vector<std::uint32_t>();
  dirty_ = std::vector<std::uint32_t>();
}

void ChunkStore::remove_run(UnwrappedTsn first, UnwrappedTsn last) {
  for (UnwrappedTsn tsn = first; tsn <= last; tsn = tsn.next()) remove(tsn);
}

void ChunkStore::remove_list(UnwrappedTsn first) {
  for (UnwrappedTsn tsn = first;;) {
    const UnwrappedTsn next = other_end(tsn);
    remove(tsn);
    if (next == tsn) break;
    tsn = next;
  }
}

// Chunks of one buffer come one after the other, so the last pin is all that need be
// looked at. A buffer that comes back later is merely pinned twice.
std::uint32_t ChunkStore::pin_for(Time now, const BufferRef& buffer) {
  if (last_pin_ != kCopied && pins_[last_pin_].buffer.get() == buffer.get()) return last_pin_;
  if (free_pins_.empty()) {
    free_pins_.push_back(static_cast<std::uint32_t>(pins_.size()));
    pins_.emplace_back();
  }
  const std::uint32_t index = free_pins_.back();
  free_pins_.pop_back();
  Pin& pin = pins_[index];
  pin.buffer = buffer;
  pin.since = now;
  ++pinned_;
  oldest_pin_ = std::min(oldest_pin_, now);
  cost_ += buffer->capacity;
  if (!pin.listed) {
    pin.listed = true;
    dirty_.push_back(index);
  }
  return last_pin_ = index;
}

void ChunkStore::link(std::uint32_t index, UnwrappedTsn tsn, HeldChunk& chunk) {
  Pin& pin = pins_[index];
  const std::uint32_t self = tsn.wrap().value();
  chunk.pin = index;
  chunk.previous_in_pin = self;
  chunk.next_in_pin = pin.chunks == 0 ? self : pin.head;
  if (pin.chunks > 0) at_wrapped(pin.head).previous_in_pin = self;
  pin.head = self;
  pin.used += chunk.size;
  ++pin.chunks;
}

void ChunkStore::unlink(UnwrappedTsn tsn, const HeldChunk& chunk) {
  Pin& pin = pins_[chunk.pin];
  pin.used -= chunk.size;
  if (--pin.chunks == 0) {
    drop_pin(chunk.pin);
    return;
  }
  const std::uint32_t self = tsn.wrap().value();
  const bool is_head = chunk.previous_in_pin == self;
  const bool is_tail = chunk.next_in_pin == self;
  if (is_head) {
    pin.head = chunk.next_in_pin;
    at_wrapped(chunk.next_in_pin).previous_in_pin = chunk.next_in_pin;
  } else {
    at_wrapped(chunk.previous_in_pin).next_in_pin =
        is_tail ? chunk.previous_in_pin : chunk.next_in_pin;
    if (!is_tail) at_wrapped(chunk.next_in_pin).previous_in_pin = chunk.previous_in_pin;
  }
  list_if_wasteful(chunk.pin);
}

void ChunkStore::drop_pin(std::uint32_t index) {
  Pin& pin = pins_[index];
  cost_ -= pin.buffer->capacity;
  pin.buffer.reset();
  pin.used = 0;
  if (last_pin_ == index) last_pin_ = kCopied;
  if (--pinned_ == 0) oldest_pin_ = kNever;
  free_pins_.push_back(index);
}

void ChunkStore::list_if_wasteful(std::uint32_t index) {
  Pin& pin = pins_[index];
  if (pin.listed || !wasteful(pin)) return;
  pin.listed = true;
  dirty_.push_back(index);
}

void ChunkStore::settle(Time now, Duration max_pin_time) {
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    Pin& pin = pins_[dirty_[i]];
    pin.listed = false;
    if (pin.buffer && (wasteful(pin) || pin.buffer->scarce)) copy_out(dirty_[i]);
  }
  dirty_.clear();
  if (now < next_settle(max_pin_time)) return;
  oldest_pin_ = kNever;
  for (std::uint32_t index = 0; index < pins_.size(); ++index) {
    if (!pins_[index].buffer) continue;
    if (now - pins_[index].since >= max_pin_time) copy_out(index);
    // A pool without room leaves it pinned; it is tried again after as long.
    if (pins_[index].buffer) {
      if (now - pins_[index].since >= max_pin_time) pins_[index].since = now;
      oldest_pin_ = std::min(oldest_pin_, pins_[index].since);
    }
  }
  dirty_.clear();
  for (Pin& pin : pins_) pin.listed = false;
}

Time ChunkStore::next_settle(Duration max_pin_time) const {
  return oldest_pin_ == kNever ? kNever : oldest_pin_ + max_pin_time;
}

void ChunkStore::copy_out(std::uint32_t index) {
  Pin& pin = pins_[index];
  while (pin.chunks > 0) {
    HeldChunk& chunk = at_wrapped(pin.head);
    std::uint8_t* const block = pool_.allocate(chunk.size);
    if (block == nullptr) return;
    copy_payload({block, chunk.size}, {chunk.data, chunk.size}, copy_counters().held);
    chunk.data = block;
    chunk.pin = kCopied;
    cost_ += BlockPool::block_bytes(chunk.size);
    pin.used -= chunk.size;
    pin.head = chunk.next_in_pin;
    if (--pin.chunks == 0) break;
    at_wrapped(pin.head).previous_in_pin = pin.head;
  }
  drop_pin(index);
}

}  // namespace millrace::sctp
