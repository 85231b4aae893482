// SPDX-License-Identifier: Apache-2.0
#include "io/net/wire.h"

#include <algorithm>

#include "io/net/next_hop.h"

namespace millrace::io {

// IEEE 802.3, with the tag of 802.1Q (type 0x8100, priority 0 and id) before the type.
std::size_t write_ethernet(std::uint8_t* out, const MacAddress& to, const MacAddress& from,
                           std::optional<std::uint16_t> vlan, EtherType type) {
  std::copy(to.bytes.begin(), to.bytes.end(), out);
  std::copy(from.bytes.begin(), from.bytes.end(), out + 6);
  std::uint8_t* at = out + 12;
  if (vlan) {
    store_be16(at, static_cast<std::uint16_t>(EtherType::kVlan));
    store_be16(at + 2, *vlan);
    at += kVlanTagBytes;
  }
  store_be16(at, static_cast<std::uint16_t>(type));
  return static_cast<std::size_t>(at + 2 - out);
}

// RFC 791 §3.1:
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |Version|  IHL  |Type of Service|          Total Length         |
//  |         Identification        |Flags|      Fragment Offset    |
//  |  Time to Live |    Protocol   |         Header Checksum       |
//  |                       Source Address                          |
//  |                    Destination Address                        |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
std::size_t write_ipv4(std::uint8_t* out, const IpAddress& source, const IpAddress& destination,
                       IpProtocol protocol, std::uint8_t ttl) {
  constexpr std::uint16_t kDontFragment = 0x4000;
  store_be32(out, 0x45000000);
  store_be16(out + 4, 0);
  store_be16(out + 6, kDontFragment);
  out[8] = ttl;
  out[9] = static_cast<std::uint8_t>(protocol);
  store_be16(out + 10, 0);
  std::copy_n(source.bytes.begin(), 4, out + 12);
  std::copy_n(destination.bytes.begin(), 4, out + 16);
  return kIpv4Bytes;
}

// RFC 8200 §3:
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |Version| Traffic Class |           Flow Label                  |
//  |         Payload Length        |  Next Header  |   Hop Limit   |
//  |                 Source Address (128 bits)                     |
//  |               Destination Address (128 bits)                  |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
std::size_t write_ipv6(std::uint8_t* out, const IpAddress& source, const IpAddress& destination,
                       IpProtocol next_header, std::uint8_t hop_limit) {
  store_be32(out, 0x60000000);
  store_be16(out + 4, 0);
  out[6] = static_cast<std::uint8_t>(next_header);
  out[7] = hop_limit;
  std::copy_n(source.bytes.begin(), 16, out + 8);
  std::copy_n(destination.bytes.begin(), 16, out + 24);
  return kIpv6Bytes;
}

std::size_t pad_frame(MutableByteSpan out, std::size_t bytes) {
  const std::size_t padded = std::max(bytes, std::min(kMinEthernetBytes, out.size()));
  std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(bytes), padded - bytes, std::uint8_t{0});
  return padded;
}

ChecksumSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                              IpProtocol protocol) {
  const std::size_t width = source.is_v4() ? 4 : 16;
  ChecksumSum sum = checksum_add(ChecksumSum{}, ByteSpan(source.bytes).first(width));
  sum = checksum_add(sum, ByteSpan(destination.bytes).first(width));
  return checksum_add(sum, static_cast<std::uint16_t>(protocol));
}

IpAddress load_ipv4(const std::uint8_t* p) { return IpAddress::v4(p[0], p[1], p[2], p[3]); }

IpAddress load_ipv6(const std::uint8_t* p) {
  IpAddress ip;
  ip.family = IpAddress::Family::kV6;
  std::copy_n(p, 16, ip.bytes.begin());
  return ip;
}

MacAddress load_mac(const std::uint8_t* p) {
  MacAddress mac;
  store_be48(mac.bytes.data(), load_be48(p));
  return mac;
}

bool is_multicast(const IpAddress& ip) {
  return ip.is_v4() ? (ip.bytes[0] & 0xf0) == 0xe0 : ip.bytes[0] == 0xff;
}

bool is_link_local_v6(const IpAddress& ip) {
  return ip.is_v6() && ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}

bool is_v4_mapped(const IpAddress& ip) {
  return ip.is_v6() && load_be64(ip.bytes.data()) == 0 && load_be32(ip.bytes.data() + 8) == 0xffff;
}

IpAddress solicited_node(const IpAddress& ip) {
  IpAddress group;
  group.family = IpAddress::Family::kV6;
  group.bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
  std::copy_n(ip.bytes.begin() + 13, 3, group.bytes.begin() + 13);
  return group;
}

MacAddress multicast_mac(const IpAddress& group) {
  return {{0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]}};
}

IpAddress link_local_of(const MacAddress& mac) {
  IpAddress ip;
  ip.family = IpAddress::Family::kV6;
  const auto flipped = static_cast<std::uint8_t>(mac.bytes[0] ^ 2);
  ip.bytes = {0xfe,
              0x80,
              0,
              0,
              0,
              0,
              0,
              0,
              flipped,
              mac.bytes[1],
              mac.bytes[2],
              0xff,
              0xfe,
              mac.bytes[3],
              mac.bytes[4],
              mac.bytes[5]};
  return ip;
}

IpAddress all_nodes() {
  IpAddress group;
  group.family = IpAddress::Family::kV6;
  group.bytes[0] = 0xff;
  group.bytes[1] = 0x02;
  group.bytes[15] = 0x01;
  return group;
}

}  // namespace millrace::io
