// SPDX-License-Identifier: Apache-2.0
#include "test/interop/millrace_traffic.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "engine/base/bytes.h"

namespace millrace::interop {
namespace {

constexpr std::size_t kBlockBytes = 65521;  // A prime: fragments that swap never match.
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// Lengths in characters and in bytes must not be confused.
constexpr char kSpecial[] = "\xc3\xa9\xe2\x88\x9a\xf0\x9f\x98\x80";
constexpr std::size_t kSpecialAt = 8;
constexpr std::size_t kSpecialFrom = 32;

std::uint32_t mix(std::uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352d;
  x = (x ^ x >> 15) * 0x846ca68b;
  return x ^ x >> 16;
}

}  // namespace

Traffic::Traffic(std::uint32_t seed, std::size_t max_size, bool empties, bool fixed)
    : seed_(seed), max_size_(max_size), empties_(empties), fixed_(fixed) {
  std::uint32_t state = mix(seed) | 1;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    binary_.push_back(static_cast<char>(state >> 24));
    text_.push_back(kAlphabet[state >> 24 & 63]);
  }
}

std::uint32_t Traffic::random(std::size_t index) const {
  return mix(seed_ ^ mix(static_cast<std::uint32_t>(index) + 1));
}

std::size_t Traffic::size(std::size_t index) const {
  if (fixed_) return max_size_;
  const std::uint32_t random = this->random(index);
  const std::size_t place = index % 100;
  if (place == 25 || place == 40) return empties_ ? 0 : 1;
  if (place == 26 || place == 41) return 1;
  if (place == 50 || place == 51) return max_size_;
  if (index % 40 == 3) return 1 + random % max_size_;
  const std::uint32_t power = std::uint32_t{1} << (random % 14);
  return std::min<std::size_t>(power + (random >> 8) % power, max_size_);
}

Message Traffic::message(std::size_t index) const {
  Message message{index, index % 2 == 0, {}, {}};
  const std::size_t size = this->size(index);
  const std::string& block = message.text ? text_ : binary_;
  message.data = block.substr(random(index) % kBlockBytes, size);
  while (message.data.size() < size) message.data.append(block, 0, size - message.data.size());
  if (size >= kTagged && message.text) {
    char tag[kTagged + 1];
    std::snprintf(tag, sizeof(tag), "%08zx", index);
    message.data.replace(0, kTagged, tag);
  } else if (size >= kTagged) {
    store_be32(reinterpret_cast<std::uint8_t*>(message.data.data()),
               static_cast<std::uint32_t>(index));
  }
  if (message.text && size >= kSpecialFrom) {
    message.data.replace(kSpecialAt, sizeof(kSpecial) - 1, kSpecial);
  }
  return message;
}

std::optional<std::size_t> tag_of(bool text, const std::string& data) {
  if (data.size() < kTagged) return std::nullopt;
  if (!text) return load_be32(reinterpret_cast<const std::uint8_t*>(data.data()));
  std::size_t tag = 0;
  const auto [rest, error] = std::from_chars(data.data(), data.data() + kTagged, tag, 16);
  if (error != std::errc() || rest != data.data() + kTagged) return std::nullopt;
  return tag;
}

}  // namespace millrace::interop
