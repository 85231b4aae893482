// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/address.h"
#include "engine/base/result.h"
#include "io/datapath.h"
#include "io/io_stats.h"

namespace millrace::io {

// KernelSocket is one open UDP socket.
struct KernelSocket {
  int fd = -1;
  SocketId id = kNoSocket;
  Address local;
  std::uint32_t overflow = 0;  // The last SO_RXQ_OVFL count seen.
  bool v6 = false;
  bool wildcard = false;      // Bound to all addresses: datagrams tell their local one.
  bool armed = false;         // io_uring: a multishot receive is in force.
  std::uint32_t sending = 0;  // io_uring: sends that the kernel has.
};

// SocketTable opens, names and closes the UDP sockets of one kernel datapath. An id is
// a slot number and a generation, so that an id of a closed socket finds nothing until
// its slot has been used 4,095 times more.
class SocketTable {
 public:
  SocketTable() = default;
  ~SocketTable();
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;

  // Opens and binds. `gro_available` is cleared where the kernel refuses UDP_GRO.
  Result<SocketId, IoError> open(const Address& local, const SocketOptions& options, bool gro,
                                 IoStats& stats);
  void close(SocketId id);

  KernelSocket* find(SocketId id) {
    const std::size_t slot = id & kSlotMask;
    if (slot >= sockets_.size()) return nullptr;
    KernelSocket& socket = sockets_[slot];
    return socket.id == id && socket.fd >= 0 ? &socket : nullptr;
  }
  Address local_address(SocketId id) const;
  std::size_t size() const { return sockets_.size() - free_.size(); }
  // All slots; a closed one has fd -1. Opening a socket may move them.
  std::vector<KernelSocket>& slots() { return sockets_; }

 private:
  static constexpr std::uint32_t kSlotBits = kSocketSlotBits;
  static constexpr std::uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static constexpr std::uint32_t kGenerations = 0xfff;

  std::vector<KernelSocket> sockets_;
  std::vector<std::uint32_t> free_;
};

}  // namespace millrace::io
