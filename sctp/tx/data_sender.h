// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/time.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/send_options.h"
#include "sctp/stream_scheduling.h"
#include "sctp/tx/black_hole_detector.h"
#include "sctp/tx/burst_limiter.h"
#include "sctp/tx/congestion_control.h"
#include "sctp/tx/delivery_rate.h"
#include "sctp/tx/flight_bound.h"
#include "sctp/tx/loss_probe.h"
#include "sctp/tx/loss_undo.h"
#include "sctp/tx/outstanding_queue.h"
#include "sctp/tx/proportional_rate.h"
#include "sctp/tx/repetition.h"
#include "sctp/tx/rto_estimator.h"
#include "sctp/tx/send_queue.h"
#include "sctp/types.h"

namespace millrace::sctp {

struct DataSenderOptions {
  Tsn initial_tsn;
  std::size_t max_packet_bytes = 1160;  // SCTP packet, common header included.
  // Bounds what is accepted and not yet sent, at its true cost (records and rounding
  // included). A quarter more is kept for streams that have nothing queued, so that the bulk
  // of some does not shut out the others; a message larger than all of it counts as that
  // much. What is in flight is bounded by cwnd and the peer's window besides.
  std::size_t send_buffer_bytes = std::size_t{2} << 20;
  // The same for each stream, counted alike; 0: no bound of its own.
  std::size_t stream_send_buffer_bytes = 0;
  std::size_t max_message_bytes = std::size_t{256} << 10;
  // Sent in one flush while the window is small; see BurstLimiter. A peer's socket buffer may
  // be 208 KiB, which holds some ninety unmerged datagrams of 1200 bytes; 64 KiB is also one
  // GSO send.
  std::size_t min_burst_bytes = std::size_t{64} << 10;
  StreamScheduling scheduling = StreamScheduling::kWeightedFair;
  // See sctp::Options.
  bool always_ask_for_sack = false;
  RtoOptions rto;
  CongestionControlOptions congestion;
};

struct SackOutcome {
  using Status = SackStatus;
  Status status = Status::kProcessed;
  bool newly_acked = false;  // RFC 9260 §8.1: clears the error count.
  bool cumulative_advanced = false;
};

struct TimeoutOutcome {
  bool t3_expired = false;
  // RFC 9260 §6.1 (A): time-outs of a zero-window probe that the peer keeps answering do
  // not count towards Association.Max.Retrans.
  bool counts_as_error = false;
};

struct SendEvent {
  enum class Kind : std::uint8_t {
    kWritable,                // After kWouldBlock: `send` has room again, but for streams that
                              // `stream_is_full` says are at their own bound:
    kStreamWritable,          // of those each has its own event, with `stream`.
    kBufferedAmountLow,       // Of `stream`: fell to or below its threshold.
    kTotalBufferedAmountLow,  // Of all streams; none comes before its threshold was set.
  };
  Kind kind = Kind::kWritable;
  StreamId stream;
};

struct SenderStats {
  std::uint64_t data_chunks_sent = 0;  // Retransmissions included.
  std::uint64_t data_bytes_sent = 0;   // Payload of first transmissions.
  std::uint64_t messages_sent = 0;     // Accepted by `send`.
  AbandonedMessages messages_abandoned;
  std::uint64_t retransmitted_chunks = 0;
  std::uint64_t fast_retransmits = 0;
  std::uint64_t t3_expiries = 0;
  std::uint64_t loss_probes = 0;      // RFC 8985 §7.
  std::uint64_t spurious_losses = 0;  // Reactions undone.
  std::uint64_t forward_tsns_sent = 0;
};

// DataSender is the sending half of an association: send buffer, stream scheduler,
// fragmentation, retransmission, congestion and flow control, partial reliability
// (RFC 9260 §6 and §7, RFC 3758, RFC 7053, RFC 8260).
//
// Messages may be sent from the start; nothing is transmitted before `establish`. After
// any call that takes `now`, drain it: `append_chunks` into packets until it writes none,
// `poll_event` until false, then re-arm for `next_timeout`.
class DataSender {
 public:
  // `pool` outlives the sender. An idle sender holds no block of it.
  DataSender(const DataSenderOptions& options, BlockPool& pool);
  ~DataSender();
  DataSender(const DataSender&) = delete;
  DataSender& operator=(const DataSender&) = delete;

  // The handshake is done: `peer_rwnd` is the a_rwnd of INIT or INIT-ACK, `streams` the
  // negotiated number outgoing. Messages queued on streams above it are discarded.
  // Without `forward_tsn` partial reliability is off and limits are ignored. With `i_data`
  // messages of different streams interleave (RFC 8260), else their fragments do not. Until it
  // has begun to send, a later handshake may say otherwise.
  void establish(Time now, std::size_t peer_rwnd, std::uint16_t streams, bool forward_tsn,
                 bool i_data = false);
  bool has_begun() const { return stats_.data_chunks_sent > 0; }
  // Whether what it has sent can be sent again on those terms, and nothing waits for streams
  // that they lack.
  bool may_go_on(std::uint16_t streams, bool forward_tsn, bool i_data) const {
    return !has_begun() ||
           (streams >= streams_ && forward_tsn == forward_tsn_ && i_data == i_data_);
  }

  // Queues one message. The first form copies `payload`; the second takes it over where
  // the answer is kOk and otherwise leaves it with the caller. A message is accepted
  // whole or not at all; see `send_buffer_bytes`.
  SendStatus send(Time now, StreamId stream, Ppid ppid, ByteSpan payload,
                  const SendOptions& options);
  SendStatus send(Time now, StreamId stream, Ppid ppid, OwnedBytes&& payload,
                  const SendOptions& options);

  // Sends a message part by part, copied, within a buffer that need not hold it whole. The
  // first part begins a message on the stream, `ppid` and `options` being its own, and counts
  // as idle or not like any; those that follow go to the same until one is the last.
  // Messages sent meanwhile on the stream come behind it, and without I-DATA those of all
  // streams once it is begun: fragments of a DATA message stand together. An empty part is
  // none, but may be the last. kTooLarge and kWouldBlock leave the message as it is;
  // kAbandoned says once that it was given up by its limits, and the part was not taken.
  SendStatus send_part(Time now, StreamId stream, Ppid ppid, ByteSpan part,
                       const MessagePart& which, const SendOptions& options);
  // Gives up the message that is being sent in parts, if there is one. False, and nothing
  // happens, where some of it was sent and the peer cannot be told to skip it (RFC 3758).
  bool abort_message(Time now, StreamId stream);
  // The same on all streams; false where any cannot be given up.
  bool abort_open_messages(Time now);

  // Bytes queued and not yet handed to the network once (W3C bufferedAmount).
  std::size_t buffered_amount(StreamId stream) const;
  std::size_t total_buffered_amount() const;
  // `send` has said kWouldBlock for `stream_send_buffer_bytes`, and kStreamWritable will follow.
  bool stream_is_full(StreamId stream) const;
  // A kBufferedAmountLow event comes each time the amount falls from above `bytes` to
  // `bytes` or less. The default is 0.
  void set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes);
  void set_total_buffered_amount_low_threshold(std::size_t bytes);

  // Writes what is due into one packet whose common header (and control chunks, SACK
  // first) is already there: retransmissions, FORWARD-TSN, new data (RFC 9260 §6.1). Call
  // it with packet after packet until it returns false, which means nothing was written.
  bool append_chunks(Time now, PacketWriter& packet);
  // True if `append_chunks` would write into an empty packet.
  bool has_something_to_send(Time now) const;
  // True once `append_chunks` has, at `now`, written all there was: to call it again would
  // change nothing.
  bool is_drained(Time now) const {
    return queue_.buffered() == 0 && flush_time_ == now && !outstanding_.has_lost() &&
           !forward_due_ && !probe_due_ && !burst_blocked_ && !rate_.sampling();
  }

  // Processes a SACK. One that is stale or acknowledges what was never sent has no effect.
  SackOutcome handle_sack(Time now, const SackChunkView& sack);
  // Processes the cumulative TSN of a SHUTDOWN (RFC 9260 §9.2).
  SackOutcome handle_cumulative_ack(Time now, Tsn cumulative_tsn);

  TimeoutOutcome handle_timeout(Time now);
  // T3-rtx, loss and its probe by RFC 8985, message lifetime or refill of the burst, whichever
  // is first; else kNever.
  Time next_timeout() const;

  // The weight or rank of the stream, whatever messages it has, until set again; see
  // StreamScheduling. It is kNormalPriority at first.
  void set_stream_priority(StreamId stream, std::uint16_t priority);

  // Stream reset (RFC 6525 §5.1.2). Pause; wait until `may_reset_stream`; send the request
  // with `next_tsn().previous()`; on success `reset_stream`, which starts SSNs at 0 and
  // resumes; on refusal `resume_stream`. Queued messages wait meanwhile, and `send` goes on
  // queueing unless `close_stream` was called: then `reset_stream` drops what still waits.
  void pause_stream(StreamId stream);
  bool may_reset_stream(StreamId stream) const;  // No message of it is partly sent.
  bool stream_drained(StreamId stream) const;    // Nothing of it is queued at all.
  void reset_stream(StreamId stream);
  void resume_stream(StreamId stream);
  // Something is kept for the stream, because it was used. To pause or close another makes it so.
  bool has_stream(StreamId stream) const { return queue_.find(stream) != nullptr; }
  // Keeps FORWARD TSNs from passing the last TSN assigned until the peer has acknowledged
  // it. They name SSNs, not TSNs: one that came after the peer has reset a stream would
  // skip messages of the stream's next life. Called with each request; ask for no second
  // one before `fence_passed`.
  void fence_forward_tsn() { forward_fence_ = outstanding_.next_tsn().previous(); }
  bool fence_passed() const { return outstanding_.cumulative_acked() >= forward_fence_; }
  // Makes `send` answer kStreamClosing until `reset_stream` or `resume_stream`.
  // Queued messages still go out.
  void close_stream(StreamId stream);
  // The number of outgoing streams, after an addition (RFC 6525 §5.2.7 H6).
  void set_streams(std::uint16_t streams) { streams_ = streams; }
  // Drops what is queued and not begun.
  void discard_queued(StreamId stream);
  // Makes `send` answer kClosed from here on (RFC 9260 §9.2).
  void stop_accepting();

  // True when nothing is queued or unacknowledged: SHUTDOWN may be sent (§9.2).
  bool all_acknowledged() const;
  Tsn next_tsn() const;          // The TSN that the next new chunk will bear.
  Tsn cumulative_acked() const;  // Highest TSN acknowledged in sequence.
  std::size_t bytes_in_flight() const;
  std::size_t cwnd() const { return congestion_->cwnd(); }
  std::size_t ssthresh() const { return congestion_->ssthresh(); }
  std::size_t peer_rwnd() const { return peer_rwnd_; }
  const RtoEstimator& rto() const { return rto_; }
  // Feeds a round trip measured by other means (HEARTBEAT, §6.3.1).
  void observe_rtt(Duration rtt);
  // A T3-like time-out of the path seen elsewhere (HEARTBEAT, §8.3): backs the RTO off.
  void back_off_rto();
  void set_max_packet_bytes(std::size_t bytes);
  std::size_t max_packet_bytes() const { return options_.max_packet_bytes; }
  // Those above the cumulative acknowledgement, reported by gap blocks or not.
  std::size_t unacknowledged_chunks() const { return outstanding_.size(); }

  // Path MTU discovery (RFC 8899). Packets above `bytes` put the path to the test:
  // `take_black_hole` is true once when it turns out that they do not arrive.
  void watch_packets_above(std::size_t bytes);
  bool take_black_hole() { return black_hole_.take_found(); }
  // RFC 9260 §6.9: a chunk that has been sent is not cut anew. What a lost one takes that no
  // longer fits, and for which `append_chunks` last had no room; 0 if there is none. All else
  // waits for it.
  std::size_t oversized_bytes() const { return outstanding_.has_lost() ? oversized_bytes_ : 0; }
  // A packet has been filled since this was called last: larger ones would be of use.
  bool wants_larger_packets() const { return wants_larger_packets_; }
  void forget_larger_packets() { wants_larger_packets_ = false; }
  SenderStats stats() const;
  // Of the stream, since it was reset last (RFC 7496 §4.3).
  AbandonedMessages abandoned(StreamId stream) const;

  bool poll_event(SendEvent& event);
  // The next news of a message that was sent with an id, and the stream it was sent on.
  bool poll_progress(MessageProgress& out, StreamId& stream) {
    return store_.poll_progress(out, stream);
  }
  bool has_progress() const { return store_.has_progress(); }
  // The association is over: what is not known of these messages will not be.
  void end_messages() {
    if (MessageTracker* const tracker = store_.tracker()) tracker->end_all();
  }
  // After `end_messages`; the news outlives the sender, and its pool's memory with it.
  MessageNews take_news() {
    MessageTracker* const tracker = store_.tracker();
    return tracker == nullptr ? MessageNews() : tracker->take_news();
  }
  void give_news(const MessageNews& news) { store_.give_news(news); }
  // False: `poll_event` and `poll_progress` would be, too.
  bool may_have_event() const {
    return queue_.has_news() || total_low_reported_ || writable_wanted_ || has_progress();
  }

 private:
  // RFC 9260 §6.2: what stacks in use take; the RFC allows 500 ms.
  static constexpr Duration kMaxPeerSackDelay = milliseconds(200);
  // What the peer's turns and this end's timers may add to any round trip.
  static constexpr Duration kMostProbeWait = milliseconds(10);
  static constexpr std::size_t kUnbounded = ~std::size_t{0};
  static constexpr std::size_t kIdleStreamsPart = 4;

  // data_sender.cc: queueing, accounting, events.
  static std::size_t tracking_bytes(const SendOptions& options) {
    return options.tag.id == 0 ? 0 : MessageStore::kTrackingBytes;
  }
  std::optional<SendStatus> refusal(Time now, StreamId stream, std::size_t size, std::size_t cost,
                                    const SendOptions& options);
  void enqueue(Time now, OutgoingMessage* message, StreamId stream, Ppid ppid,
               const SendOptions& options);
  void update_thresholds();

  // send_room.cc.
  // What is wanted of room: `own` of the stream's, `total` of the association's.
  struct Shortage {
    std::size_t own = 0;
    std::size_t total = 0;
    bool any() const { return own > 0 || total > 0; }
  };
  // Something that asks for room: a message, or a part of `open`.
  struct Applicant {
    SendStream* stream;  // Null where it is not known yet.
    std::size_t cost;
    std::uint64_t yielding_from;  // Messages of priorities from here on give way to it.
    const OutgoingMessage* open = nullptr;
  };
  bool has_room(Time now, SendStream* stream, std::size_t cost, const SendOptions& options);
  bool has_room_for_part(Time now, const OutgoingMessage& message, std::size_t cost);
  bool find_room(Time now, const Applicant& applicant);
  Shortage shortage(const Applicant& applicant) const;
  void want_room(std::size_t level);
  bool poll_writable(SendEvent& event);

  // priority_policy.cc: RFC 7496 §3.2.
  bool make_room(Time now, const Applicant& applicant);
  void give_up(OutgoingMessage& message);

  // streamed_send.cc.
  SendStatus continue_message(Time now, OutgoingMessage& message, ByteSpan part, bool last);
  void expire_queued(Time now);

  // data_transmission.cc: RFC 9260 §6.1, RFC 3758 §3.5.
  void begin_flush(Time now);
  void append_lost(Time now, PacketWriter& packet);
  void append_repeated(Time now, PacketWriter& packet);
  std::size_t room_beside_new(Time now, const PacketWriter& packet) const;
  void append_probe(Time now, PacketWriter& packet);
  void append_forward_tsn(Time now, PacketWriter& packet);
  void append_new(Time now, PacketWriter& packet);
  // One that `probes` leaves whatever cwnd says.
  bool append_fragment(Time now, OutgoingMessage& message, PacketWriter& packet,
                       bool probes = false);
  void note_size(UnwrappedTsn tsn, const PacketWriter& packet);
  static std::size_t streamable_bytes(const OutgoingMessage& message);
  // `left` is what `room` says.
  bool asks_for_sack(Time now, std::size_t wire_bytes, bool last, std::size_t left);
  bool append_chunk(const OutstandingChunk& chunk, UnwrappedTsn tsn, bool immediate,
                    PacketWriter& packet);
  bool append_i_data(const OutstandingChunk& chunk, UnwrappedTsn tsn, DataFlags flags,
                     PacketWriter& packet);
  void number(OutgoingMessage& message);
  std::size_t max_fragment_bytes() const {
    return options_.max_packet_bytes - CommonHeader::kBytes - header_bytes_;
  }
  // The largest flight for now. A controller that models the path needs no other bound.
  std::size_t window() const {
    const std::size_t bound = self_bounding_ ? kUnbounded : flight_bound_.bytes();
    return std::min(congestion_->cwnd(), std::min(bound, peer_rwnd_));
  }
  // What may join the flight; one chunk may always be in flight besides.
  std::size_t room() const {
    if (in_recovery_ && recovery_->smoothed) return room_in_recovery();
    // RFC 9260 §6.1 (B) would allow one packet beyond cwnd, §7.2.3 none after T3-rtx.
    const std::size_t limit = window();
    return limit - std::min(limit, outstanding_.flight_bytes());
  }
  std::size_t room_in_recovery() const;
  bool window_allows(std::size_t wire_bytes) const;
  // RFC 9260 §6.1 (A).
  bool fits_peer(std::size_t wire_bytes) const {
    return outstanding_.flight_bytes() + wire_bytes <= peer_rwnd_;
  }
  void note_held_back(std::size_t wire_bytes);
  void sample_flush(bool sent);
  // The message whose turn it is, those that have expired dropped; nullptr if none.
  OutgoingMessage* next_message(Time now);
  void drop_rest_of_abandoned();
  UnwrappedTsn collect_skipped(std::size_t max_entries);
  bool append_skipped(UnwrappedTsn reached, PacketWriter& packet);

  // What is needed from the first loss on.
  struct Recovery {
    ProportionalRate rate;
    LossUndo undo;
    Repetition repetition;
    UnwrappedTsn exit;  // The last that had been sent when it began.
    Time began_at{};
    // More was in flight than the reduced window, which must not be emptied at once.
    bool smoothed = false;
    bool by_reordering = false;  // If it was spurious: no time-out was.
  };

  // data_acknowledgement.cc: RFC 9260 §6.2.1, §6.3; loss_recovery.cc: §7.2.4, RFC 8985.
  void bound_flight(Time now, const AckResult& result, std::size_t flight_before, bool round_ended);
  // What the sender knew when a SACK came.
  struct Before {
    std::size_t flight;
    std::uint64_t lost;
  };
  Before before() const { return {outstanding_.flight_bytes(), rate_.lost()}; }
  SackOutcome finish_ack(Time now, const AckResult& result, const Before& before);
  std::size_t withhold(const AckResult& result, bool in_recovery);
  void tell_controller(Time now, const AckResult& result, const Before& before,
                       bool was_in_recovery);
  void recover(Time now, const AckResult& result, std::size_t flight_before);
  void begin_episode(Time now);
  void end_recovery(Time now);
  std::optional<Duration> sample_of(const AckResult& result) const;
  void observe_sample(Time now, Duration rtt);
  bool end_round(bool cumulative_advanced);
  bool answer_is_not_due(const AckResult& result) const;
  bool take_duplicates(const SackChunkView& sack);
  OutstandingQueue::Context context(bool duplicates = false) const {
    return {in_recovery_ || after_t3_, duplicates, rto_.srtt().value_or(Duration::zero())};
  }
  void react_to_loss(Time now, const AckResult& result, std::size_t flight_before);
  void begin_recovery(Time now, std::size_t flight_before);
  bool cwnd_was_reached() const { return cwnd_limited_ || cwnd_limited_before_; }
  bool window_is_used(std::size_t flight) const;
  void take_early(LossUndo& undo);
  void undo_recovery(Time now);
  Recovery& recovery();
  Time probe_at() const;
  void send_probe(Time now);
  void expire_overtaken(Time now);
  void expire_t3(Time now, bool probing);
  bool is_probing_window() const;
  void note_ack_point(Time now);
  void restart_t3(Time now) {
    t3_ = now + rto_.rto() + (tail_waits_ ? kMaxPeerSackDelay : Duration::zero());
  }
  Duration forward_tsn_interval() const;
  UnwrappedTsn forward_target() const;

  // What it needs of DataSenderOptions for as long as it lives.
  struct Limits {
    std::size_t max_packet_bytes;
    std::size_t send_buffer_bytes;
    std::size_t stream_send_buffer_bytes;
    std::size_t max_message_bytes;
    bool always_ask_for_sack;
    Duration least_probe_wait;
  };

  Limits options_;
  AbandonedCounts abandoned_;
  MessageStore store_;
  SendQueue queue_;
  std::unique_ptr<CongestionControl> congestion_;
  DeliveryRate rate_;
  OutstandingQueue outstanding_;
  RtoEstimator rto_;
  BurstLimiter burst_;
  std::uint64_t pacing_rate_ = CongestionControl::kUnpaced;
  std::size_t peer_rwnd_ = 0;  // As advertised; what is in flight comes off it.
  Time t3_ = kNever;
  Time last_sent_at_{};
  Time asked_at_{};           // When a chunk asked for its SACK at once.
  Time flush_time_ = kNever;  // Of the `append_chunks` calls that share one burst.
  Time forward_sent_at_{};
  UnwrappedTsn forward_sent_;   // What the last FORWARD TSN said,
  UnwrappedTsn forward_aimed_;  // and what it would have said with room for all streams.
  UnwrappedTsn forward_fence_;
  std::unique_ptr<Recovery> recovery_;  // Made by the first loss.
  LossProbe probe_;
  Time advanced_at_{};              // When the cumulative TSN moved last.
  std::size_t withheld_bytes_ = 0;  // Acknowledged by gap blocks since then.
  FlightBound flight_bound_;
  BlackHoleDetector black_hole_;
  std::size_t oversized_bytes_ = 0;
  UnwrappedTsn round_end_;  // The last that had been sent when the round began.
  Time next_sample_at_{};
  std::uint32_t forward_stamp_ = 0;
  std::uint16_t streams_ = 0;
  std::uint16_t header_bytes_ = DataChunkHeader::kBytes;  // Of a DATA or I-DATA chunk.
  bool established_ = false;
  bool forward_tsn_ = false;
  bool i_data_ = false;
  bool accepting_ = true;
  bool in_recovery_ = false;
  const bool self_bounding_;          // CongestionControl::bounds_flight_itself.
  bool cwnd_limited_ = false;         // In this round the window held the sender back;
  bool cwnd_limited_before_ = false;  // in the one before.
  bool after_t3_ = false;             // What T3-rtx took for lost is not all acknowledged yet.
  bool probe_due_ = false;
  bool fast_packet_ = false;  // One packet may leave whatever cwnd says (§7.2.4).
  bool forward_due_ = false;
  bool tail_waits_ = false;      // The last chunk sent leaves its SACK to the peer's delay.
  bool burst_blocked_ = false;   // Only the burst limit holds the sender back.
  bool heard_since_t3_ = false;  // A SACK came since T3-rtx expired last.
  bool writable_wanted_ = false;
  bool wants_larger_packets_ = false;
  bool total_low_reported_ = false;
  bool total_above_ = false;
  std::size_t writable_level_ = 0;
  std::size_t total_low_threshold_ = kUnbounded;
  std::vector<OutgoingMessage*> expired_;
  std::vector<SkippedMessages> skipped_;        // Of the FORWARD-TSN being built.
  std::vector<SkippedStream> skipped_streams_;  // The same for one without MIDs.
  SenderStats stats_;
};

}  // namespace millrace::sctp
