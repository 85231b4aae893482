// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/time.h"
#include "io/net/mac_address.h"

namespace millrace::io {

// IpPrefix is an address of the layer's own and the length of the on-link prefix around it.
struct IpPrefix {
  IpAddress address;
  unsigned bits = 0;

  // Parses "192.0.2.1/24", "2001:db8::1/64"; without a length the address stands alone.
  static std::optional<IpPrefix> parse(std::string_view text);
  // True if `other` is of the family and lies within the prefix.
  bool contains(const IpAddress& other) const;
  // True if `other` is the last address of an IPv4 prefix, which means everybody in it
  // (RFC 919 §7); of /31 and /32 none is (RFC 3021).
  bool is_broadcast(const IpAddress& other) const;
  std::string to_string() const;
};

// NeighbourOptions bound the neighbour table and pace its questions. The defaults of time are
// those of RFC 4861 §10; ARP follows the same states.
struct NeighbourOptions {
  std::size_t max_neighbours = 1024;      // 1 to 32768, beside the static ones.
  std::size_t max_unresolved = 256;       // Of these, at once; an address scan takes no more.
  std::size_t max_parked = 256;           // Frames that wait, for all neighbours.
  std::size_t max_parked_each = 8;        // For one; 1 to 8.
  Duration reachable_time = seconds(30);  // Jittered by half of it (RFC 4861 §6.3.2).
  Duration retransmit_time = seconds(1);  // Doubles with each attempt.
  unsigned max_attempts = 3;
  Duration idle_time = seconds(600);          // Forgotten when not used for so long.
  Duration failure_hold = seconds(5);         // Silence towards one that did not answer.
  Duration min_change_interval = seconds(1);  // Between changes of one's MAC address.
};

// StaticNeighbour is an address whose MAC is known for good.
struct StaticNeighbour {
  IpAddress ip;
  MacAddress mac;
};

// UdpChecksum is who makes UDP's checksum of what is sent.
enum class UdpChecksum : std::uint8_t {
  kLayer,
  kDevice,
  // Nobody: the field is zero, as RFC 768 allows over IPv4. Over IPv6 the layer makes it, for
  // there it must not be missing (RFC 8200 §8.1).
  kNone,
};

// NetOptions are the settings of one network layer.
struct NetOptions {
  MacAddress mac;
  std::optional<std::uint16_t> vlan;  // 1 to 4094; none: untagged, or tagged with 0.
  std::size_t mtu = 1500;             // An IP packet's bytes, 1280 (IPv4 alone: 576) to 9216.
  // At least one, at most kMaxAddresses. IPv6's link-local address is added from the MAC
  // where none is given and there is another IPv6 address.
  std::vector<IpPrefix> addresses;
  std::vector<IpAddress> gateways;  // At most one of each family; on-link, or static neighbours.
  std::vector<StaticNeighbour> static_neighbours;
  NeighbourOptions neighbours;
  // The device fills in the IPv4 header's checksum, which is left zero.
  bool ip_offload = false;
  // Where the device makes it, the field holds the pseudo-header's sum, length included.
  UdpChecksum udp_checksum = UdpChecksum::kLayer;
  std::size_t max_next_hops = 8192;  // Destinations with a template; rounded up.
  std::uint8_t hop_limit = 64;
  unsigned echo_per_second = 100;  // Echo requests answered; 0: none.
  // ARP requests and neighbour solicitations answered; 0: none.
  unsigned answers_per_second = 1000;
  unsigned path_mtu_per_second = 1000;  // Routers' words on packets too large; 0: none.
  // Announces the addresses at the start. Of several layers with one address (one to a
  // queue), one does.
  bool announces = true;
  // The device gives back what it is sent (net_ring): own addresses are reachable, and come
  // as sources.
  bool loops_back = false;

  static constexpr std::size_t kMaxAddresses = 8;
};

// NetError is why options are refused: one line that names the value at fault.
struct NetError {
  std::string message;
};

// check_options returns what is wrong with them, if anything is.
std::optional<NetError> check_options(const NetOptions& options);

}  // namespace millrace::io
