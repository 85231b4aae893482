// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "engine/base/address.h"

namespace millrace::io {

// KernelAddress is an address as system calls take it.
union KernelAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// to_kernel writes `address` for a socket of the given kind: an IPv6 socket takes IPv4
// addresses mapped. Returns the length, or 0 where the socket cannot send there (IPv6
// from an IPv4 socket, or no address at all).
socklen_t to_kernel(const Address& address, bool v6_socket, KernelAddress& out);

// from_kernel reads what the kernel wrote; a mapped IPv4 address becomes plain IPv4.
// Nothing for another family or a short length.
std::optional<Address> from_kernel(const KernelAddress& address, socklen_t length);
IpAddress from_kernel(const in_addr& address);
IpAddress from_kernel(const in6_addr& address, std::uint32_t scope_id);

}  // namespace millrace::io
