// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/bytes.h"
#include "io/tx_run.h"

namespace millrace::engine {

// ControlQueue holds a turn's outgoing datagrams that are not SCTP: STUN, handshake
// flights, alerts. They are few and small, so they are copied into reserved segments;
// what the datapath has no room for waits for the next turn. Its memory is fixed.
class ControlQueue {
 public:
  static constexpr std::size_t kMaxDatagrams = 2048;
  static constexpr std::size_t kDatagramBytes = 1500;

  struct Entry {
    io::Destination to;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };

  ControlQueue() { entries_.reserve(64); }

  // Room to write one datagram of up to kDatagramBytes into; empty when the queue is
  // full. `push` then keeps the first `length` bytes of it.
  MutableByteSpan begin() {
    if (entries_.size() == kMaxDatagrams) return {};
    if (bytes_.size() < used_ + kDatagramBytes) {
      bytes_.resize(std::max(bytes_.size() * 2, used_ + 16 * kDatagramBytes));
    }
    return MutableByteSpan(bytes_).subspan(used_, kDatagramBytes);
  }
  void push(const io::Destination& to, std::size_t length) {
    entries_.push_back({to, static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(length)});
    used_ += length;
  }

  bool empty() const { return next_ == entries_.size(); }
  const Entry& front() const { return entries_[next_]; }
  ByteSpan bytes(const Entry& entry) const {
    return ByteSpan(bytes_).subspan(entry.offset, entry.length);
  }
  void pop() {
    if (++next_ < entries_.size()) return;
    entries_.clear();
    next_ = used_ = 0;
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
  std::size_t used_ = 0;
};

}  // namespace millrace::engine
