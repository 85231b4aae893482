// SPDX-License-Identifier: Apache-2.0
// What the association and its halves show of themselves, gathered for statistics and traces.
#include "sctp/association.h"

namespace millrace::sctp {

std::string_view Association::state_name() const {
  switch (state_) {
    case State::kClosed:
      return "closed";
    case State::kCookieWait:
      return "cookie_wait";
    case State::kCookieEchoed:
      return "cookie_echoed";
    case State::kEstablished:
      return "established";
    case State::kShutdownPending:
      return "shutdown_pending";
    case State::kShutdownSent:
      return "shutdown_sent";
    case State::kShutdownReceived:
      return "shutdown_received";
    case State::kShutdownAckSent:
      break;
  }
  return "shutdown_ack_sent";
}

Stats Association::stats() const {
  Stats stats = stats_;
  const SenderStats& sent = sender_->stats();
  stats.data_chunks_sent += sent.data_chunks_sent;
  stats.messages_sent += sent.messages_sent;
  stats.messages_abandoned_unsent += sent.messages_abandoned.unsent;
  stats.messages_abandoned_sent += sent.messages_abandoned.sent;
  stats.t3_expiries += sent.t3_expiries;
  stats.fast_retransmits += sent.fast_retransmits;
  stats.retransmitted_chunks += sent.retransmitted_chunks;
  stats.mtu_probes_lost = path_mtu_.probes_lost();
  stats.mtu_black_holes = path_mtu_.black_holes();
  stats.mtu_refused = path_mtu_.refused();
  stats.mtu_hints = path_mtu_.hints();
  stats.mtu_hints_ignored = path_mtu_.hints_ignored();
  if (receiver_) {
    stats.data_chunks_received += receiver_->stats().data_chunks_received;
    stats.messages_received += receiver_->stats().messages_received;
  }
  return stats;
}

Metrics Association::metrics() const {
  Metrics metrics;
  metrics.state = state_name();
  metrics.srtt = sender_->rto().srtt();
  metrics.rttvar = sender_->rto().rttvar();
  metrics.rto = sender_->rto().rto();
  metrics.cwnd = sender_->cwnd();
  metrics.ssthresh = sender_->ssthresh();
  metrics.flight = sender_->bytes_in_flight();
  metrics.peer_rwnd = sender_->peer_rwnd();
  metrics.a_rwnd = receiver_ ? receiver_->a_rwnd() : options_.receive_window_bytes;
  metrics.mtu = sender_->max_packet_bytes();
  metrics.buffered = sender_->total_buffered_amount();
  metrics.unacknowledged = sender_->unacknowledged_chunks();
  metrics.outgoing_streams = outgoing_streams_;
  metrics.incoming_streams = incoming_streams_;
  metrics.next_tsn = sender_->next_tsn();
  metrics.cumulative_acked = sender_->cumulative_acked();
  if (receiver_) metrics.cumulative = receiver_->cumulative_tsn();
  metrics.error_count = error_count_;
  return metrics;
}

}  // namespace millrace::sctp
