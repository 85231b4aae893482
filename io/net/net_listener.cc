// SPDX-License-Identifier: Apache-2.0
// Multicast listener discovery (RFC 3810), as much of it as makes a switch that snoops on it let
// the questions of neighbour discovery through: a node is a listener of the solicited-node group
// of each of its addresses (RFC 4291 §2.8).
#include <algorithm>

#include "io/net/net_layer.h"

namespace millrace::io {
namespace {

// RFC 3810 §5.2, behind a hop-by-hop header with a router alert (RFC 2711):
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |  Type = 143   |    Reserved   |           Checksum            |
//  |           Reserved            |    Number of records = 1      |
//  |  Record type  | Aux data = 0  |    Number of sources = 0      |
//  |                    Multicast address (128 bits)               |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
constexpr std::uint8_t kReport = 143;
constexpr std::size_t kReportBytes = 28;
constexpr std::uint64_t kRouterAlert = 0x3a00'0502'0000'0100;  // Next: ICMPv6; and padding.
constexpr std::size_t kRouterAlertBytes = 8;
constexpr std::uint8_t kModeIsExclude = 2;    // The answer to a query.
constexpr std::uint8_t kChangeToExclude = 4;  // Of one's own accord.
constexpr std::uint8_t kListenerHopLimit = 1;

// RFC 3810 §5.1: | 130 | code | checksum (2) | delay (2) | 0 (2) | group (16) | ...
constexpr std::size_t kQueryBytes = 24;

// RFC 4291 §2.7.1, RFC 3810 §5.2.14: ff02::16.
IpAddress all_mld_routers() {
  IpAddress group = all_nodes();
  group.bytes[15] = 0x16;
  return group;
}

}  // namespace

RxVerdict NetLayer::receive_listener_query(Frame& frame) {
  const ByteSpan query = frame.bytes;
  // RFC 3810 §5.1.14, §6.2.
  if (query.size() < kQueryBytes || frame.hop_limit != kListenerHopLimit ||
      !is_link_local_v6(frame.source)) {
    return drop(frame, NetDrop::kRxIcmpMalformed);
  }
  const IpAddress group = load_ipv6(query.data() + 8);
  if (!group.is_unspecified() && !own_.owns_group(group.bytes.data())) {
    return drop(frame, NetDrop::kRxIcmpIgnored);
  }
  // Who asks many times a second gets one answer.
  if (frame.flags.second_hand || frame.now < listener_due_) return RxVerdict::kHandled;
  listener_due_ = frame.now + seconds(1);
  next_report_ = 0;
  report_type_ = kModeIsExclude;
  return RxVerdict::kHandled;
}

void NetLayer::announce() {
  next_announcement_ = 0;
  next_report_ = 0;
  report_type_ = kChangeToExclude;
}

std::size_t NetLayer::write_report(const IpAddress& own, std::uint8_t* out) const {
  const auto link_local =
      std::find_if(options_.addresses.begin(), options_.addresses.end(),
                   [](const IpPrefix& one) { return is_link_local_v6(one.address); });
  CHECK(link_local != options_.addresses.end());
  const IpAddress& source = link_local->address;
  const IpAddress to = all_mld_routers();
  const std::size_t at =
      write_ethernet(out, multicast_mac(to), options_.mac, options_.vlan, EtherType::kIpv6);
  write_ipv6(out + at, source, to, IpProtocol::kHopByHop, kListenerHopLimit);
  store_be16(out + at + 4, kRouterAlertBytes + kReportBytes);
  store_be64(out + at + kIpv6Bytes, kRouterAlert);
  std::uint8_t* const report = out + at + kIpv6Bytes + kRouterAlertBytes;
  store_be32(report, std::uint32_t{kReport} << 24);
  store_be32(report + 4, 1);
  store_be32(report + 8, std::uint32_t{report_type_} << 24);
  const IpAddress group = solicited_node(own);
  std::copy_n(group.bytes.begin(), 16, report + 12);
  ChecksumSum sum = pseudo_header_sum(source, to, IpProtocol::kIcmpV6);
  sum = checksum_add(checksum_add(sum, kReportBytes), ByteSpan(report, kReportBytes));
  store_be16(report + 2, checksum_finish(sum));
  return at + kIpv6Bytes + kRouterAlertBytes + kReportBytes;
}

}  // namespace millrace::io
