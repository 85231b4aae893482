// SPDX-License-Identifier: Apache-2.0
#include "io/net/next_hop.h"

#include <algorithm>

#include "engine/base/check.h"
#include "io/net/wire.h"

namespace millrace::io {
namespace {

constexpr std::uint16_t kDf = 0x4000;  // What the template's word of flags is.

template <std::size_t N>
void copy_fixed(std::uint8_t* to, const std::uint8_t* from) {
  std::copy_n(from, N, to);
}

// Copies of a size that the compiler knows: a few moves, and nothing behind the header,
// where the payload lies, is touched.
void copy_header(std::uint8_t* to, const std::uint8_t* from, std::size_t bytes) {
  switch (bytes) {
    case kEthernetBytes + kIpv4Bytes + kUdpBytes:
      return copy_fixed<kEthernetBytes + kIpv4Bytes + kUdpBytes>(to, from);
    case kEthernetBytes + kVlanTagBytes + kIpv4Bytes + kUdpBytes:
      return copy_fixed<kEthernetBytes + kVlanTagBytes + kIpv4Bytes + kUdpBytes>(to, from);
    case kEthernetBytes + kIpv6Bytes + kUdpBytes:
      return copy_fixed<kEthernetBytes + kIpv6Bytes + kUdpBytes>(to, from);
    default:
      DCHECK(bytes == kMaxHeaderBytes);
      return copy_fixed<kMaxHeaderBytes>(to, from);
  }
}

}  // namespace

NextHop make_next_hop(const HopTemplate& from) {
  NextHop hop;
  std::uint8_t* const out = hop.header_.data();
  const bool v4 = from.source.is_v4();
  const std::size_t ip_at = write_ethernet(out, from.destination_mac, from.source_mac, from.vlan,
                                           v4 ? EtherType::kIpv4 : EtherType::kIpv6);
  std::uint8_t* const ip = out + ip_at;
  std::size_t ip_bytes = 0;
  if (v4) {
    ip_bytes = write_ipv4(ip, from.source, from.destination, IpProtocol::kUdp, from.hop_limit);
    hop.ip_sum_ = checksum_add(ChecksumSum{}, ByteSpan(ip, kIpv4Bytes));
  } else {
    ip_bytes = write_ipv6(ip, from.source, from.destination, IpProtocol::kUdp, from.hop_limit);
  }
  hop.pseudo_sum_ = pseudo_header_sum(from.source, from.destination, IpProtocol::kUdp);
  hop.header_bytes_ = static_cast<std::uint8_t>(ip_at + ip_bytes + kUdpBytes);
  hop.ip_at_ = static_cast<std::uint8_t>(ip_at);
  hop.max_payload_ = static_cast<std::uint16_t>(from.mtu - ip_bytes - kUdpBytes);
  hop.is_v6_ = !v4;
  hop.resolved_ = from.resolved;
  hop.ip_offload_ = v4 && from.ip_offload;
  const bool must_have_one = !v4 && from.udp_checksum == UdpChecksum::kNone;
  hop.udp_checksum_ = must_have_one ? UdpChecksum::kLayer : from.udp_checksum;
  return hop;
}

void NextHop::write_headers(std::uint8_t* frame, const UdpSend& send,
                            std::size_t payload_bytes) const {
  ChecksumSum payload;
  if (wants_payload_sum()) {
    payload = checksum_add(payload, ByteSpan(frame + header_bytes_, payload_bytes));
  }
  write_headers(frame, send, payload_bytes, payload);
}

void NextHop::write_headers(std::uint8_t* frame, const UdpSend& send, std::size_t payload_bytes,
                            ChecksumSum payload) const {
  DCHECK(payload_bytes <= max_payload_);
  copy_header(frame, header_.data(), header_bytes_);
  const auto udp_bytes = static_cast<std::uint16_t>(kUdpBytes + payload_bytes);
  std::uint8_t* const ip = frame + ip_at_;
  if (is_v6_) {
    ip[0] = static_cast<std::uint8_t>(ip[0] | (send.tos >> 4));
    ip[1] = static_cast<std::uint8_t>(send.tos << 4);
    store_be16(ip + 4, udp_bytes);
  } else {
    const auto total = static_cast<std::uint16_t>(kIpv4Bytes + udp_bytes);
    ip[1] = send.tos;
    store_be16(ip + 2, total);
    ChecksumSum sum = checksum_add(checksum_add(ip_sum_, std::uint16_t{send.tos}), total);
    if (send.fragment_id != 0) [[unlikely]] {
      store_be16(ip + 4, send.fragment_id);
      store_be16(ip + 6, 0);
      sum = checksum_add(checksum_add(sum, send.fragment_id), static_cast<std::uint16_t>(~kDf));
    }
    // RFC 1624's idea: only the words that differ from the template's are summed anew.
    if (!ip_offload_) store_be16(ip + 10, checksum_finish(sum));
  }
  std::uint8_t* const udp = frame + header_bytes_ - kUdpBytes;
  store_be16(udp, send.source_port);
  store_be16(udp + 2, send.destination_port);
  store_be16(udp + 4, udp_bytes);
  if (udp_checksum_ == UdpChecksum::kNone) return store_be16(udp + 6, 0);
  ChecksumSum sum = checksum_add(pseudo_sum_, udp_bytes);
  if (udp_checksum_ == UdpChecksum::kDevice) return store_be16(udp + 6, checksum_fold(sum));
  sum = checksum_add(checksum_add(sum, send.source_port), send.destination_port);
  sum = checksum_add(checksum_add(sum, udp_bytes), payload);
  store_be16(udp + 6, udp_checksum_finish(sum));
}

}  // namespace millrace::io
