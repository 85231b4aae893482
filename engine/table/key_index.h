// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/base/spsc_ring.h"

namespace millrace::engine {

// KeyIndex maps 64-bit hashes to places (record, position of the key in it). It knows no
// keys: a look-up offers each place whose 31-bit tag fits and the caller compares.
//
// A bucket is one cache line: seven words {tag, position, record} and the number of keys
// that were put past it because it was full. Nothing ever moves, so readers need no lock,
// and a miss ends at the first bucket that nobody was put past. With half of the
// words in use, one key in some hundred is put past a bucket.
//
// Any thread may call `find`. Two calls of `insert` or `erase` for the same hash must not
// overlap; for different hashes they may.
class KeyIndex {
 public:
  struct Place {
    std::uint32_t record = 0;
    std::uint8_t position = 0;
  };
  static constexpr std::uint32_t kMaxRecords = 1u << 24;

  explicit KeyIndex(std::size_t max_keys);

  // Calls `match(Place)` on candidates until it returns true; whether it did.
  template <class Match>
  bool find(std::uint64_t hash, Match&& match) const {
    const std::uint64_t tag = tag_of(hash);
    std::size_t at = hash & mask_;
    for (std::size_t probes = 0; probes <= mask_; ++probes) {
      const Bucket& bucket = buckets_[at];
      for (std::uint32_t fits = bucket.fits(tag); fits != 0; fits &= fits - 1) {
        const auto i = static_cast<std::size_t>(__builtin_ctz(fits));
        // Read again: it may have been cleared, or given to another key, in between.
        const std::uint64_t word = bucket.words[i].load(std::memory_order_acquire);
        if (word >> 32 == tag && match(place_of(word))) return true;
      }
      if (bucket.passed.load(std::memory_order_acquire) == 0) return false;
      at = (at + stride_of(tag)) & mask_;
    }
    return false;
  }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&buckets_[hash & mask_]); }

  // CHECKs that there is room: the owner never inserts more than `max_keys`.
  void insert(std::uint64_t hash, Place place);
  // CHECKs that the place was inserted under this hash.
  void erase(std::uint64_t hash, Place place);

  // Buckets that look-ups must walk past, summed over the keys: near zero unless somebody
  // chooses keys by their hash. Reads the whole index.
  std::uint64_t displaced() const;

 private:
  static constexpr std::size_t kWords = 7;

  struct alignas(kCacheLineBytes) Bucket {
    std::atomic<std::uint64_t> words[kWords]{};
    std::atomic<std::uint64_t> passed{0};

    std::uint32_t fits(std::uint64_t tag) const {
      std::uint32_t mask = 0;
      for (std::size_t i = 0; i < kWords; ++i) {
        const std::uint64_t word = words[i].load(std::memory_order_relaxed);
        mask |= static_cast<std::uint32_t>(word >> 32 == tag) << i;
      }
      return mask;
    }
  };

  // Never zero, so that an empty word fits no tag.
  static std::uint64_t tag_of(std::uint64_t hash) { return hash >> 32 | 1; }
  // Odd, so that a walk over a power of two of buckets meets them all.
  static std::size_t stride_of(std::uint64_t tag) { return static_cast<std::size_t>(tag); }
  static std::uint64_t word_of(std::uint64_t tag, Place place) {
    return tag << 32 | std::uint64_t{place.position} << 24 | place.record;
  }
  static Place place_of(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word) & (kMaxRecords - 1),
            static_cast<std::uint8_t>(word >> 24)};
  }

  std::size_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace millrace::engine
