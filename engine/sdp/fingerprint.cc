// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/fingerprint.h"

#include "engine/sdp/text.h"

namespace millrace::sdp {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"sha-256", "sha-384", "sha-512"};
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  // RFC 8122 §5 writes upper case; some stacks do not.
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  return std::nullopt;
}

}  // namespace

std::string_view fingerprint_hash_name(FingerprintHash hash) {
  return kNames[static_cast<std::size_t>(hash)];
}

std::optional<FingerprintHash> fingerprint_hash_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(name, kNames[i])) return static_cast<FingerprintHash>(i);
  }
  return std::nullopt;
}

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
  const std::optional<FingerprintHash> hash = fingerprint_hash_of(next_word(text));
  const std::string_view hex = next_word(text);
  if (!hash || !next_word(text).empty()) return std::nullopt;
  Fingerprint fingerprint;
  fingerprint.hash = *hash;
  if (hex.size() != 3 * fingerprint.size() - 1) return std::nullopt;
  for (std::size_t i = 0; i < fingerprint.size(); ++i) {
    const std::optional<unsigned> high = hex_value(hex[3 * i]);
    const std::optional<unsigned> low = hex_value(hex[3 * i + 1]);
    const bool is_last = i + 1 == fingerprint.size();
    if (!high || !low || (!is_last && hex[3 * i + 2] != ':')) return std::nullopt;
    fingerprint.digest[i] = static_cast<std::uint8_t>(16 * *high + *low);
  }
  return fingerprint;
}

std::string Fingerprint::to_string() const {
  std::string text(fingerprint_hash_name(hash));
  char separator = ' ';
  for (const std::uint8_t byte : bytes()) {
    text += separator;
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
    separator = ':';
  }
  return text;
}

}  // namespace millrace::sdp
