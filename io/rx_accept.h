// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/io_stats.h"
#include "io/kernel_address.h"
#include "io/rx_pool.h"
#include "io/socket_table.h"

namespace millrace::io {

// ReceivedMessage is one filled buffer as recvmsg describes it.
struct ReceivedMessage {
  const KernelAddress* name;
  socklen_t name_length;
  const std::uint8_t* control;
  std::size_t control_length;
  int flags;  // MSG_TRUNC, MSG_CTRUNC.
  std::size_t length;
};

// accept_buffer checks what arrived on `socket`, fills in the buffer's header and queues
// it for splitting. False: it was counted as a drop, and the buffer is still the caller's.
bool accept_buffer(const ReceivedMessage& message, KernelSocket& socket, RxBuffer& buffer,
                   RxSplitter& splitter, IoStats& stats);

}  // namespace millrace::io
