// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"

namespace millrace::sdp {

// FingerprintHash lists the hash functions that a certificate may be known by. SHA-1 and
// MD5 are not among them (RFC 8122 §5 leaves the set to the verifier).
enum class FingerprintHash : std::uint8_t { kSha256, kSha384, kSha512 };

// fingerprint_hash_name returns "sha-256", "sha-384" or "sha-512".
std::string_view fingerprint_hash_name(FingerprintHash hash);
std::optional<FingerprintHash> fingerprint_hash_of(std::string_view name);  // Any case.

// Fingerprint is the digest of a peer's certificate, as a=fingerprint states it.
struct Fingerprint {
  FingerprintHash hash = FingerprintHash::kSha256;
  std::array<std::uint8_t, 64> digest{};

  std::size_t size() const { return 32 + 16 * static_cast<std::size_t>(hash); }
  ByteSpan bytes() const { return ByteSpan(digest).first(size()); }
  std::string to_string() const;  // "sha-256 0A:1B:...".

  // Parses "sha-256 0A:1B:...". Returns nothing unless the hash is known and the digest
  // has its length.
  static std::optional<Fingerprint> parse(std::string_view text);

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

}  // namespace millrace::sdp
