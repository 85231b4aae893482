// SPDX-License-Identifier: Apache-2.0
#include "crypto/fingerprint.h"

#include <openssl/digest.h>
#include <openssl/mem.h>

#include <algorithm>

namespace millrace::crypto {
namespace {

struct NamedHash {
  HashAlgorithm algorithm;
  std::string_view name;  // RFC 8122 §5.
  std::uint8_t bytes;
};
constexpr std::array<NamedHash, 3> kHashes = {{
    {HashAlgorithm::kSha256, "sha-256", 32},
    {HashAlgorithm::kSha384, "sha-384", 48},
    {HashAlgorithm::kSha512, "sha-512", 64},
}};

const NamedHash& entry_of(HashAlgorithm algorithm) {
  return kHashes[static_cast<std::size_t>(algorithm)];
}

const EVP_MD* digest_of(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha256:
      return EVP_sha256();
    case HashAlgorithm::kSha384:
      return EVP_sha384();
    case HashAlgorithm::kSha512:
      break;
  }
  return EVP_sha512();
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (lower(c) >= 'a' && lower(c) <= 'f') return static_cast<std::uint8_t>(lower(c) - 'a' + 10);
  return std::nullopt;
}

}  // namespace

Fingerprint Fingerprint::of(HashAlgorithm algorithm, ByteSpan der) {
  Fingerprint print;
  print.algorithm = algorithm;
  unsigned length = 0;
  CHECK(EVP_Digest(der.data(), der.size(), print.bytes.data(), &length, digest_of(algorithm),
                   nullptr) == 1);
  CHECK(length == entry_of(algorithm).bytes);
  print.size = static_cast<std::uint8_t>(length);
  return print;
}

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view name = text.substr(0, space);
  const std::string_view digits = text.substr(space + 1);
  const auto hash = std::find_if(kHashes.begin(), kHashes.end(), [name](const NamedHash& known) {
    return equal_ignoring_case(known.name, name);
  });
  if (hash == kHashes.end()) return std::nullopt;
  if (digits.size() != hash->bytes * std::size_t{3} - 1) return std::nullopt;
  Fingerprint print;
  print.algorithm = hash->algorithm;
  print.size = hash->bytes;
  for (std::size_t i = 0; i < hash->bytes; ++i) {
    const auto high = digit(digits[i * 3]);
    const auto low = digit(digits[i * 3 + 1]);
    if (!high || !low) return std::nullopt;
    if (i + 1 < hash->bytes && digits[i * 3 + 2] != ':') return std::nullopt;
    print.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return print;
}

std::string Fingerprint::to_string() const {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text(entry_of(algorithm).name);
  char separator = ' ';
  for (const std::uint8_t byte : digest()) {
    text += separator;
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
    separator = ':';
  }
  return text;
}

bool Fingerprint::matches(ByteSpan der) const {
  if (size != entry_of(algorithm).bytes) return false;
  const Fingerprint actual = of(algorithm, der);
  return CRYPTO_memcmp(actual.bytes.data(), bytes.data(), size) == 0;
}

bool matches_any(const std::vector<Fingerprint>& expected, ByteSpan der) {
  HashAlgorithm strongest = HashAlgorithm::kSha256;
  for (const Fingerprint& print : expected) strongest = std::max(strongest, print.algorithm);
  // RFC 8122 §5.1: a match with a weaker hash does not count.
  return std::any_of(expected.begin(), expected.end(), [&](const Fingerprint& print) {
    return print.algorithm == strongest && print.matches(der);
  });
}

}  // namespace millrace::crypto
