// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "io/datapath.h"

namespace millrace::io {

// PortWish is which of the free ports is wanted: without `fits`, which is asked under a lock, any.
struct PortWish {
  std::function<bool(std::uint16_t port)> fits;
  std::size_t looks = 0;  // Ports looked at, from the first free one on, before that one does.
};

// PortSpace says which of a device's queues has which UDP port: one of them, or all that
// share it by `SocketOptions::reuse_port`. Taking and releasing is for any thread, under a
// mutex; `owner` takes no lock.
class PortSpace {
 public:
  static constexpr std::uint16_t kNobody = 0xffff;
  static constexpr std::uint16_t kShared = 0xfffe;

  PortSpace();
  // False: another queue has the port, or `options.first_of_port` and somebody shares it.
  bool take(std::uint16_t port, std::uint16_t queue, const SocketOptions& options);
  // Where one port in as many as there are queues fits: one in 10^27 searches fails.
  static constexpr std::size_t kLooksPerQueue = 64;
  // Takes a port that nobody has, one that fits where it is found; 0 when there is none.
  std::uint16_t take_any(std::uint16_t queue, const SocketOptions& options,
                         const PortWish& wish = {});
  void release(std::uint16_t port);

  // The queue that has `port`, kShared or kNobody.
  std::uint16_t owner(std::uint16_t port) const {
    return ports_[port].owner.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint16_t kFirstEphemeral = 32768;
  struct Port {
    std::atomic<std::uint16_t> owner{kNobody};
    std::uint16_t users = 0;
  };
  bool take_locked(std::uint16_t port, std::uint16_t queue, const SocketOptions& options);
  std::uint16_t find_free_locked(const PortWish& wish);

  std::mutex mutex_;
  std::unique_ptr<Port[]> ports_;
  std::uint16_t next_ = kFirstEphemeral;
};

// DeviceSocket is a UDP address that a queue's shard receives on.
struct DeviceSocket {
  SocketId id = kNoSocket;
  Address local;
  std::uint32_t next = 0;  // Slot + 1 of the next one with its port; 0: none.
  bool open = false;
};

// DeviceSockets are those of one queue, found by id and by the address a datagram is to.
class DeviceSockets {
 public:
  DeviceSockets(PortSpace& ports, std::uint16_t queue, std::vector<IpAddress> addresses);
  ~DeviceSockets();
  DeviceSockets(const DeviceSockets&) = delete;
  DeviceSockets& operator=(const DeviceSockets&) = delete;

  // `wish` is of the ports that port 0 may become.
  Result<SocketId, IoError> open(const Address& local, const SocketOptions& options,
                                 const PortWish& wish = {});
  void close(SocketId id);
  const DeviceSocket* find(SocketId id) const {
    const std::uint32_t slot = socket_slot(id);
    if (slot >= sockets_.size()) return nullptr;
    const DeviceSocket& socket = sockets_[slot];
    return socket.id == id && socket.open ? &socket : nullptr;
  }
  // The socket that takes a datagram to `to`: one bound to that address, or a wildcard.
  const DeviceSocket* find(const Address& to) const {
    for (std::uint32_t at = first_[to.port]; at != 0; at = sockets_[at - 1].next) {
      const DeviceSocket& socket = sockets_[at - 1];
      const IpAddress& bound = socket.local.ip;
      const bool any = bound.is_unspecified() && (bound.is_v6() || to.ip.is_v4());
      if (any || bound == to.ip) return &socket;
    }
    return nullptr;
  }
  bool owns(const IpAddress& address) const;

 private:
  PortSpace& ports_;
  const std::uint16_t queue_;
  const std::vector<IpAddress> addresses_;
  std::vector<DeviceSocket> sockets_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> first_;  // By port: slot + 1, or 0.
};

}  // namespace millrace::io
