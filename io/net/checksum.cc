// SPDX-License-Identifier: Apache-2.0
#include "io/net/checksum.h"

namespace millrace::io {
namespace {

// Two 64-bit sums at once, read from any address: every x86-64 and Arm has such registers,
// wider ones are used where the build allows.
typedef std::uint64_t Lanes __attribute__((vector_size(16), aligned(1), may_alias));

constexpr std::size_t kBlock = 64;

}  // namespace

ChecksumSum checksum_add(ChecksumSum sum, ByteSpan bytes) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  // Words of 32 bits in lanes of 64: no carry is lost before 2^32 of them.
  Lanes even = {0, 0};
  Lanes odd = {0, 0};
  for (; left >= kBlock; p += kBlock, left -= kBlock) {
    const Lanes* const block = reinterpret_cast<const Lanes*>(p);
    for (std::size_t i = 0; i < kBlock / sizeof(Lanes); ++i) {
      even += block[i] & 0xffffffff;
      odd += block[i] >> 32;
    }
  }
  std::uint64_t total = even[0] + even[1] + odd[0] + odd[1];
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
