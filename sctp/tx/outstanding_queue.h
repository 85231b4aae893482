// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/time.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/tx/delivery_rate.h"
#include "sctp/tx/outgoing_message.h"
#include "sctp/tx/sack_status.h"
#include "sctp/tx/send_order.h"
#include "sctp/types.h"

namespace millrace::sctp {

// OutstandingChunk is a chunk that has been given a TSN and that the cumulative TSN ack
// has not passed.
struct OutstandingChunk {
  enum class State : std::uint8_t {
    kInFlight,
    kLost,       // To be retransmitted.
    kAcked,      // By a gap block; the peer may renege (RFC 9260 §6.2.1).
    kAbandoned,  // RFC 3758: FORWARD-TSN will pass it.
  };

  OutgoingMessage* message = nullptr;
  Time sent_at{};  // Last transmission.
  std::uint32_t offset = 0;
  std::uint16_t size = 0;  // Payload; 0 stands for the unsent rest of an abandoned message.
  std::uint16_t retransmits = 0;
  State state = State::kInFlight;
  std::uint8_t missing_reports = 0;
  DeliveryRate::Record record = 0;  // Of the last transmission.
  bool ack_may_wait = false;        // For the peer's SACK delay: no measure of the round trip.

  // What it counts in flight: the chunk with header and padding.
  std::size_t wire_bytes() const { return DataChunkHeader::kBytes + padded_to_four(size); }
  ByteSpan payload() const { return message->bytes(offset, size); }
};
static_assert(sizeof(OutstandingChunk) <= 32);

// AckResult is what a SACK changed.
struct AckResult {
  SackStatus status = SackStatus::kProcessed;
  bool cumulative_advanced = false;
  bool earliest_acked = false;  // The lowest chunk in flight was acknowledged (§6.3.2 R3).
  bool newly_lost = false;      // By three missing reports, or overtaken.
  bool reneged = false;
  Time lost_sent_at{};          // The newest transmission among those.
  std::size_t acked_bytes = 0;  // As `wire_bytes`.
  std::size_t acked_chunks = 0;
  // The newest transmission among those, where it was in flight.
  std::optional<DeliveryRate::Anchor> newest_acked;
  // Of the newest chunk newly acknowledged that was sent once (Karn, §6.3.1 C5).
  std::optional<Duration> rtt;
};

// OutstandingQueue is the sender's record of TSNs between the cumulative ack and the next
// TSN: a ring indexed by TSN that doubles as needed up to kMaxChunks. A SACK costs what it
// newly acknowledges and newly reports missing, plus its gap blocks.
class OutstandingQueue {
 public:
  // RFC 9260 §3.3.4: gap blocks reach 65,535 TSNs beyond the cumulative one.
  static constexpr std::size_t kMaxChunks = 32768;

  // `rate` is told of each loss. Both must outlive the queue.
  OutstandingQueue(Tsn initial_tsn, MessageStore& store, DeliveryRate& rate);
  ~OutstandingQueue();
  OutstandingQueue(const OutstandingQueue&) = delete;
  OutstandingQueue& operator=(const OutstandingQueue&) = delete;

  void enable_partial_reliability() { partial_reliability_ = true; }
  // Fragments of one message may have others between them, and are numbered (RFC 8260
  // §2.2.2). The queue must be empty.
  void enable_interleaving() {
    CHECK(capacity_ == 0);
    interleaving_ = true;
  }

  bool empty() const { return base_ == end_; }
  bool full() const { return size() >= kMaxChunks; }
  std::size_t size() const { return static_cast<std::size_t>(end_.distance_from(base_)); }
  UnwrappedTsn next_tsn() const { return end_; }
  UnwrappedTsn cumulative_acked() const { return base_.previous(); }
  // Highest TSN such that it and all below are acknowledged or abandoned: RFC 3758 §3.5,
  // "Advanced.Peer.Ack.Point".
  UnwrappedTsn advanced_ack_point() const { return advanced_; }
  std::size_t flight_bytes() const { return flight_bytes_; }
  // The shortest round trip of a chunk sent once; the largest Duration before the first.
  Duration min_rtt() const { return min_rtt_; }
  // What is sent from here on bears `record`.
  void set_record(DeliveryRate::Record record) { record_ = record; }
  bool has_lost() const { return lost_ > 0; }
  const OutstandingChunk& at(UnwrappedTsn tsn) const { return ring_[slot(tsn)]; }
  // The fragment sequence number of an I-DATA chunk.
  std::uint32_t fsn_at(UnwrappedTsn tsn) const { return fragments_[slot(tsn)].fsn; }

  // Appends the next chunk of `message` as just sent; the queue must not be full.
  UnwrappedTsn push(Time now, OutgoingMessage* message, std::uint32_t offset, std::uint16_t size);
  // Appends an abandoned TSN that stands for the unsent rest of `message`, so that
  // FORWARD-TSN can tell the peer that the message will not end.
  void push_abandoned_rest(OutgoingMessage* message);

  // Takes no round trip from `tsn`, whose acknowledgement the peer may delay.
  void leave_to_sack_delay(UnwrappedTsn tsn) { chunk(tsn).ack_may_wait = true; }

  // The lowest chunk to be retransmitted; `has_lost` must be true. Those that have expired
  // by `now` are abandoned on the way; nothing is left if none remains.
  std::optional<UnwrappedTsn> next_lost(Time now);
  void mark_resent(Time now, UnwrappedTsn tsn);

  // Processes a SACK. `in_recovery` is the state of fast recovery (§7.2.4).
  AckResult handle_sack(Time now, const SackChunkView& sack, bool in_recovery);
  AckResult handle_cumulative_ack(Time now, Tsn cumulative);

  // Takes for lost, be it a retransmission, what has been in flight for a round trip and a
  // while longer when a chunk that left after it has arrived (RFC 8985). A SACK does so
  // itself; at `overtaken_at`, which is kNever where nothing was overtaken, it is called for
  // what that SACK left open.
  void detect_overtaken(Time now, AckResult& result);
  Time overtaken_at() const { return overtaken_at_; }

  // RFC 9260 §6.3.3 (E3): takes everything in flight for lost.
  void mark_all_lost(Time now);
  // Abandons all chunks of the message (RFC 3758 §3.5 A). It has been begun.
  void abandon(OutgoingMessage& message);
  // Streams, by index, whose first message was abandoned half sent. The owner drops the rest
  // of it from its queue and takes the entry away.
  std::vector<std::uint32_t>& half_sent() { return half_sent_; }
  std::uint64_t messages_abandoned() const { return messages_abandoned_; }

 private:
  using State = OutstandingChunk::State;
  struct Range {
    UnwrappedTsn first;
    UnwrappedTsn last;
  };
  // What an I-DATA chunk needs besides.
  struct Fragment {
    std::uint32_t fsn;
    std::uint16_t step;  // Back to the chunk before it of its message; 0 if there was none.
  };
  // RFC 8985 §5.3: of the acknowledged the one that left last, and the round trip it took.
  struct Newest {
    Time sent_at{};
    UnwrappedTsn tsn;
    Duration rtt = Duration::zero();
    DeliveryRate::Record record = 0;
  };
  // A peer that lists this many blocks may have left out others for want of room.
  static constexpr std::size_t kMaybeTruncatedBlocks = 16;
  static constexpr std::size_t kMaxRanges = 2048;
  static constexpr std::uint8_t kMissingReportsForLoss = 3;
  static_assert(kMaxChunks <= SendOrder::kMaxCapacity);

  std::size_t slot(UnwrappedTsn tsn) const {
    return static_cast<std::size_t>(tsn.value()) & (capacity_ - 1);
  }
  OutstandingChunk& chunk(UnwrappedTsn tsn) { return ring_[slot(tsn)]; }
  UnwrappedTsn tsn_at(std::size_t slot_index) const {
    return base_.plus((slot_index - slot(base_)) & (capacity_ - 1));
  }
  void reserve_one();
  void link_fragment(UnwrappedTsn tsn, OutgoingMessage& message);
  bool find_previous_fragment(UnwrappedTsn& tsn) const;
  bool is_valid(UnwrappedTsn cumulative, const SackChunkView& sack) const;
  void pop_until(Time now, UnwrappedTsn cumulative, AckResult& result);
  void apply_gap_blocks(Time now, UnwrappedTsn cumulative, const SackChunkView& sack,
                        AckResult& result);
  void ack_range(Time now, Range range, AckResult& result);
  void renege_range(Range range, AckResult& result);
  // One more missing report for what is in flight below `limit` (§7.2.4, HTNA).
  void count_missing(Time now, UnwrappedTsn limit, AckResult& result);
  void count_missing_in(Time now, Range hole, bool& settled, AckResult& result);
  void enter_flight(UnwrappedTsn tsn);
  void leave_flight(UnwrappedTsn tsn);
  void mark_lost(Time now, UnwrappedTsn tsn);
  void note_lost(Time now, UnwrappedTsn tsn, AckResult& result);
  SendOrder& order_of(const OutstandingChunk& chunk) {
    return chunk.retransmits == 0 ? sent_once_ : sent_again_;
  }
  void detect_overtaken_in(Time now, const SendOrder& order, AckResult& result);
  bool was_overtaken(UnwrappedTsn tsn) const;
  Duration reordering_window() const;
  bool should_abandon(Time now, const OutstandingChunk& chunk) const;
  void note_acked(Time now, UnwrappedTsn tsn, AckResult& result);
  void report_newest(const Newest& before, AckResult& result) const;
  void advance_ack_point();

  MessageStore& store_;
  DeliveryRate& rate_;
  DeliveryRate::Record record_ = 0;
  bool partial_reliability_ = false;
  bool interleaving_ = false;
  std::unique_ptr<OutstandingChunk[]> ring_;
  std::unique_ptr<Fragment[]> fragments_;  // Beside `ring_` where I-DATA is in use.
  std::size_t capacity_ = 0;
  UnwrappedTsn base_;
  UnwrappedTsn end_;
  UnwrappedTsn advanced_;
  UnwrappedTsn lost_cursor_;  // No lost chunk lies below.
  UnwrappedTsn settled_;      // No chunk below can gain a missing report.
  UnwrappedTsn highest_newly_acked_;
  std::size_t flight_bytes_ = 0;
  std::size_t lost_ = 0;
  // In flight. Apart, for TSNs do not tell when a retransmission left, and what a SACK had
  // no room for stands behind what it told in each.
  SendOrder sent_once_;
  SendOrder sent_again_;
  UnwrappedTsn reported_end_;  // Of the last SACK; it may be silent on what lies above.
  Newest newest_acked_;
  Duration min_rtt_ = Duration::max();
  Time overtaken_at_ = kNever;
  std::vector<Range> acked_ranges_;  // Above base_, as gap blocks last told.
  std::vector<Range> next_ranges_;
  std::vector<std::uint32_t> half_sent_;
  std::uint64_t messages_abandoned_ = 0;
};

}  // namespace millrace::sctp
