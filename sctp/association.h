// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/mac.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/rng.h"
#include "engine/base/rx_buffer.h"
#include "engine/base/time.h"
#include "sctp/control_queue.h"
#include "sctp/event.h"
#include "sctp/heartbeat.h"
#include "sctp/metrics.h"
#include "sctp/options.h"
#include "sctp/out_of_band_init.h"
#include "sctp/packet/common_header.h"
#include "sctp/packet/error_cause.h"
#include "sctp/packet/init_chunk.h"
#include "sctp/packet/init_parameters.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/packet/tlv.h"
#include "sctp/path_mtu.h"
#include "sctp/retransmission_timer.h"
#include "sctp/rx/data_receiver.h"
#include "sctp/send_options.h"
#include "sctp/state_cookie.h"
#include "sctp/stats.h"
#include "sctp/stream_reset.h"
#include "sctp/tx/data_sender.h"
#include "sctp/types.h"

namespace millrace::sctp {

// Association is one end of an SCTP association (RFC 9260, 3758, 6525) over DTLS
// (RFC 8261): one path, no multi-homing. Both ends may `connect` at once.
//
// It performs no I/O, reads no clock and starts no thread. After any call that takes
// `now`, or a burst of them, drain it: `poll_event` until false, `handle_burst_end` once
// where packets came in, `poll_packet` until it returns 0, then re-arm for
// `next_timeout`. After kClosed it is inert but for a last packet or two.
//
//   association.cc           packets in, chunks to their procedures, packets out
//   association_setup.cc     RFC 9260 §5: INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK
//   association_data.cc      RFC 9260 §6, RFC 3758: DATA, SACK, FORWARD-TSN, send
//   association_errors.cc    RFC 9260 §3.2, §8: ERROR, ABORT, unknown and stray chunks
//   association_metrics.cc   what statistics and traces show
//   association_shutdown.cc  RFC 9260 §9.2: SHUTDOWN
//   association_path.cc      RFC 9260 §8.3, RFC 8899: HEARTBEAT, probes of the path's MTU
//   heartbeat.cc             RFC 9260 §8.3
//   path_mtu.cc              RFC 8899
//   stream_reset.cc          RFC 6525; stream_addition.cc too
class Association {
 public:
  // `rng`, `mac` and `pool`, the memory of queued messages, must outlive the association.
  // `signalled` is what an INIT of this end has said already that did not come by packet.
  Association(const Options& options, Rng& rng, const Mac& mac, BlockPool& pool,
              const std::optional<LocalInit>& signalled = std::nullopt);
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;
  ~Association();

  // Begins set-up with INIT, which is held back for `patience` in case the peer's comes
  // first. An association that never connects waits for the peer's for ever.
  void connect(Time now, Duration patience = {});

  // Both ends have each other's INIT by signalling: the association is up without a packet
  // (draft-hancke-tsvwg-snap). For one made with `signalled`, in place of `connect`.
  void connect_out_of_band(Time now, const PeerInit& peer);

  // Consumes one decrypted packet. Malformed or stale input is counted in `stats()` and
  // otherwise ignored: a peer cannot make this call fail. `buffer` is what `packet` lies
  // in; messages received keep a reference to it, or copy where that would pin too much.
  void handle_packet(Time now, ByteSpan packet, const BufferRef& buffer);
  // Ends a burst of `handle_packet`; what messages still hold of the burst's buffers may
  // be copied out of them here.
  void handle_burst_end(Time now);
  void handle_timeout(Time now);

  // Writes one packet, checksum included, into `out`, which has room for `packet_bytes`;
  // returns the bytes written, 0 when idle. Full packets of a bulk transfer are of equal size.
  //
  // Where path MTU discovery is on, a packet larger than that may be due when there is no
  // other: then `poll_packet` goes on, instead of returning 0, if `out` has room for
  // `large_packet_bytes` too. Such a packet leaves with DF set, and to lose it is no harm,
  // unless `may_be_fragmented` then says that it needs IP fragmentation (RFC 9260 §6.9).
  //
  // With `lent`, which is empty, a payload of a packet without a checksum (RFC 9653) may stay in
  // its message's memory, and `lent` says where; it is there until the association is next called
  // for anything else than another packet, or to tell of another path.
  std::size_t poll_packet(Time now, MutableByteSpan out, LentBytes* lent = nullptr) {
    return is_drained(now) ? 0 : next_packet(now, out, lent);
  }
  // True if `poll_packet` would return 0; where it is false that may, too. Every flush ends with
  // a call that finds nothing, and most have one packet besides.
  bool is_drained(Time now) const {
    return sender_->is_drained(now) && state_ == State::kEstablished && control_.empty() &&
           !receiver_->sack_due(now) && !cookie_echo_due_ && !heartbeat_due_ && !shutdown_due_ &&
           stream_reset_.is_idle() && !may_probe_mtu();
  }
  std::size_t packet_bytes() const { return path_mtu_.packet_bytes(); }
  // The size of the packet that is due once `poll_packet` has returned 0; 0 if none is.
  std::size_t large_packet_bytes() const;
  // Of the packet written last.
  bool may_be_fragmented() const { return may_be_fragmented_; }
  // A packet of `bytes` never left this host, whose interface carries less.
  void handle_packet_refused(Time now, std::size_t bytes);
  // A router said that a packet of `bytes` is too large, and `limit` is not; 0: it did not say.
  void handle_packet_too_big(Time now, std::size_t bytes, std::size_t limit);
  // The packets take another path from here on, to whose MTU nothing found so far applies.
  void handle_path_change();
  bool poll_event(Event& out);
  // Of messages that were sent with an id something is to be told.
  bool has_progress() const { return sender_->has_progress(); }
  // False: `poll_event` would be, too. It is the cheaper question.
  bool may_have_event() const {
    if (dead_) return closed_event_.has_value();
    return next_event_ < events_.size() || (receiver_ && receiver_->may_have_message()) ||
           stream_reset_.has_event() || sender_->may_have_event();
  }
  Time next_timeout() const;

  // Queues one message, copied. Allowed before the association is up. An empty payload
  // is refused: SCTP has no empty message (RFC 8831 §6.6 says how to send one).
  SendStatus send(Time now, StreamId stream, Ppid ppid, ByteSpan payload,
                  const SendOptions& options = {});

  // The same, and takes `payload` over where the answer is kOk.
  SendStatus send(Time now, StreamId stream, Ppid ppid, OwnedBytes&& payload,
                  const SendOptions& options = {});

  // Sends a message part by part, within a send buffer that need not hold it whole, so that
  // its size is bounded by `Options::max_message_bytes` alone; see DataSender::send_part. What
  // is unfinished when a shutdown begins is given up.
  SendStatus send_part(Time now, StreamId stream, Ppid ppid, ByteSpan part,
                       const MessagePart& which, const SendOptions& options = {});
  // Gives up the message that is being sent in parts. False where some of it was sent and the
  // peer does not know FORWARD-TSN: it can only be finished, or the association aborted.
  bool abort_message(Time now, StreamId stream);

  // The weight or rank of the stream among those with something to send, whatever
  // `Options::scheduling` makes of it; 256 at first.
  void set_stream_priority(StreamId stream, std::uint16_t priority);

  // Asks the peer to reset the outgoing side of the streams (RFC 6525). What is queued on
  // them is sent first, unless the peer's wish for the same is being performed already;
  // `send` answers kStreamClosing until each stream ends up in kStreamResetDone, when it
  // starts at SSN 0, or kStreamResetRefused.
  void reset_streams(Time now, std::span<const StreamId> streams);
  // Asks for so many more streams each way (RFC 6525 §5.1.5, §5.1.6); kStreamsAdded follows
  // for each way, or kStreamAdditionRefused.
  void add_streams(std::uint16_t outgoing, std::uint16_t incoming);
  // Drops what is queued on the stream and not begun: for a channel closed in a hurry.
  void discard_queued(StreamId stream);

  // Closes in order: what is queued is delivered, `send` is refused from here on.
  void shutdown(Time now);
  // Closes at once; the peer is told `reason` in an ABORT.
  void abort(Time now, std::string_view reason);

  // Payload bytes taken by `send` and not yet written into a packet for the first time
  // (W3C bufferedAmount); what is in flight does not count.
  std::size_t buffered_amount() const;
  std::size_t buffered_amount(StreamId stream) const;
  // Its kWouldBlock ends with kStreamWritable, whatever kWritable says.
  bool stream_is_full(StreamId stream) const { return sender_->stream_is_full(stream); }
  // Messages given up, of the stream since it was reset last (RFC 7496 §4.3).
  AbandonedMessages abandoned(StreamId stream) const { return sender_->abandoned(stream); }
  // kBufferedAmountLow fires when the stream's amount falls from above to at most this.
  void set_buffered_amount_low_threshold(StreamId stream, std::size_t bytes);
  // The same for kTotalBufferedAmountLow and the sum of all streams; without it none comes.
  void set_total_buffered_amount_low_threshold(std::size_t bytes);

  // Resets of the stream whose events have been taken so far, see Event::generation.
  std::uint32_t outgoing_generation(StreamId stream) const;
  std::uint32_t incoming_generation(StreamId stream) const;

  bool is_connected() const;  // Between kConnected and the first step to the end.
  bool is_closed() const { return dead_; }
  Stats stats() const;
  Metrics metrics() const;
  // The smoothed round trip, nothing before the first sample; for statistics.
  std::optional<Duration> smoothed_rtt() const { return sender_->rto().srtt(); }
  const DataSender& sender() const { return *sender_; }

 private:
  // RFC 9260 §4.
  enum class State : std::uint8_t {
    kClosed,
    kCookieWait,
    kCookieEchoed,
    kEstablished,
    kShutdownPending,
    kShutdownSent,
    kShutdownReceived,
    kShutdownAckSent,
  };
  // What goes on with the chunks behind the one just handled.
  enum class Next : bool { kDiscardPacket, kContinue };

  // association.cc
  void handle_chunks(Time now, const CommonHeader& header, ByteSpan chunks,
                     const BufferRef& buffer);
  Next handle_chunk(Time now, const CommonHeader& header, const ChunkView& chunk,
                    const BufferRef& buffer);
  bool checksum_is_good(const CommonHeader& header, ByteSpan packet) const;
  bool verify_tag(const CommonHeader& header, const ChunkView& first);
  std::size_t next_packet(Time now, MutableByteSpan out, LentBytes* lent);
  std::size_t write_packet(Time now, MutableByteSpan out, LentBytes* lent);
  std::size_t write_alone(MutableByteSpan out);
  ChecksumMode checksum_mode() const {
    return extensions_.zero_checksum ? ChecksumMode::kZero : ChecksumMode::kCrc32c;
  }
  void append_control(Time now, PacketWriter& packet);
  void append_reports(Time now, PacketWriter& packet);
  CommonHeader header_to_peer() const;
  void drop(DropReason reason) { ++stats_.drops[static_cast<std::size_t>(reason)]; }
  template <ChunkBuilder C>
  void queue(const C& chunk) {
    if (!control_.push(chunk)) drop(DropReason::kControlQueueFull);
  }
  template <ChunkBuilder C>
  void queue_alone(VerificationTag tag, const C& chunk) {
    if (!control_.push_alone(tag, chunk)) drop(DropReason::kControlQueueFull);
  }
  void count_error();
  void clear_errors(Time now);
  void close(CloseReason reason, std::uint16_t error_cause = 0);
  void make_halves(Tsn local_initial_tsn);
  bool may_carry_data() const;

  // association_metrics.cc
  std::string_view state_name() const;

  // association_setup.cc
  StateCookie terms_with(const InitFields& init, const PeerExtensions& extensions) const;
  void start_init(Time now);
  void handle_init(Time now, const ChunkView& chunk);
  void send_init_ack(Time now, const InitFields& init, const InitParameters& parameters);
  void refuse_init(VerificationTag initiate_tag, CauseCode cause);
  void handle_init_ack(Time now, const ChunkView& chunk);
  void report_unrecognized(const InitParameters& parameters);
  Next handle_cookie_echo(Time now, const CommonHeader& header, const ChunkView& chunk);
  void tell_stale(Time now, const StateCookie& cookie);
  Next resolve_cookie(Time now, const StateCookie& cookie);
  bool is_of_successor(const StateCookie& cookie) const;
  void adopt(Time now, const StateCookie& cookie);
  void restart(Time now, const StateCookie& cookie);
  void begin_exchange(Time now, const StateCookie& peer);
  void forget(Tsn local_initial_tsn);
  void handle_cookie_ack(Time now);
  void handle_stale_cookie(Time now);
  void enter_established(Time now);
  void expire_t1(Time now);
  std::size_t write_init(MutableByteSpan out);

  // association_data.cc
  Next handle_data(Time now, const ChunkView& chunk, const BufferRef& buffer);
  Next handle_i_data(Time now, const ChunkView& chunk, const BufferRef& buffer);
  template <class View>
  Next take_data(Time now, const ChunkView& chunk, const BufferRef& buffer);
  Next conclude_data(DataResult result, StreamId stream, Tsn tsn);
  bool expects_data() const;
  Next handle_forward_tsn(const ChunkView& chunk);
  Next handle_i_forward_tsn(const ChunkView& chunk);
  template <class View>
  Next take_forward_tsn(const ChunkView& chunk);
  Next reject_flavour();
  void handle_sack(Time now, const ChunkView& chunk);
  void handle_reconfig(Time now, const ChunkView& chunk);
  SendStatus may_send(StreamId stream, std::size_t size) const;
  bool poll_reset_event(Event& out);
  bool poll_sender_event(Event& out);
  bool poll_progress(Event& out);

  // association_path.cc
  void handle_heartbeat(const ChunkView& chunk);
  void handle_heartbeat_ack(Time now, const ChunkView& chunk);
  void expire_heartbeat(Time now);
  void start_path_mtu();
  bool may_probe_mtu() const;
  std::size_t write_large(Time now, MutableByteSpan out);
  std::size_t write_probe(Time now, MutableByteSpan out);
  void apply_path_mtu();
  void leave_black_hole(Time now);

  // association_errors.cc
  void handle_out_of_the_blue(const CommonHeader& header, ByteSpan chunks);
  Next handle_abort(const CommonHeader& header, const ChunkView& chunk);
  void handle_error(Time now, const ChunkView& chunk);
  Next handle_unknown(const ChunkView& chunk);
  void report_unknown(const ChunkView& chunk);
  void abort_with(CloseReason reason, CauseCode cause, ByteSpan value = {});

  // association_shutdown.cc
  bool stop_sending(Time now);
  void start_guard(Time now);
  void note_advance(Time now);
  void progress_shutdown(Time now);
  void handle_shutdown(Time now, const ChunkView& chunk);
  void handle_shutdown_ack(const CommonHeader& header);
  void handle_shutdown_complete(const CommonHeader& header, const ChunkView& chunk);
  void send_shutdown_ack(Time now);
  void append_shutdown(PacketWriter& packet);
  void restart_t2(Time now);
  void expire_shutdown_timers(Time now);

  const Options options_;
  Rng& rng_;
  const Mac& mac_;
  BlockPool& pool_;

  State state_ = State::kClosed;
  bool dead_ = false;  // Closed for good, as opposed to not yet begun.
  bool ended_in_order_ = false;
  VerificationTag local_tag_;
  VerificationTag peer_tag_;
  // In set-up: the terms of a peer that does not know those which data was sent on, to another.
  std::unique_ptr<StateCookie> successor_;
  Tsn local_initial_tsn_;
  Tsn peer_initial_tsn_;
  std::uint16_t outgoing_streams_;
  std::uint16_t incoming_streams_;
  Extensions extensions_;  // In use: offered by both ends.

  std::optional<DataSender> sender_;      // Always there; replaced by a restart.
  std::optional<DataReceiver> receiver_;  // From when the peer's initial TSN is known.
  Heartbeat heartbeat_;
  PathMtu path_mtu_;
  StreamReset stream_reset_;

  RetransmissionTimer t1_;  // T1-init in COOKIE-WAIT, T1-cookie in COOKIE-ECHOED.
  RetransmissionTimer t2_;
  Time t5_ = kNever;
  Time init_sent_;
  int setup_attempts_ = 0;            // INITs begun anew after a stale cookie.
  int error_count_ = 0;               // RFC 9260 §8.1: unanswered transmissions in a row.
  std::vector<std::uint8_t> cookie_;  // The peer's, in COOKIE-ECHOED.
  bool sending_ = false;              // sender_ knows the peer's window and streams.
  bool init_held_ = false;            // In COOKIE-WAIT with no INIT sent, until T1-init expires.
  bool init_due_ = false;
  bool cookie_echo_due_ = false;
  bool heartbeat_due_ = false;
  bool shutdown_due_ = false;  // SHUTDOWN or SHUTDOWN-ACK, as the state says.
  bool shutdown_requested_ = false;
  bool packet_had_data_ = false;
  bool may_be_fragmented_ = false;

  ControlQueue control_;
  std::vector<Event> events_;  // Those without views, oldest first from next_event_.
  std::size_t next_event_ = 0;
  std::optional<Event> closed_event_;
  StreamReset::Event reset_event_;  // What the last kStreamReset* event lends.
  Stats stats_;
};

}  // namespace millrace::sctp
