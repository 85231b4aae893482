// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/data_sender.h"

#include <algorithm>

namespace millrace::sctp {

DataSender::DataSender(const DataSenderOptions& options, BlockPool& pool)
    : options_{.max_packet_bytes = options.max_packet_bytes,
               .send_buffer_bytes = options.send_buffer_bytes,
               .stream_send_buffer_bytes = options.stream_send_buffer_bytes,
               .max_message_bytes = std::min(options.max_message_bytes, kMaxMessageBytes),
               .always_ask_for_sack = options.always_ask_for_sack,
               .least_probe_wait = std::min<Duration>(kMostProbeWait, options.rto.rto_min)},
      store_(pool),
      queue_(store_, options.scheduling, options.send_buffer_bytes),
      congestion_(make_congestion_control(options.congestion)),
      rate_(*congestion_),
      outstanding_(options.initial_tsn, store_, rate_, abandoned_),
      rto_(options.rto),
      burst_(options.min_burst_bytes),
      forward_sent_(outstanding_.cumulative_acked()),
      forward_aimed_(forward_sent_),
      forward_fence_(forward_sent_),
      self_bounding_(congestion_->bounds_flight_itself()) {
  set_max_packet_bytes(options.max_packet_bytes);
}

DataSender::~DataSender() = default;

void DataSender::establish(Time now, std::size_t peer_rwnd, std::uint16_t streams, bool forward_tsn,
                           bool i_data) {
  CHECK(!has_begun());
  established_ = true;
  peer_rwnd_ = peer_rwnd;
  streams_ = streams;
  forward_tsn_ = forward_tsn;
  last_sent_at_ = now;
  i_data_ = i_data;
  header_bytes_ = i_data ? IDataChunkHeader::kBytes : DataChunkHeader::kBytes;
  outstanding_.enable_partial_reliability(forward_tsn);
  outstanding_.enable_interleaving(i_data);
  queue_.enable_interleaving(i_data);
  queue_.discard_streams_from(streams);
  update_thresholds();
}

std::optional<SendStatus> DataSender::refusal(Time now, StreamId stream, std::size_t size,
                                              std::size_t cost, const SendOptions& options) {
  if (!accepting_) return SendStatus::kClosed;
  if (established_ && stream.value() >= streams_) return SendStatus::kInvalidStream;
  if (size == 0) return SendStatus::kEmpty;
  if (size > options_.max_message_bytes) return SendStatus::kTooLarge;
  SendStream* const state = queue_.find(stream);
  if (state != nullptr && state->closing) return SendStatus::kStreamClosing;
  if (!has_room(now, state, cost, options)) return SendStatus::kWouldBlock;
  return std::nullopt;
}

SendStatus DataSender::send(Time now, StreamId stream, Ppid ppid, ByteSpan payload,
                            const SendOptions& options) {
  if (payload.size() > MessageStore::kMaxCopiedBytes) return SendStatus::kTooLarge;
  const std::size_t extra = tracking_bytes(options);
  const auto refused =
      refusal(now, stream, payload.size(), MessageStore::cost(payload.size(), extra), options);
  if (refused) return *refused;
  OutgoingMessage* const message = store_.copy(payload, extra);
  if (message == nullptr) {
    want_room(0);
    return SendStatus::kWouldBlock;
  }
  enqueue(now, message, stream, ppid, options);
  return SendStatus::kOk;
}

SendStatus DataSender::send(Time now, StreamId stream, Ppid ppid, OwnedBytes&& payload,
                            const SendOptions& options) {
  const std::size_t size = payload.bytes().size();
  const std::size_t extra = tracking_bytes(options);
  const auto refused = refusal(now, stream, size, MessageStore::adopted_cost(size, extra), options);
  if (refused) return *refused;
  OutgoingMessage* const message = store_.adopt(std::move(payload), extra);
  if (message == nullptr) {
    want_room(0);
    return SendStatus::kWouldBlock;
  }
  enqueue(now, message, stream, ppid, options);
  return SendStatus::kOk;
}

void DataSender::enqueue(Time now, OutgoingMessage* message, StreamId stream, Ppid ppid,
                         const SendOptions& options) {
  message->stream = stream;
  message->ppid = ppid;
  message->unordered = options.unordered;
  if (options.max_retransmits) {
    message->policy = OutgoingMessage::Policy::kRetransmits;
    message->limit = *options.max_retransmits;
  } else if (options.gives_way()) {
    message->policy = OutgoingMessage::Policy::kPriority;
    message->limit = *options.priority;
  }
  if (options.max_lifetime && (forward_tsn_ || !established_)) {
    message->expires_at = now + *options.max_lifetime;
  }
  queue_.push(message);
  if (options.tag.id != 0) [[unlikely]]
    store_.track(*message, options.tag);
  ++stats_.messages_sent;
  update_thresholds();
}

std::size_t DataSender::buffered_amount(StreamId stream) const {
  const SendStream* const state = queue_.find(stream);
  return state == nullptr ? 0 : state->buffered;
}

std::size_t DataSender::total_buffered_amount() const { return queue_.buffered(); }

void DataSender::set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes) {
  queue_.stream(stream).low_threshold = bytes;
}

void DataSender::set_total_buffered_amount_low_threshold(std::size_t bytes) {
  total_low_threshold_ = bytes;
  total_above_ = queue_.buffered() > bytes;
}

void DataSender::update_thresholds() {
  const bool above = queue_.buffered() > total_low_threshold_;
  if (total_above_ && !above) total_low_reported_ = true;
  total_above_ = above;
}

bool DataSender::poll_event(SendEvent& event) {
  if (!queue_.low_streams().empty()) {
    SendStream& stream = queue_.stream_at(queue_.low_streams().back());
    queue_.low_streams().pop_back();
    stream.low_reported = false;
    event = {SendEvent::Kind::kBufferedAmountLow, stream.id};
    return true;
  }
  if (total_low_reported_) {
    total_low_reported_ = false;
    event = {SendEvent::Kind::kTotalBufferedAmountLow, {}};
    return true;
  }
  return poll_writable(event);
}

void DataSender::set_stream_priority(StreamId stream, std::uint16_t priority) {
  queue_.set_priority(stream, priority);
}

void DataSender::pause_stream(StreamId stream) { queue_.pause(stream); }

bool DataSender::may_reset_stream(StreamId stream) const {
  const SendStream* const state = queue_.find(stream);
  return state == nullptr || state->head == nullptr || state->head->sent == 0;
}

bool DataSender::stream_drained(StreamId stream) const {
  const SendStream* const state = queue_.find(stream);
  return state == nullptr || state->head == nullptr;
}

void DataSender::reset_stream(StreamId stream) {
  SendStream* const state = queue_.find(stream);
  if (state == nullptr) return;
  abandoned_.forget(queue_.index_of(stream));
  // The peer has all that was sent, or knows that it will not: its SACK, should it come yet, is
  // not waited for.
  if (MessageTracker* const tracker = store_.tracker()) tracker->end_sent(queue_.index_of(stream));
  // RFC 6525 §5.2.7 (response to an outgoing reset): the next SSN is 0; RFC 8260 §2.3.2: so
  // are the MIDs of both kinds.
  state->next_mid = state->next_unordered_mid = Mid();
  // What was queued before the stream was closed is of the life that ends.
  if (state->closing) discard_queued(stream);
  state->closing = false;
  queue_.resume(stream);
}

void DataSender::resume_stream(StreamId stream) {
  SendStream* const state = queue_.find(stream);
  if (state == nullptr) return;
  state->closing = false;
  queue_.resume(stream);
}

void DataSender::close_stream(StreamId stream) { queue_.stream(stream).closing = true; }

void DataSender::discard_queued(StreamId stream) {
  queue_.discard_unbegun(stream);
  update_thresholds();
}

void DataSender::stop_accepting() { accepting_ = false; }

SenderStats DataSender::stats() const {
  SenderStats stats = stats_;
  stats.messages_abandoned = abandoned_.total();
  return stats;
}

AbandonedMessages DataSender::abandoned(StreamId stream) const {
  return abandoned_.of(queue_.index_of(stream));
}

bool DataSender::all_acknowledged() const { return queue_.empty() && outstanding_.empty(); }

Tsn DataSender::next_tsn() const { return outstanding_.next_tsn().wrap(); }

Tsn DataSender::cumulative_acked() const { return outstanding_.cumulative_acked().wrap(); }

std::size_t DataSender::bytes_in_flight() const { return outstanding_.flight_bytes(); }

void DataSender::set_max_packet_bytes(std::size_t bytes) {
  options_.max_packet_bytes = bytes & ~std::size_t{3};
  congestion_->set_mtu(options_.max_packet_bytes);
  queue_.set_hold_back(max_fragment_bytes());
}

void DataSender::watch_packets_above(std::size_t bytes) {
  if (black_hole_.watched_above() == bytes) return;
  black_hole_.watch_above(bytes);
  // What is under way was measured by another size.
  outstanding_.forget_large();
}

void DataSender::observe_rtt(Duration rtt) { rto_.observe(rtt); }

void DataSender::back_off_rto() { rto_.back_off(); }

}  // namespace millrace::sctp
