// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/copied_datagram.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {

BufferRef CopiedDatagram::make(ByteSpan datagram, const RxBuffer& origin) {
  auto copy = std::make_unique<CopiedDatagram>();
  copy->bytes_ = std::make_unique<std::uint8_t[]>(datagram.size());
  std::copy(datagram.begin(), datagram.end(), copy->bytes_.get());
  RxBuffer& header = copy->header_;
  header.home = copy.get();
  header.data = copy->bytes_.get();
  header.capacity = static_cast<std::uint32_t>(datagram.size());
  header.socket = origin.socket;
  header.source = origin.source;
  header.local = origin.local;
  copy->self_ = std::move(copy);
  return BufferRef(&header);
}

void CopiedDatagram::release(RxBuffer& /*buffer*/) {
  // Dies at the end of this scope, and the buffer with it.
  const std::unique_ptr<CopiedDatagram> last = std::move(self_);
}

}  // namespace millrace::engine
