// SPDX-License-Identifier: Apache-2.0
#include "io/control_message.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

#include "engine/base/check.h"
#include "io/kernel_address.h"

namespace millrace::io {

namespace {

constexpr std::uint8_t kEcnMask = 0x03;  // RFC 3168 §5: the two low bits of the class.

template <class T>
bool read_value(const cmsghdr& header, T& out) {
  if (header.cmsg_len < CMSG_LEN(sizeof(T))) return false;
  std::memcpy(&out, CMSG_DATA(&header), sizeof(T));
  return true;
}

template <class T>
std::size_t write_value(std::uint8_t* out, int level, int type, const T& value) {
  cmsghdr header{};
  header.cmsg_len = CMSG_LEN(sizeof(T));
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::memcpy(out, &header, sizeof(header));
  std::memcpy(out + CMSG_LEN(0), &value, sizeof(T));
  return CMSG_SPACE(sizeof(T));
}

void read_ip(const cmsghdr& header, RxControl& out) {
  in_pktinfo info{};
  std::uint8_t tos = 0;
  if (header.cmsg_type == IP_PKTINFO && read_value(header, info)) {
    out.local = from_kernel(info.ipi_addr);
  } else if (header.cmsg_type == IP_TOS && read_value(header, tos)) {
    out.ecn = tos & kEcnMask;
  }
}

void read_ipv6(const cmsghdr& header, RxControl& out) {
  in6_pktinfo info{};
  int traffic_class = 0;
  if (header.cmsg_type == IPV6_PKTINFO && read_value(header, info)) {
    const bool link_local = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr);
    out.local = from_kernel(info.ipi6_addr, link_local ? info.ipi6_ifindex : 0);
  } else if (header.cmsg_type == IPV6_TCLASS && read_value(header, traffic_class)) {
    out.ecn = static_cast<std::uint8_t>(traffic_class) & kEcnMask;
  }
}

}  // namespace

RxControl read_control(const std::uint8_t* control, std::size_t length) {
  RxControl out;
  std::size_t at = 0;
  while (at + sizeof(cmsghdr) <= length) {
    const cmsghdr& header = *reinterpret_cast<const cmsghdr*>(control + at);
    if (header.cmsg_len < sizeof(cmsghdr) || header.cmsg_len > length - at) break;
    if (header.cmsg_level == IPPROTO_IP) {
      read_ip(header, out);
    } else if (header.cmsg_level == IPPROTO_IPV6) {
      read_ipv6(header, out);
    } else if (header.cmsg_level == SOL_UDP && header.cmsg_type == UDP_GRO) {
      int bytes = 0;
      if (read_value(header, bytes) && bytes > 0)
        out.segment_bytes = static_cast<std::uint32_t>(bytes);
    } else if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SO_RXQ_OVFL) {
      read_value(header, out.overflow);
    }
    at += CMSG_ALIGN(header.cmsg_len);
  }
  return out;
}

std::size_t write_control(std::uint8_t* out, std::size_t gso_bytes, const IpAddress& local,
                          bool v6_socket) {
  std::size_t used = 0;
  if (gso_bytes > 0) {
    used += write_value(out, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(gso_bytes));
  }
  if (local.family == IpAddress::Family::kNone) return used;
  KernelAddress address;
  if (to_kernel({local, 0}, v6_socket, address) == 0) return used;
  if (v6_socket) {
    in6_pktinfo info{};
    info.ipi6_addr = address.v6.sin6_addr;
    info.ipi6_ifindex = address.v6.sin6_scope_id;
    used += write_value(out + used, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    info.ipi_spec_dst = address.v4.sin_addr;
    used += write_value(out + used, IPPROTO_IP, IP_PKTINFO, info);
  }
  DCHECK(used <= kTxControlBytes);
  return used;
}

}  // namespace millrace::io
