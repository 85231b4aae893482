// SPDX-License-Identifier: Apache-2.0
// DataSender's RFC 9260 §6.1 (transmission of DATA chunks), RFC 8260 §2 (the same of I-DATA)
// and RFC 3758 §3.5 (FORWARD TSN).
#include <algorithm>

#include "sctp/packet/common_header.h"
#include "sctp/tx/data_sender.h"

namespace millrace::sctp {
namespace {

// Room smaller than this in a packet is left empty rather than given to a fragment.
constexpr std::size_t kMinFragmentBytes = 16;

// What leaves the window nearly empty asks for its SACK at most this often. Oftener, it would
// cost the peer a packet each time, where one for two, or one that rides on the answer, will do.
constexpr Duration kAskInterval = milliseconds(10);
// The same for a packet with none before it on the way: of a thousand sessions that speak now
// and then, each packet would be answered by one that has nothing else to say.
constexpr Duration kLoneAskInterval = milliseconds(100);
// So few on the way that a SACK for each is worth its packet.
constexpr std::size_t kFewPackets = 16;

}  // namespace

void DataSender::begin_flush(Time now) {
  if (flush_time_ == now) return;
  flush_time_ = now;
  // RFC 9260 §7.2.1: a window that was not used decays.
  if (outstanding_.empty() && now - last_sent_at_ >= rto_.rto()) {
    congestion_->on_idle(now - last_sent_at_, rto_.rto());
    last_sent_at_ = now;
  }
  pacing_rate_ = congestion_->pacing_rate(rto_.srtt().value_or(Duration::zero()));
  burst_.set_window(congestion_->cwnd(), pacing_rate_, congestion_->send_quantum());
  burst_.refill(now, pacing_rate_);
}

bool DataSender::append_chunks(Time now, PacketWriter& packet) {
  if (!established_) return false;
  begin_flush(now);
  burst_blocked_ = false;
  outstanding_.begin_packet(rate_.sampling() ? rate_.open(now, outstanding_.flight_bytes()) : 0);
  const std::size_t size_before = packet.size();
  if (recovery_) recovery_->repetition.begin_packet();
  // RFC 9260 §6.10: control chunks go before DATA; §6.1 (C): retransmissions before new.
  if (forward_due_) append_forward_tsn(now, packet);
  const std::size_t before_data = packet.size();
  if (outstanding_.has_lost()) append_lost(now, packet);
  if (probe_due_) append_probe(now, packet);
  if (!outstanding_.has_lost()) {
    if (recovery_ && packet.size() == before_data) append_repeated(now, packet);
    append_new(now, packet);
  }
  // What expired just now leaves at once, where no DATA stands before it.
  if (forward_due_ && packet.size() == size_before) append_forward_tsn(now, packet);
  const std::size_t sent = packet.size() - size_before;
  if (sent > 0) {
    last_sent_at_ = now;
    burst_.spend(sent);
    if (in_recovery_) recovery_->rate.spend(sent);
    congestion_->on_sent(now, sent, outstanding_.flight_bytes());
  }
  if (rate_.sampling()) sample_flush(sent > 0);
  // RFC 9260 §6.3.2 (R1). A FORWARD TSN is guarded by the same timer (RFC 3758 §3.5 C4).
  if (packet.size() > size_before && t3_ == kNever && !outstanding_.empty()) restart_t3(now);
  return packet.size() > size_before;
}

// Of a flush the draft calls a packet the flight is that behind its end; one that ended for
// want of data, or for want of room at the peer, limits the samples of what follows
// (draft-ietf-ccwg-bbr §4.1.2.4): neither says what the path would carry.
void DataSender::sample_flush(bool sent) {
  const std::size_t flight = outstanding_.flight_bytes();
  if (sent) return rate_.note_sent(flight);
  if (flight >= congestion_->cwnd()) return;
  const bool idle = queue_.current() == nullptr && !outstanding_.has_lost();
  const std::size_t most = header_bytes_ + padded_to_four(max_fragment_bytes());
  if (idle || (!burst_blocked_ && !fits_peer(most))) rate_.note_app_limited(flight);
}

void DataSender::note_held_back(std::size_t wire_bytes) {
  if (outstanding_.flight_bytes() + wire_bytes > congestion_->cwnd()) cwnd_limited_ = true;
}

std::size_t DataSender::room_in_recovery() const {
  const std::size_t flight = outstanding_.flight_bytes();
  return std::min(recovery_->rate.allowance(), peer_rwnd_ - std::min(peer_rwnd_, flight));
}

bool DataSender::window_allows(std::size_t wire_bytes) const {
  // RFC 9260 §6.1 (A): one chunk may always be in flight, as a probe. What was sent before
  // and found the window shut is held to the same.
  return outstanding_.flight_bytes() == 0 || wire_bytes <= room();
}

bool DataSender::append_chunk(const OutstandingChunk& chunk, UnwrappedTsn tsn, bool immediate,
                              PacketWriter& packet) {
  const OutgoingMessage& message = *chunk.message;
  const DataFlags flags{.immediate = immediate,
                        .unordered = message.unordered,
                        .beginning = chunk.offset == 0,
                        .ending = chunk.offset + chunk.size == message.size};
  if (i_data_) return append_i_data(chunk, tsn, flags, packet);
  const DataChunkHeader header{.tsn = tsn.wrap(),
                               .stream = message.stream,
                               .ssn = message.ssn(),
                               .ppid = message.ppid,
                               .flags = flags};
  return packet.append_data(header, chunk.payload());
}

// RFC 8260 §2.1
bool DataSender::append_i_data(const OutstandingChunk& chunk, UnwrappedTsn tsn, DataFlags flags,
                               PacketWriter& packet) {
  const OutgoingMessage& message = *chunk.message;
  const IDataChunkHeader header{.tsn = tsn.wrap(),
                                .stream = message.stream,
                                .mid = message.mid,
                                .ppid = message.ppid,
                                .fsn = outstanding_.fsn_at(tsn),
                                .flags = flags};
  return packet.append_data(header, chunk.payload());
}

void DataSender::append_lost(Time now, PacketWriter& packet) {
  const bool unlimited = fast_packet_;
  oversized_bytes_ = 0;
  while (const auto tsn = outstanding_.next_lost(now)) {
    const OutstandingChunk& lost = outstanding_.at(*tsn);
    const std::size_t wire = outstanding_.wire_bytes(lost);
    const bool earliest = *tsn == outstanding_.cumulative_acked().next();
    // RFC 9260 §6.2: what comes next the peer may take though its window is shut, no other.
    const bool ignores_cwnd = unlimited && (earliest || fits_peer(wire));
    if (!ignores_cwnd && !window_allows(wire)) {
      note_held_back(wire);
      break;
    }
    if (!unlimited && burst_.available(now, pacing_rate_) == 0) {
      burst_blocked_ = true;
      break;
    }
    // RFC 7053 §5.2: nothing may follow that would make the peer acknowledge.
    const bool immediate = 2 * wire > room();
    if (!append_chunk(lost, *tsn, immediate, packet)) {
      const std::size_t alone = CommonHeader::kBytes + header_bytes_ + padded_to_four(lost.size);
      if (alone > options_.max_packet_bytes) oversized_bytes_ = alone;
      break;
    }
    note_size(*tsn, packet);
    outstanding_.mark_resent(now, *tsn);
    if (wire > peer_rwnd_) {
      outstanding_.set_into_shut_window(*tsn);
    } else {
      recovery().undo.note_resent(*tsn);
      recovery_->repetition.note_resent(*tsn);
    }
    ++stats_.data_chunks_sent;
    ++stats_.retransmitted_chunks;
    // RFC 9260 §7.2.4 (4): T3 restarts where the earliest chunk leaves again.
    if (earliest) restart_t3(now);
    fast_packet_ = false;
  }
  // Chunks that expired on the way were abandoned instead.
  drop_rest_of_abandoned();
  note_ack_point(now);
}

// Decision 0022: where all that waits leaves in this packet and there is room besides. It is no
// chunk more in flight: either copy's arrival acknowledges it. RFC 9260 §6.10: TSNs ascend, so
// it goes before what is new.
void DataSender::append_repeated(Time now, PacketWriter& packet) {
  Repetition& repetition = recovery_->repetition;
  if (repetition.empty() || next_message(now) == nullptr) return;
  std::size_t left = room_beside_new(now, packet);
  if (left == 0) return repetition.clear();
  repetition.take_due([&](UnwrappedTsn tsn) {
    if (!outstanding_.may_be_repeated(tsn)) return;
    const std::size_t wire = outstanding_.wire_bytes(outstanding_.at(tsn));
    if (wire > left || !append_chunk(outstanding_.at(tsn), tsn, false, packet)) return;
    left -= wire;
    recovery_->undo.note_repeated(tsn);
    // Of what leaves in packets of both sizes either may arrive.
    outstanding_.set_large(tsn, false);
    ++stats_.data_chunks_sent;
    ++stats_.retransmitted_chunks;
  });
}

// What may join a packet that takes all that waits, without making it large or touching what
// windows and pacing leave; 0 where something else bounds the flight than the application.
std::size_t DataSender::room_beside_new(Time now, const PacketWriter& packet) const {
  if (cwnd_was_reached() || queue_.current()->streamed != nullptr) return 0;
  const std::size_t padding = 3;
  const std::size_t need = queue_.buffered() + queue_.messages() * (header_bytes_ + padding);
  const std::size_t credit = burst_.available(now, pacing_rate_);
  const std::size_t small = black_hole_.watched_above();
  const std::size_t most =
      std::min({packet.space(), room(), credit - std::min(credit, packet.size()),
                small - std::min(small, packet.size())});
  return most - std::min(most, need);
}

// RFC 8985 §7.3: new data where there is any and the peer has room for it, else the last chunk
// again; cwnd does not count.
void DataSender::append_probe(Time now, PacketWriter& packet) {
  probe_due_ = false;
  const UnwrappedTsn next = outstanding_.next_tsn();
  OutgoingMessage* const message = next_message(now);
  if (message != nullptr && fits_peer(header_bytes_ + padded_to_four(max_fragment_bytes()))) {
    append_fragment(now, *message, packet, true);
  }
  if (outstanding_.next_tsn() != next) {
    probe_.note_sent(next, false);
  } else {
    const std::optional<UnwrappedTsn> last = outstanding_.probe_candidate(now);
    if (!last || !append_chunk(outstanding_.at(*last), *last, true, packet)) {
      probe_.skip();
      return;
    }
    note_size(*last, packet);
    outstanding_.mark_probed(now, *last);
    if (recovery_) recovery_->repetition.forget(*last);
    ++stats_.data_chunks_sent;
    ++stats_.retransmitted_chunks;
    probe_.note_sent(*last, true);
  }
  ++stats_.loss_probes;
  // RFC 8985 §7.3: T3-rtx is the last resort.
  restart_t3(now);
}

// What leaves in a packet larger than the path is known to carry may be fragmented below: its
// fate says nothing of sizes.
void DataSender::note_size(UnwrappedTsn tsn, const PacketWriter& packet) {
  const std::size_t bytes = packet.size();
  outstanding_.set_large(tsn, black_hole_.is_large(bytes) && bytes <= options_.max_packet_bytes);
}

void DataSender::drop_rest_of_abandoned() {
  std::vector<std::uint32_t>& half_sent = outstanding_.half_sent();
  while (!half_sent.empty() && !outstanding_.full()) {
    const std::uint32_t index = half_sent.back();
    half_sent.pop_back();
    // The rest has no TSN yet; one that is never sent lets FORWARD TSN pass the message, of
    // which the peer may hold all that was sent.
    outstanding_.push_abandoned_rest(queue_.stream_at(index).head);
    queue_.drop_head(index);
    update_thresholds();
  }
}

OutgoingMessage* DataSender::next_message(Time now) {
  for (;;) {
    OutgoingMessage* const message = queue_.current();
    if (message == nullptr) return nullptr;
    if (!forward_tsn_ || !message->expired(now)) return message;
    if (message->sent == 0) {
      // RFC 3758 §3.5 (A1): never sent, so no TSN or SSN is spent on it.
      const std::uint32_t index = message->stream_index;
      message->abandoned = true;
      queue_.drop_head(index);
      update_thresholds();
      abandoned_.note(index, false);
    } else if (outstanding_.full()) {
      return nullptr;
    } else {
      // Be all that was sent acknowledged, the peer awaits the rest.
      outstanding_.abandon(*message);
      drop_rest_of_abandoned();
    }
  }
}

void DataSender::append_new(Time now, PacketWriter& packet) {
  while (packet.space() > header_bytes_) {
    OutgoingMessage* const message = next_message(now);
    if (message == nullptr || !append_fragment(now, *message, packet)) break;
  }
  note_ack_point(now);
}

// RFC 7053 §5.2: a chunk that nothing may follow asks for its SACK at once, and so does the
// last for now, which keeps the peer's delay out of the round trip; of those that leave the
// window nearly empty, one now and then. Of many on the way every second is acknowledged
// anyway, which lets others follow: were the peer asked whenever the window is full, a long
// transfer would have a SACK for each packet. Few are asked for each: a small window grows
// with every SACK.
bool DataSender::asks_for_sack(Time now, std::size_t wire_bytes, bool last, std::size_t left) {
  const std::size_t flight = outstanding_.flight_bytes();
  const std::size_t with_next = 2 * wire_bytes;
  const Duration interval = flight == 0 ? kLoneAskInterval : kAskInterval;
  if (last && options_.always_ask_for_sack) return true;
  const bool sparse = 2 * (flight + with_next) <= flight + left;
  const bool blocked =
      with_next > left && flight < kFewPackets * std::size_t{options_.max_packet_bytes};
  if (!blocked && (!last || (sparse && now - asked_at_ < interval))) return false;
  asked_at_ = now;
  return true;
}

// Of a message that comes in parts: up to the end of the block, and not the last byte so far,
// as it may turn out to be the last of all.
std::size_t DataSender::streamable_bytes(const OutgoingMessage& message) {
  const std::uint32_t rest = message.size - message.sent - (message.open ? 1 : 0);
  return std::min(rest, StreamedPayload::rest_of_block(message.sent));
}

bool DataSender::append_fragment(Time now, OutgoingMessage& message, PacketWriter& packet,
                                 bool probes) {
  const std::size_t header = header_bytes_;
  const std::size_t max_fragment = max_fragment_bytes();
  const std::size_t rest =
      message.streamed == nullptr ? message.size - message.sent : streamable_bytes(message);
  const std::size_t space = packet.space();
  if (space <= header || outstanding_.full() || rest == 0) return false;
  const std::size_t fitting = std::min(space - header, max_fragment);
  std::size_t bytes = rest;
  if (rest > fitting) {
    wants_larger_packets_ = true;
    // RFC 9260 §6.9: what fits into one packet is not fragmented; what does not fills
    // every packet, so that equal sizes leave in one segmented send.
    if (message.sent == 0 && rest <= max_fragment) return false;
    if (fitting < kMinFragmentBytes) return false;
    bytes = fitting;
  }
  const std::size_t wire = header + padded_to_four(bytes);
  const std::size_t left = room();
  if (!probes && wire > left && outstanding_.flight_bytes() != 0) {
    note_held_back(wire);
    return false;
  }
  if (!probes && burst_.available(now, pacing_rate_) <= packet.size()) {
    burst_blocked_ = true;
    return false;
  }
  const auto size = static_cast<std::uint16_t>(bytes);
  const std::uint32_t offset = message.sent;
  if (offset == 0) number(message);
  const bool last = queue_.buffered() == bytes;
  const bool ask = asks_for_sack(now, wire, last, left);
  const UnwrappedTsn tsn = outstanding_.push(now, &message, offset, size);
  CHECK(append_chunk(outstanding_.at(tsn), tsn, ask, packet));
  if (wire > peer_rwnd_) outstanding_.set_into_shut_window(tsn);
  if (black_hole_.is_large(packet.size())) note_size(tsn, packet);
  tail_waits_ = last && !ask;
  if (tail_waits_) outstanding_.leave_to_sack_delay(tsn);
  queue_.consume(static_cast<std::uint32_t>(bytes));
  update_thresholds();
  ++stats_.data_chunks_sent;
  stats_.data_bytes_sent += bytes;
  return true;
}

// RFC 9260 §6.5: ordered messages are numbered per stream; RFC 8260 §2.1: unordered ones too,
// apart.
void DataSender::number(OutgoingMessage& message) {
  SendStream& stream = queue_.stream_at(message.stream_index);
  if (message.unordered && !i_data_) return;
  Mid& next = message.unordered ? stream.next_unordered_mid : stream.next_mid;
  message.mid = next;
  next = next.next();
}

UnwrappedTsn DataSender::collect_skipped(std::size_t max_entries) {
  skipped_.clear();
  ++forward_stamp_;
  UnwrappedTsn reached = outstanding_.cumulative_acked();
  for (const UnwrappedTsn target = forward_target(); reached < target; reached = reached.next()) {
    const OutstandingChunk& passed = outstanding_.at(reached.next());
    if (passed.state != OutstandingChunk::State::kAbandoned) continue;  // It has arrived.
    const OutgoingMessage& message = *passed.message;
    // RFC 3758 §3.2: unordered messages are not listed. RFC 8260 §2.3.1: with MIDs they are.
    if (message.unordered && !i_data_) continue;
    SendStream& stream = queue_.stream_at(message.stream_index);
    const std::size_t kind = message.unordered ? 1 : 0;
    if (stream.forward_stamp[kind] == forward_stamp_) {
      skipped_[stream.forward_slot[kind]].mid = message.mid;
      continue;
    }
    if (skipped_.size() == max_entries) break;
    stream.forward_stamp[kind] = forward_stamp_;
    stream.forward_slot[kind] = static_cast<std::uint32_t>(skipped_.size());
    skipped_.push_back({message.stream, message.unordered, message.mid});
  }
  return reached;
}

bool DataSender::append_skipped(UnwrappedTsn reached, PacketWriter& packet) {
  if (i_data_) return packet.append(IForwardTsnChunk{reached.wrap(), skipped_});
  skipped_streams_.clear();
  for (const SkippedMessages& skipped : skipped_) {
    const Ssn ssn(static_cast<std::uint16_t>(skipped.mid.value()));
    skipped_streams_.push_back({skipped.stream, ssn});
  }
  return packet.append(ForwardTsnChunk{reached.wrap(), skipped_streams_});
}

void DataSender::append_forward_tsn(Time now, PacketWriter& packet) {
  const UnwrappedTsn target = forward_target();
  if (target <= outstanding_.cumulative_acked()) {
    forward_due_ = false;
    return;
  }
  static_assert(ForwardTsnChunkView::kFixedBytes == IForwardTsnChunkView::kFixedBytes);
  const std::size_t entry_bytes = i_data_ ? IForwardTsnChunkView::kEntryBytes : 4;
  if (packet.space() < ForwardTsnChunkView::kFixedBytes + entry_bytes) return;
  // RFC 3758 §3.5 (C4): what does not fit waits for the next one.
  const UnwrappedTsn reached =
      collect_skipped((packet.space() - ForwardTsnChunkView::kFixedBytes) / entry_bytes);
  if (!append_skipped(reached, packet)) return;
  forward_due_ = false;
  forward_sent_ = reached;
  forward_aimed_ = target;
  forward_sent_at_ = now;
  ++stats_.forward_tsns_sent;
}

bool DataSender::has_something_to_send(Time now) const {
  if (!established_) return false;
  if (forward_due_ || probe_due_) return true;
  const bool burst_open =
      flush_time_ != now || burst_.available(now, pacing_rate_) > CommonHeader::kBytes;
  if (outstanding_.has_lost()) {
    return fast_packet_ || (burst_open && window_allows(header_bytes_ + std::size_t{1}));
  }
  if (queue_.current() == nullptr || outstanding_.full()) return false;
  const std::size_t rest = queue_.current()->size - queue_.current()->sent;
  const std::size_t wire = header_bytes_ + padded_to_four(std::min(rest, max_fragment_bytes()));
  return burst_open && window_allows(wire);
}

}  // namespace millrace::sctp
