// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::io {

// NetDrop is why a frame did not get through the network layer. None is an error: the
// frame is counted and forgotten.
enum class NetDrop : std::uint8_t {
  // Ethernet.
  kRxTruncated,  // Shorter than its headers, or than a length field claims.
  kRxVlan,       // Of another VLAN, or untagged where a tag is due.
  kRxNotOurMac,  // Unicast to another station, or a group that is not ours.
  kRxEtherType,  // Neither ARP, IPv4 nor IPv6.
  // IPv4 and IPv6.
  kRxIpMalformed,    // Version or header length.
  kRxIpChecksum,     // RFC 791 §3.1.
  kRxFragment,       // IPv4 or IPv6; nothing is reassembled.
  kRxIpOptions,      // An extension header that is unknown, or one too many.
  kRxNotOurAddress,  // To an address that is not the layer's own.
  kRxMartian,        // From an address that no host sends from.
  kRxProtocol,       // Neither UDP nor ICMP.
  // UDP.
  kRxUdpMalformed,  // A length that does not fit, or port 0.
  kRxUdpChecksum,   // Wrong, or zero over IPv6 (RFC 8200 §8.1).
  kRxUdpEmpty,      // No bytes in it.
  // ICMP, ICMPv6, neighbour discovery, ARP.
  kRxIcmpMalformed,  // Too short, or a quoted packet that is none of ours.
  kRxIcmpChecksum,
  kRxIcmpIgnored,        // A type that the layer has no use for.
  kRxEchoLimit,          // Echo requests above the rate.
  kRxPathMtuLimit,       // Routers' words on packets too large above the rate.
  kRxAnswerLimit,        // Questions for our MAC address above the rate.
  kRxReplyNoRoom,        // The caller's buffer is shorter than the answer.
  kRxArpMalformed,       // RFC 826: types, lengths, operation; or an impossible sender.
  kRxArpNotForUs,        // A request for an address that is not ours.
  kRxNdMalformed,        // RFC 4861 §7.1: hop limit, code, lengths, options.
  kRxNdNotForUs,         // A solicitation for a target that is not ours.
  kRxUnknownNeighbour,   // An answer for an address that nobody asked for.
  kRxNeighbourConflict,  // Claims a static neighbour's address, or one of ours.
  kRxNeighbourFlap,      // Would move an address again too soon.
  // Sending.
  kTxNoRoute,         // No prefix, gateway or source address for the destination.
  kTxTooBig,          // Above the MTU.
  kTxUnreachable,     // The neighbour does not answer.
  kTxNeighbourTable,  // No room for another neighbour.
  kTxParkedFull,      // More frames wait for the neighbour, or in all, than may.
  kCount,
};
inline constexpr std::size_t kNetDropCount = static_cast<std::size_t>(NetDrop::kCount);

// drop_name is the reason in snake_case, for metrics.
std::string_view drop_name(NetDrop reason);

// NetStats are counters since creation, of one layer; they only grow.
struct NetStats {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t rx_echo_requests = 0;      // Answered.
  std::uint64_t rx_arp = 0;                // Valid, and of use.
  std::uint64_t rx_nd = 0;                 // Valid, and of use.
  std::uint64_t rx_path_mtu = 0;           // "Fragmentation needed" and "packet too big".
  std::uint64_t rx_address_conflicts = 0;  // Another station uses an address of ours.
  std::uint64_t tx_solicitations = 0;      // ARP requests and neighbour solicitations.
  std::uint64_t tx_answers = 0;            // ARP replies and neighbour advertisements.
  std::uint64_t resolved = 0;              // Neighbours that answered when asked.
  std::uint64_t resolve_failures = 0;      // Neighbours that did not.
  std::uint64_t neighbours_displaced = 0;  // Given up for others, for want of room.
  std::uint64_t next_hop_misses = 0;       // Look-ups that built a header template.
  std::array<std::uint64_t, kNetDropCount> drops{};

  void drop(NetDrop reason, std::uint64_t frames = 1) {
    drops[static_cast<std::size_t>(reason)] += frames;
  }
  std::uint64_t dropped(NetDrop reason) const { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace millrace::io
