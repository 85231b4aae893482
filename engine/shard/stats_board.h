// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::engine {

// StatsBoard is where a shard posts its counters for other threads: a sequence lock over
// words. The one writer never waits; a reader tries again when it met a posting, which
// lasts nanoseconds and comes ten times a second.
class StatsBoard {
 public:
  static constexpr std::size_t kWords = 128;
  using Words = std::array<std::uint64_t, kWords>;

  void post(std::span<const std::uint64_t> values) {
    const std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    // Release: a reader that meets one of these words meets the odd sequence, too.
    for (std::size_t i = 0; i < values.size() && i < kWords; ++i) {
      words_[i].store(values[i], std::memory_order_release);
    }
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  Words read() const {
    Words out{};
    for (;;) {
      const std::uint32_t before = sequence_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < kWords; ++i) out[i] = words_[i].load(std::memory_order_acquire);
      if ((before & 1) == 0 && before == sequence_.load(std::memory_order_relaxed)) return out;
    }
  }

 private:
  std::atomic<std::uint32_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace millrace::engine
