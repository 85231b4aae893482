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

// IEEE 802.3 and 802.1Q:
//  | destination (6) | source (6) | [0x8100 (2) | priority, id (2)] | type (2) |
NetDrop NetLayer::read_ethernet(Frame& frame, EtherType& type) const {
  const ByteSpan bytes = frame.bytes;
  if (bytes.size() < kEthernetBytes) return NetDrop::kRxTruncated;
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
  frame.to_group = load_be48(bytes.data()) != mac_word_;
  if (frame.to_group) {
    // Who is not one station may be everybody, or a group that questions come to.
    const MacAddress to = frame.destination_mac();
    if (to != MacAddress::broadcast() && !own_.owns_group(to)) return NetDrop::kRxNotOurMac;
  }
  if ((bytes[6] & 1) != 0 || load_be48(bytes.data() + 6) == 0) return NetDrop::kRxMartian;
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
  if (frame.flags.ip != Checksum::kGood &&
      !checksum_is_good(checksum_add(ChecksumSum{}, packet.first(header)))) {
    return NetDrop::kRxIpChecksum;
  }
  constexpr std::uint16_t kMoreFragmentsAndOffset = 0x3fff;
  if ((load_be16(packet.data() + 6) & kMoreFragmentsAndOffset) != 0) return NetDrop::kRxFragment;
  if (!own_.owns_v4(packet.data() + 16)) return NetDrop::kRxNotOurAddress;
  // RFC 1122 §3.3.6: a packet to one host does not come by broadcast.
  if (frame.to_group) return NetDrop::kRxNotOurMac;
  if (own_.is_martian_v4(packet.data() + 12)) return NetDrop::kRxMartian;
  assign_ipv4(frame.source, packet.data() + 12);
  assign_ipv4(frame.destination, packet.data() + 16);
  frame.addresses = packet.subspan(12, 8);
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
  const std::uint8_t* const to = packet.data() + 24;
  const bool group = to[0] == 0xff;
  if (group ? !own_.owns_group(to) : !own_.owns_v6(to)) return NetDrop::kRxNotOurAddress;
  if (own_.is_martian_v6(packet.data() + 8)) return NetDrop::kRxMartian;
  frame.source = load_ipv6(packet.data() + 8);
  frame.destination = load_ipv6(to);
  frame.addresses = packet.subspan(8, 32);
  // A packet to one host does not come by multicast, nor one to a group by another's.
  if (group ? frame.destination_mac() != multicast_mac(frame.destination) : frame.to_group) {
    return NetDrop::kRxNotOurMac;
  }
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

// By its checksum, which is there and which the device did not verify.
bool NetLayer::is_intact_udp(const Frame& frame, ByteSpan datagram) {
  ChecksumSum sum = checksum_add(ChecksumSum{}, frame.addresses);
  sum = checksum_add(sum, static_cast<std::uint16_t>(IpProtocol::kUdp));
  sum = checksum_add(sum, static_cast<std::uint16_t>(datagram.size()));
  if (frame.flags.l4 == Checksum::kUnfinished &&
      load_be16(datagram.data() + 6) == checksum_fold(sum)) {
    return true;
  }
  return checksum_is_good(checksum_add(sum, datagram));
}

// RFC 768:
//  | source port (2) | destination port (2) | length (2) | checksum (2) | payload |
RxVerdict NetLayer::receive_udp(Frame& frame) {
  const ByteSpan packet = frame.bytes;
  if (packet.size() < kUdpBytes) return drop(frame, NetDrop::kRxTruncated);
  const std::size_t length = load_be16(packet.data() + 4);
  if (length < kUdpBytes || length > packet.size()) return drop(frame, NetDrop::kRxUdpMalformed);
  RxFrame& out = frame.out;
  out.source.port = load_be16(packet.data());
  out.local.port = load_be16(packet.data() + 2);
  if (out.source.port == 0 || out.local.port == 0) return drop(frame, NetDrop::kRxUdpMalformed);
  const bool absent = load_be16(packet.data() + 6) == 0;
  // RFC 8200 §8.1: over IPv6 a checksum is no option.
  if (frame.flags.l4 == Checksum::kBad || (absent && frame.source.is_v6())) {
    return drop(frame, NetDrop::kRxUdpChecksum);
  }
  if (frame.flags.l4 != Checksum::kGood && !absent && !is_intact_udp(frame, packet.first(length))) {
    return drop(frame, NetDrop::kRxUdpChecksum);
  }
  if (length == kUdpBytes) return drop(frame, NetDrop::kRxUdpEmpty);
  out.payload = frame.bytes.subspan(kUdpBytes, length - kUdpBytes);
  out.tos = frame.tos;
  ++stats_.rx_datagrams;
  return RxVerdict::kDatagram;
}

RxVerdict NetLayer::handle_frame(Time now, MutableByteSpan bytes, const RxFlags& flags,
                                 MutableByteSpan reply, RxFrame& out) {
  Frame frame{.now = now,
              .flags = flags,
              .reply = reply,
              .out = out,
              .source = out.source.ip,
              .destination = out.local.ip,
              .bytes = bytes,
              .ethernet = bytes};
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
