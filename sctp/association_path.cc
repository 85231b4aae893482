// SPDX-License-Identifier: Apache-2.0
// The association and its path: HEARTBEAT (RFC 9260 §8.3), probes of the MTU (RFC 8899 §6.2)
// and what no longer fits the path (RFC 9260 §6.9).
#include "sctp/association.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/pad_chunk.h"

namespace millrace::sctp {

// RFC 9260 §8.3.

void Association::handle_heartbeat(const ChunkView& chunk) {
  // RFC 9260 §8.3: from COOKIE-ECHOED on, where the answer rides with COOKIE-ECHO or waits.
  if (state_ < State::kCookieEchoed) return drop(DropReason::kUnexpectedState);
  const auto heartbeat = HeartbeatChunk::parse(chunk.bytes);
  if (!heartbeat) return drop(DropReason::kMalformedChunk);
  // The answer returns the information unread; one too large for a packet gets none.
  const HeartbeatAckChunk answer{heartbeat->info};
  if (answer.size() + CommonHeader::kBytes > packet_bytes()) {
    return drop(DropReason::kMalformedChunk);
  }
  queue(answer);
}

void Association::handle_heartbeat_ack(Time now, const ChunkView& chunk) {
  const auto answer = HeartbeatAckChunk::parse(chunk.bytes);
  if (!answer) return drop(DropReason::kMalformedChunk);
  if (const auto rtt = heartbeat_.handle_ack(now, answer->info)) {
    ++stats_.heartbeats_acked;
    sender_->observe_rtt(*rtt);
  } else if (const auto probe = path_mtu_.handle_answer(now, answer->info)) {
    ++stats_.mtu_probes_acked;
    if (probe->rtt) sender_->observe_rtt(*probe->rtt);
    if (probe->changed) apply_path_mtu();
  } else {
    return drop(DropReason::kUnknownHeartbeat);
  }
  // RFC 8899 §6.2.1.2: a successful probe counts as any HEARTBEAT does.
  clear_errors(now);
}

void Association::expire_heartbeat(Time now) {
  // At most one HEARTBEAT falls due and one is given up at one point in time.
  for (int i = 0; i < 2 && !dead_; ++i) {
    switch (heartbeat_.handle_timeout(now, sender_->rto().rto())) {
      case Heartbeat::Due::kNothing:
        return;
      case Heartbeat::Due::kSend:
        heartbeat_due_ = true;
        break;
      case Heartbeat::Due::kLost:
        // RFC 9260 §8.3: the RTO backs off, or a path that has become slower than it would
        // never be heard in time again.
        sender_->back_off_rto();
        count_error();
        break;
    }
  }
}

// RFC 8899.

// RFC 4820 would have any peer skip PAD; RFC 5061 §4.2.7 lets it say that it knows it. One that
// does not is not tried.
void Association::start_path_mtu() {
  if (extensions_.pad) {
    path_mtu_.start();
  } else {
    path_mtu_.forgo();
  }
  apply_path_mtu();
}

// RFC 8899 §4.3, §5.1.1: probes are inhibited while nothing would fill a larger packet. They go
// behind what was lost, for the path may be in trouble.
bool Association::may_probe_mtu() const {
  return state_ == State::kEstablished && sender_->wants_larger_packets() &&
         path_mtu_.probe_bytes() > 0;
}

std::size_t Association::large_packet_bytes() const {
  if (const std::size_t oversized = sender_->oversized_bytes(); oversized > 0) return oversized;
  return may_probe_mtu() ? path_mtu_.probe_bytes() : 0;
}

std::size_t Association::write_large(Time now, MutableByteSpan out) {
  const std::size_t wanted = large_packet_bytes();
  if (wanted == 0 || wanted > out.size()) return 0;
  if (sender_->oversized_bytes() == 0) return write_probe(now, out.first(wanted));
  // RFC 9260 §6.9: what was sent is not cut anew; IP fragments it if the path must.
  if (!may_carry_data()) return 0;
  PacketWriter packet(out.first(wanted), header_to_peer());
  sender_->append_chunks(now, packet);
  const std::size_t written = packet.finish(checksum_mode());
  may_be_fragmented_ = written > packet_bytes();
  return written;
}

// RFC 8899 §6.2.1.2: HEARTBEAT and PAD (RFC 4820), and nothing that would be missed.
std::size_t Association::write_probe(Time now, MutableByteSpan out) {
  PacketWriter packet(out, header_to_peer());
  const PathMtu::Info info = path_mtu_.make_probe(now, sender_->rto().rto());
  packet.append(HeartbeatChunk{info});
  packet.append(PadChunk{packet.space() - kChunkHeaderBytes});
  sender_->forget_larger_packets();
  ++stats_.mtu_probes_sent;
  return packet.finish(checksum_mode());
}

void Association::apply_path_mtu() {
  sender_->set_max_packet_bytes(path_mtu_.packet_bytes());
  sender_->watch_packets_above(path_mtu_.fallback_bytes());
}

void Association::leave_black_hole(Time now) {
  path_mtu_.handle_black_hole(now);
  apply_path_mtu();
}

void Association::handle_packet_refused(Time now, std::size_t bytes) {
  if (!dead_ && path_mtu_.handle_refused(now, bytes)) apply_path_mtu();
}

void Association::handle_packet_too_big(Time now, std::size_t bytes, std::size_t limit) {
  if (!dead_ && path_mtu_.handle_too_big(now, bytes, limit)) apply_path_mtu();
}

void Association::handle_path_change() {
  if (!options_.path_mtu.enabled || dead_) return;
  path_mtu_.reset();
  apply_path_mtu();
}

}  // namespace millrace::sctp
