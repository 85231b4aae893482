// SPDX-License-Identifier: Apache-2.0
#include "io/net/rss_hash.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::io {

std::uint32_t toeplitz_hash(ByteSpan key, ByteSpan input) {
  CHECK(key.size() >= input.size() + 4);
  std::uint32_t hash = 0;
  std::uint32_t window = load_be32(key.data());
  for (std::size_t i = 0; i < input.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((input[i] & (0x80u >> bit)) != 0) hash ^= window;
      window = (window << 1) | (std::uint32_t{key[i + 4]} >> (7 - bit) & 1u);
    }
  }
  return hash;
}

std::uint32_t rss_hash(ByteSpan key, const Address& source, const Address& destination) {
  DCHECK(source.ip.family == destination.ip.family);
  std::array<std::uint8_t, 36> input{};
  const std::size_t width = source.ip.is_v4() ? 4 : 16;
  std::copy_n(source.ip.bytes.begin(), width, input.begin());
  std::copy_n(destination.ip.bytes.begin(), width, input.begin() + width);
  store_be16(input.data() + 2 * width, source.port);
  store_be16(input.data() + 2 * width + 2, destination.port);
  return toeplitz_hash(key, std::span(input).first(2 * width + 4));
}

}  // namespace millrace::io
