// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sctp/types.h"

namespace millrace::sctp {

// WaitingMessages finds a whole ordered message, which waits for its turn, by stream and
// SSN. It is a hash table with linear probing, keyed by a seed, since the peer chooses what
// goes in; its size follows what is held, which the receive window bounds.
class WaitingMessages {
 public:
  explicit WaitingMessages(std::uint64_t seed) : seed_(seed | 1) {}

  bool empty() const { return count_ == 0; }

  // Remembers that the message begins at `first`; false if there is one of that number.
  bool insert(StreamId stream, Ssn ssn, UnwrappedTsn first) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    const std::uint32_t key = key_of(stream, ssn);
    std::size_t at = home(key);
    for (; slots_[at].used; at = next(at)) {
      if (slots_[at].key == key) return false;
    }
    slots_[at] = {first, key, true};
    ++count_;
    return true;
  }
  // Removes and returns it.
  std::optional<UnwrappedTsn> take(StreamId stream, Ssn ssn) {
    if (count_ == 0) return std::nullopt;
    const std::uint32_t key = key_of(stream, ssn);
    for (std::size_t at = home(key); slots_[at].used; at = next(at)) {
      if (slots_[at].key != key) continue;
      const UnwrappedTsn first = slots_[at].first;
      remove(at);
      return first;
    }
    return std::nullopt;
  }

 private:
  struct Slot {
    UnwrappedTsn first;
    std::uint32_t key = 0;
    bool used = false;
  };
  static constexpr std::uint32_t key_of(StreamId stream, Ssn ssn) {
    return (std::uint32_t{stream.value()} << 16) | ssn.value();
  }
  std::size_t home(std::uint32_t key) const {
    std::uint64_t mixed = (key ^ seed_) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 29)) * seed_;
    return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }
  // Closes the gap, so that no tombstone slows later probes.
  void remove(std::size_t hole) {
    for (std::size_t at = next(hole); slots_[at].used; at = next(at)) {
      const std::size_t from_home = (at - home(slots_[at].key)) & (slots_.size() - 1);
      const std::size_t from_hole = (at - hole) & (slots_.size() - 1);
      if (from_home < from_hole) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].used = false;
    --count_;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : 2 * slots_.size());
    old.swap(slots_);
    count_ = 0;
    for (const Slot& slot : old) {
      if (slot.used)
        insert(StreamId(static_cast<std::uint16_t>(slot.key >> 16)),
               Ssn(static_cast<std::uint16_t>(slot.key)), slot.first);
    }
  }

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace millrace::sctp
