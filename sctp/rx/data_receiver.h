// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/rx_buffer.h"
#include "engine/base/time.h"
#include "sctp/message_view.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/packet/packet_writer.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/rx/chunk_store.h"
#include "sctp/rx/interleaved_messages.h"
#include "sctp/rx/ready_messages.h"
#include "sctp/rx/receive_window.h"
#include "sctp/rx/received_tsns.h"
#include "sctp/rx/sack_delay.h"
#include "sctp/rx/waiting_messages.h"
#include "sctp/stream_table.h"
#include "sctp/types.h"

namespace millrace::sctp {

struct DataReceiverOptions {
  Tsn peer_initial_tsn;
  std::uint16_t streams = 65535;  // Negotiated number incoming.
  // The window to begin with, the one to grow to where what is read asks for it, if that is
  // larger, and what growth is taken from; see ReceiveWindow.
  std::size_t window_bytes = std::size_t{1} << 20;
  std::size_t max_window_bytes = 0;
  ReceiveBudget* budget = nullptr;
  // A larger message is a violation; at most 1 GiB.
  std::size_t max_message_bytes = std::size_t{256} << 10;
  // A message of which more is here than this is handed out in parts, but not one that fits
  // half of the window twice; smaller ones come whole, unless the window is full of them.
  std::size_t part_bytes = std::size_t{256} << 10;
  bool i_data = false;  // RFC 8260: I-DATA chunks and no others.
  // Delay of the SACK for a lone packet, see SackDelay; zero acknowledges every burst at once.
  Duration sack_delay = milliseconds(20);
  // A receive buffer that held fragments pin for longer is given back by copying.
  Duration max_pin_time = milliseconds(20);
  // Keeps a peer from choosing numbers that collide; any random value.
  std::uint64_t hash_seed = 0x9E3779B97F4A7C15;
};

// DataResult is what became of a DATA chunk, for counters and answers.
enum class DataResult : std::uint8_t {
  kAccepted,
  kDuplicate,      // Dropped; reported in the next SACK.
  kOutsideWindow,  // Dropped: TSN too far ahead, too many gaps or no memory.
  kInvalidStream,  // Acknowledged and discarded; answer ERROR cause 1 (RFC 9260 §6.5).
  kNoUserData,     // ABORT with cause 9 (RFC 9260 §6.2).
  kViolation,      // ABORT with cause 13: fragments that contradict each other or a limit.
};

struct ReceiverStats {
  std::uint64_t data_chunks_received = 0;
  std::uint64_t data_bytes_received = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t outside_window = 0;
  std::uint64_t stale_messages = 0;  // Whole, but of a sequence number already passed.
  std::uint64_t sacks_sent = 0;
};

// DataReceiver is the receiving half of an association: TSN bookkeeping, SACK, reassembly,
// ordering, receive window (RFC 9260 §6.2, §6.5, §6.9, RFC 3758 §3.6, RFC 7053, RFC 8260).
//
// For each packet: `handle_data` or `handle_forward_tsn` per chunk, of the flavour that was
// negotiated (RFC 8260 §2.2.1), `poll_message` until false (at once, or at the end of the
// burst), then `end_packet` if the packet had DATA. At the end of the receive burst call
// `settle`; when `sack_due`, put `append_sack` first into the next outgoing packet; re-arm for
// `next_timeout`.
//
// A caller that leaves messages unpolled pushes back: they are charged to the window.
class DataReceiver {
 public:
  // `pool` outlives the receiver. An idle receiver holds no block of it.
  DataReceiver(const DataReceiverOptions& options, BlockPool& pool);
  ~DataReceiver();
  DataReceiver(const DataReceiver&) = delete;
  DataReceiver& operator=(const DataReceiver&) = delete;

  // Takes one chunk. `data.payload` lies in `buffer`, which is referenced for as long as
  // the payload is held, and is not null; no byte is copied here.
  DataResult handle_data(Time now, const DataChunkView& data, const BufferRef& buffer);
  DataResult handle_data(Time now, const IDataChunkView& data, const BufferRef& buffer);
  // RFC 3758 §3.6. False if it was behind the cumulative TSN (it still asks for a SACK).
  bool handle_forward_tsn(const ForwardTsnChunkView& forward);
  bool handle_forward_tsn(const IForwardTsnChunkView& forward);
  void end_packet(Time now);
  // Data of this end's own has left, with the SACK if there was one to send; see SackDelay.
  void note_data_sent(Time now) { sack_delay_.note_data_sent(now); }

  // Lends the next message, or the next part of one; `message` is valid until the next call
  // of any kind into the receiver that is not const. False, too, once all that came before a
  // stream reset is read: then `poll_reset` is true once for each reset that was performed.
  bool poll_message(MessageView& message);
  // False: `poll_message` would be, too.
  bool may_have_message() const { return ready_.empty() ? may_hold_part() : !ready_.at_reset(); }
  bool poll_reset();

  // End of a receive burst: copies held fragments out of buffers that they pin and hardly
  // use, or have pinned for `max_pin_time` (copy_counters().held), and sizes the window by
  // what was read in a round trip, if that is known.
  void settle(Time now, std::optional<Duration> round_trip = std::nullopt);

  // True if a SACK should go into the next packet; if none would leave, into one of its own.
  bool sack_due(Time now) const;
  // True if a SACK would tell the peer anything new: bundle it when a packet leaves anyway.
  bool sack_pending() const;
  // Writes a SACK and forgets what made it due. False if the packet has no room for the
  // smallest; gap blocks and duplicates beyond the room are left out.
  bool append_sack(PacketWriter& packet);
  void handle_timeout(Time now);
  // End of the SACK delay or of the pin time, or when memory may be given back; kNever where
  // nothing is held and the window is where it began.
  Time next_timeout() const;

  // Performs an incoming stream reset (RFC 6525 §5.2.2) once every TSN up to `last_tsn` is
  // here, and says whether it did; until then messages beyond `last_tsn` on these streams
  // are held. Ask again after each packet. No `streams` means all. One request at a time.
  // What was ready before the reset is read before `poll_reset`, and the next lives after it.
  bool try_reset_streams(std::span<const StreamId> streams, Tsn last_tsn);
  // The number of incoming streams, after an addition (RFC 6525 §5.2.5).
  void set_streams(std::uint16_t streams) { options_.streams = streams; }

  Tsn cumulative_tsn() const;
  std::uint32_t a_rwnd() const;
  std::size_t window_bytes() const { return window_.bytes(); }
  // What is charged to the window.
  std::size_t held_bytes() const {
    return store_.cost() + (interleaved_ ? interleaved_->cost() : 0);
  }
  const ReceiverStats& stats() const { return stats_; }
  // Places, streams and messages that were looked at besides those of the chunks that came:
  // however hostile the peer, in proportion to these.
  std::uint64_t walked() const {
    return store_.walked() + (interleaved_ ? interleaved_->walked() : 0);
  }

 private:
  struct ReceiveStream {
    explicit ReceiveStream(StreamId stream_id) : id(stream_id) {}
    StreamId id;
    Ssn next_ssn;
    Ssn skip_ssn;  // Of the FORWARD TSN `skip_stamp`.
    bool reset_pending = false;
    std::uint32_t skip_stamp = 0;
    std::uint32_t resets = 0;  // Of `resets_of_all_`: those that it has taken part in.
    UnwrappedTsn born;         // Before the first TSN of the stream's life: of its last reset.
  };
  // The message that is handed out in parts: with DATA there is one at most, for nothing can
  // come between its fragments.
  struct Partial {
    StreamId stream;
    Ssn ssn;
    Ppid ppid;
    bool unordered = false;
    UnwrappedTsn next;  // Its next fragment's.
    std::size_t offset = 0;
    std::vector<UnwrappedTsn> parked;  // Whole messages of the stream, which come after it.
  };
  using State = HeldChunk::State;

  // reassembly.cc: fragments to messages, messages in order.
  bool reassemble(UnwrappedTsn tsn);
  bool may_follow(const HeldChunk& left, const HeldChunk& right) const;
  void join(UnwrappedTsn first, UnwrappedTsn last, std::uint32_t bytes);
  bool complete(UnwrappedTsn first, UnwrappedTsn last);
  void deliver_or_hold(UnwrappedTsn first, UnwrappedTsn last);
  void make_ready(UnwrappedTsn first);
  void deliver_waiting(std::uint32_t stream_index);
  void skip_streams(const ForwardTsnChunkView& forward, UnwrappedTsn target);
  static bool is_of_former_life(const ReceiveStream& stream, Ssn skipped, UnwrappedTsn target);
  void purge(UnwrappedTsn from, UnwrappedTsn to);
  void release_skipped(UnwrappedTsn first);
  void perform_reset(std::span<const StreamId> streams, UnwrappedTsn last);
  void begin_life(ReceiveStream& stream, UnwrappedTsn last) const;
  // A reset of all streams reaches each when it is next looked at: a peer may have used 65,535.
  ReceiveStream& stream_at(std::uint32_t index) {
    ReceiveStream& stream = streams_[index];
    if (stream.resets != resets_of_all_) begin_life(stream, reset_of_all_);
    return stream;
  }
  ReceiveStream& stream_of(StreamId id) { return stream_at(streams_.find_or_add(id)); }
  bool is_of_next_life(const ReceiveStream& stream, UnwrappedTsn first) const;
  void release_parked(std::vector<UnwrappedTsn> parked);

  // partial_delivery.cc: messages in parts (RFC 9260 §6.9).
  bool fits_partial(UnwrappedTsn tsn, const HeldChunk& chunk) const;
  bool continue_partial(UnwrappedTsn first, UnwrappedTsn last);
  // `settled`: as it is, or will be, once the burst has ended.
  std::optional<UnwrappedTsn> first_of_part(bool settled) const;
  std::optional<DeliveredPart> take_part();
  void abort_partial();
  void end_partial();
  bool lend_part(MessageView& message);
  // Cheaply no where so little is held that no message of it is large.
  bool may_hold_part() const {
    if (!interleaved_) return partial_ || store_.cost() > part_bytes();
    if (store_.empty()) return false;
    return interleaved_->has_part_at_once() || spanned_bytes() >= least_for_parts();
  }
  bool may_read() const;
  // What is held, with the places up to the cumulative TSN.
  std::size_t spanned_bytes() const {
    const UnwrappedTsn first = store_.first();
    const UnwrappedTsn last = std::max(first, tsns_.cumulative());
    return held_bytes() + ChunkStore::kPlaceBytes * last.distance_from(first);
  }
  // With less there is no part of I-DATA but that of a large message.
  std::size_t least_for_parts() const {
    return std::min(3 * (window_.bytes() / 4), InterleavedMessages::kLeastBytesOfAge);
  }
  std::size_t enough_for_parts(bool settled) const;
  std::size_t part_bytes() const { return std::min(options_.part_bytes, window_.bytes() / 2); }

  // data_receiver.cc: TSNs, SACK, window.
  template <class Header>
  DataResult admit(Time now, const Header& header, std::size_t payload_bytes, UnwrappedTsn& tsn);
  DataResult accept(Time now, UnwrappedTsn tsn, StreamId stream, std::size_t wire_bytes);
  bool is_full(Time now, std::size_t wire_bytes);
  bool keeps_promise(std::size_t cost, std::size_t wire_bytes) const;
  bool lend(const DeliveredPart& part, MessageView& message);
  void collect_pieces(UnwrappedTsn first);
  void release_lent() {
    if (lent_) give_back();
  }
  void give_back();
  void hold_where_needed() { holding_ = partial_ != nullptr || reset_tsn_.has_value(); }
  void note_duplicate(Tsn tsn);
  void offer_window_update();
  void give_memory_back(Time now);
  std::span<const GapAckBlock> gap_blocks();

  static constexpr std::size_t kMaxDuplicates = 20;

  DataReceiverOptions options_;
  ReceiveWindow window_;
  Time shrink_at_ = kNever;
  ReceivedTsns tsns_;
  ChunkStore store_;
  StreamTable<ReceiveStream> streams_;
  WaitingMessages waiting_;
  ReadyMessages ready_;
  std::unique_ptr<InterleavedMessages> interleaved_;  // Where I-DATA is used.
  std::unique_ptr<Partial> partial_;
  std::optional<UnwrappedTsn> lent_;  // First TSN of the message lent last.
  std::size_t lent_bytes_ = 0;
  std::vector<ByteSpan> pieces_;
  std::uint32_t skip_stamp_ = 0;

  std::uint32_t resets_of_all_ = 0;        // Resets of all streams,
  UnwrappedTsn reset_of_all_;              // and where the last one was.
  std::optional<UnwrappedTsn> reset_tsn_;  // Of the deferred stream reset.
  bool reset_all_ = false;
  bool holding_ = false;              // A reset or a partial message may hold up others.
  std::vector<UnwrappedTsn> parked_;  // First TSNs of messages that wait for the reset.

  std::vector<Tsn> duplicates_;
  std::vector<GapAckBlock> gap_blocks_;
  std::size_t advertised_;
  std::size_t promised_;  // Of what was advertised: what has not come yet, as sent.
  SackDelay sack_delay_;
  Time sack_at_ = kNever;
  std::uint32_t packets_since_sack_ = 0;
  bool packet_has_data_ = false;
  bool settled_ = true;  // Nothing has come since `settle`.
  bool sack_now_ = false;
  bool first_data_ = true;
  ReceiverStats stats_;
};

}  // namespace millrace::sctp
