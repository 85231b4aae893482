// SPDX-License-Identifier: Apache-2.0
#include "engine/base/rng.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "engine/base/check.h"

namespace millrace {

std::uint64_t Rng::below(std::uint64_t bound) {
  CHECK(bound != 0);
  // Rejection keeps the draw uniform; at most one in two draws is refused.
  const std::uint64_t limit = bound * (UINT64_MAX / bound);
  std::uint64_t draw = next();
  while (draw >= limit) draw = next();
  return draw % bound;
}

void Rng::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    std::uint64_t word = next();
    const std::size_t n = out.size() < sizeof(word) ? out.size() : sizeof(word);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = static_cast<std::uint8_t>(word);
      word >>= 8;
    }
    out = out.subspan(n);
  }
}

SeededRng::SeededRng(std::uint64_t seed) : state_{} {
  // SplitMix64 spreads the seed over the state, as the generator's authors advise.
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    word = z ^ (z >> 31);
  }
}

std::uint64_t SeededRng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t SystemRng::next() {
  if (left_ == 0) {
    // 256 bytes: the kernel never returns fewer once it is seeded.
    const ssize_t got = ::getrandom(pool_.data(), sizeof(pool_), 0);
    CHECK(got == static_cast<ssize_t>(sizeof(pool_)));
    left_ = pool_.size();
  }
  std::uint64_t& slot = pool_[--left_];
  const std::uint64_t value = slot;
  slot = 0;  // A value that has been on the wire is not kept.
  return value;
}

}  // namespace millrace
