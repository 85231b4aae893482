// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/check.h"
#include "sctp/types.h"

namespace millrace::sctp {

// StreamTable keeps per-stream state that comes into being on first use: 65,535 streams
// negotiated cost nothing until they carry data. `T` is constructible from a StreamId and
// has it as `id`. Entries have stable indices, not stable addresses; none is removed.
template <class T>
class StreamTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  std::uint32_t find(StreamId id) const {
    if (last_ < entries_.size() && entries_[last_].id == id) return last_;
    if (slots_.empty()) return kNone;
    for (std::size_t at = home(id);; at = (at + 1) & (slots_.size() - 1)) {
      const std::uint32_t index = slots_[at];
      if (index == kNone) return kNone;
      if (entries_[index].id == id) return last_ = index;
    }
  }
  std::uint32_t find_or_add(StreamId id) {
    const std::uint32_t found = find(id);
    return found != kNone ? found : add(id);
  }
  T& operator[](std::uint32_t index) {
    DCHECK(index < entries_.size());
    return entries_[index];
  }
  const T& operator[](std::uint32_t index) const {
    DCHECK(index < entries_.size());
    return entries_[index];
  }
  T* get(StreamId id) {
    const std::uint32_t index = find(id);
    return index == kNone ? nullptr : &entries_[index];
  }
  const T* get(StreamId id) const {
    const std::uint32_t index = find(id);
    return index == kNone ? nullptr : &entries_[index];
  }
  // Of an entry of this table.
  std::uint32_t index_of(const T& entry) const {
    return static_cast<std::uint32_t>(&entry - entries_.data());
  }
  std::size_t size() const { return entries_.size(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  // Fibonacci hashing: a bijection whose high bits are the slot, so the ids that share a
  // slot of a table twice their number are few whatever a peer chooses.
  std::size_t home(StreamId id) const {
    const std::uint32_t mixed = id.value() * 0x9E3779B1u;
    return mixed >> (33 - std::bit_width(slots_.size()));
  }
  std::uint32_t add(StreamId id) {
    if (2 * (entries_.size() + 1) > slots_.size()) rehash();
    const auto index = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back(id);
    insert(index);
    return last_ = index;
  }
  void insert(std::uint32_t index) {
    std::size_t at = home(entries_[index].id);
    while (slots_[at] != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = index;
  }
  void rehash() {
    const std::size_t size = slots_.empty() ? 4 : 2 * slots_.size();
    slots_.assign(size, kNone);
    for (std::uint32_t i = 0; i < entries_.size(); ++i) insert(i);
  }

  std::vector<T> entries_;
  std::vector<std::uint32_t> slots_;  // Power of two; at most half full.
  mutable std::uint32_t last_ = 0;    // Traffic comes in runs of one stream.
};

}  // namespace millrace::sctp
