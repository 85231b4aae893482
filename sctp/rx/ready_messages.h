// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "sctp/types.h"

namespace millrace::sctp {

// DeliveredPart is what is handed out of a message that does not come whole (RFC 9260 §6.9).
struct DeliveredPart {
  UnwrappedTsn first;  // Of its chunks, unless `aborted`: then it has none.
  StreamId stream;
  Ppid ppid;
  bool unordered = false;
  bool last = false;
  bool aborted = false;
  std::size_t offset = 0;  // Of its first byte in the message.
};

// ReadyMessages is the queue of what the application may read: whole messages, known by the
// first of their chunks, and the ends of messages whose beginning was read already. Between
// them lie marks, where streams were reset: what is behind one is of the streams' next lives.
class ReadyMessages {
 public:
  // What `pop` returns where `pop_part` has the answer.
  static constexpr UnwrappedTsn kPart{std::numeric_limits<std::uint64_t>::max()};
  // What `pop` returns for a mark.
  static constexpr UnwrappedTsn kReset{std::numeric_limits<std::uint64_t>::max() - 1};

  bool empty() const { return head_ == entries_.size(); }
  void push(UnwrappedTsn first) {
    // A slow reader's queue is moved to the front when half of it is spent.
    if (head_ > 0 && entries_.size() == entries_.capacity() && 2 * head_ >= entries_.size()) {
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    entries_.push_back(first);
  }
  void push_part(const DeliveredPart& part) {
    parts_.push_back(part);
    push(kPart);
  }
  void push_reset() { push(kReset); }
  bool at_reset() const { return !empty() && entries_[head_] == kReset; }
  // Not empty.
  UnwrappedTsn pop() {
    const UnwrappedTsn first = entries_[head_++];
    if (head_ == entries_.size()) {
      entries_.clear();
      head_ = 0;
    }
    return first;
  }
  DeliveredPart pop_part() {
    const DeliveredPart part = parts_[part_head_++];
    if (part_head_ == parts_.size()) {
      parts_.clear();
      part_head_ = 0;
    } else if (2 * part_head_ >= parts_.capacity()) {
      parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(part_head_));
      part_head_ = 0;
    }
    return part;
  }
  // Gives the memory of an empty queue back.
  void trim() {
    if (!empty()) return;
    entries_ = std::vector<UnwrappedTsn>();
    parts_ = std::vector<DeliveredPart>();
  }

 private:
  std::vector<UnwrappedTsn> entries_;  // From head_ on.
  std::vector<DeliveredPart> parts_;   // One for each kPart, from part_head_ on.
  std::size_t head_ = 0;
  std::size_t part_head_ = 0;
};

}  // namespace millrace::sctp
