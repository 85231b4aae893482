// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "engine/base/bytes.h"
#include "engine/base/rx_buffer.h"

namespace millrace::engine {

// CopiedDatagram is a receive buffer of its own for a datagram that no datapath holds:
// one that another shard forwarded, or early data that DTLS held. It frees itself with
// its last reference.
class CopiedDatagram final : public RxBufferHome {
 public:
  // Takes source, local address and socket from `origin`.
  static BufferRef make(ByteSpan datagram, const RxBuffer& origin);

  void release(RxBuffer& buffer) override;

 private:
  RxBuffer header_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::unique_ptr<CopiedDatagram> self_;
};

}  // namespace millrace::engine
