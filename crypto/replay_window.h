// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace millrace::crypto {

// ReplayWindow remembers which of the most recent record numbers of an epoch were seen
// (RFC 6347 §4.1.2.6). It is far wider than the RFC's 64 because a burst over several
// paths or queues is reordered by more than that at ten gigabits a second. The ring of
// words is that of RFC 6479: moving ahead clears words, it never shifts them.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kWords = 16;
  static constexpr std::uint64_t kWidth = (kWords - 1) * 64;  // Numbers that count as recent.

  // Says whether `sequence` is new: neither seen nor behind the window. The number comes
  // from an unauthenticated header: `commit` it only once the record is authenticated.
  bool is_new(std::uint64_t sequence) const {
    if (empty_ || sequence > highest_) return true;
    if (highest_ - sequence >= kWidth) return false;
    return (words_[word_of(sequence)] & bit_of(sequence)) == 0;
  }

  // Marks `sequence`, for which `is_new` holds, as seen.
  void commit(std::uint64_t sequence) {
    if (empty_ || sequence > highest_) advance(sequence);
    words_[word_of(sequence)] |= bit_of(sequence);
  }

  std::uint64_t highest() const { return highest_; }
  void reset() { *this = ReplayWindow(); }

 private:
  static constexpr std::size_t word_of(std::uint64_t sequence) {
    return static_cast<std::size_t>((sequence / 64) % kWords);
  }
  static constexpr std::uint64_t bit_of(std::uint64_t sequence) {
    return std::uint64_t{1} << (sequence % 64);
  }
  void advance(std::uint64_t sequence) {
    const std::uint64_t from = empty_ ? 0 : highest_ / 64;
    const std::uint64_t steps = sequence / 64 - from;
    for (std::uint64_t i = 1; i <= (steps < kWords ? steps : kWords); ++i) {
      words_[(from + i) % kWords] = 0;
    }
    highest_ = sequence;
    empty_ = false;
  }

  std::array<std::uint64_t, kWords> words_{};
  std::uint64_t highest_ = 0;
  bool empty_ = true;
};

}  // namespace millrace::crypto
