// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "io/net/mac_address.h"
#include "io/net/net_options.h"

namespace millrace::io {

// OwnAddresses tells what is addressed to this layer, and what may come from a host, at a few
// comparisons of whole words a frame.
class OwnAddresses {
 public:
  OwnAddresses() = default;
  // `loops_back`: own addresses may be sources.
  OwnAddresses(std::span<const IpPrefix> addresses, bool loops_back);

  bool owns(const IpAddress& ip) const;
  // Of addresses as they lie in a packet.
  bool owns_v4(const std::uint8_t* p) const {
    const std::uint32_t ip = load_be32(p);
    for (const std::uint32_t own : v4_) {
      if (own == ip) return true;
    }
    return false;
  }
  bool owns_v6(const std::uint8_t* p) const { return contains(v6_, p); }
  // The groups of neighbour discovery (RFC 4291 §2.8), and their MAC addresses.
  bool owns_group(const std::uint8_t* p) const { return contains(groups_, p); }
  bool owns_group(const MacAddress& mac) const;

  // True if no host has it for a source (RFC 1122 §3.2.1.3, RFC 4291 §2.5, §2.7). IPv6's
  // unspecified address is for the caller to judge.
  bool is_martian_v4(const std::uint8_t* p) const;
  bool is_martian_v6(const std::uint8_t* p) const;

 private:
  struct Words {
    std::uint64_t high;
    std::uint64_t low;
  };
  static bool contains(std::span<const Words> all, const std::uint8_t* p) {
    const std::uint64_t high = load_be64(p);
    const std::uint64_t low = load_be64(p + 8);
    for (const Words& one : all) {
      if (((one.high ^ high) | (one.low ^ low)) == 0) return true;
    }
    return false;
  }

  std::vector<std::uint32_t> v4_;
  std::vector<std::uint32_t> broadcasts_;
  std::vector<Words> v6_;
  std::vector<Words> groups_;
  std::vector<MacAddress> group_macs_;
  bool loops_back_ = false;
};

}  // namespace millrace::io
