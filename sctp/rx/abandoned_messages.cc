// SPDX-License-Identifier: Apache-2.0
// InterleavedMessages' RFC 8260 §2.3: messages that will never be whole (I-FORWARD-TSN), and
// stream reset.
#include <algorithm>
#include <utility>

#include "sctp/rx/interleaved_messages.h"

namespace millrace::sctp {
namespace {

// MIDs count from 0 beyond the TSN of the stream's reset, so one that is larger than the
// number of TSNs since then is of the life before: an I-FORWARD-TSN that a reset overtook.
bool is_of_former_life(UnwrappedTsn born, Mid skipped, UnwrappedTsn target) {
  return born > UnwrappedTsn() && (target <= born || target.distance_from(born) <= skipped.value());
}

}  // namespace

void InterleavedMessages::skip(const IForwardTsnChunkView& forward, std::uint16_t streams,
                               UnwrappedTsn target) {
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedMessages skipped = forward.skipped(i);
    if (skipped.stream.value() >= streams) continue;
    const Index index = streams_.find_or_add(skipped.stream);
    Stream& stream = stream_at(index);
    if (is_of_former_life(stream.born, skipped.mid, target)) continue;
    if (skipped.unordered) {
      skip_unordered(stream, skipped.mid);
    } else {
      skip_ordered(stream, skipped.mid);
    }
    deliver_next(index);
  }
}

// RFC 3758 §3.6: what is whole and waited for what is skipped is delivered, in its order.
void InterleavedMessages::skip_ordered(Stream& stream, Mid mid) {
  if (mid.precedes(stream.next_mid)) return;
  collect(stream.ordered, stream, false, stream.next_mid, mid);
  stream.next_mid = mid.next();
  for (const Index index : scratch_) {
    if (!messages_[index].complete()) {
      drop(index);
    } else if (stream.open != kNone) {
      move_to(index, Place::kParked);
    } else {
      deliver(index);
    }
  }
}

void InterleavedMessages::skip_unordered(Stream& stream, Mid mid) {
  if (mid.precedes(stream.unordered_floor)) return;
  collect(stream.unordered, stream, true, stream.unordered_floor, mid);
  stream.unordered_floor = mid.next();
  for (const Index index : scratch_) drop(index);
}

// Lists the messages with MIDs in [from, mid], in order; at the cost of whichever is less,
// their numbers or the messages there are.
void InterleavedMessages::collect(const List& list, const Stream& stream, bool unordered, Mid from,
                                  Mid mid) {
  scratch_.clear();
  const std::uint32_t last = mid.distance_from(from);
  walked_ += std::min(last, list.count);
  if (last < list.count) {
    for (std::uint32_t i = 0; i <= last; ++i) {
      const auto found = by_mid_.find(key_of(stream.id, unordered, stream.life, from.plus(i)));
      // Those parked are whole, and have had their turn.
      if (found && messages_[*found].place != Place::kParked) scratch_.push_back(*found);
    }
    return;
  }
  for (Index i = list.head; i != kNone; i = messages_[i].in_stream.next) {
    if (messages_[i].mid.distance_from(from) <= last) scratch_.push_back(i);
  }
  std::ranges::sort(scratch_, {},
                    [this, from](Index index) { return messages_[index].mid.distance_from(from); });
}

// Forgets a message and its chunks; one handed out in part ends with a part that says so.
void InterleavedMessages::drop(Index index) {
  Message& message = messages_[index];
  Stream& stream = streams_[message.stream];
  const bool open = stream.open == index;
  if (open) {
    DeliveredPart part = part_of(message);
    part.aborted = true;
    ready_.push_part(part);
  }
  if (message.prefix_bytes > 0) store_.remove_list(unwrap(message.head));
  while (message.beyond_count > 0) {
    const std::uint32_t tsn = message.beyond;
    HeldChunk& chunk = store_.at(Tsn(tsn));
    by_fsn_.take(fragment_key(index, chunk.fsn));
    unlink_beyond(message, chunk, tsn);
    store_.remove(unwrap(tsn));
  }
  release(index);
  if (open) end_open(stream);
}

void InterleavedMessages::defer_reset(std::span<const StreamId> streams, UnwrappedTsn last) {
  reset_tsn_ = last;
  reset_all_ = streams.empty();
  for (const StreamId id : streams) stream_at(streams_.find_or_add(id)).reset_pending = true;
}

// RFC 6525 §5.2.2 (E4).
void InterleavedMessages::perform_reset(std::span<const StreamId> streams, UnwrappedTsn last) {
  reset_tsn_.reset();
  reset_all_ = false;
  std::vector<Index> reset;
  if (streams.empty()) {
    reset.swap(in_use_);
    for (const Index index : reset) streams_[index].listed = false;
    ++resets_of_all_;
    reset_of_all_ = last;
  }
  for (const StreamId id : streams) {
    const Index index = streams_.find(id);
    if (index != StreamTable<Stream>::kNone) reset.push_back(index);
  }
  walked_ += reset.size();
  for (const Index index : reset) end_life(streams_[index]);
  ready_.push_reset();
  for (const Index index : reset) begin_life(index, last);
}

// All that was sent before has come, so what is not whole never will be.
void InterleavedMessages::end_life(const Stream& stream) {
  while (stream.ordered.head != kNone) drop(stream.ordered.head);
  while (stream.unordered.head != kNone) drop(stream.unordered.head);
}

// RFC 8260 §2.3.2: both counters of MIDs start at 0.
void InterleavedMessages::renumber(Stream& stream, UnwrappedTsn last) const {
  stream.reset_pending = false;
  stream.next_mid = stream.unordered_floor = Mid();
  stream.resets = resets_of_all_;
  stream.born = last;
}

void InterleavedMessages::list(Index stream_index) {
  if (std::exchange(streams_[stream_index].listed, true)) return;
  in_use_.push_back(stream_index);
}

void InterleavedMessages::begin_life(Index stream_index, UnwrappedTsn last) {
  Stream& stream = streams_[stream_index];
  stream.life = !stream.life;
  renumber(stream, last);
  if (stream.next_life.head != kNone) list(stream_index);
  while (stream.next_life.head != kNone) {
    const Index index = stream.next_life.head;
    move_to(index, messages_[index].unordered ? Place::kUnordered : Place::kOrdered);
    if (messages_[index].unordered) settle(index);
  }
  deliver_next(stream_index);
}

}  // namespace millrace::sctp
