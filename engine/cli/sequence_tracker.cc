// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/sequence_tracker.h"

#include <utility>

namespace millrace::cli {

SequenceTracker::Verdict SequenceTracker::accept(std::uint64_t sequence) {
  if (sequence == end_ && begin_ == end_) {
    begin_ = ++end_;
    return Verdict::kInOrder;
  }
  if (sequence < begin_) return Verdict::kDuplicate;
  make_room(sequence);
  if (sequence < end_ && test(sequence)) return Verdict::kDuplicate;
  const bool in_order = sequence >= end_;
  if (in_order) end_ = sequence + 1;
  set(sequence, true);
  while (begin_ < end_ && test(begin_)) set(begin_++, false);
  return in_order ? Verdict::kInOrder : Verdict::kReordered;
}

std::uint64_t SequenceTracker::unwrap(std::uint64_t low, unsigned bits) const {
  const std::uint64_t circle = std::uint64_t{1} << bits;
  const std::uint64_t ahead = (low - end_) & (circle - 1);
  const std::uint64_t candidate = end_ + ahead;
  return ahead >= circle / 2 && candidate >= circle ? candidate - circle : candidate;
}

bool SequenceTracker::test(std::uint64_t sequence) const {
  return (seen_[(sequence / 64) & (seen_.size() - 1)] >> (sequence % 64) & 1) != 0;
}

void SequenceTracker::set(std::uint64_t sequence, bool seen) {
  std::uint64_t& word = seen_[(sequence / 64) & (seen_.size() - 1)];
  const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
  word = seen ? word | bit : word & ~bit;
}

void SequenceTracker::make_room(std::uint64_t sequence) {
  if (sequence - begin_ >= kMaxSpan) {
    const std::uint64_t begin = sequence - kMaxSpan + 1;
    // Beyond the ring nothing is set; within it, forget what is given up.
    for (; begin_ < begin && begin_ < end_; ++begin_) set(begin_, false);
    begin_ = begin;
    if (end_ < begin_) end_ = begin_;
  }
  // One word more than the span: its ends share no word.
  std::size_t words = seen_.empty() ? 2 : seen_.size();
  while ((words - 1) * 64 <= sequence - begin_) words *= 2;
  if (words == seen_.size()) return;
  std::vector<std::uint64_t> old = std::exchange(seen_, std::vector<std::uint64_t>(words));
  if (old.empty()) return;
  for (std::uint64_t at = begin_; at < end_; ++at) {
    if ((old[(at / 64) & (old.size() - 1)] >> (at % 64) & 1) != 0) set(at, true);
  }
}

}  // namespace millrace::cli
