// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::http {

// Sessions and cursors are written as 16 hexadecimal digits, never as JSON numbers: those end
// at 2^53 for many readers.
inline constexpr std::size_t kHexIdDigits = 16;

inline std::string hex_id(std::uint64_t id) {
  std::string text(kHexIdDigits, '0');
  for (std::size_t i = kHexIdDigits; i-- > 0; id >>= 4) text[i] = "0123456789abcdef"[id & 15];
  return text;
}

inline std::optional<std::uint64_t> parse_hex_id(std::string_view text) {
  std::uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id, 16);
  if (text.size() != kHexIdDigits || error != std::errc() || rest != end) return std::nullopt;
  return id;
}

}  // namespace millrace::http
