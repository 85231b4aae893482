// SPDX-License-Identifier: Apache-2.0
//
// What reading and writing a STUN message have in common (RFC 8489 §5, §14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/bytes.h"

namespace millrace::ice {

inline constexpr std::size_t kAttributeHeaderBytes = 4;
inline constexpr std::size_t kIntegrityBytes = 20;
inline constexpr std::uint32_t kFingerprintXor = 0x5354554e;  // "STUN", RFC 8489 §14.7.

// Attributes begin at multiples of four bytes.
constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

inline ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace millrace::ice
