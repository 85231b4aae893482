// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::sdp {

// next_word cuts the first word off `rest`, at spaces. Empty when none is left.
inline std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const std::size_t end = std::min(rest.find(' ', begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

// parse_number reads decimal digits that fill `text` and fit the type; no sign, no space.
template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c + 0; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// quoted returns the beginning of hostile text in a form fit for a log line.
inline std::string quoted(std::string_view text) {
  constexpr std::size_t kMax = 40;
  std::string out = "\"";
  for (const char c : text.substr(0, kMax)) {
    out += (c >= ' ' && c <= '~' && c != '"' && c != '\\') ? c : '?';
  }
  out += text.size() > kMax ? "...\"" : "\"";
  return out;
}

}  // namespace millrace::sdp
