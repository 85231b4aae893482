// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"

namespace millrace::io {

// ChecksumSum is an unfinished Internet checksum (RFC 1071): a ones' complement sum of
// 16-bit words, in 64 bits so that carries need no care. Words are summed in the
// machine's own byte order (RFC 1071 §2(B)); `checksum_finish` puts that right.
struct ChecksumSum {
  std::uint64_t value = 0;
};

// checksum_add sums `bytes` onto `sum`. Every piece but the last of what is summed has an
// even number of bytes; the last is padded with a zero byte. Any alignment will do.
ChecksumSum checksum_add(ChecksumSum sum, ByteSpan bytes);

// One 16-bit word of a header, in host order.
constexpr ChecksumSum checksum_add(ChecksumSum sum, std::uint16_t word) {
  return {sum.value + __builtin_bswap16(word)};
}
constexpr ChecksumSum checksum_add(ChecksumSum a, ChecksumSum b) {
  const std::uint64_t total = a.value + b.value;
  return {total + (total < a.value ? 1 : 0)};
}

// The sum folded into 16 bits, in host order, not complemented: what a device wants for a
// pseudo-header.
constexpr std::uint16_t checksum_fold(ChecksumSum sum) {
  std::uint64_t v = (sum.value & 0xffffffff) + (sum.value >> 32);
  v = (v & 0xffff) + ((v >> 16) & 0xffff) + (v >> 32);
  v = (v & 0xffff) + (v >> 16);
  v = (v & 0xffff) + (v >> 16);
  return __builtin_bswap16(static_cast<std::uint16_t>(v));
}

// The checksum field for what was summed with that field as zero, in host order.
constexpr std::uint16_t checksum_finish(ChecksumSum sum) {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}
// The same for UDP, whose zero means that there is none (RFC 768).
constexpr std::uint16_t udp_checksum_finish(ChecksumSum sum) {
  const std::uint16_t checksum = checksum_finish(sum);
  return checksum != 0 ? checksum : 0xffff;
}

// True if what was summed, checksum field included, is intact.
constexpr bool checksum_is_good(ChecksumSum sum) { return checksum_fold(sum) == 0xffff; }

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

}  // namespace millrace::io
