// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/address.h"
#include "engine/base/siphash.h"

namespace millrace::engine {

// LocalScope tells apart the local sockets whose peers are counted separately: 0 where all
// shards share one UDP port, else a number that the engine gives each local port.
using LocalScope = std::uint16_t;

// KeyWords is a key of any kind as three words.
using KeyWords = std::array<std::uint64_t, 3>;

// AddressKey is a peer's address as seen from a local scope.
class AddressKey {
 public:
  AddressKey() = default;
  explicit AddressKey(const Address& remote, LocalScope scope = 0);

  const KeyWords& words() const { return words_; }
  std::uint64_t hash(const SipKey& key) const { return hash_words(key, words_); }
  static std::uint64_t hash_words(const SipKey& key, const KeyWords& words) {
    // An IPv4 key differs from others in its first word alone.
    if (words[2] == kV4Mark) return siphash_words<1, 3>(key, std::array{words[0]});
    return siphash_words<1, 3>(key, words);
  }
  friend bool operator==(const AddressKey&, const AddressKey&) = default;

 private:
  // The last eight bytes of ::ffff:0.0.0.0, as loaded: no IPv6 key has them, for an
  // IpAddress is never IPv4-mapped.
  static constexpr std::uint64_t kV4Mark = 0x0000ffff00000000;

  // port | scope << 16 | (IPv4 address or IPv6 scope id) << 32; then the IPv6 address.
  KeyWords words_{};
};

// UfragKey is the ICE user-name fragment that we gave a session: 1 to kMaxBytes bytes,
// where RFC 8839 §5.4 allows 256; ours are never longer.
class UfragKey {
 public:
  static constexpr std::size_t kMaxBytes = 23;

  // Nothing for an empty or longer text: no session of ours has it.
  static std::optional<UfragKey> parse(std::string_view ufrag);

  const KeyWords& words() const { return words_; }
  std::uint64_t hash(const SipKey& key) const { return hash_words(key, words_); }
  static std::uint64_t hash_words(const SipKey& key, const KeyWords& words) {
    return siphash_words<1, 3>(key, words);
  }
  friend bool operator==(const UfragKey&, const UfragKey&) = default;

 private:
  KeyWords words_{};  // Length byte, then the text, padded with zeros.
};

}  // namespace millrace::engine
