// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::io {

// MacAddress is an IEEE 802 48-bit address, in the order of the wire.
struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  // Parses "02:00:5e:10:00:01", digits in either case. Nothing for any other form.
  static std::optional<MacAddress> parse(std::string_view text);
  static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  std::string to_string() const;

  // The I/G bit: set for broadcast too.
  constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }
  constexpr bool is_zero() const { return *this == MacAddress{}; }
  // An address that one station can have: neither of the above.
  constexpr bool is_station() const { return !is_multicast() && !is_zero(); }

  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;
};

}  // namespace millrace::io
