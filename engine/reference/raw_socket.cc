// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/raw_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "io/io_error.h"
#include "io/kernel_address.h"

namespace millrace::reference {
namespace {

// The kernel grants what net.core.*mem_max allows; a privileged process may have more.
void set_buffer(int fd, int forced, int polite, std::uint32_t bytes) {
  const int value = static_cast<int>(bytes);
  if (::setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) == 0) return;
  ::setsockopt(fd, SOL_SOCKET, polite, &value, sizeof(value));
}

}  // namespace

Result<RawSocket, io::IoError> RawSocket::open(const Address& like, std::uint32_t buffer_bytes) {
  const int family = like.ip.is_v6() ? AF_INET6 : AF_INET;
  RawSocket socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.fd_ < 0) return Failure(io::io_error("socket", errno));
  set_buffer(socket.fd_, SO_RCVBUFFORCE, SO_RCVBUF, buffer_bytes);
  set_buffer(socket.fd_, SO_SNDBUFFORCE, SO_SNDBUF, buffer_bytes);
  // Where it is missing, each datagram arrives by itself.
  const int on = 1;
  ::setsockopt(socket.fd_, SOL_UDP, UDP_GRO, &on, sizeof(on));
  const timeval limit{.tv_sec = 0, .tv_usec = microseconds(kReceiveTimeout).count()};
  ::setsockopt(socket.fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return socket;
}

Result<RawSocket, io::IoError> RawSocket::listen(const Address& at, std::uint32_t buffer_bytes) {
  auto socket = open(at, buffer_bytes);
  if (!socket) return socket;
  io::KernelAddress address;
  const socklen_t length = io::to_kernel(at, at.ip.is_v6(), address);
  if (::bind(socket->fd_, &address.any, length) != 0) {
    return Failure(io::io_error("bind udp " + at.to_string(), errno));
  }
  return socket;
}

Result<RawSocket, io::IoError> RawSocket::connect(const Address& to, std::uint32_t buffer_bytes) {
  auto socket = open(to, buffer_bytes);
  if (!socket) return socket;
  io::KernelAddress address;
  const socklen_t length = io::to_kernel(to, to.ip.is_v6(), address);
  if (::connect(socket->fd_, &address.any, length) != 0) {
    return Failure(io::io_error("connect udp " + to.to_string(), errno));
  }
  return socket;
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) ::close(fd_);
}

RawSocket::RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Address RawSocket::local_address() const {
  io::KernelAddress address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd_, &address.any, &length) != 0) return {};
  return io::from_kernel(address, length).value_or(Address{});
}

}  // namespace millrace::reference
