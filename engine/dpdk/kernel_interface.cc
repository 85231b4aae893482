// SPDX-License-Identifier: Apache-2.0
#include "engine/dpdk/kernel_interface.h"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/base/bytes.h"

namespace millrace::engine {
namespace {

// The length of a netmask: its leading ones.
unsigned bits_of(std::span<const std::uint8_t> mask) {
  unsigned bits = 0;
  for (const std::uint8_t byte : mask) bits += static_cast<unsigned>(std::popcount(byte));
  return bits;
}

std::optional<io::IpPrefix> prefix_of(const sockaddr& address, const sockaddr* mask) {
  io::IpPrefix prefix;
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&v4);
    prefix.address = IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
    prefix.bits = 32;
    if (mask != nullptr) {
      const auto& of = reinterpret_cast<const sockaddr_in*>(mask)->sin_addr;
      prefix.bits = bits_of({reinterpret_cast<const std::uint8_t*>(&of), 4});
    }
    return prefix;
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&v6)) return std::nullopt;
  prefix.address.family = IpAddress::Family::kV6;
  std::copy_n(v6.s6_addr, 16, prefix.address.bytes.begin());
  prefix.bits = 128;
  if (mask != nullptr) {
    prefix.bits = bits_of({reinterpret_cast<const sockaddr_in6*>(mask)->sin6_addr.s6_addr, 16});
  }
  return prefix;
}

void take_mac(const sockaddr& address, io::NetOptions& net) {
  const auto& link = reinterpret_cast<const sockaddr_ll&>(address);
  if (net.mac.is_zero() && link.sll_halen == net.mac.bytes.size()) {
    std::copy_n(link.sll_addr, net.mac.bytes.size(), net.mac.bytes.begin());
  }
}

void take_mtu(const std::string& name, io::NetOptions& net) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0) {
    net.mtu = static_cast<std::size_t>(request.ifr_mtu);
  }
  close(fd);
}

// The default route's gateway: a line whose destination is zero. Addresses are in network
// order, written as one number of the machine's.
void take_gateway(const std::string& name, io::NetOptions& net) {
  const bool stated = std::any_of(net.gateways.begin(), net.gateways.end(),
                                  [](const IpAddress& one) { return one.is_v4(); });
  if (stated) return;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> routes(std::fopen("/proc/net/route", "r"),
                                                               &std::fclose);
  if (routes == nullptr) return;
  for (std::array<char, 512> line; std::fgets(line.data(), line.size(), routes.get()) != nullptr;) {
    std::array<char, 64> interface {};
    unsigned destination = 0;
    unsigned gateway = 0;
    if (std::sscanf(line.data(), "%63s %x %x", interface.data(), &destination, &gateway) != 3) {
      continue;
    }
    if (name != interface.data() || destination != 0 || gateway == 0) continue;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&gateway);
    net.gateways.push_back(IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]));
    return;
  }
}

}  // namespace

std::optional<Error> take_over_interface(const std::string& name, io::NetOptions& net) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return Error{"dpdk from interface: cannot list interfaces"};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  bool found = false;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (name != each->ifa_name) continue;
    found = true;
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_PACKET) take_mac(*each->ifa_addr, net);
    const auto prefix = prefix_of(*each->ifa_addr, each->ifa_netmask);
    if (!prefix) continue;
    const bool known =
        std::any_of(net.addresses.begin(), net.addresses.end(),
                    [&](const io::IpPrefix& own) { return own.address == prefix->address; });
    if (!known) net.addresses.push_back(*prefix);
  }
  if (!found) return Error{"dpdk from interface: there is no '" + name + "'"};
  if (net.addresses.empty()) return Error{"dpdk from interface: '" + name + "' has no address"};
  if (net.mtu == 0) take_mtu(name, net);
  take_gateway(name, net);
  return std::nullopt;
}

}  // namespace millrace::engine
