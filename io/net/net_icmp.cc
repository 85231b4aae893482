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

constexpr std::uint32_t kLeastPathMtuV4 = 68;  // RFC 791 §3.2.
constexpr std::uint32_t kLeastPathMtuV6 = 1280;

// Reads the header of a quoted packet that went out from here (RFC 8899 §4.6.1): UDP without
// options or extension headers, with DF, of `total` bytes. False where it cannot have.
bool read_quoted(ByteSpan quoted, bool v4, PathMtu& out, std::size_t& total) {
  constexpr std::uint8_t kDontFragment = 0x40;
  const std::size_t header = v4 ? kIpv4Bytes : kIpv6Bytes;
  if (quoted.size() < header + kUdpBytes) return false;
  if (v4) {
    total = load_be16(quoted.data() + 2);
    out.local.ip = load_ipv4(quoted.data() + 12);
    out.remote.ip = load_ipv4(quoted.data() + 16);
  } else {
    total = kIpv6Bytes + load_be16(quoted.data() + 4);
    out.local.ip = load_ipv6(quoted.data() + 8);
    out.remote.ip = load_ipv6(quoted.data() + 24);
  }
  const auto protocol = static_cast<IpProtocol>(quoted[v4 ? 9 : 6]);
  const bool plain = v4 ? quoted[0] == 0x45 && (quoted[6] & 0xbf) == 0 && quoted[7] == 0 &&
                              (quoted[6] & kDontFragment) != 0
                        : quoted[0] >> 4 == 6;
  if (!plain || protocol != IpProtocol::kUdp || total < header + kUdpBytes) return false;
  const std::uint8_t* const udp = quoted.data() + header;
  out.local.port = load_be16(udp);
  out.remote.port = load_be16(udp + 2);
  return load_be16(udp + 4) == total - header;
}

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
    return receive_path_mtu(frame, load_be32(message.data() + 4));
  }
  return drop(frame, NetDrop::kRxIcmpIgnored);
}

// The message quotes the packet that was too large, from its IP header on: only one that we
// may have sent is believed (RFC 8899 §4.6.1).
RxVerdict NetLayer::receive_path_mtu(Frame& frame, std::uint32_t mtu) {
  const bool v4 = frame.source.is_v4();
  const std::size_t headers = (v4 ? kIpv4Bytes : kIpv6Bytes) + kUdpBytes;
  const ByteSpan quoted = frame.bytes.subspan(kIcmpBytes);
  PathMtu& out = frame.out.path_mtu;
  std::size_t total = 0;
  // No path is narrower than that, whatever a message says (RFC 8201 §4).
  const bool possible = mtu >= (v4 ? kLeastPathMtuV4 : kLeastPathMtuV6) || (v4 && mtu == 0);
  // A router answers whom it had the packet from.
  if (!possible || !read_quoted(quoted, v4, out, total) || out.local.ip != frame.destination) {
    return drop(frame, NetDrop::kRxIcmpMalformed);
  }
  // Its copies for other queues have paid for it already.
  if (!frame.flags.second_hand &&
      !take_token(frame.now, options_.path_mtu_per_second, path_mtu_due_)) {
    return drop(frame, NetDrop::kRxPathMtuLimit);
  }
  out.mtu = mtu;
  out.bytes = total - headers;
  out.limit = mtu == 0 ? 0 : mtu - headers;
  out.payload = quoted.subspan(headers, std::min(quoted.size() - headers, out.bytes));
  // It came to whichever queue the device chose.
  frame.out.concerns_all = true;
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
