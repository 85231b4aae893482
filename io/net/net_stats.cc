// SPDX-License-Identifier: Apache-2.0
#include "io/net/net_stats.h"

namespace millrace::io {

std::string_view drop_name(NetDrop reason) {
  constexpr std::array<std::string_view, kNetDropCount> kNames = {
      "rx_truncated",          "rx_vlan",
      "rx_not_our_mac",        "rx_ether_type",
      "rx_ip_malformed",       "rx_ip_checksum",
      "rx_fragment",           "rx_ip_options",
      "rx_not_our_address",    "rx_martian",
      "rx_protocol",           "rx_udp_malformed",
      "rx_udp_checksum",       "rx_udp_empty",
      "rx_icmp_malformed",     "rx_icmp_checksum",
      "rx_icmp_ignored",       "rx_echo_limit",
      "rx_path_mtu_limit",     "rx_answer_limit",
      "rx_reply_no_room",      "rx_arp_malformed",
      "rx_arp_not_for_us",     "rx_nd_malformed",
      "rx_nd_not_for_us",      "rx_unknown_neighbour",
      "rx_neighbour_conflict", "rx_neighbour_flap",
      "tx_no_route",           "tx_too_big",
      "tx_unreachable",        "tx_neighbour_table",
      "tx_parked_full"};
  return reason < NetDrop::kCount ? kNames[static_cast<std::size_t>(reason)] : "unknown";
}

}  // namespace millrace::io
