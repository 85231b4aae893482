// SPDX-License-Identifier: Apache-2.0
// DataSender's RFC 9260 §7.2.4 (fast retransmit and recovery), RFC 8985 §7 (tail-loss probe)
// and the undoing of what was no loss (RFC 3708, RFC 4015).
#include <algorithm>

#include "sctp/tx/data_sender.h"

namespace millrace::sctp {
namespace {

// Of one SACK; peers list twenty at most.
constexpr std::size_t kMaxDuplicates = 32;

}  // namespace

// The peer has had these TSNs before. True if reordering may be why: of a probe that was
// needless and of what the network has doubled it is not.
bool DataSender::take_duplicates(const SackChunkView& sack) {
  bool reordered = false;
  const std::size_t count = std::min(sack.duplicate_count(), kMaxDuplicates);
  for (std::size_t i = 0; i < count; ++i) {
    const UnwrappedTsn tsn =
        UnwrappedTsn::nearest(outstanding_.cumulative_acked(), sack.duplicate(i));
    if (probe_.repeats(tsn)) {
      probe_.note_duplicate();
    } else if (recovery_ && recovery_->undo.note_duplicate(tsn)) {
      reordered = true;
    }
  }
  return reordered;
}

// What a SACK has found is acted on, after the controller has heard of it.
void DataSender::recover(Time now, const AckResult& result, std::size_t flight_before) {
  if (result.cumulative_advanced) {
    advanced_at_ = now;
    // RFC 8985 §7.4.2: the loss that the probe repaired counts like any other.
    if (probe_.handle_ack(outstanding_.cumulative_acked()) && !in_recovery_) {
      begin_recovery(now, flight_before);
      end_recovery(now);
    }
  }
  if (result.large_acked) black_hole_.on_large_acked();
  if (!recovery_ && result.newly_lost == 0) return;
  react_to_loss(now, result, flight_before);
  if (in_recovery_ && recovery_->smoothed) {
    recovery_->rate.handle_ack(result.acked_bytes, outstanding_.flight_bytes(),
                               result.cumulative_advanced && result.newly_lost == 0,
                               options_.max_packet_bytes);
  }
}

void DataSender::react_to_loss(Time now, const AckResult& result, std::size_t flight_before) {
  if (result.large_lost_again && !result.large_acked) black_hole_.on_large_lost();
  // RFC 9260 §7.2.4 (2) reduces once for what was in flight when recovery began. What left
  // after that and was lost says that the reduction was not enough (RFC 9002 §7.3.2).
  const bool recovering = in_recovery_ || after_t3_;
  if (result.newly_lost > 0 && (!recovering || result.lost_sent_at >= recovery_->began_at)) {
    begin_recovery(now, flight_before);
  }
  LossUndo& undo = recovery_->undo;
  undo.note_lost(result.newly_lost);
  undo.note_arrived(result.found_arrived);
  if (result.acked_chunks > 0) take_early(undo);
  if (undo.is_spurious()) undo_recovery(now);
}

// The first transmission is what arrived: its duplicate will be reported a round trip later, but
// need not be waited for.
void DataSender::take_early(LossUndo& undo) {
  for (const UnwrappedTsn tsn : outstanding_.acked_early()) {
    if (undo.note_early(tsn) && recovery_->by_reordering) {
      outstanding_.reordering().note_reordering();
    }
  }
}

DataSender::Recovery& DataSender::recovery() {
  if (!recovery_) recovery_ = std::make_unique<Recovery>();
  return *recovery_;
}

// A second reduction, or a time-out, in the course of a recovery belongs to its episode.
void DataSender::begin_episode(Time now) {
  Recovery& episode = recovery();
  if (!in_recovery_ && !after_t3_) {
    episode.undo.begin();
    episode.by_reordering = true;
  }
  episode.began_at = now;
  episode.exit = outstanding_.next_tsn().previous();
  probe_.reset();
  probe_due_ = false;
}

// By an application that has more to send, or by packets that are no small ones.
bool DataSender::window_is_used(std::size_t flight) const {
  return cwnd_was_reached() || queue_.current() != nullptr ||
         2 * flight >= outstanding_.size() * options_.max_packet_bytes;
}

void DataSender::begin_recovery(Time now, std::size_t flight_before) {
  begin_episode(now);
  // After T3-rtx the window grows until all that it took for lost is acknowledged, which may
  // be far: a retransmission that is lost again halves it and must not stop it.
  in_recovery_ = !after_t3_;
  // RFC 9260 §7.2.4 (3): the first packet of it leaves whatever cwnd says.
  fast_packet_ = outstanding_.has_lost();
  ++stats_.fast_retransmits;
  congestion_->on_fast_recovery(now, window_is_used(flight_before));
  // A flight that the application kept below the reduced window has nothing to be smoothed.
  recovery_->smoothed = in_recovery_ && !self_bounding_ && flight_before > congestion_->cwnd();
  recovery_->rate.begin(flight_before, congestion_->cwnd());
  if (!self_bounding_) flight_bound_.on_loss(now, flight_before);
}

// RFC 9260 §7.2.4 (6): recovery ends where all that was outstanding at its start is
// acknowledged.
void DataSender::end_recovery(Time now) {
  if (outstanding_.cumulative_acked() < recovery_->exit) return;
  in_recovery_ = after_t3_ = false;
  outstanding_.reordering().note_recovery_end();
  congestion_->on_recovery_end(now);
}

// RFC 4015: nothing was lost, so nothing was wrong with the window.
void DataSender::undo_recovery(Time now) {
  ++stats_.spurious_losses;
  recovery_->undo.begin();
  fast_packet_ = false;
  flight_bound_.forget_loss();
  if (recovery_->by_reordering) outstanding_.reordering().note_reordering();
  congestion_->on_spurious_loss(now);
  if (!in_recovery_ && !after_t3_) return;
  in_recovery_ = after_t3_ = false;
  congestion_->on_recovery_end(now);
}

void DataSender::expire_overtaken(Time now) {
  AckResult result;
  const std::size_t flight_before = outstanding_.flight_bytes();
  outstanding_.detect_overtaken(now, context(), result);
  if (result.newly_lost > 0) react_to_loss(now, result, flight_before);
  drop_rest_of_abandoned();
  note_ack_point(now);
}

// RFC 8985 §7.2: where nothing is known to be lost, and nothing to have overtaken anything.
Time DataSender::probe_at() const {
  if (t3_ == kNever || probe_due_ || in_recovery_ || after_t3_ || !probe_.may_be_sent() ||
      outstanding_.flight_bytes() == 0 || outstanding_.packets_acked() > 0 ||
      outstanding_.has_lost()) {
    return kNever;
  }
  const Duration delay = tail_waits_ ? kMaxPeerSackDelay : Duration::zero();
  const Duration timeout =
      LossProbe::timeout(rto_.srtt().value_or(Duration::zero()), delay, options_.least_probe_wait);
  return std::min(std::max(last_sent_at_, advanced_at_) + timeout, t3_);
}

void DataSender::send_probe(Time now) {
  // RFC 9260 §6.1 (A): a window that is shut is probed by T3-rtx. What may not be sent again
  // is left to it too.
  const bool has_new = queue_.current() != nullptr && !outstanding_.full();
  probe_due_ = !is_probing_window() && (has_new || outstanding_.probe_candidate(now));
  if (!probe_due_) probe_.skip();
}

}  // namespace millrace::sctp
