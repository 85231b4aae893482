// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/kernel_link.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace millrace::io {
namespace {

// A request about the interface, by the name that it has by now.
std::optional<ifreq> request_for(int socket, unsigned index) {
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(index);
  if (ioctl(socket, SIOCGIFNAME, &request) != 0) return std::nullopt;
  return request;
}

}  // namespace

std::unique_ptr<KernelLink> KernelLink::find(unsigned index) {
  // Of protocol 0: it receives nothing itself.
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (socket < 0) return nullptr;
  std::unique_ptr<KernelLink> link(new KernelLink(socket, index));  // tidy: allow, it is private
  const auto address = link->address();
  auto request = request_for(socket, index);
  if (!address || !request || ioctl(socket, SIOCGIFFLAGS, &*request) != 0) return nullptr;
  link->found_ = *address;
  link->was_promiscuous_ = (request->ifr_flags & IFF_PROMISC) != 0;
  return link;
}

KernelLink::~KernelLink() {
  auto request = request_for(socket_, index_);
  if (set_ && request && *set_ != found_ && address() == set_) {
    request->ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::copy_n(found_.bytes.begin(), found_.bytes.size(), request->ifr_hwaddr.sa_data);
    ioctl(socket_, SIOCSIFHWADDR, &*request);
  }
  close(socket_);
}

std::optional<MacAddress> KernelLink::address() const {
  auto request = request_for(socket_, index_);
  if (!request || ioctl(socket_, SIOCGIFHWADDR, &*request) != 0) return std::nullopt;
  MacAddress mac;
  std::copy_n(request->ifr_hwaddr.sa_data, mac.bytes.size(), mac.bytes.begin());
  return mac;
}

bool KernelLink::listen(unsigned short what) {
  packet_mreq wish{};
  wish.mr_ifindex = static_cast<int>(index_);
  wish.mr_type = what;
  return setsockopt(socket_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wish, sizeof(wish)) == 0;
}

bool KernelLink::receive_groups() { return listen(PACKET_MR_ALLMULTI); }
bool KernelLink::receive_all() { return listen(PACKET_MR_PROMISC); }

}  // namespace millrace::io
