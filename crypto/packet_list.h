// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/bytes.h"

namespace millrace::crypto {

// PacketList is a first-in first-out list of small packets (records or datagrams), copied
// in and bounded by its user. It serves the handshake only and may allocate.
class PacketList {
 public:
  void append(ByteSpan packet);
  void append(const PacketList& other);
  // Drops the oldest; the list must not be empty.
  void pop_front();
  void clear();

  bool empty() const { return next_ == ends_.size(); }
  std::size_t size() const { return ends_.size() - next_; }
  std::size_t bytes() const { return bytes_.size() - begin_of(next_); }
  // What the list takes in memory, and what `packet` adds to it: a packet of a few bytes costs
  // as much again for where it ends, and one that was dropped stays until the list is empty.
  std::size_t cost() const { return bytes_.size() + ends_.size() * sizeof(std::size_t); }
  static std::size_t cost_of(ByteSpan packet) { return packet.size() + sizeof(std::size_t); }
  // The packet at `index`, oldest first. Valid until the list is changed.
  ByteSpan operator[](std::size_t index) const;

 private:
  std::size_t begin_of(std::size_t index) const { return index == 0 ? 0 : ends_[index - 1]; }

  std::vector<std::uint8_t> bytes_;
  std::vector<std::size_t> ends_;  // Where each packet ends in `bytes_`.
  std::size_t next_ = 0;
};

}  // namespace millrace::crypto
