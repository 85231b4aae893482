// SPDX-License-Identifier: Apache-2.0
#include "io/net/checksum.h"

namespace millrace::io {
namespace {

// Sums of 64 bits side by side, read from any address.
struct Narrow {  // Every x86-64 and Arm has such registers.
  typedef std::uint64_t Lanes __attribute__((vector_size(16), aligned(1), may_alias));
};
struct Wide {
  typedef std::uint64_t Lanes __attribute__((vector_size(32), aligned(1), may_alias));
};

constexpr std::size_t kBlock = 64;

// Sums whole blocks: words of 32 bits in lanes of 64, so that no carry is lost before 2^32 of
// them. Returns what that comes to.
template <class Width>
[[gnu::always_inline]] inline std::uint64_t sum_blocks(const std::uint8_t* p, std::size_t blocks) {
  using Lanes = typename Width::Lanes;
  constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(std::uint64_t);
  Lanes even = {};
  Lanes odd = {};
  for (; blocks != 0; --blocks, p += kBlock) {
    const Lanes* const block = reinterpret_cast<const Lanes*>(p);
    for (std::size_t i = 0; i < kBlock / sizeof(Lanes); ++i) {
      even += block[i] & 0xffffffff;
      odd += block[i] >> 32;
    }
  }
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kLanes; ++i) total += even[i] + odd[i];
  return total;
}

std::uint64_t sum_narrow(const std::uint8_t* p, std::size_t blocks) {
  return sum_blocks<Narrow>(p, blocks);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) std::uint64_t sum_wide(const std::uint8_t* p, std::size_t blocks) {
  return sum_blocks<Wide>(p, blocks);
}
const auto kSumBlocks = __builtin_cpu_supports("avx2") ? sum_wide : sum_narrow;
#else
constexpr auto kSumBlocks = sum_narrow;
#endif

}  // namespace

ChecksumSum checksum_add(ChecksumSum sum, ByteSpan bytes) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t total = 0;
  if (left >= kBlock) {
    const std::size_t blocks = left / kBlock;
    total = kSumBlocks(p, blocks);
    p += blocks * kBlock;
    left -= blocks * kBlock;
  }
  for (; left >= 4; p += 4, left -= 4) total += __builtin_bswap32(load_be32(p));
  if (left >= 2) {
    total += __builtin_bswap16(load_be16(p));
    p += 2;
    left -= 2;
  }
  if (left != 0) total += *p;
  return checksum_add(sum, ChecksumSum{total});
}

}  // namespace millrace::io
