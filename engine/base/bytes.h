// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "engine/base/check.h"

namespace millrace {

using ByteSpan = std::span<const std::uint8_t>;
using MutableByteSpan = std::span<std::uint8_t>;

// Network byte order, unaligned. The caller has checked the length.
inline std::uint16_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>((p[0] << 8) | p[1]);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap64(v);
}
inline std::uint64_t load_be48(const std::uint8_t* p) {
  return (std::uint64_t{load_be16(p)} << 32) | load_be32(p + 2);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof(v));
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof(v));
}
inline void store_be64(std::uint8_t* p, std::uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof(v));
}
inline void store_be48(std::uint8_t* p, std::uint64_t v) {
  store_be16(p, static_cast<std::uint16_t>(v >> 32));
  store_be32(p + 2, static_cast<std::uint32_t>(v));
}

// ByteReader walks a span and never reads past it. A read that does not fit returns
// nothing and leaves the reader where it was.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  std::size_t remaining() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  ByteSpan rest() const { return bytes_; }

  std::optional<std::uint8_t> u8() {
    if (bytes_.empty()) return std::nullopt;
    const std::uint8_t v = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return v;
  }
  std::optional<std::uint16_t> u16() {
    if (bytes_.size() < 2) return std::nullopt;
    const std::uint16_t v = load_be16(bytes_.data());
    bytes_ = bytes_.subspan(2);
    return v;
  }
  std::optional<std::uint32_t> u32() {
    if (bytes_.size() < 4) return std::nullopt;
    const std::uint32_t v = load_be32(bytes_.data());
    bytes_ = bytes_.subspan(4);
    return v;
  }
  std::optional<ByteSpan> take(std::size_t n) {
    if (bytes_.size() < n) return std::nullopt;
    const ByteSpan v = bytes_.first(n);
    bytes_ = bytes_.subspan(n);
    return v;
  }

 private:
  ByteSpan bytes_;
};

// CopyCounters counts the payload bytes that this thread has copied, by reason. A
// test proves from `in_order` that traffic in order is delivered without a copy.
struct CopyCounters {
  std::uint64_t send = 0;      // Caller's memory into the send buffer.
  std::uint64_t build = 0;     // Send buffer into an outgoing packet.
  std::uint64_t in_order = 0;  // Received payload of traffic in order; stays 0.
  std::uint64_t held = 0;      // Received payload copied out to free a large buffer.
};
CopyCounters& copy_counters();

// copy_payload is the one function through which payload bytes are copied; `counter`
// is a field of `copy_counters()`. The spans must be of equal size and not overlap.
inline void copy_payload(MutableByteSpan to, ByteSpan from, std::uint64_t& counter) {
  DCHECK(to.size() == from.size());
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  counter += from.size();
}

}  // namespace millrace
