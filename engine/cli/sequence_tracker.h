// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::cli {

// SequenceTracker tells of each received sequence number whether it is new, late or a
// repetition. Memory grows with the distance between the oldest missing number and the
// newest received one, up to 128 KiB; what is missing for longer is given up.
class SequenceTracker {
 public:
  enum class Verdict : std::uint8_t {
    kInOrder,    // New, and the highest so far.
    kReordered,  // New, but a higher one came before it.
    kDuplicate,  // Seen before, or given up.
  };

  Verdict accept(std::uint64_t sequence);

  // One more than the highest number received.
  std::uint64_t end() const { return end_; }
  // The number closest to `end()` whose low `bits` bits are those of `low`; `bits` < 64.
  std::uint64_t unwrap(std::uint64_t low, unsigned bits) const;

 private:
  static constexpr std::uint64_t kMaxSpan = 1u << 20;

  bool test(std::uint64_t sequence) const;
  void set(std::uint64_t sequence, bool seen);
  void make_room(std::uint64_t sequence);

  std::uint64_t begin_ = 0;  // All below are seen or given up.
  std::uint64_t end_ = 0;
  std::vector<std::uint64_t> seen_;  // A ring of bits for [begin_, end_); a power of two.
};

}  // namespace millrace::cli
