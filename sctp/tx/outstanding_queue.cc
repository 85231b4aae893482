// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/outstanding_queue.h"

#include <algorithm>
#include <utility>

namespace millrace::sctp {
namespace {

constexpr std::size_t kFirstCapacity = 4;

}  // namespace

OutstandingQueue::OutstandingQueue(Tsn initial_tsn, MessageStore& store, DeliveryRate& rate,
                                   AbandonedCounts& abandoned)
    : store_(store),
      rate_(rate),
      abandoned_(abandoned),
      base_(UnwrappedTsn::first(initial_tsn)),
      end_(base_),
      advanced_(base_.previous()),
      passed_(base_.previous()),
      lost_cursor_(base_),
      silent_cursor_(base_),
      highest_acked_(base_.previous()) {}

OutstandingQueue::~OutstandingQueue() {
  for (; base_ < end_; base_ = base_.next()) {
    OutgoingMessage* const message = chunk(base_).message;
    --message->outstanding;
    store_.release_if_done(message);
  }
}

void OutstandingQueue::grow() {
  CHECK(!full());
  const std::size_t capacity = std::max(kFirstCapacity, 2 * capacity_);
  auto ring = std::make_unique<OutstandingChunk[]>(capacity);
  for (UnwrappedTsn tsn = base_; tsn < end_; tsn = tsn.next()) {
    ring[static_cast<std::size_t>(tsn.value()) & (capacity - 1)] = chunk(tsn);
  }
  const auto moved = [&](std::size_t old_slot) {
    return static_cast<std::size_t>(tsn_at(old_slot).value()) & (capacity - 1);
  };
  if (interleaving_) {
    auto fragments = std::make_unique<Fragment[]>(capacity);
    for (UnwrappedTsn tsn = base_; tsn < end_; tsn = tsn.next()) {
      fragments[moved(slot(tsn))] = fragments_[slot(tsn)];
    }
    fragments_ = std::move(fragments);
  }
  sent_once_.grow(capacity, moved);
  sent_again_.grow(capacity, moved);
  ring_ = std::move(ring);
  capacity_ = capacity;
}

UnwrappedTsn OutstandingQueue::push(Time now, OutgoingMessage* message, std::uint32_t offset,
                                    std::uint16_t size) {
  reserve_one();
  const UnwrappedTsn tsn = end_;
  OutstandingChunk& added = chunk(tsn);
  // Every member, one by one (see note_acked): the place had another chunk.
  added.message = message;
  added.sent_at = now;
  added.offset = offset;
  added.size = size;
  added.retransmits = 0;
  added.state = State::kInFlight;
  added.begins_packet = std::exchange(packet_begins_, false);
  added.record = record_;
  added.ack_may_wait = false;
  added.large = false;
  added.into_shut_window = false;
  if (interleaving_) link_fragment(tsn, *message);
  ++message->outstanding;
  message->last_tsn = tsn;
  enter_flight(tsn);
  end_ = end_.next();
  return tsn;
}

void OutstandingQueue::link_fragment(UnwrappedTsn tsn, OutgoingMessage& message) {
  Fragment& added = fragments_[slot(tsn)];
  added.fsn = message.next_fsn++;
  // One that is outstanding lies at most kMaxChunks back.
  const bool first = message.outstanding == 0;
  added.step = first ? 0 : static_cast<std::uint16_t>(tsn.distance_from(message.last_tsn));
}

// Moves `tsn` back to the chunk before it of the same message, if that is outstanding.
bool OutstandingQueue::find_previous_fragment(UnwrappedTsn& tsn) const {
  // RFC 9260 §6.9: fragments have consecutive TSNs, but for those of I-DATA.
  const std::size_t step = interleaving_ ? fragments_[slot(tsn)].step : 1;
  if (step == 0 || tsn.distance_from(base_) < step) return false;
  const OutgoingMessage* const message = at(tsn).message;
  tsn = tsn.minus(step);
  return at(tsn).message == message;
}

void OutstandingQueue::enter_flight(UnwrappedTsn tsn) {
  flight_bytes_ += wire_bytes(chunk(tsn));
  order_of(chunk(tsn)).push_newest(slot(tsn));
}

void OutstandingQueue::leave_flight(UnwrappedTsn tsn) {
  flight_bytes_ -= wire_bytes(chunk(tsn));
  order_of(chunk(tsn)).remove(slot(tsn));
}

void OutstandingQueue::push_abandoned_rest(OutgoingMessage* message) {
  reserve_one();
  chunk(end_) = OutstandingChunk{.message = message, .state = State::kAbandoned};
  if (interleaving_) link_fragment(end_, *message);
  ++message->outstanding;
  message->last_tsn = end_;
  end_ = end_.next();
  advance_ack_point();
}

std::optional<UnwrappedTsn> OutstandingQueue::next_lost(Time now) {
  while (lost_ > 0) {
    CHECK(lost_cursor_ < end_);
    const OutstandingChunk& candidate = chunk(lost_cursor_);
    if (candidate.state != State::kLost) {
      lost_cursor_ = lost_cursor_.next();
    } else if (should_abandon(now, candidate)) {
      abandon(*candidate.message);
    } else {
      return lost_cursor_;
    }
  }
  return std::nullopt;
}

void OutstandingQueue::mark_resent(Time now, UnwrappedTsn tsn) {
  OutstandingChunk& resent = chunk(tsn);
  DCHECK(resent.state == State::kLost);
  resent.state = State::kInFlight;
  resent.sent_at = now;
  resent.record = record_;
  resent.into_shut_window = false;
  resent.begins_packet = std::exchange(packet_begins_, false);
  if (resent.retransmits < 0xFFFF) ++resent.retransmits;
  --lost_;
  enter_flight(tsn);
}

bool OutstandingQueue::may_be_repeated(UnwrappedTsn tsn) const {
  if (tsn < base_ || tsn >= end_) return false;
  const OutstandingChunk& resent = at(tsn);
  const OutgoingMessage& message = *resent.message;
  return resent.state == State::kInFlight && resent.retransmits > 0 && !message.may_be_lost() &&
         !message.yields();
}

std::optional<UnwrappedTsn> OutstandingQueue::probe_candidate(Time now) const {
  std::optional<UnwrappedTsn> highest;
  for (const SendOrder* const order : {&sent_once_, &sent_again_}) {
    if (order->empty()) continue;
    const UnwrappedTsn newest = tsn_at(order->newest());
    if (!highest || newest > *highest) highest = newest;
  }
  if (highest && should_abandon(now, at(*highest))) return std::nullopt;
  return highest;
}

void OutstandingQueue::mark_probed(Time now, UnwrappedTsn tsn) {
  OutstandingChunk& probe = chunk(tsn);
  DCHECK(probe.state == State::kInFlight);
  leave_flight(tsn);
  probe.state = State::kLost;
  ++lost_;
  mark_resent(now, tsn);
}

void OutstandingQueue::forget_large() {
  for (UnwrappedTsn tsn = base_; tsn < end_; tsn = tsn.next()) chunk(tsn).large = false;
}

AckResult OutstandingQueue::mark_lost_on_timeout(Time now, const Context& context) {
  AckResult result;
  if (context.window_shut) {
    for (UnwrappedTsn tsn = base_; tsn < end_; tsn = tsn.next()) set_into_shut_window(tsn);
  }
  settle_silent(now, end_.previous(), result);
  if (!empty() && chunk(base_).state == State::kInFlight) note_lost(now, base_, result);
  const Duration grace = patience(context);
  for (const SendOrder* const order : {&sent_once_, &sent_again_}) {
    while (!order->empty()) {
      const UnwrappedTsn oldest = tsn_at(order->oldest());
      if (now < at(oldest).sent_at + grace) break;
      note_lost(now, oldest, result);
    }
  }
  overtaken_at_ = kNever;
  advance_ack_point();
  return result;
}

bool OutstandingQueue::should_abandon(Time now, const OutstandingChunk& chunk) const {
  if (!partial_reliability_) return false;
  const OutgoingMessage& message = *chunk.message;
  return message.expired(now) || (message.policy == OutgoingMessage::Policy::kRetransmits &&
                                  chunk.retransmits >= message.limit);
}

void OutstandingQueue::mark_lost(Time now, UnwrappedTsn tsn) {
  OutstandingChunk& lost = chunk(tsn);
  if (!lost.into_shut_window) rate_.note_lost(now, wire_bytes(lost), {lost.record, lost.sent_at});
  if (should_abandon(now, lost)) {
    abandon(*lost.message);
    return;
  }
  if (lost.state == State::kInFlight) leave_flight(tsn);
  if (lost.state == State::kSilent) --silent_;
  lost.state = State::kLost;
  ++lost_;
  lost_cursor_ = std::min(lost_cursor_, tsn);
}

void OutstandingQueue::abandon(OutgoingMessage& message) {
  DCHECK(message.sent > 0);
  UnwrappedTsn tsn = message.last_tsn;
  for (bool more = message.outstanding > 0; more; more = find_previous_fragment(tsn)) {
    OutstandingChunk& fragment = chunk(tsn);
    if (fragment.state == State::kInFlight) leave_flight(tsn);
    if (fragment.state == State::kLost) --lost_;
    if (fragment.state == State::kSilent) --silent_;
    if (fragment.state == State::kAcked && fragment.begins_packet) --packets_acked_;
    fragment.state = State::kAbandoned;
    // It had arrived, and was taken back.
    if (tsn <= passed_) advanced_ = std::max(advanced_, tsn);
  }
  if (!message.abandoned) {
    abandoned_.note(message.stream_index, true);
    if (message.is_tracked()) store_.tracker()->end(message, MessageStage::kAbandoned);
    if (message.queued) half_sent_.push_back(message.stream_index);
  }
  message.abandoned = true;
  advance_ack_point();
}

void OutstandingQueue::advance_ack_point() {
  advanced_ = std::max(advanced_, base_.previous());
  passed_ = std::max(passed_, advanced_);
  while (passed_.next() < end_ && may_be_passed(passed_.next())) {
    passed_ = passed_.next();
    // What has arrived behind it the peer passes by itself.
    if (at(passed_).state == State::kAbandoned) advanced_ = passed_;
  }
}

// RFC 3758 §3.5 (C2) passes what is abandoned. On the way to that so is here what has arrived of
// unordered messages that may be lost: otherwise a round trip closes one gap, and where it opens
// more of them they outgrow the SACKs. Whole messages alone: a peer drops the fragments of others
// that it is told to pass (§3.6).
bool OutstandingQueue::may_be_passed(UnwrappedTsn tsn) const {
  const OutstandingChunk& candidate = at(tsn);
  if (candidate.state == State::kAbandoned) return true;
  const OutgoingMessage& message = *candidate.message;
  if (candidate.state != State::kAcked || !message.unordered || !message.may_be_lost() ||
      message.queued || message.outstanding > kMostFragmentsPassed) {
    return false;
  }
  UnwrappedTsn fragment = message.last_tsn;
  bool acked = true;
  for (bool more = true; acked && more; more = find_previous_fragment(fragment)) {
    acked = at(fragment).state == State::kAcked;
  }
  return acked;
}

}  // namespace millrace::sctp
