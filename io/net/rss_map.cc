// SPDX-License-Identifier: Apache-2.0
#include "io/net/rss_map.h"

#include <bit>

#include "io/net/rss_hash.h"

namespace millrace::io {
namespace {

// Both addresses, both ports, and the 32 bits of the hash itself.
constexpr std::size_t kKeyBytesV4 = 2 * 4 + 4 + 4;
constexpr std::size_t kKeyBytesV6 = 2 * 16 + 4 + 4;

}  // namespace

std::optional<RssMap> RssMap::make(RssSetUp set_up) {
  set_up.udp_v4 = set_up.udp_v4 && set_up.key.size() >= kKeyBytesV4;
  set_up.udp_v6 = set_up.udp_v6 && set_up.key.size() >= kKeyBytesV6;
  if (!std::has_single_bit(set_up.table.size()) || !(set_up.udp_v4 || set_up.udp_v6)) {
    return std::nullopt;
  }
  return RssMap(std::move(set_up));
}

std::optional<std::uint16_t> RssMap::queue_of(const Address& source,
                                              const Address& destination) const {
  if (source.ip.family != destination.ip.family) return std::nullopt;
  const bool hashed =
      (source.ip.is_v4() && set_up_.udp_v4) || (source.ip.is_v6() && set_up_.udp_v6);
  if (!hashed) return std::nullopt;
  const std::uint32_t hash = rss_hash(set_up_.key, source, destination);
  return set_up_.table[hash & (set_up_.table.size() - 1)];
}

}  // namespace millrace::io
