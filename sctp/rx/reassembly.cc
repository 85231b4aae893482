// SPDX-License-Identifier: Apache-2.0
// DataReceiver's RFC 9260 §6.5, §6.6 and §6.9 (fragments, order), RFC 3758 §3.6 (FORWARD
// TSN) and RFC 6525 §5.2.2 (incoming stream reset).
//
// Fragments of a message have consecutive TSNs, so what is held forms runs in TSN order.
// Each end of a run knows the other: a fragment joins its neighbours in constant time in
// whatever order fragments come, and a run from a beginning to an ending is a message.
#include <algorithm>
#include <utility>

#include "sctp/rx/data_receiver.h"

namespace millrace::sctp {
namespace {

// On the circle of SSNs, less than half of it ahead.
constexpr bool is_ahead_or_equal(Ssn ssn, Ssn reference) {
  return ssn.distance_from(reference) < 0x8000;
}

}  // namespace

bool DataReceiver::may_follow(const HeldChunk& left, const HeldChunk& right) const {
  if (left.flags.ending || right.flags.beginning) {
    return left.flags.ending && right.flags.beginning;
  }
  return left.stream == right.stream && left.flags.unordered == right.flags.unordered &&
         (left.flags.unordered || left.ssn == right.ssn);
}

bool DataReceiver::reassemble(UnwrappedTsn tsn) {
  const HeldChunk& chunk = store_.at(tsn);
  if (partial_ && !fits_partial(tsn, chunk)) return false;
  UnwrappedTsn first = tsn;
  UnwrappedTsn last = tsn;
  std::uint32_t bytes = chunk.size;
  if (store_.holds(tsn.previous())) {
    const HeldChunk& left = store_.at(tsn.previous());
    if (!may_follow(left, chunk)) return false;
    if (!chunk.flags.beginning) {
      first = store_.other_end(tsn.previous());
      bytes += left.run_bytes;
    }
  }
  if (store_.holds(tsn.next())) {
    const HeldChunk& right = store_.at(tsn.next());
    if (!may_follow(chunk, right)) return false;
    if (!chunk.flags.ending) {
      last = store_.other_end(tsn.next());
      bytes += right.run_bytes;
    }
  }
  join(first, last, bytes);
  if (!store_.at(first).flags.beginning || !store_.at(last).flags.ending) {
    return !partial_ || continue_partial(first, last);
  }
  return complete(first, last);
}

void DataReceiver::join(UnwrappedTsn first, UnwrappedTsn last, std::uint32_t bytes) {
  HeldChunk& head = store_.at(first);
  HeldChunk& end = store_.at(last);
  head.other_end = last.wrap().value();
  end.other_end = first.wrap().value();
  head.run_bytes = end.run_bytes = bytes;
}

bool DataReceiver::complete(UnwrappedTsn first, UnwrappedTsn last) {
  if (store_.at(first).run_bytes > options_.max_message_bytes) return false;
  deliver_or_hold(first, last);
  return true;
}

void DataReceiver::deliver_or_hold(UnwrappedTsn first, UnwrappedTsn last) {
  HeldChunk& head = store_.at(first);
  const std::uint32_t index = streams_.find_or_add(head.stream);
  ReceiveStream& stream = stream_at(index);
  if (holding_) {
    const bool next_life = is_of_next_life(stream, first);
    if (next_life || (partial_ && partial_->stream == head.stream)) {
      head.state = State::kParked;
      (next_life ? parked_ : partial_->parked).push_back(first);
      return;
    }
  }
  if (head.flags.unordered) {
    make_ready(first);
  } else if (head.ssn == stream.next_ssn) {
    stream.next_ssn = stream.next_ssn.next();
    make_ready(first);
    deliver_waiting(index);
  } else if (is_ahead_or_equal(head.ssn, stream.next_ssn) &&
             waiting_.insert(head.stream, head.ssn, first)) {
    head.state = State::kWaiting;
  } else {
    ++stats_.stale_messages;
    store_.remove_run(first, last);
  }
}

void DataReceiver::make_ready(UnwrappedTsn first) {
  store_.at(first).state = State::kReady;
  ready_.push(first);
}

void DataReceiver::deliver_waiting(std::uint32_t stream_index) {
  if (waiting_.empty()) return;
  ReceiveStream& stream = stream_at(stream_index);
  while (const auto first = waiting_.take(stream.id, stream.next_ssn)) {
    stream.next_ssn = stream.next_ssn.next();
    make_ready(*first);
  }
}

bool DataReceiver::handle_forward_tsn(const ForwardTsnChunkView& forward) {
  release_lent();
  sack_now_ = true;
  const UnwrappedTsn old = tsns_.cumulative();
  const UnwrappedTsn target = UnwrappedTsn::nearest(old, forward.new_cumulative_tsn());
  // RFC 3758 §3.6: what is not ahead is out of date, but is answered with a SACK.
  if (target <= old) return false;
  tsns_.advance_to(target);
  // Its next fragment is the lowest TSN that had not come.
  if (partial_) abort_partial();
  skip_streams(forward, target);
  // A message begun at or below the old cumulative TSN is a run that ends at it.
  UnwrappedTsn from = old.next();
  if (store_.holds(old) && store_.at(old).state == State::kPartial) {
    from = store_.other_end(old);
  }
  purge(from, target);
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const std::uint32_t index = streams_.find(forward.skipped(i).stream);
    if (index == StreamTable<ReceiveStream>::kNone) continue;
    ReceiveStream& stream = stream_at(index);
    if (stream.skip_stamp != skip_stamp_) continue;
    const Ssn after = stream.skip_ssn.next();
    if (is_ahead_or_equal(after, stream.next_ssn)) stream.next_ssn = after;
    deliver_waiting(index);
  }
  return true;
}

// SSNs count from 0 beyond the TSN of the stream's reset, so one that is larger than the
// number of TSNs since then is of the life before: a FORWARD TSN that a reset overtook.
bool DataReceiver::is_of_former_life(const ReceiveStream& stream, Ssn skipped,
                                     UnwrappedTsn target) {
  return stream.born > UnwrappedTsn() &&
         (target <= stream.born || (target.distance_from(stream.born) <= skipped.value()));
}

void DataReceiver::skip_streams(const ForwardTsnChunkView& forward, UnwrappedTsn target) {
  ++skip_stamp_;
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedStream skipped = forward.skipped(i);
    if (skipped.stream.value() >= options_.streams) continue;
    ReceiveStream& stream = stream_of(skipped.stream);
    if (is_of_former_life(stream, skipped.ssn, target)) continue;
    if (stream.skip_stamp == skip_stamp_ && !stream.skip_ssn.precedes(skipped.ssn)) continue;
    stream.skip_stamp = skip_stamp_;
    stream.skip_ssn = skipped.ssn;
  }
}

// RFC 3758 §3.6: drops the partial messages in [from, to]; whole ones that waited for what
// is skipped are delivered, in their order.
void DataReceiver::purge(UnwrappedTsn from, UnwrappedTsn to) {
  for (UnwrappedTsn tsn = store_.next_held(from); tsn <= to && tsn != store_.end();
       tsn = store_.next_held(tsn)) {
    const UnwrappedTsn last = store_.other_end(tsn);
    if (store_.at(tsn).state == State::kWaiting) {
      release_skipped(tsn);
    } else if (store_.at(tsn).state == State::kPartial) {
      const UnwrappedTsn purged = std::min(last, to);
      std::uint32_t left = store_.at(tsn).run_bytes;
      for (; tsn <= purged; tsn = tsn.next()) {
        left -= store_.at(tsn).size;
        store_.remove(tsn);
      }
      if (purged < last) join(purged.next(), last, left);
    }
    tsn = last.next();
  }
}

void DataReceiver::release_skipped(UnwrappedTsn first) {
  const HeldChunk& head = store_.at(first);
  ReceiveStream& stream = stream_of(head.stream);
  if (stream.skip_stamp != skip_stamp_ || !head.ssn.precedes_or_equals(stream.skip_ssn)) return;
  waiting_.take(head.stream, head.ssn);
  if (is_ahead_or_equal(head.ssn, stream.next_ssn)) stream.next_ssn = head.ssn.next();
  make_ready(first);
}

bool DataReceiver::handle_forward_tsn(const IForwardTsnChunkView& forward) {
  release_lent();
  sack_now_ = true;
  const UnwrappedTsn target =
      UnwrappedTsn::nearest(tsns_.cumulative(), forward.new_cumulative_tsn());
  if (target <= tsns_.cumulative()) return false;
  tsns_.advance_to(target);
  interleaved_->skip(forward, options_.streams, target);
  return true;
}

bool DataReceiver::try_reset_streams(std::span<const StreamId> streams, Tsn last_tsn) {
  release_lent();
  const UnwrappedTsn last = UnwrappedTsn::nearest(tsns_.cumulative(), last_tsn);
  if (last <= tsns_.cumulative()) {
    perform_reset(streams, last);
    return true;
  }
  // RFC 6525 §5.2.2 (E3): in progress.
  if (interleaved_) {
    interleaved_->defer_reset(streams, last);
    return false;
  }
  reset_tsn_ = last;
  reset_all_ = streams.empty();
  hold_where_needed();
  // A stream of which nothing has come yet, too: what is missing may be its first message.
  for (const StreamId id : streams) stream_of(id).reset_pending = true;
  return false;
}

bool DataReceiver::is_of_next_life(const ReceiveStream& stream, UnwrappedTsn first) const {
  return reset_tsn_ && first > *reset_tsn_ && (reset_all_ || stream.reset_pending);
}

void DataReceiver::perform_reset(std::span<const StreamId> streams, UnwrappedTsn last) {
  if (interleaved_) return interleaved_->perform_reset(streams, last);
  // All that was sent before has come: a message that is not whole never will be.
  if (partial_ &&
      (streams.empty() || std::ranges::find(streams, partial_->stream) != streams.end())) {
    abort_partial();
  }
  ready_.push_reset();
  if (streams.empty()) {
    ++resets_of_all_;
    reset_of_all_ = last;
  }
  for (const StreamId id : streams) {
    ReceiveStream* const stream = streams_.get(id);
    if (stream != nullptr) begin_life(*stream, last);
  }
  if (!reset_tsn_) return;
  reset_tsn_.reset();
  reset_all_ = false;
  hold_where_needed();
  release_parked(std::exchange(parked_, {}));
}

// RFC 6525 §5.2.2 (E4): the next SSN expected is 0.
void DataReceiver::begin_life(ReceiveStream& stream, UnwrappedTsn last) const {
  stream.next_ssn = Ssn();
  stream.born = last;
  stream.reset_pending = false;
  stream.resets = resets_of_all_;
}

// Lets go of messages that were held up; what still is, is held again.
void DataReceiver::release_parked(std::vector<UnwrappedTsn> parked) {
  for (const UnwrappedTsn first : parked) deliver_or_hold(first, store_.other_end(first));
}

}  // namespace millrace::sctp
