// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/base/address.h"
#include "engine/base/bytes.h"
#include "io/net/checksum.h"
#include "io/net/mac_address.h"
#include "io/net/net_options.h"

namespace millrace::io {

inline constexpr std::size_t kEthernetBytes = 14;
inline constexpr std::size_t kVlanTagBytes = 4;
inline constexpr std::size_t kIpv4Bytes = 20;
inline constexpr std::size_t kIpv6Bytes = 40;
inline constexpr std::size_t kUdpBytes = 8;
// Headroom that every datagram's headers fit in.
inline constexpr std::size_t kMaxHeaderBytes =
    kEthernetBytes + kVlanTagBytes + kIpv6Bytes + kUdpBytes;

// UdpSend is what differs between datagrams of one NextHop.
struct UdpSend {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t tos = 0;  // Traffic class: DSCP and the two bits of ECN.
  // Of an IPv4 datagram that routers may fragment, where their links carry less than ours;
  // 0: none may (DF). IPv6 has none such.
  std::uint16_t fragment_id = 0;
};

// HopTemplate is what a NextHop is made from; the addresses are of one family.
struct HopTemplate {
  IpAddress source;
  IpAddress destination;
  MacAddress source_mac;
  MacAddress destination_mac;
  bool resolved = false;
  std::optional<std::uint16_t> vlan;
  std::uint8_t hop_limit = 64;
  std::size_t mtu = 1500;
  bool ip_offload = false;
  UdpChecksum udp_checksum = UdpChecksum::kLayer;  // kNone: over IPv4 alone.
};

// NextHop is everything about the way from one local address to one remote address: the
// prepared Ethernet, IP and UDP headers, and sums over what does not change in them.
class NextHop {
 public:
  // False while the neighbour's MAC address is not known: write the headers, and park the
  // frame (`NetLayer::park`).
  bool resolved() const { return resolved_; }
  // Bytes in front of the payload: 42 (IPv4) or 62 (IPv6), and 4 more with a VLAN tag.
  std::size_t header_bytes() const { return header_bytes_; }
  // The largest UDP payload that the device's MTU allows.
  std::size_t max_payload() const { return max_payload_; }
  bool is_v6() const { return is_v6_; }

  // Writes the headers to `frame`; the payload of `payload_bytes`, at most `max_payload()`,
  // lies right behind them, and is read where the layer makes UDP's checksum.
  void write_headers(std::uint8_t* frame, const UdpSend& send, std::size_t payload_bytes) const;
  // The same for a payload that lies elsewhere, or in pieces: `payload` is its sum, and is
  // not looked at where the layer does not make the checksum.
  void write_headers(std::uint8_t* frame, const UdpSend& send, std::size_t payload_bytes,
                     ChecksumSum payload) const;
  bool wants_payload_sum() const { return udp_checksum_ == UdpChecksum::kLayer; }
  UdpChecksum udp_checksum() const { return udp_checksum_; }
  // The device makes the IPv4 header's.
  bool ip_offload() const { return ip_offload_; }

  // Who the frame goes to, for NetLayer: an index in its neighbour table and what that was
  // like when the headers were made.
  std::uint32_t neighbour = 0;
  std::uint32_t generation = 0;

 private:
  friend NextHop make_next_hop(const HopTemplate& from);

  std::array<std::uint8_t, kMaxHeaderBytes> header_{};
  std::uint8_t header_bytes_ = 0;
  std::uint8_t ip_at_ = 0;  // Where the IP header begins.
  bool resolved_ = false;
  bool is_v6_ = false;
  bool ip_offload_ = false;
  UdpChecksum udp_checksum_ = UdpChecksum::kLayer;
  std::uint16_t max_payload_ = 0;
  ChecksumSum ip_sum_;      // The IPv4 header with length and TOS zero.
  ChecksumSum pseudo_sum_;  // Addresses and protocol.
};

// make_next_hop prepares the headers.
NextHop make_next_hop(const HopTemplate& from);

}  // namespace millrace::io
