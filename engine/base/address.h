// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// IpAddress is an IPv4 or IPv6 address without a port. IPv4 uses the first four bytes
// of `bytes`, the rest are zero; an IPv4-mapped IPv6 address is never stored: whoever
// reads one from the kernel stores the IPv4 address inside it.
struct IpAddress {
  enum class Family : std::uint8_t { kNone = 0, kV4 = 4, kV6 = 6 };

  std::array<std::uint8_t, 16> bytes{};
  std::uint32_t scope_id = 0;  // Link-local IPv6 only.
  Family family = Family::kNone;

  static IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
  // Parses a numeric address, IPv6 with or without brackets and %scope. No name look-up.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return family == Family::kV4; }
  bool is_v6() const { return family == Family::kV6; }
  [[gnu::always_inline]] bool is_unspecified() const { return (words()[0] | words()[1]) == 0; }
  bool is_loopback() const;
  std::string to_string() const;  // IPv6 without brackets.
  [[gnu::always_inline]] std::array<std::uint64_t, 2> words() const {
    return std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
  }

  // Each packet's is compared: word by word, where the default, and that of arrays, calls memcmp.
  [[gnu::always_inline]] friend bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.words()[0] == b.words()[0] && a.words()[1] == b.words()[1] &&
           a.scope_id == b.scope_id && a.family == b.family;
  }
};

// Address is an IP address and a UDP or TCP port in host byte order.
struct Address {
  IpAddress ip;
  std::uint16_t port = 0;

  // Parses "127.0.0.1:80", "[::1]:80". Returns nothing for anything else.
  static std::optional<Address> parse(std::string_view text);
  std::string to_string() const;  // "127.0.0.1:80", "[::1]:80".

  [[gnu::always_inline]] friend bool operator==(const Address& a, const Address& b) {
    return a.ip == b.ip && a.port == b.port;
  }
};

}  // namespace millrace
