// SPDX-License-Identifier: Apache-2.0
#include "io/net/net_options.h"

#include <algorithm>
#include <charconv>

#include "io/net/neighbour_table.h"
#include "io/net/wire.h"

namespace millrace::io {
namespace {

using Fault = std::optional<NetError>;

NetError fault(std::string message) { return {std::move(message)}; }

constexpr std::size_t kMinMtuV4 = 576;   // RFC 791 §3.2: what every host takes.
constexpr std::size_t kMinMtuV6 = 1280;  // RFC 8200 §5.
constexpr std::size_t kMaxMtu = 9216;
constexpr std::size_t kMaxNeighbours = 32768;
constexpr std::size_t kMaxNextHops = 1u << 20;
constexpr unsigned kMaxAttempts = 8;

bool is_usable(const IpAddress& ip) {
  return ip.family != IpAddress::Family::kNone && !ip.is_unspecified() && !ip.is_loopback() &&
         !is_multicast(ip) && !is_v4_mapped(ip) &&
         !(ip.is_v4() && (ip.bytes[0] == 0 || ip.bytes[0] >= 0xf0));
}

Fault check_addresses(const NetOptions& options) {
  if (options.addresses.empty()) return fault("no address of its own");
  if (options.addresses.size() > NetOptions::kMaxAddresses) {
    return fault(std::to_string(options.addresses.size()) +
                 " addresses: " + std::to_string(NetOptions::kMaxAddresses) + " at most");
  }
  for (auto prefix = options.addresses.begin(); prefix != options.addresses.end(); ++prefix) {
    if (!is_usable(prefix->address)) {
      return fault("address " + prefix->to_string() + ": not one that a host can have");
    }
    // A link-local prefix holds link-local addresses alone (RFC 4291 §2.4).
    const unsigned least = is_link_local_v6(prefix->address) ? 10 : 1;
    if (prefix->bits < least || prefix->bits > (prefix->address.is_v4() ? 32 : 128)) {
      return fault("address " + prefix->to_string() + ": no such prefix length");
    }
    if (prefix->is_broadcast(prefix->address)) {
      return fault("address " + prefix->to_string() + ": the broadcast address of its prefix");
    }
    if (std::any_of(options.addresses.begin(), prefix,
                    [&](const IpPrefix& other) { return other.address == prefix->address; })) {
      return fault("address " + prefix->to_string() + ": given twice");
    }
  }
  return std::nullopt;
}

Fault check_gateways(const NetOptions& options) {
  for (auto gateway = options.gateways.begin(); gateway != options.gateways.end(); ++gateway) {
    if (!is_usable(*gateway)) {
      return fault("gateway " + gateway->to_string() + ": not an address that a router can have");
    }
    if (std::any_of(options.gateways.begin(), gateway,
                    [&](const IpAddress& other) { return other.family == gateway->family; })) {
      return fault("gateway " + gateway->to_string() + ": the second of its family");
    }
    const bool on_link =
        is_link_local_v6(*gateway) ||
        std::any_of(options.addresses.begin(), options.addresses.end(),
                    [&](const IpPrefix& prefix) { return prefix.contains(*gateway); }) ||
        std::any_of(options.static_neighbours.begin(), options.static_neighbours.end(),
                    [&](const StaticNeighbour& one) { return one.ip.bytes == gateway->bytes; });
    // Without an address of the family nothing could be sent there.
    if (std::none_of(
            options.addresses.begin(), options.addresses.end(),
            [&](const IpPrefix& prefix) { return prefix.address.family == gateway->family; })) {
      return fault("gateway " + gateway->to_string() + ": no address of our own of its family");
    }
    const bool own =
        std::any_of(options.addresses.begin(), options.addresses.end(),
                    [&](const IpPrefix& prefix) { return prefix.address.bytes == gateway->bytes; });
    if (!on_link) {
      return fault("gateway " + gateway->to_string() +
                   ": in no prefix of the addresses, and no static neighbour");
    }
    if (own) return fault("gateway " + gateway->to_string() + ": is an address of our own");
  }
  return std::nullopt;
}

Fault check_neighbours(const NetOptions& options) {
  const NeighbourOptions& table = options.neighbours;
  if (table.max_neighbours == 0 || table.max_neighbours > kMaxNeighbours) {
    return fault(std::to_string(table.max_neighbours) + " neighbours: 1 to " +
                 std::to_string(kMaxNeighbours));
  }
  if (table.max_parked_each == 0 || table.max_parked_each > NeighbourTable::kMaxParkedEach) {
    return fault(std::to_string(table.max_parked_each) + " frames to wait for a neighbour: 1 to " +
                 std::to_string(NeighbourTable::kMaxParkedEach));
  }
  if (table.max_attempts == 0 || table.max_attempts > kMaxAttempts) {
    return fault(std::to_string(table.max_attempts) + " attempts to resolve a neighbour: 1 to " +
                 std::to_string(kMaxAttempts));
  }
  constexpr Duration kLongest = std::chrono::hours(24);
  for (const Duration duration : {table.reachable_time, table.idle_time, table.retransmit_time,
                                  table.failure_hold, table.min_change_interval}) {
    if (duration <= Duration::zero() || duration > kLongest) {
      return fault("a neighbour's time of " + std::to_string(duration.count()) +
                   " ns: above 0, at most a day");
    }
  }
  return std::nullopt;
}

Fault check_static_neighbours(const NetOptions& options) {
  const auto& all = options.static_neighbours;
  for (auto one = all.begin(); one != all.end(); ++one) {
    const std::string name =
        "static neighbour " + one->ip.to_string() + " at " + one->mac.to_string();
    if (!is_usable(one->ip) || !one->mac.is_station()) {
      return fault(name + ": not an address that a station can have");
    }
    const auto same = [&](const IpAddress& ip) {
      return ip.family == one->ip.family && ip.bytes == one->ip.bytes;
    };
    if (std::any_of(all.begin(), one, [&](const StaticNeighbour& it) { return same(it.ip); })) {
      return fault(name + ": given twice");
    }
    if (std::any_of(options.addresses.begin(), options.addresses.end(),
                    [&](const IpPrefix& own) { return same(own.address); })) {
      return fault(name + ": is an address of our own");
    }
    // Without an address of the family nothing could be sent there.
    if (std::none_of(options.addresses.begin(), options.addresses.end(),
                     [&](const IpPrefix& own) { return own.address.family == one->ip.family; })) {
      return fault(name + ": no address of our own of its family");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> ip = IpAddress::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  IpPrefix prefix{*ip, ip->is_v4() ? 32u : 128u};
  if (slash == std::string_view::npos) return prefix;
  const std::string_view length = text.substr(slash + 1);
  const unsigned most = prefix.bits;
  const auto [end, error] =
      std::from_chars(length.data(), length.data() + length.size(), prefix.bits);
  if (length.empty() || error != std::errc() || end != length.data() + length.size() ||
      prefix.bits > most) {
    return std::nullopt;
  }
  return prefix;
}

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.family != address.family) return false;
  const std::size_t whole = bits / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<int>(whole),
                  other.bytes.begin())) {
    return false;
  }
  const unsigned rest = bits % 8;
  return rest == 0 || ((address.bytes[whole] ^ other.bytes[whole]) >> (8 - rest)) == 0;
}

bool IpPrefix::is_broadcast(const IpAddress& other) const {
  if (!other.is_v4() || bits >= 31 || !contains(other)) return false;
  const std::uint32_t hosts = UINT32_MAX >> bits;
  return (load_be32(other.bytes.data()) & hosts) == hosts;
}

std::string IpPrefix::to_string() const { return address.to_string() + "/" + std::to_string(bits); }

std::optional<NetError> check_options(const NetOptions& options) {
  if (!options.mac.is_station()) {
    return fault("MAC address " + options.mac.to_string() + ": not one that a station can have");
  }
  if (options.vlan && (*options.vlan == 0 || *options.vlan >= kVlanIdMask)) {
    return fault("VLAN " + std::to_string(*options.vlan) + ": 1 to 4094");
  }
  const bool v6 = std::any_of(options.addresses.begin(), options.addresses.end(),
                              [](const IpPrefix& prefix) { return prefix.address.is_v6(); });
  const std::size_t least = v6 ? kMinMtuV6 : kMinMtuV4;
  if (options.mtu < least || options.mtu > kMaxMtu) {
    return fault("MTU " + std::to_string(options.mtu) + ": " + std::to_string(least) + " to " +
                 std::to_string(kMaxMtu));
  }
  if (options.hop_limit == 0) return fault("hop limit 0: 1 to 255");
  if (options.max_next_hops == 0 || options.max_next_hops > kMaxNextHops) {
    return fault(std::to_string(options.max_next_hops) + " next hops: 1 to " +
                 std::to_string(kMaxNextHops));
  }
  if (Fault found = check_addresses(options)) return found;
  if (Fault found = check_gateways(options)) return found;
  if (Fault found = check_static_neighbours(options)) return found;
  return check_neighbours(options);
}

}  // namespace millrace::io
