// SPDX-License-Identifier: Apache-2.0
#include "io/kernel_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace millrace::io {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

socklen_t to_kernel(const Address& address, bool v6_socket, KernelAddress& out) {
  const IpAddress& ip = address.ip;
  if (!v6_socket) {
    if (!ip.is_v4()) return 0;
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, ip.bytes.data(), sizeof(out.v4.sin_addr));
    return sizeof(out.v4);
  }
  if (ip.family == IpAddress::Family::kNone) return 0;
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  std::uint8_t* const bytes = out.v6.sin6_addr.s6_addr;
  if (ip.is_v4()) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), bytes);
    std::copy_n(ip.bytes.begin(), 4, bytes + kMappedPrefix.size());
  } else {
    std::copy(ip.bytes.begin(), ip.bytes.end(), bytes);
    out.v6.sin6_scope_id = ip.scope_id;
  }
  return sizeof(out.v6);
}

std::optional<Address> from_kernel(const KernelAddress& address, socklen_t length) {
  if (length >= sizeof(sockaddr_in) && address.any.sa_family == AF_INET) {
    return Address{from_kernel(address.v4.sin_addr), ntohs(address.v4.sin_port)};
  }
  if (length >= sizeof(sockaddr_in6) && address.any.sa_family == AF_INET6) {
    return Address{from_kernel(address.v6.sin6_addr, address.v6.sin6_scope_id),
                   ntohs(address.v6.sin6_port)};
  }
  return std::nullopt;
}

IpAddress from_kernel(const in_addr& address) {
  IpAddress ip;
  ip.family = IpAddress::Family::kV4;
  std::memcpy(ip.bytes.data(), &address, sizeof(address));
  return ip;
}

IpAddress from_kernel(const in6_addr& address, std::uint32_t scope_id) {
  IpAddress ip;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.s6_addr)) {
    ip.family = IpAddress::Family::kV4;
    std::copy_n(address.s6_addr + kMappedPrefix.size(), 4, ip.bytes.begin());
    return ip;
  }
  ip.family = IpAddress::Family::kV6;
  std::copy_n(address.s6_addr, ip.bytes.size(), ip.bytes.begin());
  ip.scope_id = scope_id;
  return ip;
}

}  // namespace millrace::io
