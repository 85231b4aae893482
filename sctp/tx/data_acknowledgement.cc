// SPDX-License-Identifier: Apache-2.0
// DataSender's RFC 9260 §6.2.1 (processing a SACK), §6.3 (T3-rtx) and RFC 3758 §3.5.
#include <algorithm>
#include <utility>

#include "sctp/tx/data_sender.h"

namespace millrace::sctp {
namespace {

constexpr Duration kMinForwardTsnInterval = milliseconds(1);

}  // namespace

SackOutcome DataSender::handle_sack(Time now, const SackChunkView& sack) {
  const Before before = this->before();
  const bool duplicates = sack.duplicate_count() > 0 && take_duplicates(sack);
  const AckResult result = outstanding_.handle_sack(now, sack, context(duplicates));
  if (result.status != SackStatus::kProcessed) return {.status = result.status};
  // RFC 9260 §6.2.1 (D ii): what is in flight comes off it in `window_allows`.
  peer_rwnd_ = sack.a_rwnd();
  heard_since_t3_ = true;
  return finish_ack(now, result, before);
}

SackOutcome DataSender::handle_cumulative_ack(Time now, Tsn cumulative_tsn) {
  const Before before = this->before();
  const AckResult result = outstanding_.handle_cumulative_ack(now, cumulative_tsn);
  if (result.status != SackStatus::kProcessed) return {.status = result.status};
  return finish_ack(now, result, before);
}

SackOutcome DataSender::finish_ack(Time now, const AckResult& result, const Before& before) {
  if (const std::optional<Duration> rtt = sample_of(result)) observe_sample(now, *rtt);
  const bool was_in_recovery = in_recovery_;
  if (in_recovery_ || after_t3_) end_recovery(now);
  tell_controller(now, result, before, was_in_recovery);
  recover(now, result, before.flight);
  drop_rest_of_abandoned();
  // RFC 9260 §6.3.2 (R2, R3, R4).
  if (outstanding_.empty()) {
    t3_ = kNever;
  } else if (result.earliest_acked || (result.reneged && t3_ == kNever) ||
             answer_is_not_due(result)) {
    restart_t3(now);
  }
  note_ack_point(now);
  return {.newly_acked = result.acked_bytes > 0 || result.cumulative_advanced,
          .cumulative_advanced = result.cumulative_advanced};
}

// RFC 9260 §7.2.1, §7.2.2: a window grows where the cumulative TSN advances, by all that was
// acknowledged. Where packets are reordered gap blocks tell of most of it first: controllers
// that ask for the advance are told of those bytes with it.
std::size_t DataSender::withhold(const AckResult& result, bool in_recovery) {
  if (self_bounding_) return result.acked_bytes;
  if (in_recovery) {
    withheld_bytes_ = 0;
    return result.acked_bytes;
  }
  if (!result.cumulative_advanced) {
    withheld_bytes_ += result.acked_bytes;
    return result.acked_bytes;
  }
  return result.acked_bytes + std::exchange(withheld_bytes_, 0);
}

void DataSender::tell_controller(Time now, const AckResult& result, const Before& before,
                                 bool was_in_recovery) {
  const bool round_ended = end_round(result.cumulative_advanced);
  if (!self_bounding_) bound_flight(now, result, before.flight, round_ended);
  const std::size_t growth_bytes = withhold(result, was_in_recovery);
  const RateSample rate =
      rate_.handle_ack(now, result.acked_bytes, result.newest_acked, outstanding_.min_rtt());
  congestion_->on_ack({
      .now = now,
      .acked_bytes = growth_bytes,
      .acked_chunks = result.acked_chunks,
      .flight_before = before.flight,
      .flight_after = outstanding_.flight_bytes(),
      .cumulative_advanced = result.cumulative_advanced,
      .in_recovery = was_in_recovery,
      .round_ended = round_ended,
      .rtt = result.rtt.value_or(Duration::zero()),
      .srtt = rto_.srtt().value_or(Duration::zero()),
      .delivered = rate_.delivered(),
      .lost = rate_.lost(),
      .newly_lost = static_cast<std::size_t>(rate_.lost() - before.lost),
      .cwnd_limited = cwnd_limited_ || cwnd_limited_before_,
      .rate = rate,
  });
  if (!round_ended) return;
  cwnd_limited_before_ = cwnd_limited_;
  cwnd_limited_ = false;
}

// What arrived left before the earliest chunk did last: a round trip takes longer now than that
// has been under way, and its SACK cannot have come yet. T3-rtx would call it lost.
bool DataSender::answer_is_not_due(const AckResult& result) const {
  if (!result.newest_acked) return false;
  const OutstandingChunk& earliest = outstanding_.at(outstanding_.cumulative_acked().next());
  return earliest.state != OutstandingChunk::State::kInFlight ||
         result.newest_acked->sent_at < earliest.sent_at;
}

// What a delay of the peer's may be part of is no measure, unless it is far below what is known:
// then set-up took long, over which what is paced would stand still for as long. Lone messages
// ask for a SACK at once ten times a second only.
std::optional<Duration> DataSender::sample_of(const AckResult& result) const {
  if (result.rtt || !result.rtt_at_most) return result.rtt;
  const std::optional<Duration> srtt = rto_.srtt();
  return srtt && *result.rtt_at_most < *srtt / 2 ? result.rtt_at_most : std::nullopt;
}

// RFC 9260 §6.3.1 (C4): one sample a round trip, for which the weights of C3 are meant.
void DataSender::observe_sample(Time now, Duration rtt) {
  if (now < next_sample_at_) return;
  next_sample_at_ = now + rtt;
  probe_.note_rtt();
  rto_.observe(rtt);
}

// RFC 9406 §4.2: a round ends where all that had been sent at its start is acknowledged.
bool DataSender::end_round(bool cumulative_advanced) {
  if (!cumulative_advanced || outstanding_.cumulative_acked() < round_end_) return false;
  round_end_ = outstanding_.next_tsn().previous();
  return true;
}

void DataSender::bound_flight(Time now, const AckResult& result, std::size_t flight_before,
                              bool round_ended) {
  const bool limited = 2 * flight_before >= std::min(congestion_->cwnd(), flight_bound_.bytes());
  flight_bound_.on_ack(now, result.acked_bytes, round_ended, limited, result.rtt);
}

UnwrappedTsn DataSender::forward_target() const {
  const UnwrappedTsn advanced = outstanding_.advanced_ack_point();
  return fence_passed() ? advanced : std::min(advanced, forward_fence_);
}

Duration DataSender::forward_tsn_interval() const {
  // A round trip too short for the clock must not make a repetition due at once.
  return std::max<Duration>(rto_.srtt().value_or(rto_.rto()), kMinForwardTsnInterval);
}

// RFC 3758 §3.5 (C3): a FORWARD TSN follows every advance of the ack point; one that the
// peer has not answered is repeated once a round trip, and what one had no room for follows
// when the peer has answered it.
void DataSender::note_ack_point(Time now) {
  if (!forward_tsn_) return;
  const UnwrappedTsn target = forward_target();
  if (target <= outstanding_.cumulative_acked()) {
    forward_due_ = false;
    return;
  }
  if (target > forward_aimed_ || outstanding_.cumulative_acked() >= forward_sent_ ||
      now - forward_sent_at_ >= forward_tsn_interval()) {
    forward_due_ = true;
  }
}

TimeoutOutcome DataSender::handle_timeout(Time now) {
  TimeoutOutcome outcome;
  if (forward_tsn_ && now >= queue_.next_expiry()) {
    expire_queued(now);
  }
  // The next flush says so again if need be: a caller that does not flush in some state
  // must not be woken for ever.
  if (burst_blocked_ && now >= burst_.refilled_at(pacing_rate_)) burst_blocked_ = false;
  if (now >= outstanding_.overtaken_at()) expire_overtaken(now);
  if (now >= probe_at()) {
    send_probe(now);
  } else if (now >= t3_) {
    outcome.t3_expired = true;
    const bool probing = is_probing_window();
    outcome.counts_as_error = !(probing && heard_since_t3_);
    expire_t3(now, probing);
    heard_since_t3_ = false;
  }
  return outcome;
}

// RFC 9260 §6.1 (A): what is in flight has no room at the peer, and leaves to learn when it
// has; it was sent as a probe, or before the window shut.
bool DataSender::is_probing_window() const {
  if (outstanding_.empty()) return false;
  const UnwrappedTsn earliest = outstanding_.cumulative_acked().next();
  return outstanding_.wire_bytes(outstanding_.at(earliest)) > peer_rwnd_;
}

void DataSender::expire_t3(Time now, bool probing) {
  ++stats_.t3_expiries;
  if (!probing && !self_bounding_) flight_bound_.on_loss(now, outstanding_.flight_bytes());
  // §6.3.3 (E2).
  rto_.back_off();
  begin_episode(now);
  recovery_->by_reordering = false;
  in_recovery_ = false;
  after_t3_ = true;
  // §6.3.3 (E3): the earliest leave in the next packet, which no burst spent before the
  // time-out may delay; the rest as cwnd allows.
  OutstandingQueue::Context context = this->context();
  context.window_shut = probing;
  const AckResult lost = outstanding_.mark_lost_on_timeout(now, context);
  recovery_->undo.note_lost(lost.newly_lost);
  // A window that is shut is no sign of it while the peer answers; but to its probe, too, it
  // may have nothing to answer.
  if (lost.large_lost && !(probing && heard_since_t3_)) black_hole_.on_large_lost();
  // §6.3.3 (E1): one MTU from here on. A zero-window probe that is not taken is no sign of
  // congestion.
  if (!probing) congestion_->on_timeout(now);
  fast_packet_ = outstanding_.has_lost() && !probing;
  drop_rest_of_abandoned();
  if (forward_target() > outstanding_.cumulative_acked()) forward_due_ = true;
  restart_t3(now);
}

Time DataSender::next_timeout() const {
  Time next = earliest(t3_, outstanding_.overtaken_at(), probe_at());
  if (forward_tsn_) next = std::min(next, queue_.next_expiry());
  if (burst_blocked_) next = std::min(next, burst_.refilled_at(pacing_rate_));
  return next;
}

}  // namespace millrace::sctp
