// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace::sctp {

// PlaceMap knows which places of a ring are taken, a bit for each, and in which words of 64
// places there is one, a bit for each of these. The next place that is taken is then found in
// a few steps, however far it is: a peer chooses where the gaps are.
class PlaceMap {
 public:
  // All places of a ring of `places`, a power of two, are free.
  void reset(std::size_t places) {
    count_ = static_cast<std::uint32_t>(words_for(places));
    words_ = std::make_unique<std::uint64_t[]>(count_ + words_for(count_));
  }
  // Gives its memory back, before `reset`.
  void trim() { words_.reset(); }
  void take(std::size_t place) {
    std::uint64_t& word = words_[place / kBits];
    if (word == 0) filled()[place / kBits / kBits] |= bit(place / kBits);
    word |= bit(place);
  }
  void free(std::size_t place) {
    std::uint64_t& word = words_[place / kBits];
    word &= ~bit(place);
    if (word == 0) filled()[place / kBits / kBits] &= ~bit(place / kBits);
  }

  // The first place taken from `place` on, or back from it: itself, or one round the ring.
  // There is one.
  std::size_t next(std::size_t place) const {
    const std::size_t at = place / kBits;
    ++walked_;
    if (const std::uint64_t word = words_[at] >> place % kBits) {
      return place + lowest(word);
    }
    const std::size_t word = next_filled((at + 1) & (count_ - 1));
    return word * kBits + lowest(words_[word]);
  }
  std::size_t previous(std::size_t place) const {
    const std::size_t at = place / kBits;
    ++walked_;
    if (const std::uint64_t word = words_[at] << (kBits - 1 - place % kBits)) {
      return place - lead(word);
    }
    const std::size_t word = previous_filled((at - 1) & (count_ - 1));
    return word * kBits + kBits - 1 - lead(words_[word]);
  }
  // Words that were looked at to find places; it wraps.
  std::uint32_t walked() const { return walked_; }

 private:
  static constexpr std::size_t kBits = 64;
  static constexpr std::size_t words_for(std::size_t bits) { return (bits + kBits - 1) / kBits; }
  static constexpr std::uint64_t bit(std::size_t place) {
    return std::uint64_t{1} << place % kBits;
  }
  static std::size_t lowest(std::uint64_t word) {
    return static_cast<std::size_t>(std::countr_zero(word));
  }
  static std::size_t lead(std::uint64_t word) {
    return static_cast<std::size_t>(std::countl_zero(word));
  }
  // The first word with a place that is taken, from `word` on; and back from it.
  std::size_t next_filled(std::size_t word) const {
    std::size_t at = word / kBits;
    std::uint64_t left = filled()[at] >> word % kBits << word % kBits;
    for (++walked_; left == 0; ++walked_) {
      at = (at + 1) & (words_for(count_) - 1);
      left = filled()[at];
    }
    return at * kBits + lowest(left);
  }
  std::size_t previous_filled(std::size_t word) const {
    const std::size_t above = kBits - 1 - word % kBits;
    std::size_t at = word / kBits;
    std::uint64_t left = filled()[at] << above >> above;
    for (++walked_; left == 0; ++walked_) {
      at = (at - 1) & (words_for(count_) - 1);
      left = filled()[at];
    }
    return at * kBits + kBits - 1 - lead(left);
  }

  std::uint64_t* filled() const { return words_.get() + count_; }

  std::unique_ptr<std::uint64_t[]> words_;  // Of places, and behind them of words.
  std::uint32_t count_ = 0;                 // Words of places.
  mutable std::uint32_t walked_ = 0;
};

}  // namespace millrace::sctp
