// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace millrace {

// Rng is the source of random values that appear on the wire: verification tags,
// initial TSNs, ICE credentials, transaction ids. It is injected, so that a seeded
// run repeats itself. Keys never come from here but from BoringSSL.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual std::uint64_t next() = 0;

  std::uint32_t next_u32() { return static_cast<std::uint32_t>(next() >> 32); }
  // Returns a value in [0, bound); `bound` must not be zero.
  std::uint64_t below(std::uint64_t bound);
  void fill(std::span<std::uint8_t> out);
};

// SeededRng (xoshiro256**) repeats itself for a seed. For tests and simulations only:
// its output is predictable.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::array<std::uint64_t, 4> state_;
};

// SystemRng draws from the kernel (getrandom) in blocks. Not thread-safe: one a shard.
class SystemRng final : public Rng {
 public:
  std::uint64_t next() override;

 private:
  std::array<std::uint64_t, 32> pool_{};
  std::size_t left_ = 0;
};

}  // namespace millrace
