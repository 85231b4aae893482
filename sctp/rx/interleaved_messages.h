// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sctp/packet/i_data_chunk.h"
#include "sctp/packet/i_forward_tsn_chunk.h"
#include "sctp/rx/chunk_store.h"
#include "sctp/rx/ready_messages.h"
#include "sctp/rx/seeded_table.h"
#include "sctp/stream_table.h"
#include "sctp/types.h"

namespace millrace::sctp {

// InterleavedMessages puts I-DATA chunks together (RFC 8260 §2.2.3): by stream, kind, MID
// and FSN, whatever the TSNs. What is whole and has its turn goes to the queue of ready
// messages; what is incomplete is handed out in parts when it is asked for.
//
// A message is a list of its fragments from FSN 0 on without a gap, and another of those
// beyond the first gap, which a hash table finds. Every chunk is touched a bounded number
// of times, whatever a peer sends; what an I-FORWARD-TSN walks over is bounded by how far
// its MID is ahead of what was skipped before, and messages are bounded to kMaxMidsAhead of
// that, unordered ones to some of it.
class InterleavedMessages {
 public:
  // Each MID takes a TSN, and TSNs are not taken further ahead than this.
  static constexpr std::uint32_t kMaxMidsAhead = 65536;
  // Chunks so far behind are handed out while what the store spans still has room for more.
  static constexpr std::uint64_t kMaxAge = ChunkStore::kMaxSpan / 2;
  static constexpr std::size_t kLeastBytesOfAge = kMaxAge * ChunkStore::kPlaceBytes;

  // The two outlive it. `seed` is any random value.
  InterleavedMessages(ChunkStore& store, ReadyMessages& ready, std::size_t max_message_bytes,
                      std::uint64_t seed)
      : store_(store),
        ready_(ready),
        max_message_bytes_(max_message_bytes),
        by_mid_(seed),
        by_fsn_(seed) {}

  // Files a chunk that the store holds; it may be gone from there afterwards. False if it
  // contradicts another, or a limit.
  [[nodiscard]] bool add(UnwrappedTsn tsn, const IDataChunkHeader& header);
  // RFC 8260 §2.3.1, for streams below `streams`.
  void skip(const IForwardTsnChunkView& forward, std::uint16_t streams, UnwrappedTsn target);

  // Takes what is there of an incomplete message: of one that has been handed out in part,
  // or holds more than `part_bytes`; else of the one that has waited longest, where all
  // together hold `enough` bytes, with the places that lie between them, or its chunks are
  // far behind the cumulative TSN. Only
  // messages whose turn it is count.
  std::optional<DeliveredPart> take_part(std::size_t enough, UnwrappedTsn cumulative);
  bool has_part(std::size_t enough, UnwrappedTsn cumulative) const;
  // One that any `enough` would do for.
  bool has_part_at_once() const { return offers_[1].head != kNone; }
  void set_part_bytes(std::size_t bytes) { part_bytes_ = bytes; }
  // RFC 8832 has no use for a message in parts while it may be a valid one.
  static std::size_t bound_of_part(std::size_t part_bytes, Ppid ppid) {
    constexpr std::size_t kLargestOpen = 12 + 2 * 65535;
    return ppid == kPpidDcep ? std::max(part_bytes, kLargestOpen) : part_bytes;
  }

  // RFC 6525 §5.2.2: chunks beyond `last` on these streams, or on all, belong to the
  // streams' next lives, which begin with `perform_reset`.
  void defer_reset(std::span<const StreamId> streams, UnwrappedTsn last);
  void perform_reset(std::span<const StreamId> streams, UnwrappedTsn last);

  // What is held besides chunks.
  std::size_t cost() const {
    return by_mid_.size() * (sizeof(Message) + Table::kEntryBytes) +
           by_fsn_.size() * Table::kEntryBytes;
  }
  std::uint64_t stale_messages() const { return stale_; }
  // Messages and streams that were looked at for an I-FORWARD-TSN or a reset.
  std::uint64_t walked() const { return walked_; }
  // Gives memory back that nothing is in.
  void trim();

 private:
  using Index = std::uint32_t;
  using Table = SeededTable<std::uint64_t, Index>;
  static constexpr Index kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFF;

  struct Links {
    Index previous = kNone;
    Index next = kNone;
  };
  struct List {
    Index head = kNone;
    Index tail = kNone;
    std::uint32_t count = 0;
  };
  // In which list of its stream a message is.
  enum class Place : std::uint8_t { kOrdered, kUnordered, kParked, kNextLife };
  // In which of the lists of messages to hand out in parts.
  enum class Offer : std::uint8_t { kNot, kIfEnough, kAtOnce };

  struct Message {
    Index stream = 0;
    Mid mid;
    bool unordered = false;
    bool life = false;  // The stream's when its life is this message's.
    Place place = Place::kOrdered;
    Offer offer = Offer::kNot;
    std::uint32_t head = 0;  // TSNs of the fragments without a gap, where prefix_bytes > 0.
    std::uint32_t tail = 0;
    std::uint32_t beyond = 0;  // TSN: the newest of the other fragments, if beyond_count > 0.
    std::uint32_t beyond_count = 0;
    std::uint32_t next_fsn = 0;
    std::uint32_t highest_fsn = 0;
    std::uint32_t last_fsn = kUnknown;  // Of the fragment that ends it.
    std::uint32_t prefix_bytes = 0;
    std::uint32_t offered_bytes = 0;  // Counted in offered_bytes_.
    std::uint32_t offset = 0;         // Bytes handed out.
    Ppid ppid;
    Links in_stream;
    Links in_offers;

    // Among the messages of its stream's life.
    bool is_named_by(const IDataChunkHeader& header) const {
      return mid == header.mid && unordered == header.flags.unordered;
    }
    bool complete() const { return last_fsn != kUnknown && next_fsn == last_fsn + 1; }
  };

  struct Stream {
    explicit Stream(StreamId stream_id) : id(stream_id) {}
    StreamId id;
    bool life = false;  // Turns with every reset; tells messages of two lives apart.
    bool reset_pending = false;
    bool listed = false;  // In in_use_.
    Mid next_mid;         // Of ordered messages.
    Mid unordered_floor;  // Those before were skipped.
    Index open = kNone;   // Handed out in part; nothing else of the stream until it ends.
    List ordered;
    List unordered;
    List parked;               // Whole, in their order: they wait for the open one's end.
    List next_life;            // Of both kinds: they wait for the stream's reset.
    std::uint32_t resets = 0;  // Of resets_of_all_: those that it has taken part in.
    UnwrappedTsn born;         // Before the first TSN of the stream's life: of its last reset.
  };

  static std::uint64_t key_of(StreamId stream, bool unordered, bool life, Mid mid) {
    return std::uint64_t{stream.value()} << 48 | std::uint64_t{unordered} << 33 |
           std::uint64_t{life} << 32 | mid.value();
  }
  static std::uint64_t fragment_key(Index message, std::uint32_t fsn) {
    return std::uint64_t{message} << 32 | fsn;
  }
  UnwrappedTsn unwrap(std::uint32_t tsn) const {
    return UnwrappedTsn::nearest(store_.first(), Tsn(tsn));
  }
  bool is_next_life(const Stream& stream, UnwrappedTsn tsn) const {
    return reset_tsn_ && tsn > *reset_tsn_ && (reset_all_ || stream.reset_pending);
  }

  // interleaved_messages.cc: fragments to messages, messages in order.
  bool continues_recent(const IDataChunkHeader& header) const;
  bool add_any(UnwrappedTsn tsn, const IDataChunkHeader& header);
  bool deliver_whole(Stream& stream, UnwrappedTsn tsn, const IDataChunkHeader& header);
  bool is_stale(const Stream& stream, const IDataChunkHeader& header) const;
  // kNone: there is none and cannot be one.
  Index find_or_make(Index stream_index, const IDataChunkHeader& header, bool next_life);
  bool mid_is_possible(const Stream& stream, const IDataChunkHeader& header, bool next_life) const;
  bool add_fragment(Index index, UnwrappedTsn tsn, const IDataChunkHeader& header);
  bool append(Message& message, UnwrappedTsn tsn);
  bool pull_in(Index index);
  void push_beyond(Message& message, UnwrappedTsn tsn);
  void unlink_beyond(Message& message, HeldChunk& chunk, std::uint32_t tsn);
  void settle(Index index);
  void deliver(Index index);
  void deliver_next(Index stream_index);
  void end_open(Stream& stream);
  void note_unordered(Stream& stream, Mid mid, std::uint32_t far);

  bool has_turn(Index index) const;
  Offer offer_of(Index index) const;
  void update_offer(Index index);
  void remove_offer(Index index);
  DeliveredPart part_of(const Message& message) const;

  // abandoned_messages.cc: I-FORWARD-TSN and stream reset.
  void skip_ordered(Stream& stream, Mid mid);
  void skip_unordered(Stream& stream, Mid mid);
  void collect(const List& list, const Stream& stream, bool unordered, Mid from, Mid mid);
  void drop(Index index);
  void end_life(const Stream& stream);
  void begin_life(Index stream_index, UnwrappedTsn last);
  void renumber(Stream& stream, UnwrappedTsn last) const;
  // A reset of all streams visits those that have messages; others, a peer may have used 65,535,
  // when they are next looked at.
  Stream& stream_at(Index index) {
    Stream& stream = streams_[index];
    if (stream.resets != resets_of_all_) renumber(stream, reset_of_all_);
    return stream;
  }
  void list(Index stream_index);

  List& list_of(const Message& message);
  template <Links Message::*kLinks>
  void push_back(List& list, Index index);
  template <Links Message::*kLinks>
  void remove_from(List& list, Index index);
  void move_to(Index index, Place place);
  void release(Index index);

  ChunkStore& store_;
  ReadyMessages& ready_;
  std::size_t max_message_bytes_;
  std::size_t part_bytes_ = std::size_t{256} << 10;
  StreamTable<Stream> streams_;
  std::vector<Message> messages_;
  std::vector<Index> free_;
  Index recent_ = kNone;  // Where the last fragment went: the next one's place, mostly.
  Table by_mid_;
  Table by_fsn_;
  List offers_[2];                 // By Offer - 1, oldest first.
  std::size_t offered_bytes_ = 0;  // Of Offer::kIfEnough.
  std::vector<Index> scratch_;
  std::vector<Index> in_use_;              // Streams that have had messages since they were reset.
  std::uint32_t resets_of_all_ = 0;        // Resets of all streams,
  UnwrappedTsn reset_of_all_;              // and where the last one was.
  std::optional<UnwrappedTsn> reset_tsn_;  // Of the deferred stream reset.
  bool reset_all_ = false;
  std::uint64_t stale_ = 0;
  std::uint64_t walked_ = 0;
};

}  // namespace millrace::sctp
