// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/rx_buffer.h"
#include "engine/base/time.h"
#include "sctp/packet/data_chunk.h"  // DataFlags
#include "sctp/rx/place_map.h"
#include "sctp/types.h"

namespace millrace::sctp {

// HeldChunk is a received chunk whose message has not been delivered and given back.
struct HeldChunk {
  enum class State : std::uint8_t {
    kFree,
    kPartial,  // Its message is not whole.
    kWaiting,  // Whole; an earlier message of the stream is missing. First chunk only.
    kParked,   // Whole; a stream reset must come first. First chunk only.
    kReady,    // To be delivered. First chunk only.
  };

  const std::uint8_t* data = nullptr;
  // A TSN. DATA: the other end of its run; at both ends of it. I-DATA: the next fragment
  // in its list; the chunk's own at the end.
  std::uint32_t other_end = 0;
  std::uint32_t next_in_pin = 0;  // TSNs; the chunk's own at the end of the list.
  std::uint32_t previous_in_pin = 0;
  std::uint32_t pin = 0;  // kCopied: `data` is a block of the pool.
  Ppid ppid;              // I-DATA: only where flags.beginning.
  union {
    std::uint32_t fsn = 0;    // I-DATA.
    std::uint32_t run_bytes;  // DATA: payload of its run; at both ends of it.
  };
  std::uint32_t previous_fragment = 0;  // I-DATA: a TSN; the chunk's own at the head of the list.
  std::uint16_t size = 0;
  StreamId stream;
  Ssn ssn;
  DataFlags flags;
  State state = State::kFree;
};
static_assert(sizeof(HeldChunk) <= 48);

// ChunkStore keeps held chunks in a ring indexed by TSN, and knows what they cost: the
// receive buffers they pin, whole, or the blocks they were copied to.
class ChunkStore {
 public:
  // As far as gap blocks reach, RFC 9260 §3.3.4.
  static constexpr std::uint64_t kMaxSpan = 65536;
  // A place in the ring, and in whatever lists the chunk's message is in. Places between
  // held chunks count: a peer that leaves gaps pays for them.
  static constexpr std::size_t kPlaceBytes = sizeof(HeldChunk) + 16;

  explicit ChunkStore(BlockPool& pool) : pool_(pool) {}
  ~ChunkStore();
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;

  // All held chunks lie in [first, end).
  UnwrappedTsn first() const { return first_; }
  UnwrappedTsn end() const { return end_; }
  bool holds(UnwrappedTsn tsn) const {
    return tsn >= first_ && tsn < end_ && at(tsn).state != HeldChunk::State::kFree;
  }
  HeldChunk& at(UnwrappedTsn tsn) { return ring_[slot(tsn)]; }
  const HeldChunk& at(UnwrappedTsn tsn) const { return ring_[slot(tsn)]; }
  // The same of a chunk that is held.
  HeldChunk& at(Tsn tsn) { return ring_[tsn.value() & (capacity_ - 1)]; }
  // The first chunk held from `tsn` on; `end` where there is none.
  UnwrappedTsn next_held(UnwrappedTsn tsn) const {
    if (tsn >= end_) return end_;
    if (tsn <= first_) return first_;
    return holds(tsn) ? tsn : tsn.plus((places_.next(slot(tsn)) - slot(tsn)) & (capacity_ - 1));
  }
  UnwrappedTsn other_end(UnwrappedTsn tsn) const {
    return UnwrappedTsn::nearest(tsn, Tsn(at(tsn).other_end));
  }

  // Whether `tsn` fits beside what is held.
  bool has_place_for(UnwrappedTsn tsn) const;
  // Keeps a chunk, in state kPartial as a run of its own; it has place and is not held.
  // The caller fills in the fields of its header.
  HeldChunk& add(Time now, UnwrappedTsn tsn, ByteSpan payload, const BufferRef& buffer);
  void remove(UnwrappedTsn tsn);
  void remove_run(UnwrappedTsn first, UnwrappedTsn last);
  void remove_list(UnwrappedTsn first);  // Linked by HeldChunk::other_end.

  // Copies chunks out of buffers that they use below a quarter, that are scarce, or that they
  // have pinned for `max_pin_time`. Where the pool has no room they stay.
  void settle(Time now, Duration max_pin_time);
  // When `settle` would act by age; kNever if nothing is pinned.
  Time next_settle(Duration max_pin_time) const;

  bool empty() const { return first_ == end_; }
  std::size_t cost() const {
    return cost_ + kPlaceBytes * static_cast<std::size_t>(end_.distance_from(first_));
  }
  // Words of 64 places that were looked at to find what is held.
  std::uint64_t walked() const { return places_.walked(); }
  // Has more memory than an idle association is worth.
  bool is_roomy() const { return capacity_ > 64; }
  // Gives the memory of an empty store back.
  void trim();

 private:
  static constexpr std::uint32_t kCopied = 0xFFFFFFFF;

  // Pin is a receive buffer and the chunks held in it.
  struct Pin {
    BufferRef buffer;
    Time since{};
    std::uint32_t used = 0;
    std::uint32_t chunks = 0;
    std::uint32_t head = 0;  // TSN of the chunk that came last.
    bool listed = false;     // In dirty_.
  };

  std::size_t slot(UnwrappedTsn tsn) const {
    return static_cast<std::size_t>(tsn.value()) & (capacity_ - 1);
  }
  HeldChunk& at_wrapped(std::uint32_t tsn) { return ring_[tsn & (capacity_ - 1)]; }
  UnwrappedTsn last_held(UnwrappedTsn tsn) const;
  void make_place(UnwrappedTsn tsn);
  void reserve(std::size_t span);
  std::uint32_t pin_for(Time now, const BufferRef& buffer);
  void link(std::uint32_t pin, UnwrappedTsn tsn, HeldChunk& chunk);
  void unlink(UnwrappedTsn tsn, const HeldChunk& chunk);
  void drop_pin(std::uint32_t pin);
  void list_if_wasteful(std::uint32_t pin);
  bool wasteful(const Pin& pin) const { return pin.used < pin.buffer->capacity / 4; }
  void copy_out(std::uint32_t pin);

  BlockPool& pool_;
  std::unique_ptr<HeldChunk[]> ring_;
  std::size_t capacity_ = 0;
  PlaceMap places_;
  UnwrappedTsn first_;
  UnwrappedTsn end_;
  std::size_t cost_ = 0;
  std::vector<Pin> pins_;
  std::vector<std::uint32_t> free_pins_;
  std::vector<std::uint32_t> dirty_;
  std::uint32_t last_pin_ = kCopied;
  std::uint32_t pinned_ = 0;  // Pins in use.
  Time oldest_pin_ = kNever;  // Not later than the true one.
};

}  // namespace millrace::sctp
