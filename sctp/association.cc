// SPDX-License-Identifier: Apache-2.0
#include "sctp/association.h"

#include <algorithm>

#include "sctp/crc32c.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"

namespace millrace::sctp {
namespace {

// RFC 9260 §6.10: these three come in no company.
bool stands_alone(ChunkType type) {
  return type == ChunkType::kInit || type == ChunkType::kInitAck ||
         type == ChunkType::kShutdownComplete;
}

}  // namespace

Association::Association(const Options& options, Rng& rng, const Mac& mac, BlockPool& pool,
                         const std::optional<LocalInit>& signalled)
    : options_(options),
      rng_(rng),
      mac_(mac),
      pool_(pool),
      outgoing_streams_(options.outgoing_streams),
      incoming_streams_(options.incoming_streams),
      heartbeat_(options.heartbeat_interval, rng),
      path_mtu_(options.path_mtu, options.max_packet_bytes, rng),
      stream_reset_({options.max_streams, options.max_streams}) {
  if (signalled) local_tag_ = signalled->initiate_tag;
  make_halves(signalled ? signalled->initial_tsn : Tsn(rng_.next_u32()));
}

Association::~Association() = default;

void Association::make_halves(Tsn local_initial_tsn) {
  local_initial_tsn_ = local_initial_tsn;
  receiver_.reset();
  sending_ = false;
  DataSenderOptions options;
  options.initial_tsn = local_initial_tsn;
  options.max_packet_bytes = options_.max_packet_bytes;
  options.send_buffer_bytes = options_.send_buffer_bytes;
  options.stream_send_buffer_bytes = options_.stream_send_buffer_bytes;
  options.max_message_bytes = options_.max_message_bytes;
  options.rto = {.rto_initial = options_.rto_initial,
                 .rto_min = options_.rto_min,
                 .rto_max = options_.rto_max,
                 .linear_timeouts = options_.linear_timeouts};
  options.always_ask_for_sack = options_.always_ask_for_sack;
  options.scheduling = options_.scheduling;
  options.congestion.algorithm = options_.congestion;
  options.congestion.mtu_bytes = options_.max_packet_bytes;
  options.congestion.fixed_rate = options_.congestion_rate;
  // Drawn by lot already, and by the simulation's seed where there is one.
  options.congestion.seed = local_initial_tsn.value();
  sender_.emplace(options, pool_);
  path_mtu_.reset();
  apply_path_mtu();
}

// Packets in.

void Association::handle_packet(Time now, ByteSpan packet, const BufferRef& buffer) {
  ++stats_.packets_received;
  stats_.bytes_received += packet.size();
  const auto header = CommonHeader::parse(packet);
  if (!header) return drop(DropReason::kMalformedPacket);
  if (!checksum_is_good(*header, packet)) return drop(DropReason::kWrongChecksum);
  if (header->destination_port != options_.local_port ||
      header->source_port != options_.remote_port) {
    return drop(DropReason::kWrongPort);
  }
  handle_chunks(now, *header, packet.subspan(CommonHeader::kBytes), buffer);
}

// RFC 9653 §5.3: zero will do where this end has offered to take it, whatever the sum is, for
// the packet has come through DTLS. An INIT was sent before the offer could be known (§5.2).
bool Association::checksum_is_good(const CommonHeader& header, ByteSpan packet) const {
  if (header.checksum == 0 && options_.extensions.zero_checksum &&
      packet.size() > CommonHeader::kBytes &&
      packet[CommonHeader::kBytes] != static_cast<std::uint8_t>(ChunkType::kInit)) {
    return true;
  }
  return header.checksum == packet_checksum(packet);
}

void Association::handle_chunks(Time now, const CommonHeader& header, ByteSpan chunks,
                                const BufferRef& buffer) {
  ChunkReader reader(chunks);
  std::optional<ChunkView> chunk = reader.next();
  if (!chunk) return drop(DropReason::kMalformedPacket);
  const bool alone = padded_to_four(chunk->bytes.size()) >= chunks.size();
  if (dead_ || (state_ == State::kClosed && chunk->type != ChunkType::kInit &&
                chunk->type != ChunkType::kCookieEcho)) {
    return handle_out_of_the_blue(header, chunks);
  }
  if (!verify_tag(header, *chunk)) return;

  packet_had_data_ = false;
  while (chunk && !dead_) {
    // RFC 9260 §6.10, §12.3: it goes, and all that follows it.
    if (!alone && stands_alone(chunk->type)) {
      drop(DropReason::kBundledInit);
      break;
    }
    if (handle_chunk(now, header, *chunk, buffer) == Next::kDiscardPacket) break;
    chunk = reader.next();
  }
  if (reader.malformed()) drop(DropReason::kMalformedPacket);
  if (dead_ || !receiver_) return;
  if (packet_had_data_) receiver_->end_packet(now);
  stream_reset_.handle_progress(*receiver_);
  if (state_ == State::kShutdownSent) restart_t2(now);
  progress_shutdown(now);
}

// RFC 9260 §8.5, §8.5.1. `first` is the packet's first chunk.
bool Association::verify_tag(const CommonHeader& header, const ChunkView& first) {
  const bool own = header.verification_tag == local_tag_;
  bool valid = own && !local_tag_.is_zero();
  switch (first.type) {
    case ChunkType::kInit:
      valid = header.verification_tag.is_zero();  // RFC 9260 §8.5.1 (A).
      break;
    case ChunkType::kShutdownComplete:  // RFC 9260 §8.5.1 (C): its handler decides.
    case ChunkType::kCookieEcho:        // RFC 9260 §8.5.1 (D): compared with the cookie.
    case ChunkType::kAbort:             // RFC 9260 §8.5.1 (B): by the T bit.
      valid = true;
      break;
    case ChunkType::kShutdownAck:
      // RFC 9260 §8.5.1 (E): out of the blue while the association is being made.
      if (state_ == State::kCookieWait || state_ == State::kCookieEchoed) valid = true;
      break;
    default:
      break;
  }
  if (!valid) drop(DropReason::kWrongVerificationTag);
  return valid;
}

Association::Next Association::handle_chunk(Time now, const CommonHeader& header,
                                            const ChunkView& chunk, const BufferRef& buffer) {
  switch (chunk.type) {
    case ChunkType::kData:
      return handle_data(now, chunk, buffer);
    case ChunkType::kSack:
      handle_sack(now, chunk);
      break;
    case ChunkType::kIData:
      return handle_i_data(now, chunk, buffer);
    case ChunkType::kForwardTsn:
      return handle_forward_tsn(chunk);
    case ChunkType::kIForwardTsn:
      return handle_i_forward_tsn(chunk);
    case ChunkType::kReconfig:
      handle_reconfig(now, chunk);
      break;
    case ChunkType::kHeartbeat:
      handle_heartbeat(chunk);
      break;
    case ChunkType::kHeartbeatAck:
      handle_heartbeat_ack(now, chunk);
      break;
    case ChunkType::kInit:
      handle_init(now, chunk);
      break;
    case ChunkType::kInitAck:
      handle_init_ack(now, chunk);
      break;
    case ChunkType::kCookieEcho:
      return handle_cookie_echo(now, header, chunk);
    case ChunkType::kCookieAck:
      handle_cookie_ack(now);
      break;
    case ChunkType::kAbort:
      return handle_abort(header, chunk);
    case ChunkType::kError:
      handle_error(now, chunk);
      break;
    case ChunkType::kShutdown:
      handle_shutdown(now, chunk);
      break;
    case ChunkType::kShutdownAck:
      handle_shutdown_ack(header);
      break;
    case ChunkType::kShutdownComplete:
      handle_shutdown_complete(header, chunk);
      break;
    case ChunkType::kPad:  // RFC 4820 §3: skipped.
      break;
    default:
      return handle_unknown(chunk);
  }
  return Next::kContinue;
}

void Association::handle_burst_end(Time now) {
  if (receiver_) receiver_->settle(now, smoothed_rtt());
}

// Packets out.

CommonHeader Association::header_to_peer() const {
  return {.source_port = options_.local_port,
          .destination_port = options_.remote_port,
          .verification_tag = peer_tag_,
          .checksum = 0};
}

std::size_t Association::next_packet(Time now, MutableByteSpan out, LentBytes* lent) {
  std::size_t written = write_packet(now, out.first(std::min(out.size(), packet_bytes())), lent);
  may_be_fragmented_ = false;
  if (written == 0) written = write_large(now, out);
  if (written > 0) {
    ++stats_.packets_sent;
    stats_.bytes_sent += written;
  }
  return written;
}

std::size_t Association::write_packet(Time now, MutableByteSpan out, LentBytes* lent) {
  std::size_t written = 0;
  if (!control_.empty() && control_.front().alone) {
    written = write_alone(out);
  } else if (state_ == State::kCookieWait) {
    written = write_init(out);
  } else if (state_ != State::kClosed && (state_ != State::kCookieEchoed || cookie_echo_due_)) {
    // RFC 9653 §5.2: never zero with COOKIE-ECHO. Answers out of the blue, INIT and INIT-ACK
    // go alone and have their sum.
    const bool zero = extensions_.zero_checksum && !cookie_echo_due_;
    PacketWriter packet(out, header_to_peer(), zero ? lent : nullptr);
    append_control(now, packet);
    append_reports(now, packet);
    if (may_carry_data() && sender_->append_chunks(now, packet) && receiver_) {
      receiver_->note_data_sent(now);
    }
    written = packet.finish(zero ? ChecksumMode::kZero : ChecksumMode::kCrc32c);
  }
  return written;
}

std::size_t Association::write_alone(MutableByteSpan out) {
  const ControlQueue::Chunk chunk = control_.front();
  CommonHeader header = header_to_peer();
  header.verification_tag = chunk.tag;
  PacketWriter packet(out, header);
  packet.append(chunk.raw);
  control_.pop();
  return packet.finish();
}

void Association::append_control(Time now, PacketWriter& packet) {
  if (cookie_echo_due_) {
    // RFC 9260 §6.10: COOKIE-ECHO comes first; DATA may follow it.
    packet.append(CookieEchoChunk{cookie_});
    cookie_echo_due_ = false;
  }
  while (!control_.empty()) {
    const ControlQueue::Chunk chunk = control_.front();
    if (chunk.alone) break;
    if (!packet.append(chunk.raw)) {
      if (packet.has_chunks()) break;
      // Too large for the packet that the caller gives: it must not hold up what follows.
      drop(DropReason::kControlQueueFull);
    }
    control_.pop();
  }
  if (heartbeat_due_ && packet.space() >= HeartbeatChunk::kFixedBytes + Heartbeat::kInfoSize) {
    const Heartbeat::Info info = heartbeat_.make(now, sender_->rto().rto());
    packet.append(HeartbeatChunk{info});
    heartbeat_due_ = false;
    ++stats_.heartbeats_sent;
  }
}

// SACK, RE-CONFIG and SHUTDOWN: what tells the peer how far this end has come.
void Association::append_reports(Time now, PacketWriter& packet) {
  if (!receiver_ || state_ == State::kCookieEchoed) return;
  const bool reset_due = stream_reset_.is_due(*sender_);
  const auto leaves_anyway = [&] {
    return packet.has_chunks() || reset_due || shutdown_due_ ||
           (may_carry_data() && sender_->has_something_to_send(now));
  };
  if (receiver_->sack_due(now) || (receiver_->sack_pending() && leaves_anyway())) {
    receiver_->append_sack(packet);
  }
  // RFC 6525 §5.2.1: behind a SACK, which tells the peer that all data before a reset is
  // here before it learns that the reset is done.
  if (reset_due) stream_reset_.append(now, packet, *sender_, options_.rto_max);
  if (shutdown_due_) append_shutdown(packet);
}

bool Association::may_carry_data() const {
  switch (state_) {
    case State::kCookieEchoed:
      return !successor_;
    case State::kEstablished:
    case State::kShutdownPending:
    case State::kShutdownReceived:
      return true;
    default:
      return false;
  }
}

// Time.

Time Association::next_timeout() const {
  if (dead_) return kNever;
  Time next = earliest(t1_.expires(), t2_.expires(), t5_, heartbeat_.next_timeout(),
                       path_mtu_.next_timeout(), stream_reset_.next_timeout());
  if (state_ != State::kClosed && state_ != State::kCookieWait) {
    next = std::min(next, sender_->next_timeout());
  }
  if (receiver_) next = std::min(next, receiver_->next_timeout());
  return next;
}

void Association::handle_timeout(Time now) {
  if (dead_) return;
  expire_t1(now);
  if (dead_) return;
  expire_shutdown_timers(now);
  if (dead_) return;
  expire_heartbeat(now);
  if (!dead_ && stream_reset_.handle_timeout(now)) count_error();
  if (dead_) return;
  path_mtu_.handle_timeout(now);
  if (receiver_) receiver_->handle_timeout(now);
  const TimeoutOutcome outcome = sender_->handle_timeout(now);
  // While set-up lasts its own limit counts: RFC 9260 §5.1.6.
  if (outcome.counts_as_error && state_ != State::kCookieEchoed) count_error();
  if (sender_->take_black_hole()) leave_black_hole(now);
  if (!dead_) progress_shutdown(now);
}

// RFC 9260 §8.1: one counter for everything that went unanswered, of one path.
void Association::count_error() {
  if (++error_count_ > options_.max_retransmits) close(CloseReason::kTooManyRetransmits);
}

void Association::clear_errors(Time now) {
  if (error_count_ > 0) path_mtu_.handle_reachable();
  error_count_ = 0;
  if (state_ != State::kCookieEchoed) heartbeat_.restart(now, sender_->rto().rto());
}

void Association::close(CloseReason reason, std::uint16_t error_cause) {
  if (dead_) return;
  dead_ = true;
  ended_in_order_ = reason == CloseReason::kShutdown || reason == CloseReason::kPeerShutdown;
  state_ = State::kClosed;
  t1_.stop();
  t2_.stop();
  t5_ = kNever;
  heartbeat_.stop();
  path_mtu_.stop();
  stream_reset_.stop();
  sender_->stop_accepting();
  sender_->end_messages();
  Event event;
  event.kind = EventKind::kClosed;
  event.close_reason = reason;
  event.error_cause = error_cause;
  closed_event_ = event;
}

// Events: what changed the association, then messages, then resets (which come after the
// messages sent before them), then room to send, and the end last. Ahead of what ends messages
// that were sent comes what became of them.
bool Association::poll_event(Event& out) {
  // What has become ready since the end was told comes no more.
  if (dead_ && !closed_event_) return false;
  if (next_event_ < events_.size()) {
    if (has_progress()) return poll_progress(out);
    out = events_[next_event_++];
    if (next_event_ == events_.size()) {
      events_.clear();
      next_event_ = 0;
    }
    return true;
  }
  if (receiver_ && receiver_->poll_message(out.message)) {
    out.kind = EventKind::kMessage;
    out.stream = out.message.stream;
    out.generation = stream_reset_.incoming_generation(out.stream);
    return true;
  }
  if (has_progress()) return poll_progress(out);
  if (poll_reset_event(out)) return true;
  if (!dead_ && poll_sender_event(out)) return true;
  if (!closed_event_) return false;
  out = *closed_event_;
  closed_event_.reset();
  return true;
}

}  // namespace millrace::sctp
