// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "io/net/net_layer.h"

namespace millrace::io {
namespace {

// RFC 826, for Ethernet and IPv4:
//  | hardware type 1 (2) | protocol 0x0800 (2) | 6 (1) | 4 (1) | operation (2) |
//  | sender MAC (6) | sender IP (4) | target MAC (6) | target IP (4) |
constexpr std::size_t kArpBytes = 28;
constexpr std::uint64_t kArpEthernetIpv4 = 0x0001'0800'06'04;
constexpr std::uint16_t kArpRequest = 1;
constexpr std::uint16_t kArpReply = 2;

std::size_t write_arp(std::uint8_t* out, std::uint16_t operation, const MacAddress& sender_mac,
                      const IpAddress& sender, const MacAddress& target_mac,
                      const IpAddress& target) {
  store_be48(out, kArpEthernetIpv4);
  store_be16(out + 6, operation);
  std::copy_n(sender_mac.bytes.begin(), 6, out + 8);
  std::copy_n(sender.bytes.begin(), 4, out + 14);
  std::copy_n(target_mac.bytes.begin(), 6, out + 18);
  std::copy_n(target.bytes.begin(), 4, out + 24);
  return kArpBytes;
}

// RFC 4861 §4.3, §4.4:
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |  Type 135/136 |     Code      |          Checksum             |
//  |R|S|O|             Reserved (R, S, O: advertisement)           |
//  |                       Target Address (128 bits)               |
//  |   Options: type, length in 8 bytes, value                     |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr std::size_t kNdBytes = 24;
constexpr std::size_t kNdOptionBytes = 8;  // A MAC address with its type and length.
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kSourceMac = 1;
constexpr std::uint8_t kTargetMac = 2;
constexpr std::uint8_t kSolicitedFlag = 0x40;
constexpr std::uint8_t kOverrideFlag = 0x20;
constexpr std::uint8_t kNdHopLimit = 255;  // RFC 4861 §3.1: no router let it in.

struct NdMessage {
  IpAddress target;
  std::uint8_t flags = 0;
  std::optional<MacAddress> mac;  // Of the option asked for.
};

// Reads a solicitation or an advertisement by the rules of RFC 4861 §7.1 that both share.
std::optional<NdMessage> read_nd(ByteSpan message, std::uint8_t hop_limit, std::uint8_t option) {
  if (hop_limit != kNdHopLimit || message.size() < kNdBytes || message[1] != 0) {
    return std::nullopt;
  }
  NdMessage nd{.target = load_ipv6(message.data() + 8), .flags = message[4], .mac = {}};
  if (is_multicast(nd.target) || nd.target.is_unspecified()) return std::nullopt;
  ByteReader reader(message.subspan(kNdBytes));
  while (!reader.empty()) {
    // RFC 4861 §4.6: a length of zero is refused, for it would be read for ever.
    const ByteSpan rest = reader.rest();
    if (rest.size() < 2 || rest[1] == 0 || !reader.take(8 * std::size_t{rest[1]})) {
      return std::nullopt;
    }
    if (rest[0] != option) continue;
    const MacAddress mac = load_mac(rest.data() + 2);
    if (rest[1] != 1 || !mac.is_station()) return std::nullopt;
    nd.mac = mac;
  }
  return nd;
}

struct NdSend {
  std::uint8_t type;
  std::uint8_t flags;
  IpAddress source;
  IpAddress destination;
  IpAddress target;
  MacAddress own_mac;
};

// The packet from its IPv6 header on.
std::size_t write_nd(std::uint8_t* out, const NdSend& send) {
  constexpr std::uint16_t kBytes = kNdBytes + kNdOptionBytes;
  write_ipv6(out, send.source, send.destination, IpProtocol::kIcmpV6, kNdHopLimit);
  store_be16(out + 4, kBytes);
  std::uint8_t* const nd = out + kIpv6Bytes;
  store_be32(nd, std::uint32_t{send.type} << 24);
  store_be32(nd + 4, std::uint32_t{send.flags} << 24);
  std::copy_n(send.target.bytes.begin(), 16, nd + 8);
  nd[kNdBytes] = send.type == kSolicitation ? kSourceMac : kTargetMac;
  nd[kNdBytes + 1] = 1;
  std::copy_n(send.own_mac.bytes.begin(), 6, nd + kNdBytes + 2);
  ChecksumSum sum = pseudo_header_sum(send.source, send.destination, IpProtocol::kIcmpV6);
  sum = checksum_add(checksum_add(sum, kBytes), ByteSpan(nd, kBytes));
  store_be16(nd + 2, checksum_finish(sum));
  return kIpv6Bytes + kBytes;
}

}  // namespace

// Known, or asked for. What strangers tell each other is not worth a copy for each layer.
bool NetLayer::is_neighbour(const IpAddress& ip) const {
  return neighbours_.state(ip) != NeighbourState::kNone;
}

// Counts what a claim on a neighbour's address came to.
RxVerdict NetLayer::finish_claim(Frame& frame, NetDrop outcome, std::uint64_t& counter) {
  if (outcome != NetDrop::kCount) return drop(frame, outcome);
  ++counter;
  return RxVerdict::kHandled;
}

RxVerdict NetLayer::receive_arp(Frame& frame) {
  const ByteSpan packet = frame.bytes;
  if (packet.size() < kArpBytes) return drop(frame, NetDrop::kRxTruncated);
  const std::uint16_t operation = load_be16(packet.data() + 6);
  const MacAddress sender_mac = load_mac(packet.data() + 8);
  const IpAddress sender = load_ipv4(packet.data() + 14);
  const IpAddress target = load_ipv4(packet.data() + 24);
  // RFC 5227 §2.1.1: a probe's sender has no address yet.
  const bool probe = sender.is_unspecified() && operation == kArpRequest;
  const bool own_echo = own_.owns(sender) && sender_mac == options_.mac && options_.loops_back;
  if (load_be48(packet.data()) != kArpEthernetIpv4 || !sender_mac.is_station() ||
      (operation != kArpRequest && operation != kArpReply)) {
    return drop(frame, NetDrop::kRxArpMalformed);
  }
  if (own_.owns(sender) && !own_echo) {
    ++stats_.rx_address_conflicts;
    return drop(frame, NetDrop::kRxNeighbourConflict);
  }
  if (!probe && own_.is_martian_v4(packet.data() + 14))
    return drop(frame, NetDrop::kRxArpMalformed);
  const bool for_us = own_.owns(target);
  frame.out.concerns_all = !probe && (for_us || is_neighbour(sender));
  if (operation == kArpReply) {
    const bool solicited = for_us && load_be48(packet.data() + 18) == mac_word_;
    const NetDrop outcome =
        neighbours_.learn(frame.now, sender, sender_mac, {.solicited = solicited});
    return finish_claim(frame, outcome, stats_.rx_arp);
  }
  // RFC 826: who is in the table already is brought up to date, by any request.
  const NetDrop outcome =
      probe ? NetDrop::kRxUnknownNeighbour : neighbours_.learn(frame.now, sender, sender_mac, {});
  if (!for_us) {
    const bool unknown = outcome == NetDrop::kRxUnknownNeighbour;
    return finish_claim(frame, unknown ? NetDrop::kRxArpNotForUs : outcome, stats_.rx_arp);
  }
  if (outcome != NetDrop::kCount && outcome != NetDrop::kRxUnknownNeighbour) {
    stats_.drop(outcome);  // The question is answered for all that.
  }
  return answer_arp(frame, target, sender, sender_mac);
}

RxVerdict NetLayer::answer_arp(Frame& frame, const IpAddress& target, const IpAddress& asker,
                               const MacAddress& asker_mac) {
  ++stats_.rx_arp;
  if (frame.flags.second_hand) return RxVerdict::kHandled;
  if (frame.reply.size() < kMinEthernetBytes) return drop(frame, NetDrop::kRxReplyNoRoom);
  if (!take_token(frame.now, options_.answers_per_second, answer_due_)) {
    frame.out.concerns_all = false;
    return drop(frame, NetDrop::kRxAnswerLimit);
  }
  std::uint8_t* const out = frame.reply.data();
  std::size_t bytes = write_ethernet(out, asker_mac, options_.mac, options_.vlan, EtherType::kArp);
  bytes += write_arp(out + bytes, kArpReply, options_.mac, target, asker_mac, asker);
  frame.out.reply_bytes = pad_frame(frame.reply, bytes);
  ++stats_.tx_answers;
  return RxVerdict::kReply;
}

RxVerdict NetLayer::receive_solicitation(Frame& frame) {
  const std::optional<NdMessage> nd = read_nd(frame.bytes, frame.hop_limit, kSourceMac);
  const bool probe = frame.source.is_unspecified();
  // RFC 4861 §7.1.1: a probe for a duplicate goes to the group, and names no address.
  if (!nd || (probe && (nd->mac || frame.destination != solicited_node(nd->target)))) {
    return drop(frame, NetDrop::kRxNdMalformed);
  }
  if (nd->mac) {
    frame.out.concerns_all = own_.owns(nd->target) || is_neighbour(frame.source);
    const NetDrop outcome = neighbours_.learn(frame.now, frame.source, *nd->mac, {});
    if (outcome != NetDrop::kCount && outcome != NetDrop::kRxUnknownNeighbour) {
      stats_.drop(outcome);
    }
  }
  if (!own_.owns(nd->target)) return drop(frame, NetDrop::kRxNdNotForUs);
  ++stats_.rx_nd;
  if (frame.flags.second_hand) return RxVerdict::kHandled;
  // RFC 4861 §7.2.4: to who asked, or to all where that has no address yet.
  const IpAddress to = probe ? all_nodes() : frame.source;
  const MacAddress to_mac = probe ? multicast_mac(to) : nd->mac.value_or(frame.source_mac());
  if (frame.reply.size() < kControlFrameBytes) return drop(frame, NetDrop::kRxReplyNoRoom);
  if (!take_token(frame.now, options_.answers_per_second, answer_due_)) {
    frame.out.concerns_all = false;
    return drop(frame, NetDrop::kRxAnswerLimit);
  }
  std::uint8_t* const out = frame.reply.data();
  const std::size_t at = write_ethernet(out, to_mac, options_.mac, options_.vlan, EtherType::kIpv6);
  const auto flags = static_cast<std::uint8_t>((probe ? 0 : kSolicitedFlag) | kOverrideFlag);
  frame.out.reply_bytes = at + write_nd(out + at, {.type = kAdvertisement,
                                                   .flags = flags,
                                                   .source = nd->target,
                                                   .destination = to,
                                                   .target = nd->target,
                                                   .own_mac = options_.mac});
  ++stats_.tx_answers;
  return RxVerdict::kReply;
}

RxVerdict NetLayer::receive_advertisement(Frame& frame) {
  const std::optional<NdMessage> nd = read_nd(frame.bytes, frame.hop_limit, kTargetMac);
  const bool solicited = nd && (nd->flags & kSolicitedFlag) != 0;
  // RFC 4861 §7.1.2: what all may hear answers nobody.
  if (!nd || frame.source.is_unspecified() || (solicited && is_multicast(frame.destination))) {
    return drop(frame, NetDrop::kRxNdMalformed);
  }
  if (own_.owns(nd->target)) {
    if (nd->mac == options_.mac && options_.loops_back) return RxVerdict::kHandled;
    ++stats_.rx_address_conflicts;
    return drop(frame, NetDrop::kRxNeighbourConflict);
  }
  // An answer is sent to who asked; that may be another layer.
  frame.out.concerns_all = solicited || is_neighbour(nd->target);
  // RFC 4861 §7.2.5: without the option it speaks of the address known already.
  const std::optional<MacAddress> mac = nd->mac ? nd->mac : neighbours_.known_mac(nd->target);
  if (!mac) return drop(frame, NetDrop::kRxUnknownNeighbour);
  const NetDrop outcome =
      neighbours_.learn(frame.now, nd->target, *mac,
                        {.solicited = solicited, .overrides = (nd->flags & kOverrideFlag) != 0});
  return finish_claim(frame, outcome, stats_.rx_nd);
}

std::size_t NetLayer::write_question(const Solicitation& question, std::uint8_t* out) const {
  const IpAddress* const source = source_for(question.ip, question.ip);
  CHECK(source != nullptr);
  const bool to_all = question.mac.is_zero();
  if (question.ip.is_v4()) {
    const std::size_t at = write_ethernet(out, to_all ? MacAddress::broadcast() : question.mac,
                                          options_.mac, options_.vlan, EtherType::kArp);
    const std::size_t bytes =
        at + write_arp(out + at, kArpRequest, options_.mac, *source, {}, question.ip);
    return pad_frame({out, kControlFrameBytes}, bytes);
  }
  const IpAddress to = to_all ? solicited_node(question.ip) : question.ip;
  const std::size_t at = write_ethernet(out, to_all ? multicast_mac(to) : question.mac,
                                        options_.mac, options_.vlan, EtherType::kIpv6);
  return at + write_nd(out + at, {.type = kSolicitation,
                                  .flags = 0,
                                  .source = *source,
                                  .destination = to,
                                  .target = question.ip,
                                  .own_mac = options_.mac});
}

std::size_t NetLayer::write_announcement(const IpAddress& own, std::uint8_t* out) const {
  if (own.is_v4()) {
    const std::size_t at =
        write_ethernet(out, MacAddress::broadcast(), options_.mac, options_.vlan, EtherType::kArp);
    const std::size_t bytes = at + write_arp(out + at, kArpRequest, options_.mac, own, {}, own);
    return pad_frame({out, kControlFrameBytes}, bytes);
  }
  const IpAddress to = all_nodes();
  const std::size_t at =
      write_ethernet(out, multicast_mac(to), options_.mac, options_.vlan, EtherType::kIpv6);
  return at + write_nd(out + at, {.type = kAdvertisement,
                                  .flags = kOverrideFlag,
                                  .source = own,
                                  .destination = to,
                                  .target = own,
                                  .own_mac = options_.mac});
}

}  // namespace millrace::io
