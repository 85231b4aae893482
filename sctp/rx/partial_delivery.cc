// SPDX-License-Identifier: Apache-2.0
// DataReceiver's RFC 9260 §6.9: a message too large to be held is handed out in parts.
//
// Of DATA only the run of fragments that ends at the cumulative TSN is of interest: all that
// came before it is whole, and nothing beyond the gap behind it frees memory sooner.
#include <algorithm>
#include <limits>
#include <utility>

#include "sctp/rx/data_receiver.h"

namespace millrace::sctp {

// Whether a chunk may be where the partial message goes on, if that is where it is.
bool DataReceiver::fits_partial(UnwrappedTsn tsn, const HeldChunk& chunk) const {
  if (tsn != partial_->next) return true;
  return !chunk.flags.beginning && chunk.stream == partial_->stream &&
         chunk.flags.unordered == partial_->unordered &&
         (chunk.flags.unordered || chunk.ssn == partial_->ssn);
}

// A run has grown that has no beginning or no end. False if the message is too long.
bool DataReceiver::continue_partial(UnwrappedTsn first, UnwrappedTsn last) {
  if (first != partial_->next) return true;
  if (partial_->offset >= options_.max_message_bytes) return false;
  if (!store_.at(last).flags.ending) return true;
  if (partial_->offset + store_.at(last).run_bytes > options_.max_message_bytes) return false;
  store_.at(first).state = State::kReady;
  ready_.push_part({.first = first,
                    .stream = partial_->stream,
                    .ppid = partial_->ppid,
                    .unordered = partial_->unordered,
                    .last = true,
                    .aborted = false,
                    .offset = partial_->offset});
  end_partial();
  return true;
}

void DataReceiver::abort_partial() {
  ready_.push_part({.first = partial_->next,
                    .stream = partial_->stream,
                    .ppid = partial_->ppid,
                    .unordered = partial_->unordered,
                    .last = false,
                    .aborted = true,
                    .offset = partial_->offset});
  end_partial();
}

void DataReceiver::end_partial() {
  const std::unique_ptr<Partial> ended = std::move(partial_);
  hold_where_needed();
  const std::uint32_t index = streams_.find_or_add(ended->stream);
  if (!ended->unordered) stream_at(index).next_ssn = ended->ssn.next();
  release_parked(std::move(ended->parked));
  deliver_waiting(index);
}

// The beginning of the run to hand out, if there is one and it is time.
std::optional<UnwrappedTsn> DataReceiver::first_of_part(bool settled) const {
  const UnwrappedTsn last = tsns_.cumulative();
  if (!store_.holds(last) || store_.at(last).flags.ending) return std::nullopt;
  const UnwrappedTsn first = store_.other_end(last);
  if (partial_) {
    const bool may_go_on = first == partial_->next && partial_->offset < options_.max_message_bytes;
    return may_go_on ? std::optional(first) : std::nullopt;
  }
  const HeldChunk& head = store_.at(first);
  if (!head.flags.beginning) return std::nullopt;
  // What waits behind a gap comes whole once that is filled.
  const bool pressed =
      settled && held_bytes() >= window_.bytes() && !tsns_.has_gaps() && head.ppid != kPpidDcep;
  if (head.run_bytes <= InterleavedMessages::bound_of_part(part_bytes(), head.ppid) && !pressed) {
    return std::nullopt;
  }
  const ReceiveStream* const found = streams_.get(head.stream);
  // As `stream_at` would leave it.
  const bool is_current = found != nullptr && found->resets == resets_of_all_;
  const ReceiveStream stream = is_current ? *found : ReceiveStream(head.stream);
  if (!head.flags.unordered && head.ssn != stream.next_ssn) return std::nullopt;
  if (is_of_next_life(stream, first)) return std::nullopt;
  return first;
}

std::optional<DeliveredPart> DataReceiver::take_part() {
  if (interleaved_) return interleaved_->take_part(enough_for_parts(settled_), tsns_.cumulative());
  const std::optional<UnwrappedTsn> first = first_of_part(settled_);
  if (!first) return std::nullopt;
  const HeldChunk& head = store_.at(*first);
  if (!partial_) {
    partial_ = std::make_unique<Partial>();
    partial_->stream = head.stream;
    partial_->ssn = head.ssn;
    partial_->ppid = head.ppid;
    partial_->unordered = head.flags.unordered;
    hold_where_needed();
  }
  return DeliveredPart{.first = *first,
                       .stream = partial_->stream,
                       .ppid = partial_->ppid,
                       .unordered = partial_->unordered,
                       .last = false,
                       .aborted = false,
                       .offset = partial_->offset};
}

bool DataReceiver::lend_part(MessageView& message) {
  const std::optional<DeliveredPart> part = take_part();
  if (!part) return false;
  lend(*part, message);
  if (partial_) {
    partial_->next = tsns_.cumulative().next();
    partial_->offset += message.size;
  }
  return true;
}

// Whether the application could free memory by reading, at the end of this burst at the latest.
bool DataReceiver::may_read() const {
  if (!ready_.empty()) return true;
  if (!may_hold_part()) return false;
  return interleaved_ ? interleaved_->has_part(enough_for_parts(true), tsns_.cumulative())
                      : first_of_part(true).has_value();
}

// Many messages at once may fill the window before one is larger than `part_bytes`: so much
// of them is worth handing out.
std::size_t DataReceiver::enough_for_parts(bool settled) const {
  const std::size_t quarter = window_.bytes() / 4;
  // Within a burst each packet may pin a buffer of its own, which its end gives back.
  if (!settled) return std::numeric_limits<std::size_t>::max();
  // Nothing but parts can make room then.
  if (held_bytes() >= window_.bytes() && !tsns_.has_gaps()) return 1;
  return held_bytes() >= 3 * quarter ? quarter : std::numeric_limits<std::size_t>::max();
}

}  // namespace millrace::sctp
