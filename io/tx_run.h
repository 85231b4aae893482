// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace millrace::io {

// SocketId names an open socket of one datapath. Ids of closed sockets are not used
// again soon: a late send to one is counted and dropped.
using SocketId = std::uint32_t;
inline constexpr SocketId kNoSocket = 0xffffffff;

// socket_slot is the part of a SocketId that is small and dense, fit to index a table of
// the owner's; slots are used again, so compare whole ids.
inline constexpr std::uint32_t kSocketSlotBits = 20;
constexpr std::uint32_t socket_slot(SocketId id) { return id & ((1u << kSocketSlotBits) - 1); }

// kMaxDatagramBytes is the largest UDP payload over IPv4, and of one GSO send.
inline constexpr std::size_t kMaxDatagramBytes = 65507;

// Destination is where a run goes: through `socket` to `remote`, and from `local` where
// the socket is bound to a wildcard (an answer leaves from the address that was asked:
// copy it from the RxBuffer). `local` may be left empty; the kernel chooses then.
struct Destination {
  SocketId socket = kNoSocket;
  Address remote;
  IpAddress local;
};

// TxRun is a number of reserved segments towards one destination. Write the bytes of
// `segment(i)`, then `push` the lengths in order; a pushed length may be corrected until
// the run is committed (a packet that is sealed later). Segments are `pitch` bytes
// apart where the kernel does the segmentation, anywhere at all elsewhere: rely on
// `segment` alone.
//
// Datagrams leave with DF set, and one that is too large for the path, or for the interface,
// is lost (RFC 8899 §3). Only a run that `allow_fragments` was called for is fragmented.
//
// A run must go back to its datapath by `commit`, empty or not; only the datapath that
// made it may take it. Equal lengths leave together most cheaply (GSO).
class TxRun {
 public:
  static constexpr std::size_t kMaxSegments = 64;  // The kernel's UDP_MAX_SEGMENTS.

  TxRun() = default;
  TxRun(TxRun&& other) noexcept { take(other); }
  TxRun& operator=(TxRun&& other) noexcept {
    DCHECK(size_ == 0);
    if (this != &other) take(other);
    return *this;
  }
  ~TxRun() { DCHECK(size_ == 0); }

  // Segments reserved; 0 when the datapath had no room.
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t pushed() const { return pushed_; }
  bool full() const { return pushed_ == size_; }
  std::size_t segment_bytes() const { return pitch_; }
  const Destination& destination() const { return to_; }

  // The whole room of segment `i`, written to or not.
  MutableByteSpan segment(std::size_t i) const {
    DCHECK(i < size_);
    return {slots_ != nullptr ? slots_[i] : base_ + i * pitch_, pitch_};
  }
  // The room of the first segment that is not pushed yet.
  MutableByteSpan next() const { return segment(pushed_); }
  // The bytes of pushed segment `i` that will be sent.
  MutableByteSpan written(std::size_t i) const {
    DCHECK(i < pushed_);
    return segment(i).first(lengths_[i]);
  }

  // Declares the first segment not pushed yet to hold `length` bytes, 1 to pitch.
  void push(std::size_t length) {
    CHECK(pushed_ < size_ && length > 0 && length <= pitch_);
    lengths_[pushed_++] = static_cast<std::uint16_t>(length);
  }
  void set_length(std::size_t i, std::size_t length) {
    CHECK(i < pushed_ && length > 0 && length <= pitch_);
    lengths_[i] = static_cast<std::uint16_t>(length);
  }
  // Lets IP fragment the datagrams of this run. It costs system calls of its own.
  void allow_fragments() { may_fragment_ = true; }
  bool may_fragment() const { return may_fragment_; }
  // Takes back the last push; for a packet that came to nothing.
  void pop() {
    CHECK(pushed_ > 0);
    --pushed_;
  }

  // For datapaths: how the memory lies, and a token of their own.
  struct Layout {
    std::uint8_t* base = nullptr;          // Segments `pitch` apart, or
    std::uint8_t* const* slots = nullptr;  // one pointer each; outlives the run.
    std::size_t pitch = 0;
    std::size_t count = 0;
    std::uint32_t token = 0;
  };
  TxRun(const Destination& to, const Layout& layout)
      : to_(to),
        base_(layout.base),
        slots_(layout.slots),
        pitch_(static_cast<std::uint32_t>(layout.pitch)),
        token_(layout.token),
        size_(static_cast<std::uint16_t>(layout.count)) {
    DCHECK(layout.count <= kMaxSegments && layout.pitch <= kMaxDatagramBytes);
  }
  std::uint32_t token() const { return token_; }
  std::size_t length(std::size_t i) const { return lengths_[i]; }
  // Forgets the segments: they are the datapath's again.
  void clear() {
    size_ = pushed_ = 0;
    may_fragment_ = false;
  }

 private:
  void take(TxRun& other) {
    to_ = other.to_;
    base_ = other.base_;
    slots_ = other.slots_;
    pitch_ = other.pitch_;
    token_ = other.token_;
    size_ = std::exchange(other.size_, std::uint16_t{0});
    pushed_ = std::exchange(other.pushed_, std::uint16_t{0});
    may_fragment_ = other.may_fragment_;
    for (std::size_t i = 0; i < pushed_; ++i) lengths_[i] = other.lengths_[i];
  }

  Destination to_;
  std::uint8_t* base_ = nullptr;
  std::uint8_t* const* slots_ = nullptr;
  std::uint32_t pitch_ = 0;
  std::uint32_t token_ = 0;
  std::uint16_t size_ = 0;
  std::uint16_t pushed_ = 0;
  bool may_fragment_ = false;
  std::array<std::uint16_t, kMaxSegments> lengths_;  // Only the first `pushed_` are set.
};

}  // namespace millrace::io
