// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "io/net/net_layer.h"

namespace millrace::io {
namespace {

// Enough for any packet that is honest; RFC 8504 §5.3 lets a host draw such lines.
constexpr std::size_t kMaxExtensionHeaders = 4;
constexpr std::size_t kMaxExtensionBytes = 256;

// RFC 8200 §4.2: an option that is not known, and whose type begins with other bits than 00,
// says that the packet is to be discarded. Only padding is known here.
bool may_skip_options(ByteSpan options) {
  constexpr std::uint8_t kPad1 = 0;
  constexpr std::uint8_t kAction = 0xc0;
  ByteReader reader(options);
  while (const auto type = reader.u8()) {
    if (*type == kPad1) continue;
    const auto length = reader.u8();
    if ((*type & kAction) != 0 || !length || !reader.take(*length)) return false;
  }
  return true;
}

// Walks the extension headers of `packet`, which begin at `at` with one of the kind `next`, to
// the upper layer's.
//
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |  Next Header  |  Hdr Ext Len  |  Options (8 * len + 6 bytes)  |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
NetDrop skip_extension_headers(ByteSpan packet, std::size_t& at, IpProtocol& next) {
  const std::size_t first = at;
  for (std::size_t headers = 0;; ++headers) {
    if (next == IpProtocol::kFragment) return NetDrop::kRxFragment;
    // RFC 8200 §4.3: hop-by-hop options come first or not at all.
    const bool hop_by_hop = next == IpProtocol::kHopByHop && headers == 0;
    if (!hop_by_hop && next != IpProtocol::kDestination) {
      const bool odd = next == IpProtocol::kHopByHop || next == IpProtocol::kRouting;
      return odd ? NetDrop::kRxIpOptions : NetDrop::kCount;
    }
    if (headers == kMaxExtensionHeaders) return NetDrop::kRxIpOptions;
    if (packet.size() - at < 2) return NetDrop::kRxTruncated;
    const std::size_t bytes = 8 * (std::size_t{packet[at + 1]} + 1);
    if (bytes > packet.size() - at) return NetDrop::kRxTruncated;
    if (at + bytes - first > kMaxExtensionBytes) return NetDrop::kRxIpOptions;
    if (!may_skip_options(packet.subspan(at + 2, bytes - 2))) return NetDrop::kRxIpOptions;
    next = static_cast<IpProtocol>(packet[at]);
    at += bytes;
  }
}

}  // namespace

RxVerdict NetLayer::drop(Frame& frame, NetDrop reason) {
  stats_.drop(reason);
  frame.out.drop = reason;
  return RxVerdict::kDropped;
}

bool NetLayer::owns(const IpAddress& ip) const {
  return std::any_of(options_.addresses.begin(), options_.addresses.end(),
                     [&](const IpPrefix& own) {
                       return own.address.family == ip.family && own.address.bytes == ip.bytes;
                     });
}

// The groups of neighbour discovery (RFC 4291 §2.8).
bool NetLayer::owns_group(const IpAddress& ip) const {
  if (ip.bytes == all_nodes().bytes) return true;
  return std::any_of(options_.addresses.begin(), options_.addresses.end(),
                     [&](const IpPrefix& own) {
                       return own.address.is_v6() && solicited_node(own.address).bytes == ip.bytes;
                     });
}

// RFC 1122 §3.2.1.3, RFC 4291 §2.5, §2.7: what may not be a source. The unspecified address
// is for its callers to judge.
bool NetLayer::is_martian(const IpAddress& ip) const {
  if (is_multicast(ip) || ip.is_loopback() || (owns(ip) && !options_.loops_back)) return true;
  if (ip.is_v4()) {
    return ip.bytes[0] == 0 || ip.bytes[0] >= 0xf0 ||
           std::any_of(options_.addresses.begin(), options_.addresses.end(),
                       [&](const IpPrefix& own) { return own.is_broadcast(ip); });
  }
  return is_v4_mapped(ip);
}

// Group addresses that a neighbour's questions come to.
bool NetLayer::is_for_us(const MacAddress& mac) const {
  if (mac == options_.mac || mac == MacAddress::broadcast()) return true;
  if (!mac.is_multicast()) return false;
  return std::any_of(
      options_.addresses.begin(), options_.addresses.end(), [&](const IpPrefix& own) {
        return own.address.is_v6() && (mac == multicast_mac(solicited_node(own.address)) ||
                                       mac == multicast_mac(all_nodes()));
      });
}

// IEEE 802.3 and 802.1Q:
//  | destination (6) | source (6) | [0x8100 (2) | priority, id (2)] | type (2) |
NetDrop NetLayer::read_ethernet(Frame& frame, EtherType& type) const {
  const ByteSpan bytes = frame.bytes;
  if (bytes.size() < kEthernetBytes) return NetDrop::kRxTruncated;
  std::copy_n(bytes.begin(), 6, frame.destination_mac.bytes.begin());
  std::copy_n(bytes.begin() + 6, 6, frame.source_mac.bytes.begin());
  type = static_cast<EtherType>(load_be16(bytes.data() + 12));
  std::size_t at = kEthernetBytes;
  std::uint16_t vlan = frame.flags.stripped_vlan.value_or(0) & kVlanIdMask;
  if (type == EtherType::kVlan) {
    // One tag: a second one, in the frame or taken out of it, is another network's.
    if (bytes.size() < kEthernetBytes + kVlanTagBytes) return NetDrop::kRxTruncated;
    if (vlan != 0) return NetDrop::kRxVlan;
    vlan = load_be16(bytes.data() + 14) & kVlanIdMask;
    type = static_cast<EtherType>(load_be16(bytes.data() + 16));
    at += kVlanTagBytes;
  }
  // IEEE 802.1Q §9.6: id 0 is no VLAN, the tag bears a priority only.
  if (vlan != options_.vlan.value_or(0)) return NetDrop::kRxVlan;
  if (!is_for_us(frame.destination_mac)) return NetDrop::kRxNotOurMac;
  if (!frame.source_mac.is_station()) return NetDrop::kRxMartian;
  frame.bytes = frame.bytes.subspan(at);
  return NetDrop::kCount;
}

NetDrop NetLayer::read_ipv4(Frame& frame) const {
  const ByteSpan packet = frame.bytes;
  if (packet.size() < kIpv4Bytes) return NetDrop::kRxTruncated;
  const std::size_t header = 4 * (packet[0] & 0x0f);
  const std::size_t total = load_be16(packet.data() + 2);
  if (packet[0] >> 4 != 4 || header < kIpv4Bytes || total < header) {
    return NetDrop::kRxIpMalformed;
  }
  // What lies behind is Ethernet's padding.
  if (packet.size() < total) return NetDrop::kRxTruncated;
  if (frame.flags.ip == Checksum::kBad) return NetDrop::kRxIpChecksum;
  if (frame.flags.ip == Checksum::kUnknown &&
      !checksum_is_good(checksum_add(ChecksumSum{}, packet.first(header)))) {
    return NetDrop::kRxIpChecksum;
  }
  constexpr std::uint16_t kMoreFragmentsAndOffset = 0x3fff;
  if ((load_be16(packet.data() + 6) & kMoreFragmentsAndOffset) != 0) return NetDrop::kRxFragment;
  frame.destination = load_ipv4(packet.data() + 16);
  if (!owns(frame.destination)) return NetDrop::kRxNotOurAddress;
  // RFC 1122 §3.3.6: a packet to one host does not come by broadcast.
  if (frame.destination_mac != options_.mac) return NetDrop::kRxNotOurMac;
  frame.source = load_ipv4(packet.data() + 12);
  if (is_martian(frame.source)) return NetDrop::kRxMartian;
  frame.tos = packet[1];
  frame.hop_limit = packet[8];
  frame.protocol = static_cast<IpProtocol>(packet[9]);
  frame.bytes = frame.bytes.subspan(header, total - header);
  return NetDrop::kCount;
}

NetDrop NetLayer::read_ipv6(Frame& frame) const {
  const ByteSpan packet = frame.bytes;
  if (packet.size() < kIpv6Bytes) return NetDrop::kRxTruncated;
  if (packet[0] >> 4 != 6) return NetDrop::kRxIpMalformed;
  const std::size_t total = kIpv6Bytes + load_be16(packet.data() + 4);
  if (packet.size() < total) return NetDrop::kRxTruncated;
  frame.destination = load_ipv6(packet.data() + 24);
  const bool group = is_multicast(frame.destination);
  if (group ? !owns_group(frame.destination) : !owns(frame.destination)) {
    return NetDrop::kRxNotOurAddress;
  }
  // A packet to one host does not come by multicast, nor one to a group by another's.
  if (frame.destination_mac != (group ? multicast_mac(frame.destination) : options_.mac)) {
    return NetDrop::kRxNotOurMac;
  }
  frame.source = load_ipv6(packet.data() + 8);
  if (is_martian(frame.source)) return NetDrop::kRxMartian;
  frame.tos = static_cast<std::uint8_t>(load_be16(packet.data()) >> 4);
  frame.hop_limit = packet[7];
  frame.protocol = static_cast<IpProtocol>(packet[6]);
  std::size_t at = kIpv6Bytes;
  const NetDrop odd = skip_extension_headers(packet.first(total), at, frame.protocol);
  if (odd != NetDrop::kCount) return odd;
  frame.bytes = frame.bytes.subspan(at, total - at);
  // For a group there are questions of neighbour discovery alone, and from the unspecified
  // address only one of these (RFC 4861 §7.1.1).
  const bool icmp = frame.protocol == IpProtocol::kIcmpV6;
  if (group && !icmp) return NetDrop::kRxNotOurAddress;
  if (frame.source.is_unspecified() && !icmp) return NetDrop::kRxMartian;
  return NetDrop::kCount;
}

// RFC 768:
//  | source port (2) | destination port (2) | length (2) | checksum (2) | payload |
RxVerdict NetLayer::receive_udp(Frame& frame) {
  const ByteSpan packet = frame.bytes;
  if (packet.size() < kUdpBytes) return drop(frame, NetDrop::kRxTruncated);
  const std::size_t length = load_be16(packet.data() + 4);
  if (length < kUdpBytes || length > packet.size()) return drop(frame, NetDrop::kRxUdpMalformed);
  RxFrame& out = frame.out;
  out.source = {frame.source, load_be16(packet.data())};
  out.local = {frame.destination, load_be16(packet.data() + 2)};
  if (out.source.port == 0 || out.local.port == 0) return drop(frame, NetDrop::kRxUdpMalformed);
  const bool absent = load_be16(packet.data() + 6) == 0;
  // RFC 8200 §8.1: over IPv6 a checksum is no option.
  if (frame.flags.l4 == Checksum::kBad || (absent && frame.source.is_v6())) {
    return drop(frame, NetDrop::kRxUdpChecksum);
  }
  if (frame.flags.l4 == Checksum::kUnknown && !absent) {
    ChecksumSum sum = pseudo_header_sum(frame.source, frame.destination, IpProtocol::kUdp);
    sum = checksum_add(sum, static_cast<std::uint16_t>(length));
    if (!checksum_is_good(checksum_add(sum, packet.first(length)))) {
      return drop(frame, NetDrop::kRxUdpChecksum);
    }
  }
  if (length == kUdpBytes) return drop(frame, NetDrop::kRxUdpEmpty);
  out.payload = frame.bytes.subspan(kUdpBytes, length - kUdpBytes);
  out.tos = frame.tos;
  ++stats_.rx_datagrams;
  return RxVerdict::kDatagram;
}

RxVerdict NetLayer::handle_frame(Time now, MutableByteSpan bytes, const RxFlags& flags,
                                 MutableByteSpan reply, RxFrame& out) {
  Frame frame{.now = now, .flags = flags, .reply = reply, .out = out, .bytes = bytes};
  out.concerns_all = false;
  EtherType type{};
  NetDrop reason = read_ethernet(frame, type);
  if (reason != NetDrop::kCount) return drop(frame, reason);
  switch (type) {
    case EtherType::kIpv4:
      reason = read_ipv4(frame);
      break;
    case EtherType::kIpv6:
      reason = read_ipv6(frame);
      break;
    case EtherType::kArp:
      return receive_arp(frame);
    default:
      reason = NetDrop::kRxEtherType;
  }
  if (reason != NetDrop::kCount) return drop(frame, reason);
  if (frame.protocol == IpProtocol::kUdp) return receive_udp(frame);
  if (frame.protocol == IpProtocol::kIcmp && frame.source.is_v4()) return receive_icmp(frame);
  if (frame.protocol == IpProtocol::kIcmpV6 && frame.source.is_v6()) return receive_icmpv6(frame);
  return drop(frame, NetDrop::kRxProtocol);
}

}  // namespace millrace::io
