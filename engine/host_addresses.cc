// SPDX-License-Identifier: Apache-2.0
#include "engine/host_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>

namespace millrace::engine {
namespace {

IpAddress from_sockaddr(const sockaddr& address) {
  IpAddress ip;
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&v4.sin_addr);
    ip.family = IpAddress::Family::kV4;
    std::copy_n(bytes, 4, ip.bytes.begin());
  } else if (address.sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr);
    ip.family = IpAddress::Family::kV6;
    std::copy_n(bytes, 16, ip.bytes.begin());
  }
  return ip;
}

bool is_link_local(const IpAddress& ip) {
  if (ip.is_v4()) return ip.bytes[0] == 169 && ip.bytes[1] == 254;
  return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
}

}  // namespace

std::vector<IpAddress> host_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<IpAddress> found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const IpAddress ip = from_sockaddr(*entry->ifa_addr);
    if (ip.family == IpAddress::Family::kNone || is_link_local(ip)) continue;
    if (std::find(found.begin(), found.end(), ip) == found.end()) found.push_back(ip);
  }
  const auto rank = [](const IpAddress& ip) { return (ip.is_loopback() ? 2 : 0) + !ip.is_v4(); };
  std::stable_sort(found.begin(), found.end(),
                   [&](const IpAddress& a, const IpAddress& b) { return rank(a) < rank(b); });
  return found;
}

}  // namespace millrace::engine
