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
  static constexpr std::size_t kMaxCapacity = 65536;

  bool empty() const { return empty_; }
  std::size_t oldest() const { return oldest_; }  // It must not be empty.
  std::size_t newest() const { return newest_; }  // The same.

  void push_newest(std::size_t slot) {
    const auto at = static_cast<Slot>(slot);
    links_[at] = {empty_ ? at : newest_, at};
    (empty_ ? oldest_ : links_[newest_].newer) = at;
    newest_ = at;
    empty_ = false;
  }
  // The slot must be in it.
  void remove(std::size_t slot) {
    const auto at = static_cast<Slot>(slot);
    const Links gone = links_[at];
    const bool was_oldest = gone.older == at;
    const bool was_newest = gone.newer == at;
    empty_ = was_oldest && was_newest;
    if (was_oldest) {
      oldest_ = links_[gone.newer].older = gone.newer;
    } else {
      links_[gone.older].newer = was_newest ? gone.older : gone.newer;
    }
    if (was_newest) {
      newest_ = gone.older;
    } else if (!was_oldest) {
      links_[gone.newer].older = gone.older;
    }
  }
  // Makes room for `capacity` slots; `moved` maps each that is in it to its new place.
  template <class Moved>
  void grow(std::size_t capacity, Moved moved) {
    DCHECK(capacity <= kMaxCapacity);
    SendOrder grown;
    grown.links_ = std::make_unique<Links[]>(capacity);
    while (!empty_) {
      const Slot at = oldest_;
      remove(at);
      grown.push_newest(moved(at));
    }
    *this = std::move(grown);
  }

 private:
  using Slot = std::uint16_t;
  // The ends point to themselves: no number is left that is no slot.
  struct Links {
    Slot older;
    Slot newer;
  };

  std::unique_ptr<Links[]> links_;
  Slot oldest_ = 0;
  Slot newest_ = 0;
  bool empty_ = true;
};

}  // namespace millrace::sctp
