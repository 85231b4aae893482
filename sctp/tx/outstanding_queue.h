// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/time.h"
#include "sctp/packet/chunk.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/tx/abandoned_counts.h"
#include "sctp/tx/delivery_rate.h"
#include "sctp/tx/outgoing_message.h"
#include "sctp/tx/outstanding_chunk.h"
#include "sctp/tx/reordering_window.h"
#include "sctp/tx/send_order.h"
#include "sctp/types.h"

namespace millrace::sctp {

// OutstandingQueue is the sender's record of TSNs between the cumulative ack and the next
// TSN: a ring indexed by TSN that doubles as needed up to kMaxChunks. A SACK costs what it
// newly acknowledges and what it shows to be lost, plus its gap blocks.
class OutstandingQueue {
 public:
  // RFC 9260 §3.3.4: gap blocks reach 65,535 TSNs beyond the cumulative one.
  static constexpr std::size_t kMaxChunks = 65535;

  // `rate` is told of each loss, `abandoned` of each message given up. All must outlive the
  // queue.
  OutstandingQueue(Tsn initial_tsn, MessageStore& store, DeliveryRate& rate,
                   AbandonedCounts& abandoned);
  ~OutstandingQueue();
  OutstandingQueue(const OutstandingQueue&) = delete;
  OutstandingQueue& operator=(const OutstandingQueue&) = delete;

  void enable_partial_reliability(bool on = true) { partial_reliability_ = on; }
  // Fragments of one message may have others between them, and are numbered (RFC 8260
  // §2.2.2). The queue must be empty.
  void enable_interleaving(bool on = true) {
    CHECK(capacity_ == 0);
    interleaving_ = on;
    header_bytes_ = on ? IDataChunkHeader::kBytes : DataChunkHeader::kBytes;
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
  // What is sent next begins a packet and, like all after it, bears `record`.
  void begin_packet(DeliveryRate::Record record) {
    record_ = record;
    packet_begins_ = true;
  }
  // Packets that gap blocks have acknowledged above the cumulative TSN.
  std::size_t packets_acked() const { return packets_acked_; }
  bool has_lost() const { return lost_ > 0; }
  const OutstandingChunk& at(UnwrappedTsn tsn) const { return ring_[slot(tsn)]; }
  // What a chunk counts in flight: with its header and padding.
  std::size_t wire_bytes(const OutstandingChunk& chunk) const {
    return header_bytes_ + padded_to_four(chunk.size);
  }
  // The fragment sequence number of an I-DATA chunk.
  std::uint32_t fsn_at(UnwrappedTsn tsn) const { return fragments_[slot(tsn)].fsn; }

  // Appends the next chunk of `message` as just sent; the queue must not be full.
  UnwrappedTsn push(Time now, OutgoingMessage* message, std::uint32_t offset, std::uint16_t size);
  // Appends an abandoned TSN that stands for the unsent rest of `message`, so that
  // FORWARD-TSN can tell the peer that the message will not end.
  void push_abandoned_rest(OutgoingMessage* message);

  // Says whether `tsn` left in a packet that puts the path MTU to the test.
  void set_large(UnwrappedTsn tsn, bool large) { chunk(tsn).large = large; }
  // Says so of none.
  void forget_large();
  // RFC 9260 §6.1 (A): `tsn` probes a window that has no room for it. Loss is what is to be
  // expected, and neither tells of congestion nor is told as such.
  void set_into_shut_window(UnwrappedTsn tsn) { chunk(tsn).into_shut_window = true; }
  // Takes no round trip from `tsn`, whose acknowledgement the peer may delay.
  void leave_to_sack_delay(UnwrappedTsn tsn) { chunk(tsn).ack_may_wait = true; }

  // The lowest chunk to be retransmitted; `has_lost` must be true. Those that have expired
  // by `now` are abandoned on the way; nothing is left if none remains.
  std::optional<UnwrappedTsn> next_lost(Time now);
  void mark_resent(Time now, UnwrappedTsn tsn);

  // Sent again and not acknowledged since, of a message that may be sent as often as it takes.
  bool may_be_repeated(UnwrappedTsn tsn) const;
  // The chunk to send again as a probe: the highest in flight, where its message may be sent
  // again at all (RFC 8985 §7.3).
  std::optional<UnwrappedTsn> probe_candidate(Time now) const;
  // It was sent again though nothing says that it is lost.
  void mark_probed(Time now, UnwrappedTsn tsn);

  // What the reordering window depends on besides what the queue knows.
  struct Context {
    bool in_recovery;  // Fast recovery, or after T3-rtx.
    bool duplicates;   // The SACK reports some.
    Duration srtt;
    bool window_shut = false;  // To the earliest chunk, when T3-rtx expired.
  };
  AckResult handle_sack(Time now, const SackChunkView& sack, const Context& context);
  AckResult handle_cumulative_ack(Time now, Tsn cumulative);

  // What the last SACK acknowledged too early for the retransmission to be what arrived.
  std::span<const UnwrappedTsn> acked_early() const {
    return gaps_ ? std::span<const UnwrappedTsn>(gaps_->early) : std::span<const UnwrappedTsn>();
  }

  // Takes for lost, be it a retransmission, what has been in flight for a round trip and a
  // while longer when a chunk that left after it has arrived (RFC 8985). A SACK does so
  // itself; at `overtaken_at`, which is kNever where nothing was overtaken, it is called for
  // what that SACK left open.
  void detect_overtaken(Time now, const Context& context, AckResult& result);
  Time overtaken_at() const { return overtaken_at_; }
  ReorderingWindow& reordering() { return reordering_; }

  // RFC 8985 §6.3: takes for lost the earliest and whatever has been in flight for a round
  // trip and the reordering window. Returns what was lost.
  AckResult mark_lost_on_timeout(Time now, const Context& context);
  // Abandons all chunks of the message (RFC 3758 §3.5 A). It has been begun.
  void abandon(OutgoingMessage& message);
  // Streams, by index, whose first message was abandoned half sent. The owner drops the rest
  // of it from its queue and takes the entry away.
  std::vector<std::uint32_t>& half_sent() { return half_sent_; }

 private:
  using State = OutstandingChunk::State;
  struct Range {
    UnwrappedTsn first;
    UnwrappedTsn last;
  };
  // Gaps are TSNs above base_ that gap blocks have acknowledged, or may not any more.
  struct Gaps {
    std::vector<Range> acked;
    std::vector<Range> next;  // Room to make the next list in.
    std::vector<UnwrappedTsn> early;
    UnwrappedTsn reneged_until;  // Of what the peer has taken back, the highest.
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
  static constexpr std::size_t kMaxEarly = 64;
  // Each of them looks at all of its message.
  static constexpr std::uint32_t kMostFragmentsPassed = 16;
  static_assert(kMaxChunks <= SendOrder::kMaxCapacity);

  std::size_t slot(UnwrappedTsn tsn) const {
    return static_cast<std::size_t>(tsn.value()) & (capacity_ - 1);
  }
  OutstandingChunk& chunk(UnwrappedTsn tsn) { return ring_[slot(tsn)]; }
  UnwrappedTsn tsn_at(std::size_t slot_index) const {
    return base_.plus((slot_index - slot(base_)) & (capacity_ - 1));
  }
  void reserve_one() {
    if (size() == capacity_) grow();
  }
  void grow();
  void link_fragment(UnwrappedTsn tsn, OutgoingMessage& message);
  bool find_previous_fragment(UnwrappedTsn& tsn) const;
  bool is_valid(UnwrappedTsn cumulative, const SackChunkView& sack) const;
  void pop_until(Time now, UnwrappedTsn cumulative, AckResult& result);
  void apply_gap_blocks(Time now, UnwrappedTsn cumulative, const SackChunkView& sack,
                        AckResult& result);
  void ack_range(Time now, Range range, AckResult& result);
  void pop_settled(Time now, UnwrappedTsn tsn, AckResult& result);
  void note_acked_late(UnwrappedTsn tsn, AckResult& result);
  void renege(Range range, AckResult& result);
  void enter_flight(UnwrappedTsn tsn);
  void leave_flight(UnwrappedTsn tsn);
  void mark_lost(Time now, UnwrappedTsn tsn);
  void note_lost(Time now, UnwrappedTsn tsn, AckResult& result);
  void detect_silent(Time now);
  void settle_silent(Time now, UnwrappedTsn end, AckResult& result);
  SendOrder& order_of(const OutstandingChunk& chunk) {
    return chunk.retransmits == 0 ? sent_once_ : sent_again_;
  }
  void detect_overtaken_in(Time now, const SendOrder& order, const Context& context,
                           AckResult& result);
  Duration patience(const Context& context) const;
  bool was_overtaken(UnwrappedTsn tsn) const;
  bool should_abandon(Time now, const OutstandingChunk& chunk) const;
  void note_acked(Time now, UnwrappedTsn tsn, AckResult& result);
  void report_newest(const Newest& before, AckResult& result) const;
  void advance_ack_point();
  bool may_be_passed(UnwrappedTsn tsn) const;

  MessageStore& store_;
  DeliveryRate& rate_;
  AbandonedCounts& abandoned_;
  DeliveryRate::Record record_ = 0;
  bool partial_reliability_ = false;
  bool interleaving_ = false;
  bool packet_begins_ = false;
  std::uint16_t header_bytes_ = DataChunkHeader::kBytes;
  std::unique_ptr<OutstandingChunk[]> ring_;
  std::unique_ptr<Fragment[]> fragments_;  // Beside `ring_` where I-DATA is in use.
  std::size_t capacity_ = 0;
  UnwrappedTsn base_;
  UnwrappedTsn end_;
  UnwrappedTsn advanced_;
  UnwrappedTsn passed_;         // At least `advanced_`: how far nothing is in its way.
  UnwrappedTsn lost_cursor_;    // No lost chunk lies below.
  UnwrappedTsn silent_cursor_;  // No silent chunk lies below.
  UnwrappedTsn highest_acked_;  // RFC 8985 §6.2, step 3: RACK.fack.
  std::size_t flight_bytes_ = 0;
  std::uint32_t lost_ = 0;
  std::uint32_t silent_ = 0;
  std::uint32_t packets_acked_ = 0;
  // In flight. Apart, for TSNs do not tell when a retransmission left, and what a SACK had
  // no room for stands behind what it told in each.
  SendOrder sent_once_;
  SendOrder sent_again_;
  UnwrappedTsn reported_end_;  // Of the last SACK; it may be silent on what lies above.
  Newest newest_acked_;
  ReorderingWindow reordering_;
  Duration min_rtt_ = Duration::max();
  Time overtaken_at_ = kNever;
  std::unique_ptr<Gaps> gaps_;  // Made by the first gap block.
  std::vector<std::uint32_t> half_sent_;
};

}  // namespace millrace::sctp
