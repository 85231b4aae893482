// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::io {

// IoDrop is why a datagram did not get through the datapath.
enum class IoDrop : std::uint8_t {
  kRxKernelQueue,   // The socket's buffer overflowed (SO_RXQ_OVFL).
  kRxTruncated,     // Longer than the buffer, or its control data was cut.
  kRxEmpty,         // No bytes in it.
  kRxNoSource,      // Neither IPv4 nor IPv6.
  kRxClosedSocket,  // Arrived for a socket that was closed meanwhile.
  kRxError,         // The kernel reported another error on receive.
  kTxClosedSocket,  // Committed to a socket that is not open.
  kTxNoBuffer,      // EAGAIN or ENOBUFS, still after the retries.
  kTxTooBig,        // EMSGSIZE: above the path's or the device's MTU.
  kTxUnreachable,   // No route, network down, host unreachable, refused.
  kTxNotPermitted,  // A firewall said no (EPERM, EACCES).
  kTxWrongFamily,   // The address does not fit the socket.
  kTxError,         // Any other error on send.
  kCount,
};
// drop_name is the reason in snake_case, for metrics.
std::string_view drop_name(IoDrop reason);

// IoStats are counters since creation, of one datapath; they only grow.
struct IoStats {
  std::uint64_t rx_datagrams = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_buffers = 0;  // Buffers that carried them; fewer, thanks to GRO.
  std::uint64_t tx_datagrams = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_sends = 0;      // Send operations that carried them.
  std::uint64_t tx_gso_sends = 0;  // Of these, with more than one datagram.
  std::uint64_t tx_retries = 0;    // Sends put off by EAGAIN or ENOBUFS.
  std::uint64_t syscalls = 0;
  std::uint64_t sleeps = 0;
  std::uint64_t reserve_short = 0;   // reserve() returned fewer segments than asked.
  std::uint64_t rx_starved = 0;      // Times that no receive buffer was free.
  std::uint64_t rx_handed_over = 0;  // Came to this queue, and went to another shard's (a device).
  std::uint64_t rx_refused = 0;      // ICMP errors seen on receive (ECONNREFUSED); noise.
  std::array<std::uint64_t, static_cast<std::size_t>(IoDrop::kCount)> drops{};
  bool gso_unavailable = false;  // The kernel or device refused GSO; sent one by one since.
  bool gro_unavailable = false;

  void drop(IoDrop reason, std::uint64_t datagrams = 1) {
    drops[static_cast<std::size_t>(reason)] += datagrams;
  }
  std::uint64_t dropped(IoDrop reason) const { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace millrace::io
