// SPDX-License-Identifier: Apache-2.0
#include "io/socket_table.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/io_error.h"
#include "io/kernel_address.h"

namespace millrace::io {

namespace {

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

void set_buffer(int fd, int forced, int name, std::uint32_t bytes) {
  if (bytes == 0) return;
  const int value = static_cast<int>(std::min<std::uint32_t>(bytes, 1u << 30));
  // The forced form passes net.core.*mem_max, for those who may (CAP_NET_ADMIN).
  if (!set_option(fd, SOL_SOCKET, forced, value)) set_option(fd, SOL_SOCKET, name, value);
}

// What is a wish or tells us more is best effort: a sandbox's kernel may lack it.
void set_options(int fd, bool v6, bool wildcard, const SocketOptions& options) {
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);
  set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (options.busy_poll_us > 0) {
    set_option(fd, SOL_SOCKET, SO_BUSY_POLL, static_cast<int>(options.busy_poll_us));
  }
  // RFC 8899 §3: the sender finds the path MTU itself, so datagrams carry DF and what
  // the kernel believes of the path is not asked.
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
  if (v6) {
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    if (wildcard) set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  } else if (wildcard) {
    set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
}

// Binds; returns 0 or errno.
int bind_to(int fd, const Address& local, bool v6, const SocketOptions& options,
            KernelAddress& bound) {
  // Who binds with the option shares the port with everybody of this user who has it too, and
  // takes part of their datagrams; port 0 finds such ports as well. Who has it afterwards
  // lets others in.
  const auto share = [&] { return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1); };
  if (options.reuse_port && !options.first_of_port && !share()) return errno;
  KernelAddress address;
  const socklen_t length = to_kernel(local, v6, address);
  socklen_t bound_length = sizeof(bound);
  if (bind(fd, &address.any, length) != 0) return errno;
  if (getsockname(fd, &bound.any, &bound_length) != 0) return errno;
  if (options.reuse_port && options.first_of_port && !share()) return errno;
  return 0;
}

// Opens, sets up and binds; returns the descriptor, or -errno.
int open_bound(const Address& local, bool v6, const SocketOptions& options, KernelAddress& bound) {
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (v6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, local.ip.is_unspecified() ? 0 : 1);
  set_options(fd, v6, local.ip.is_unspecified(), options);
  if (const int error = bind_to(fd, local, v6, options, bound); error != 0) {
    close(fd);
    return -error;
  }
  return fd;
}

}  // namespace

SocketTable::~SocketTable() {
  for (const KernelSocket& socket : sockets_) {
    if (socket.fd >= 0) ::close(socket.fd);
  }
}

Result<SocketId, IoError> SocketTable::open(const Address& local, const SocketOptions& options,
                                            bool gro, IoStats& stats) {
  const std::string what = "bind udp " + local.to_string();
  if (local.ip.family == IpAddress::Family::kNone) return Failure(io_error(what, EINVAL));
  if (free_.empty() && sockets_.size() > kSlotMask) return Failure(io_error(what, EMFILE));

  const bool v6 = local.ip.is_v6();
  KernelAddress bound{};
  const int fd = open_bound(local, v6, options, bound);
  if (fd < 0) return Failure(io_error(what, -fd));
  if (gro && !set_option(fd, SOL_UDP, UDP_GRO, 1)) stats.gro_unavailable = true;

  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(sockets_.size()));
    sockets_.emplace_back();
    sockets_.back().id = free_.back();
  }
  KernelSocket& socket = sockets_[free_.back()];
  free_.pop_back();
  socket.fd = fd;
  socket.v6 = v6;
  socket.wildcard = local.ip.is_unspecified();
  socket.armed = false;
  socket.sending = 0;
  socket.overflow = 0;
  const std::uint16_t port = ntohs(v6 ? bound.v6.sin6_port : bound.v4.sin_port);
  socket.local = {local.ip, port};
  return SocketId{socket.id};
}

void SocketTable::close(SocketId id) {
  KernelSocket* const socket = find(id);
  if (socket == nullptr) return;
  ::close(socket->fd);
  socket->fd = -1;
  const std::uint32_t slot = id & kSlotMask;
  // Generations run from 0 to 0xffe: the last would make kNoSocket.
  const std::uint32_t generation = ((id >> kSlotBits) + 1) % kGenerations;
  socket->id = (generation << kSlotBits) | slot;
  free_.push_back(slot);
}

Address SocketTable::local_address(SocketId id) const {
  const std::size_t slot = id & kSlotMask;
  if (slot >= sockets_.size()) return {};
  const KernelSocket& socket = sockets_[slot];
  return socket.id == id && socket.fd >= 0 ? socket.local : Address{};
}

}  // namespace millrace::io
