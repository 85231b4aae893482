// SPDX-License-Identifier: Apache-2.0
// OutstandingQueue's half of RFC 9260 §6.2.1 and §7.2.4, and RFC 8985 §6: what a SACK says of
// each chunk.
#include <algorithm>

#include "sctp/tx/outstanding_queue.h"

namespace millrace::sctp {
namespace {

// What timers and turns of a driver may add to a round trip.
constexpr Duration kSlack = milliseconds(1);
// Chunks whose messages are fetched ahead of their acknowledgement.
constexpr std::uint64_t kAhead = 8;

// Calls `visit` for each run of TSNs that is in `a` and not in `b`; both ascend.
template <class Range, class Visit>
void for_each_difference(const std::vector<Range>& a, const std::vector<Range>& b, Visit visit) {
  std::size_t j = 0;
  for (const Range& range : a) {
    auto at = range.first;
    while (j < b.size() && b[j].last < at) ++j;
    for (; j < b.size() && b[j].first <= range.last; ++j) {
      if (b[j].first > at) visit(Range{at, b[j].first.previous()});
      at = std::max(at, b[j].last.next());
      if (b[j].last > range.last) break;  // It may cover part of the next range too.
    }
    if (at <= range.last) visit(Range{at, range.last});
  }
}

// ReportedRanges are the gap blocks of a SACK as ranges of TSNs.
template <class Range>
struct ReportedRanges {
  std::size_t size() const { return sack.gap_block_count(); }
  Range operator[](std::size_t i) const {
    const GapAckBlock block = sack.gap_block(i);
    return {cumulative.plus(block.start), cumulative.plus(block.end)};
  }
  const SackChunkView& sack;
  UnwrappedTsn cumulative;
};

// Makes `out` the union of `a` and `b` from `from` on, without what of `b` would make it more than
// `limit` ranges, of which `a` has no more; each of the two ascends.
template <class Range, class Ranges>
void unite(const std::vector<Range>& a, const Ranges& b, UnwrappedTsn from, std::size_t limit,
           std::vector<Range>& out) {
  out.clear();
  std::size_t spare = limit - a.size();
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const bool takes_a = j == b.size() || (i < a.size() && a[i].first < b[j].first);
    Range next = takes_a ? a[i++] : b[j++];
    if (next.last < from) continue;
    next.first = std::max(next.first, from);
    if (!out.empty() && next.first <= out.back().last.next()) {
      out.back().last = std::max(out.back().last, next.last);
      spare += takes_a ? 1 : 0;
    } else if (takes_a) {
      out.push_back(next);
    } else if (spare > 0) {
      out.push_back(next);
      --spare;
    }
  }
}

}  // namespace

bool OutstandingQueue::is_valid(UnwrappedTsn cumulative, const SackChunkView& sack) const {
  if (cumulative >= end_) return false;
  const std::size_t blocks = sack.gap_block_count();
  if (blocks == 0) return true;
  // RFC 9260 §6.2.1: what comes next the cumulative TSN would have passed, were it there.
  if (sack.gap_block(0).start <= 1) return false;
  return sack.gap_blocks_are_ordered() && cumulative.plus(sack.gap_block(blocks - 1).end) < end_;
}

AckResult OutstandingQueue::handle_sack(Time now, const SackChunkView& sack,
                                        const Context& context) {
  AckResult result;
  const UnwrappedTsn cumulative =
      UnwrappedTsn::nearest(cumulative_acked(), sack.cumulative_tsn_ack());
  // RFC 9260 §6.2.1 (D i): an old SACK is dropped.
  if (cumulative < cumulative_acked()) {
    result.status = SackStatus::kStale;
    return result;
  }
  if (!is_valid(cumulative, sack)) {
    result.status = SackStatus::kInvalid;
    return result;
  }
  if (gaps_) gaps_->early.clear();
  const Newest before = newest_acked_;
  pop_until(now, cumulative, result);
  const std::size_t blocks = sack.gap_block_count();
  if (blocks > 0 || (gaps_ && !gaps_->acked.empty())) {
    apply_gap_blocks(now, cumulative, sack, result);
  }
  if (result.rtt) min_rtt_ = std::min(min_rtt_, *result.rtt);
  report_newest(before, result);
  reported_end_ = blocks < kMaybeTruncatedBlocks ? end_.previous()
                                                 : cumulative.plus(sack.gap_block(blocks - 1).end);
  if (context.duplicates) reordering_.note_duplicates(cumulative, end_);
  if (silent_ > 0) settle_silent(now, std::min(reported_end_, end_.previous()), result);
  detect_overtaken(now, context, result);
  if (reported_end_ < end_.previous()) detect_silent(now);
  advance_ack_point();
  return result;
}

AckResult OutstandingQueue::handle_cumulative_ack(Time now, Tsn tsn) {
  AckResult result;
  const UnwrappedTsn cumulative = UnwrappedTsn::nearest(cumulative_acked(), tsn);
  if (cumulative < cumulative_acked()) {
    result.status = SackStatus::kStale;
  } else if (cumulative >= end_) {
    result.status = SackStatus::kInvalid;
  } else {
    const Newest before = newest_acked_;
    pop_until(now, cumulative, result);
    report_newest(before, result);
    if (gaps_) {
      unite(gaps_->acked, std::vector<Range>(), base_, kMaxRanges, gaps_->next);
      gaps_->acked.swap(gaps_->next);
    }
    advance_ack_point();
  }
  return result;
}

void OutstandingQueue::note_acked(Time now, UnwrappedTsn tsn, AckResult& result) {
  const OutstandingChunk& acked = chunk(tsn);
  result.acked_bytes += wire_bytes(acked);
  ++result.acked_chunks;
  result.large_acked = result.large_acked || acked.large;
  if (now < acked.sent_at) return;
  const Duration rtt = now - acked.sent_at;
  if (acked.retransmits == 0) {
    // RFC 8985 §6.2, step 3.
    if (tsn > highest_acked_) {
      highest_acked_ = tsn;
    } else {
      reordering_.note_reordering();
    }
    std::optional<Duration>& sample = acked.ack_may_wait ? result.rtt_at_most : result.rtt;
    if (!sample || rtt < *sample) sample = rtt;
  } else {
    highest_acked_ = std::max(highest_acked_, tsn);
    // RFC 8985 §6.2, step 2: an earlier transmission is what arrived; beyond doubt where the
    // last can hardly have.
    if (rtt < min_rtt_) {
      const bool early = min_rtt_ != Duration::max() && rtt < min_rtt_ / 2;
      if (early && gaps_ && gaps_->early.size() < kMaxEarly) gaps_->early.push_back(tsn);
      return;
    }
  }
  if (acked.sent_at < newest_acked_.sent_at) return;
  if (acked.sent_at == newest_acked_.sent_at && tsn < newest_acked_.tsn) return;
  // Member by member: a whole one, made on the stack, would be read back by wider loads than stores
  // made it, and those wait for all stores before them.
  newest_acked_.sent_at = acked.sent_at;
  newest_acked_.tsn = tsn;
  newest_acked_.rtt = rtt;
  newest_acked_.record = acked.record;
}

// Of what a SACK was silent on nobody knows when it arrived.
void OutstandingQueue::note_acked_late(UnwrappedTsn tsn, AckResult& result) {
  result.acked_bytes += wire_bytes(chunk(tsn));
  ++result.acked_chunks;
  highest_acked_ = std::max(highest_acked_, tsn);
}

void OutstandingQueue::report_newest(const Newest& before, AckResult& result) const {
  if (newest_acked_.tsn == before.tsn && newest_acked_.sent_at == before.sent_at) return;
  result.newest_acked = {newest_acked_.record, newest_acked_.sent_at};
}

void OutstandingQueue::pop_until(Time now, UnwrappedTsn cumulative, AckResult& result) {
  if (cumulative < base_) return;
  result.cumulative_advanced = true;
  result.earliest_acked = true;
  for (; base_ <= cumulative; base_ = base_.next()) {
    // A flight ago it was in the cache. What a slot without a chunk points to is not read.
    __builtin_prefetch(chunk(base_.plus(kAhead)).message, 1);
    const OutstandingChunk& popped = chunk(base_);
    if (popped.state == State::kInFlight) {
      leave_flight(base_);
      note_acked(now, base_, result);
    } else {
      pop_settled(now, base_, result);
    }
    OutgoingMessage* const message = popped.message;
    if (message->streamed != nullptr) message->streamed->release_until(popped.offset + popped.size);
    if (--message->outstanding == 0) store_.release_if_done(message);
  }
  lost_cursor_ = std::max(lost_cursor_, base_);
  silent_cursor_ = std::max(silent_cursor_, base_);
}

// `tsn`, which is not in flight, is acknowledged, cumulatively or by a gap block.
void OutstandingQueue::pop_settled(Time now, UnwrappedTsn tsn, AckResult& result) {
  const OutstandingChunk& settled = chunk(tsn);
  if (settled.state == State::kLost) {
    --lost_;
    // Duplicates do not tell of what is not sent again.
    if (!settled.into_shut_window) ++result.found_arrived;
    note_acked(now, tsn, result);
  } else if (settled.state == State::kSilent) {
    --silent_;
    note_acked_late(tsn, result);
  } else if (settled.state == State::kAcked && settled.begins_packet) {
    --packets_acked_;
  }
}

// What gap blocks acknowledged stays so where a later SACK leaves it out: it may have had no
// room for it, and SACKs overtake each other.
void OutstandingQueue::apply_gap_blocks(Time now, UnwrappedTsn cumulative,
                                        const SackChunkView& sack, AckResult& result) {
  if (!gaps_) gaps_ = std::make_unique<Gaps>();
  auto& [acked, next, early, reneged_until] = *gaps_;
  const ReportedRanges<Range> reported{sack, cumulative};
  unite(acked, reported, base_, kMaxRanges, next);
  for_each_difference(next, acked, [&](Range range) { ack_range(now, range, result); });
  acked.swap(next);
  // RFC 9260 §6.2.1 (D iii): a peer that had the chunk that comes next would have moved the
  // cumulative TSN beyond it. It has reneged, and of what it had only that is believed which this
  // SACK reports; nothing where it has done so twice.
  if (acked.empty() || chunk(base_).state != State::kAcked) return;
  next.clear();
  if (base_ > reneged_until) unite(std::vector<Range>(), reported, base_, kMaxRanges, next);
  for_each_difference(acked, next, [&](Range range) { renege(range, result); });
  // Gap blocks acknowledge none of it again, or a peer that reports and takes back in turn would
  // have all of it gone through for each SACK: the cumulative TSN tells when it is there.
  reneged_until = acked.back().last;
  acked.assign(1, {base_, reneged_until});
}

void OutstandingQueue::ack_range(Time now, Range range, AckResult& result) {
  for (UnwrappedTsn tsn = range.first; tsn <= range.last; tsn = tsn.next()) {
    OutstandingChunk& acked = chunk(tsn);
    if (acked.state == State::kAcked || acked.state == State::kAbandoned) continue;
    if (acked.state == State::kInFlight) {
      leave_flight(tsn);
      note_acked(now, tsn, result);
    } else {
      pop_settled(now, tsn, result);
    }
    acked.state = State::kAcked;
    if (acked.begins_packet) ++packets_acked_;
  }
}

// It was lost on the way for all that is known: it is sent again, once only of each chunk.
void OutstandingQueue::renege(Range range, AckResult& result) {
  for (UnwrappedTsn tsn = range.first; tsn <= range.last; tsn = tsn.next()) {
    OutstandingChunk& reneged = chunk(tsn);
    if (reneged.state != State::kAcked) continue;
    if (reneged.begins_packet) --packets_acked_;
    reneged.state = State::kLost;
    ++lost_;
    lost_cursor_ = std::min(lost_cursor_, tsn);
    result.reneged = true;
  }
}

void OutstandingQueue::note_lost(Time now, UnwrappedTsn tsn, AckResult& result) {
  const OutstandingChunk& lost = chunk(tsn);
  if (!lost.into_shut_window) {
    ++result.newly_lost;
    result.lost_sent_at = std::max(result.lost_sent_at, lost.sent_at);
  }
  if (lost.large) {
    result.large_lost = true;
    result.large_lost_again = result.large_lost_again || lost.retransmits > 0;
  }
  mark_lost(now, tsn);
}

// RFC 8985 §6.2, step 2: what left at one instant left in the order of TSNs.
bool OutstandingQueue::was_overtaken(UnwrappedTsn tsn) const {
  const Time sent_at = at(tsn).sent_at;
  return sent_at < newest_acked_.sent_at ||
         (sent_at == newest_acked_.sent_at && tsn < newest_acked_.tsn);
}

// RFC 8985 §6.2, step 5: for how long after it left a chunk is waited for.
Duration OutstandingQueue::patience(const Context& context) const {
  return newest_acked_.rtt +
         reordering_.length(min_rtt_, context.srtt, context.in_recovery, packets_acked_);
}

void OutstandingQueue::detect_overtaken(Time now, const Context& context, AckResult& result) {
  overtaken_at_ = kNever;
  for (const SendOrder* const order : {&sent_once_, &sent_again_}) {
    detect_overtaken_in(now, *order, context, result);
  }
}

// RFC 8985 §6.2, step 5.
void OutstandingQueue::detect_overtaken_in(Time now, const SendOrder& order, const Context& context,
                                           AckResult& result) {
  while (!order.empty()) {
    const UnwrappedTsn oldest = tsn_at(order.oldest());
    if (oldest > reported_end_ || !was_overtaken(oldest)) return;
    const Time lost_at = at(oldest).sent_at + patience(context);
    if (now < lost_at) {
      overtaken_at_ = std::min(overtaken_at_, lost_at);
      return;
    }
    note_lost(now, oldest, result);
  }
}

// A SACK that may have had no room for a chunk does not say whether it arrived. Of one that
// left more than a round trip ago it would have said so otherwise: it is on its way no more,
// and must not hold back what could be.
void OutstandingQueue::detect_silent(Time now) {
  if (min_rtt_ == Duration::max()) return;
  const Duration grace = newest_acked_.rtt + std::max(min_rtt_ / 4, kSlack);
  for (const SendOrder* const order : {&sent_once_, &sent_again_}) {
    while (!order->empty()) {
      const UnwrappedTsn oldest = tsn_at(order->oldest());
      if (now < at(oldest).sent_at + grace) break;
      // What a retransmission follows in the order is found by the next SACK.
      if (oldest <= reported_end_) break;
      leave_flight(oldest);
      chunk(oldest).state = State::kSilent;
      silent_cursor_ = silent_ == 0 ? oldest : std::min(silent_cursor_, oldest);
      ++silent_;
    }
  }
}

// A SACK tells of all up to `end`: what it leaves out is lost.
void OutstandingQueue::settle_silent(Time now, UnwrappedTsn end, AckResult& result) {
  for (; silent_ > 0 && silent_cursor_ <= end; silent_cursor_ = silent_cursor_.next()) {
    if (chunk(silent_cursor_).state == State::kSilent) note_lost(now, silent_cursor_, result);
  }
}

}  // namespace millrace::sctp
