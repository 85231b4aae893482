// SPDX-License-Identifier: Apache-2.0
#include "io/dpdk/port_space.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "io/io_error.h"

namespace millrace::io {
namespace {

constexpr std::size_t kPorts = 65536;
constexpr std::uint32_t kSlotMask = (1u << kSocketSlotBits) - 1;

}  // namespace

PortSpace::PortSpace() : ports_(std::make_unique<Port[]>(kPorts)) {}

bool PortSpace::take_locked(std::uint16_t number, std::uint16_t queue,
                            const SocketOptions& options) {
  Port& port = ports_[number];
  const std::uint16_t wanted = options.reuse_port ? kShared : queue;
  if (port.users > 0) {
    if (options.first_of_port || port.owner.load(std::memory_order_relaxed) != wanted) return false;
  }
  if (port.users == UINT16_MAX) return false;
  ++port.users;
  port.owner.store(wanted, std::memory_order_relaxed);
  return true;
}

bool PortSpace::take(std::uint16_t port, std::uint16_t queue, const SocketOptions& options) {
  const std::lock_guard lock(mutex_);
  return take_locked(port, queue, options);
}

std::uint16_t PortSpace::find_free_locked(const PortWish& wish) {
  std::uint16_t first = 0;
  std::size_t looks = 0;
  for (std::size_t ports = kFirstEphemeral; ports < kPorts; ++ports) {
    if (first != 0 && ++looks >= wish.looks) break;
    const std::uint16_t port = next_;
    next_ = next_ == kPorts - 1 ? kFirstEphemeral : static_cast<std::uint16_t>(next_ + 1);
    if (ports_[port].users != 0) continue;
    if (!wish.fits || wish.fits(port)) return port;
    if (first == 0) first = port;
  }
  return first;
}

std::uint16_t PortSpace::take_any(std::uint16_t queue, const SocketOptions& options,
                                  const PortWish& wish) {
  const std::lock_guard lock(mutex_);
  const std::uint16_t port = find_free_locked(wish);
  return port != 0 && take_locked(port, queue, options) ? port : 0;
}

void PortSpace::release(std::uint16_t number) {
  const std::lock_guard lock(mutex_);
  Port& port = ports_[number];
  CHECK(port.users > 0);
  if (--port.users == 0) port.owner.store(kNobody, std::memory_order_relaxed);
}

DeviceSockets::DeviceSockets(PortSpace& ports, std::uint16_t queue,
                             std::vector<IpAddress> addresses)
    : ports_(ports), queue_(queue), addresses_(std::move(addresses)), first_(kPorts, 0) {}

DeviceSockets::~DeviceSockets() {
  for (const DeviceSocket& socket : sockets_) {
    if (socket.open) ports_.release(socket.local.port);
  }
}

bool DeviceSockets::owns(const IpAddress& address) const {
  return std::find(addresses_.begin(), addresses_.end(), address) != addresses_.end();
}

Result<SocketId, IoError> DeviceSockets::open(const Address& local, const SocketOptions& options,
                                              const PortWish& wish) {
  const std::string what = "bind udp " + local.to_string();
  if (!local.ip.is_unspecified() && !owns(local.ip)) return Failure(io_error(what, EADDRNOTAVAIL));
  Address bound = local;
  if (bound.port == 0) {
    bound.port = ports_.take_any(queue_, options, wish);
    if (bound.port == 0) return Failure(io_error(what, EADDRINUSE));
  } else {
    for (std::uint32_t at = first_[bound.port]; at != 0; at = sockets_[at - 1].next) {
      const IpAddress& other = sockets_[at - 1].local.ip;
      if (other == bound.ip || other.is_unspecified() || bound.ip.is_unspecified()) {
        return Failure(io_error(what, EADDRINUSE));
      }
    }
    if (!ports_.take(bound.port, queue_, options)) return Failure(io_error(what, EADDRINUSE));
  }
  std::uint32_t slot = 0;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else if (sockets_.size() <= kSlotMask) {
    slot = static_cast<std::uint32_t>(sockets_.size());
    sockets_.emplace_back().id = slot;
  } else {
    ports_.release(bound.port);
    return Failure(io_error(what, ENFILE));
  }
  DeviceSocket& socket = sockets_[slot];
  socket.local = bound;
  socket.open = true;
  socket.next = std::exchange(first_[bound.port], slot + 1);
  return SocketId{socket.id};
}

void DeviceSockets::close(SocketId id) {
  if (find(id) == nullptr) return;
  const std::uint32_t slot = socket_slot(id);
  DeviceSocket& socket = sockets_[slot];
  std::uint32_t* at = &first_[socket.local.port];
  while (*at != slot + 1) at = &sockets_[*at - 1].next;
  *at = socket.next;
  ports_.release(socket.local.port);
  socket.open = false;
  // Another generation; kNoSocket is the last of the last slot, and is passed over.
  socket.id += 1u << kSocketSlotBits;
  if (socket.id == kNoSocket) socket.id = slot;
  free_.push_back(slot);
}

}  // namespace millrace::io
