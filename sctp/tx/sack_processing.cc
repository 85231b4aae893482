// SPDX-License-Identifier: Apache-2.0
// OutstandingQueue's half of RFC 9260 §6.2.1 and §7.2.4, and RFC 8985: what a SACK says of
// each chunk.
#include <algorithm>

#include "sctp/tx/outstanding_queue.h"

namespace millrace::sctp {
namespace {

// A path or a receiver that holds single packets back for less does not reorder.
constexpr Duration kMinReorderingWindow = milliseconds(1);

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

}  // namespace

bool OutstandingQueue::is_valid(UnwrappedTsn cumulative, const SackChunkView& sack) const {
  if (cumulative >= end_) return false;
  const std::size_t blocks = sack.gap_block_count();
  if (blocks == 0) return true;
  return sack.gap_blocks_are_ordered() && cumulative.plus(sack.gap_block(blocks - 1).end) < end_;
}

AckResult OutstandingQueue::handle_sack(Time now, const SackChunkView& sack, bool in_recovery) {
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
  highest_newly_acked_ = cumulative_acked();
  const Newest before = newest_acked_;
  pop_until(now, cumulative, result);
  if (sack.gap_block_count() > 0 || !acked_ranges_.empty()) {
    apply_gap_blocks(now, cumulative, sack, result);
    // RFC 9260 §7.2.4: below the highest TSN newly acknowledged; in fast recovery, where
    // the cumulative TSN moved on, below the highest reported.
    UnwrappedTsn limit = highest_newly_acked_;
    if (in_recovery && result.cumulative_advanced && !acked_ranges_.empty()) {
      limit = acked_ranges_.back().last;
    }
    if (limit > base_) count_missing(now, limit, result);
  }
  if (result.rtt) min_rtt_ = std::min(min_rtt_, *result.rtt);
  report_newest(before, result);
  const std::size_t blocks = sack.gap_block_count();
  reported_end_ = blocks < kMaybeTruncatedBlocks ? end_.previous()
                                                 : cumulative.plus(sack.gap_block(blocks - 1).end);
  detect_overtaken(now, result);
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
    std::erase_if(acked_ranges_, [&](const Range& range) { return range.last < base_; });
    if (!acked_ranges_.empty()) {
      acked_ranges_.front().first = std::max(acked_ranges_.front().first, base_);
    }
    advance_ack_point();
  }
  return result;
}

void OutstandingQueue::note_acked(Time now, UnwrappedTsn tsn, AckResult& result) {
  const OutstandingChunk& acked = chunk(tsn);
  result.acked_bytes += acked.wire_bytes();
  ++result.acked_chunks;
  highest_newly_acked_ = std::max(highest_newly_acked_, tsn);
  if (now < acked.sent_at) return;
  const Duration rtt = now - acked.sent_at;
  if (acked.retransmits == 0) {
    if (!acked.ack_may_wait && (!result.rtt || rtt < *result.rtt)) result.rtt = rtt;
  } else if (rtt < min_rtt_) {
    // RFC 8985 §6.2, step 2: an earlier transmission is what arrived.
    return;
  }
  if (acked.sent_at < newest_acked_.sent_at) return;
  if (acked.sent_at == newest_acked_.sent_at && tsn < newest_acked_.tsn) return;
  newest_acked_ = {acked.sent_at, tsn, rtt, acked.record};
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
    OutstandingChunk& popped = chunk(base_);
    if (popped.state == State::kInFlight) {
      leave_flight(base_);
      note_acked(now, base_, result);
    } else if (popped.state == State::kLost) {
      --lost_;
      note_acked(now, base_, result);
    }
    OutgoingMessage* const message = popped.message;
    if (--message->outstanding == 0) store_.release_if_done(message);
  }
  lost_cursor_ = std::max(lost_cursor_, base_);
  settled_ = std::max(settled_, base_);
}

void OutstandingQueue::apply_gap_blocks(Time now, UnwrappedTsn cumulative,
                                        const SackChunkView& sack, AckResult& result) {
  next_ranges_.clear();
  for (std::size_t i = 0; i < sack.gap_block_count(); ++i) {
    const GapAckBlock block = sack.gap_block(i);
    const Range range{cumulative.plus(block.start), cumulative.plus(block.end)};
    if (!next_ranges_.empty() && next_ranges_.back().last.next() == range.first) {
      next_ranges_.back().last = range.last;
    } else if (next_ranges_.size() < kMaxRanges) {
      next_ranges_.push_back(range);
    }
  }
  if (sack.gap_block_count() >= kMaybeTruncatedBlocks) {
    // What lies behind the last block was perhaps left out: keep what is known of it.
    const UnwrappedTsn last = next_ranges_.back().last;
    for (const Range& old : acked_ranges_) {
      if (old.last <= last || next_ranges_.size() >= kMaxRanges) continue;
      next_ranges_.push_back({std::max(old.first, last.next()), old.last});
    }
  }
  for_each_difference(next_ranges_, acked_ranges_,
                      [&](Range range) { ack_range(now, range, result); });
  for_each_difference(acked_ranges_, next_ranges_,
                      [&](Range range) { renege_range(range, result); });
  acked_ranges_.swap(next_ranges_);
}

void OutstandingQueue::ack_range(Time now, Range range, AckResult& result) {
  for (UnwrappedTsn tsn = range.first; tsn <= range.last; tsn = tsn.next()) {
    OutstandingChunk& acked = chunk(tsn);
    if (acked.state == State::kInFlight) {
      leave_flight(tsn);
    } else if (acked.state == State::kLost) {
      --lost_;
    } else {
      continue;
    }
    acked.state = State::kAcked;
    note_acked(now, tsn, result);
  }
}

void OutstandingQueue::renege_range(Range range, AckResult& result) {
  for (UnwrappedTsn tsn = std::max(range.first, base_); tsn <= range.last; tsn = tsn.next()) {
    OutstandingChunk& reneged = chunk(tsn);
    if (reneged.state != State::kAcked) continue;
    // RFC 9260 §6.2.1 (D iv): in flight again, with one report against it.
    reneged.state = State::kInFlight;
    reneged.missing_reports = 1;
    enter_flight(tsn);
    settled_ = std::min(settled_, tsn);
    result.reneged = true;
  }
}

void OutstandingQueue::count_missing(Time now, UnwrappedTsn limit, AckResult& result) {
  bool settled = true;
  UnwrappedTsn hole = std::max(base_, settled_);
  for (const Range& range : acked_ranges_) {
    if (hole >= limit) return;
    if (range.first > hole) {
      count_missing_in(now, {hole, std::min(range.first, limit).previous()}, settled, result);
    }
    hole = std::max(hole, range.last.next());
    if (settled) settled_ = std::min(hole, limit);
  }
  if (hole < limit) count_missing_in(now, {hole, limit.previous()}, settled, result);
}

void OutstandingQueue::count_missing_in(Time now, Range hole, bool& settled, AckResult& result) {
  for (UnwrappedTsn tsn = hole.first; tsn <= hole.last; tsn = tsn.next()) {
    OutstandingChunk& missing = chunk(tsn);
    // Of a retransmission TSNs prove nothing; see `detect_overtaken`.
    if (missing.state == State::kInFlight && missing.retransmits == 0) {
      if (++missing.missing_reports >= kMissingReportsForLoss) {
        note_lost(now, tsn, result);
      } else {
        settled = false;
      }
    }
    if (settled) settled_ = tsn.next();
  }
}

void OutstandingQueue::note_lost(Time now, UnwrappedTsn tsn, AckResult& result) {
  result.newly_lost = true;
  result.lost_sent_at = std::max(result.lost_sent_at, chunk(tsn).sent_at);
  mark_lost(now, tsn);
}

// RFC 8985 §6.2, step 2: what left at one instant left in the order of TSNs.
bool OutstandingQueue::was_overtaken(UnwrappedTsn tsn) const {
  const Time sent_at = at(tsn).sent_at;
  return sent_at < newest_acked_.sent_at ||
         (sent_at == newest_acked_.sent_at && tsn < newest_acked_.tsn);
}

// RFC 8985 §6.2, step 4.
Duration OutstandingQueue::reordering_window() const {
  if (min_rtt_ == Duration::max()) return kMinReorderingWindow;
  return std::max(min_rtt_ / 4, kMinReorderingWindow);
}

void OutstandingQueue::detect_overtaken(Time now, AckResult& result) {
  overtaken_at_ = kNever;
  for (const SendOrder* const order : {&sent_once_, &sent_again_}) {
    detect_overtaken_in(now, *order, result);
  }
}

// RFC 8985 §6.2, step 5.
void OutstandingQueue::detect_overtaken_in(Time now, const SendOrder& order, AckResult& result) {
  while (!order.empty()) {
    const UnwrappedTsn oldest = tsn_at(order.oldest());
    if (oldest > reported_end_ || !was_overtaken(oldest)) return;
    const Time lost_at = at(oldest).sent_at + newest_acked_.rtt + reordering_window();
    if (now < lost_at) {
      overtaken_at_ = std::min(overtaken_at_, lost_at);
      return;
    }
    note_lost(now, oldest, result);
  }
}

}  // namespace millrace::sctp
