// SPDX-License-Identifier: Apache-2.0
#include "io/net/own_addresses.h"

#include <algorithm>

#include "io/net/wire.h"

namespace millrace::io {

OwnAddresses::OwnAddresses(std::span<const IpPrefix> addresses, bool loops_back)
    : loops_back_(loops_back) {
  const auto words = [](const IpAddress& ip) {
    return Words{load_be64(ip.bytes.data()), load_be64(ip.bytes.data() + 8)};
  };
  for (const IpPrefix& own : addresses) {
    if (own.address.is_v4()) {
      const std::uint32_t ip = load_be32(own.address.bytes.data());
      v4_.push_back(ip);
      if (own.bits < 31) broadcasts_.push_back(ip | UINT32_MAX >> own.bits);
      continue;
    }
    v6_.push_back(words(own.address));
    for (const IpAddress& group : {solicited_node(own.address), all_nodes()}) {
      groups_.push_back(words(group));
      group_macs_.push_back(multicast_mac(group));
    }
  }
}

bool OwnAddresses::owns(const IpAddress& ip) const {
  if (ip.is_v4()) return owns_v4(ip.bytes.data());
  return ip.is_v6() && owns_v6(ip.bytes.data());
}

bool OwnAddresses::owns_group(const MacAddress& mac) const {
  return std::find(group_macs_.begin(), group_macs_.end(), mac) != group_macs_.end();
}

bool OwnAddresses::is_martian_v4(const std::uint8_t* p) const {
  // Networks 0 and 127, and what begins at 224: multicast, reserved, broadcast.
  if (p[0] == 0 || p[0] == 127 || p[0] >= 0xe0) return true;
  const std::uint32_t ip = load_be32(p);
  for (const std::uint32_t one : broadcasts_) {
    if (one == ip) return true;
  }
  return !loops_back_ && owns_v4(p);
}

bool OwnAddresses::is_martian_v6(const std::uint8_t* p) const {
  if (p[0] == 0xff) return true;
  if (load_be64(p) == 0) {
    // ::1, and ::ffff:0:0/96, IPv4-mapped (RFC 4291 §2.5.5.2), which is never on a wire.
    const std::uint64_t low = load_be64(p + 8);
    if (low == 1 || low >> 32 == 0xffff) return true;
  }
  return !loops_back_ && owns_v6(p);
}

}  // namespace millrace::io
