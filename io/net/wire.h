// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "io/net/checksum.h"
#include "io/net/mac_address.h"

namespace millrace::io {

// The numbers and headers that the files of this folder share.

enum class EtherType : std::uint16_t {
  kIpv4 = 0x0800,
  kArp = 0x0806,
  kVlan = 0x8100,
  kIpv6 = 0x86dd
};
enum class IpProtocol : std::uint8_t {
  kHopByHop = 0,
  kIcmp = 1,
  kUdp = 17,
  kRouting = 43,
  kFragment = 44,
  kIcmpV6 = 58,
  kNoNext = 59,
  kDestination = 60,
};

inline constexpr std::size_t kMinEthernetBytes = 60;  // IEEE 802.3, without FCS.
inline constexpr std::uint16_t kVlanIdMask = 0x0fff;

// Each writes a header to `out`, and returns its bytes. What is known later (length, TOS,
// checksum) is zero. IPv4 has id 0 and DF (RFC 6864 §4.1: an atomic datagram's id is free).
std::size_t write_ethernet(std::uint8_t* out, const MacAddress& to, const MacAddress& from,
                           std::optional<std::uint16_t> vlan, EtherType type);
std::size_t write_ipv4(std::uint8_t* out, const IpAddress& source, const IpAddress& destination,
                       IpProtocol protocol, std::uint8_t ttl);
std::size_t write_ipv6(std::uint8_t* out, const IpAddress& source, const IpAddress& destination,
                       IpProtocol next_header, std::uint8_t hop_limit);

// pad_frame fills a frame of `bytes` up to Ethernet's least with zeros, as far as `out` has
// room, and returns its length: no driver then sends what lay there before.
std::size_t pad_frame(MutableByteSpan out, std::size_t bytes);

// pseudo_header_sum sums the pseudo-header of RFC 768 or RFC 8200 §8.1, but for the length.
ChecksumSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                              IpProtocol protocol);

// The address at `p` (4 or 16 bytes).
IpAddress load_ipv4(const std::uint8_t* p);
IpAddress load_ipv6(const std::uint8_t* p);
MacAddress load_mac(const std::uint8_t* p);
// The same into what is there. All sixteen bytes are one store, for whoever copies the
// address next reads them at once.
inline void assign_ipv4(IpAddress& ip, const std::uint8_t* p) {
  typedef std::uint64_t Pair __attribute__((vector_size(16), aligned(1), may_alias));
  const Pair pair = {__builtin_bswap32(load_be32(p)), 0};
  *reinterpret_cast<Pair*>(ip.bytes.data()) = pair;
  ip.scope_id = 0;
  ip.family = IpAddress::Family::kV4;
}

// Kinds of addresses; of either family where the name does not say.
bool is_multicast(const IpAddress& ip);
bool is_link_local_v6(const IpAddress& ip);
bool is_v4_mapped(const IpAddress& ip);  // RFC 4291 §2.5.5.2: never on a wire.
// RFC 4291 §2.7.1: ff02::1:ff and the last three bytes of `ip`.
IpAddress solicited_node(const IpAddress& ip);
// RFC 2464 §7: 33:33 and the last four bytes.
MacAddress multicast_mac(const IpAddress& group);
// RFC 2464 §4, §5: fe80:: and the modified EUI-64 of the MAC address.
IpAddress link_local_of(const MacAddress& mac);
// RFC 4291 §2.7.1: ff02::1.
IpAddress all_nodes();

}  // namespace millrace::io
