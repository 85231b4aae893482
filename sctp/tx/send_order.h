// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/base/check.h"

namespace millrace::sctp {

// SendOrder lists the slots of a ring in the order in which their chunks left last, so that
// what was overtaken is found without a search (RFC 8985 §6.2, step 5). All operations but
// `grow` take constant time. A slot is in it at most once.
class SendOrder {
 public:
  // Slots go from 0 to one less than the capacity.
  static constexpr std::size_t kMaxCapacity = 32768;

  bool empty() const { return oldest_ == kNone; }
  std::size_t oldest() const { return oldest_; }  // It must not be empty.
  std::size_t newest() const { return newest_; }  // The same.

  void push_newest(std::size_t slot) {
    const auto at = static_cast<Slot>(slot);
    links_[at] = {newest_, kNone};
    (newest_ == kNone ? oldest_ : links_[newest_].newer) = at;
    newest_ = at;
  }
  // The slot must be in it.
  void remove(std::size_t slot) {
    const Links gone = links_[slot];
    (gone.older == kNone ? oldest_ : links_[gone.older].newer) = gone.newer;
    (gone.newer == kNone ? newest_ : links_[gone.newer].older) = gone.older;
  }
  // Makes room for `capacity` slots; `moved` maps each that is in it to its new place.
  template <class Moved>
  void grow(std::size_t capacity, Moved moved) {
    DCHECK(capacity <= kMaxCapacity);
    SendOrder grown;
    grown.links_ = std::make_unique<Links[]>(capacity);
    for (Slot at = oldest_; at != kNone; at = links_[at].newer) grown.push_newest(moved(at));
    *this = std::move(grown);
  }

 private:
  using Slot = std::uint16_t;
  static constexpr Slot kNone = 0xFFFF;
  struct Links {
    Slot older;
    Slot newer;
  };

  std::unique_ptr<Links[]> links_;
  Slot oldest_ = kNone;
  Slot newest_ = kNone;
};

}  // namespace millrace::sctp
