// SPDX-License-Identifier: Apache-2.0
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
