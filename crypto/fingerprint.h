// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"

namespace millrace::crypto {

// HashAlgorithm is a hash that a fingerprint may use, weakest first. SHA-1, MD5 and
// MD2 are not among them: RFC 8122 §5 forbids the latter two, the first is broken.
enum class HashAlgorithm : std::uint8_t { kSha256, kSha384, kSha512 };

// Fingerprint is the hash of a certificate in DER (RFC 8122 §5).
struct Fingerprint {
  static constexpr std::size_t kMaxBytes = 64;

  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  std::uint8_t size = 0;  // 32, 48 or 64, as `algorithm` demands.
  std::array<std::uint8_t, kMaxBytes> bytes{};

  // Hashes a certificate in DER.
  static Fingerprint of(HashAlgorithm algorithm, ByteSpan der);

  // Parses the value of `a=fingerprint:`, as in "sha-256 AB:CD:…". The name of the hash
  // and the digits may be in either case, as some peers write them. Returns nothing for
  // another hash, a wrong number of bytes, or anything that follows them.
  static std::optional<Fingerprint> parse(std::string_view text);

  std::string to_string() const;  // "sha-256 AB:CD:…", digits in upper case.
  ByteSpan digest() const { return ByteSpan(bytes).first(size); }

  // Says, in time that depends on `algorithm` and the length of `der` alone, whether
  // this is the fingerprint of `der`.
  bool matches(ByteSpan der) const;

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

// matches_any says whether `der` has one of `expected`. RFC 8122 §5.1: only the set that
// uses the strongest hash among them counts. An empty list matches nothing.
bool matches_any(const std::vector<Fingerprint>& expected, ByteSpan der);

}  // namespace millrace::crypto
