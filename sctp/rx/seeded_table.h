// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace millrace::sctp {

// SeededTable maps numbers that the peer chooses to values: a hash table with linear
// probing, keyed by a random seed so that the peer cannot choose numbers that collide. At
// most half full; without tombstones, so that no history slows a probe. `Key` is unsigned.
template <class Key, class Value>
class SeededTable {
 public:
  // What an entry costs, for whoever bounds them.
  static constexpr std::size_t kEntryBytes = 2 * (sizeof(Key) + sizeof(Value) + 4);

  explicit SeededTable(std::uint64_t seed) : seed_(seed | 1) {}

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

  // False, and without effect, if there is a value of that key.
  bool insert(Key key, Value value) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    std::size_t at = home(key);
    for (; slots_[at].used; at = next(at)) {
      if (slots_[at].key == key) return false;
    }
    slots_[at] = {value, key, true};
    ++count_;
    return true;
  }
  std::optional<Value> find(Key key) const {
    if (count_ == 0) return std::nullopt;
    for (std::size_t at = home(key); slots_[at].used; at = next(at)) {
      if (slots_[at].key == key) return slots_[at].value;
    }
    return std::nullopt;
  }
  // Removes and returns it.
  std::optional<Value> take(Key key) {
    if (count_ == 0) return std::nullopt;
    for (std::size_t at = home(key); slots_[at].used; at = next(at)) {
      if (slots_[at].key != key) continue;
      const Value value = slots_[at].value;
      remove(at);
      return value;
    }
    return std::nullopt;
  }
  // Gives the memory of an empty table back.
  void trim() {
    if (count_ == 0) slots_ = std::vector<Slot>();
  }

 private:
  struct Slot {
    Value value{};
    Key key = 0;
    bool used = false;
  };
  std::size_t home(Key key) const {
    std::uint64_t mixed = (key ^ seed_) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 29)) * seed_;
    return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }
  // Closes the gap.
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
      if (slot.used) insert(slot.key, slot.value);
    }
  }

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

}  // namespace millrace::sctp
