// SPDX-License-Identifier: Apache-2.0
#include "io/rx_accept.h"

#include <sys/socket.h>

namespace millrace::io {

bool accept_buffer(const ReceivedMessage& message, KernelSocket& socket, RxBuffer& buffer,
                   RxSplitter& splitter, IoStats& stats) {
  const RxControl control = read_control(message.control, message.control_length);
  if (control.overflow != 0) {
    // The count is the socket's total, and wraps.
    stats.drop(IoDrop::kRxKernelQueue, control.overflow - socket.overflow);
    socket.overflow = control.overflow;
  }
  // Without its control data a coalesced buffer cannot be told from one datagram.
  if ((message.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || message.length > RxPool::kPayloadBytes) {
    stats.drop(IoDrop::kRxTruncated);
    return false;
  }
  if (message.length == 0) {
    stats.drop(IoDrop::kRxEmpty);
    return false;
  }
  const std::optional<Address> source = from_kernel(*message.name, message.name_length);
  if (!source) {
    stats.drop(IoDrop::kRxNoSource);
    return false;
  }
  buffer.source = *source;
  buffer.local = socket.wildcard ? control.local : socket.local.ip;
  buffer.ecn = control.ecn;
  buffer.socket = socket.id;
  const auto length = static_cast<std::uint32_t>(message.length);
  const std::uint32_t segment = control.segment_bytes == 0 ? length : control.segment_bytes;
  ++stats.rx_buffers;
  stats.rx_datagrams += (length + segment - 1) / segment;
  stats.rx_bytes += length;
  splitter.add(buffer, length, segment);
  return true;
}

}  // namespace millrace::io
