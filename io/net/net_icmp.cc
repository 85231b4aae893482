// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "io/net/net_layer.h"

namespace millrace::io {
namespace {

// RFC 792 and RFC 4443 §2.1:
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |     Type      |     Code      |          Checksum             |
//  |                Message body: 4 bytes or more                  |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr std::size_t kIcmpBytes = 8;

constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kFragmentationNeeded = 4;  // A code.
constexpr std::uint8_t kEcho = 8;

constexpr std::uint8_t kPacketTooBigV6 = 2;
constexpr std::uint8_t kEchoV6 = 128;
constexpr std::uint8_t kEchoReplyV6 = 129;
constexpr std::uint8_t kListenerQuery = 130;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;

constexpr std::uint32_t kMinMtuV6 = 1280;

}  // namespace

RxVerdict NetLayer::receive_icmp(Frame& frame) {
  const ByteSpan message = frame.bytes;
  if (message.size() < kIcmpBytes) return drop(frame, NetDrop::kRxIcmpMalformed);
  // No device's word covers ICMP for sure.
  if (!checksum_is_good(checksum_add(ChecksumSum{}, message))) {
    return drop(frame, NetDrop::kRxIcmpChecksum);
  }
  if (message[0] == kEcho && message[1] == 0) return answer_echo(frame, kEchoReply);
  if (message[0] == kUnreachable && message[1] == kFragmentationNeeded) {
    // RFC 1191 §4: the MTU is in the low half of what was unused before.
    return receive_path_mtu(frame, load_be16(message.data() + 6));
  }
  return drop(frame, NetDrop::kRxIcmpIgnored);
}

RxVerdict NetLayer::receive_icmpv6(Frame& frame) {
  const ByteSpan message = frame.bytes;
  if (message.size() < kIcmpBytes) return drop(frame, NetDrop::kRxIcmpMalformed);
  ChecksumSum sum = checksum_add(ChecksumSum{}, frame.addresses);
  sum = checksum_add(sum, static_cast<std::uint16_t>(IpProtocol::kIcmpV6));
  sum = checksum_add(sum, static_cast<std::uint16_t>(message.size()));
  if (!checksum_is_good(checksum_add(sum, message))) {
    return drop(frame, NetDrop::kRxIcmpChecksum);
  }
  if (message[0] == kNeighbourSolicitation) return receive_solicitation(frame);
  if (message[0] == kNeighbourAdvertisement) return receive_advertisement(frame);
  if (frame.source.is_unspecified()) return drop(frame, NetDrop::kRxMartian);
  if (message[0] == kListenerQuery) return receive_listener_query(frame);
  // RFC 4443 §4.2 lets an echo to a group go without an answer; ours all do.
  if (is_multicast(frame.destination)) return drop(frame, NetDrop::kRxIcmpIgnored);
  if (message[0] == kEchoV6 && message[1] == 0) return answer_echo(frame, kEchoReplyV6);
  if (message[0] == kPacketTooBigV6) {
    const std::uint32_t mtu = load_be32(message.data() + 4);
    // RFC 8201 §4: no path is narrower than that, whatever a message says.
    if (mtu < kMinMtuV6) return drop(frame, NetDrop::kRxIcmpMalformed);
    return receive_path_mtu(frame, mtu);
  }
  return drop(frame, NetDrop::kRxIcmpIgnored);
}

// The message quotes the packet that was too large, from its IP header on: only one that we
// may have sent is believed (RFC 8899 §4.6.1).
RxVerdict NetLayer::receive_path_mtu(Frame& frame, std::uint32_t mtu) {
  const ByteSpan quoted = frame.bytes.subspan(kIcmpBytes);
  const bool v4 = frame.source.is_v4();
  PathMtu& out = frame.out.path_mtu;
  std::size_t header = kIpv6Bytes;
  if (quoted.size() < (v4 ? kIpv4Bytes : kIpv6Bytes)) {
    return drop(frame, NetDrop::kRxIcmpMalformed);
  }
  IpProtocol protocol{};
  if (v4) {
    header = 4 * (quoted[0] & 0x0f);
    protocol = static_cast<IpProtocol>(quoted[9]);
    out.local.ip = load_ipv4(quoted.data() + 12);
    out.remote.ip = load_ipv4(quoted.data() + 16);
  } else {
    protocol = static_cast<IpProtocol>(quoted[6]);
    out.local.ip = load_ipv6(quoted.data() + 8);
    out.remote.ip = load_ipv6(quoted.data() + 24);
  }
  // We send neither options nor extension headers.
  const bool ours = quoted[0] == (v4 ? 0x45 : (quoted[0] & 0x0f) | 0x60) &&
                    protocol == IpProtocol::kUdp && own_.owns(out.local.ip) &&
                    quoted.size() >= header + kUdpBytes;
  if (!ours) return drop(frame, NetDrop::kRxIcmpMalformed);
  out.local.port = load_be16(quoted.data() + header);
  out.remote.port = load_be16(quoted.data() + header + 2);
  out.mtu = mtu;
  ++stats_.rx_path_mtu;
  return RxVerdict::kPathMtu;
}

// A bucket of one second's worth, kept as the time when it is full again.
bool NetLayer::take_token(Time now, unsigned per_second, Time& whole) {
  if (per_second == 0) return false;
  const Duration each = Duration(seconds(1)) / per_second;
  const Time due = std::max(whole, now) + each;
  if (due - now > seconds(1)) return false;
  whole = due;
  return true;
}

RxVerdict NetLayer::answer_echo(Frame& frame, std::uint8_t reply_type) {
  const ByteSpan request = frame.bytes;
  const bool v4 = frame.source.is_v4();
  const std::size_t ip_bytes = v4 ? kIpv4Bytes : kIpv6Bytes;
  const std::size_t bytes = ethernet_bytes_ + ip_bytes + request.size();
  if (frame.flags.second_hand) return RxVerdict::kHandled;
  if (bytes > std::min(frame.reply.size(), max_frame_bytes())) {
    return drop(frame, NetDrop::kRxReplyNoRoom);
  }
  if (!take_token(frame.now, options_.echo_per_second, echo_due_)) {
    return drop(frame, NetDrop::kRxEchoLimit);
  }
  // Back to where it came from: an answer asks nobody for the way.
  std::uint8_t* const ip =
      frame.reply.data() + write_ethernet(frame.reply.data(), frame.source_mac(), options_.mac,
                                          options_.vlan, v4 ? EtherType::kIpv4 : EtherType::kIpv6);
  std::uint8_t* const message = ip + ip_bytes;
  copy_payload({message, request.size()}, request, copied_);
  message[0] = reply_type;
  store_be16(message + 2, 0);
  ChecksumSum sum;
  if (v4) {
    write_ipv4(ip, frame.destination, frame.source, IpProtocol::kIcmp, options_.hop_limit);
    store_be16(ip + 2, static_cast<std::uint16_t>(kIpv4Bytes + request.size()));
    store_be16(ip + 10, checksum_finish(checksum_add(ChecksumSum{}, ByteSpan(ip, kIpv4Bytes))));
  } else {
    write_ipv6(ip, frame.destination, frame.source, IpProtocol::kIcmpV6, options_.hop_limit);
    store_be16(ip + 4, static_cast<std::uint16_t>(request.size()));
    sum = pseudo_header_sum(frame.destination, frame.source, IpProtocol::kIcmpV6);
    sum = checksum_add(sum, static_cast<std::uint16_t>(request.size()));
  }
  sum = checksum_add(sum, ByteSpan(message, request.size()));
  store_be16(message + 2, checksum_finish(sum));
  ++stats_.rx_echo_requests;
  frame.out.reply_bytes = pad_frame(frame.reply, bytes);
  return RxVerdict::kReply;
}

}  // namespace millrace::io
