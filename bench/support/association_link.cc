// SPDX-License-Identifier: Apache-2.0
#include "bench/support/association_link.h"

#include <algorithm>

#include "engine/base/check.h"

namespace millrace::bench {

namespace {
constexpr std::size_t kBuffers = 256;
constexpr sctp::StreamId kStream{1};
constexpr sctp::Ppid kBinary{53};
}  // namespace

AssociationLink::AssociationLink()
    : buffers_(kBuffers), sender_({}, rng_, mac_, pool_), receiver_({}, rng_, mac_, pool_) {
  free_.reserve(kBuffers);
  for (Buffer& buffer : buffers_) {
    buffer.bytes = std::make_unique<std::uint8_t[]>(kBurst * kSlotBytes);
    buffer.header.home = this;
    buffer.header.data = buffer.bytes.get();
    buffer.header.capacity = kBurst * kSlotBytes;
    free_.push_back(&buffer.header);
  }
  sender_.connect(now_);
  receiver_.connect(now_);
  for (int i = 0; i < 100 && !(sender_.is_connected() && receiver_.is_connected()); ++i) exchange();
  CHECK(sender_.is_connected() && receiver_.is_connected());
}

AssociationLink::~AssociationLink() = default;

void AssociationLink::fill(std::size_t bytes, const sctp::SendOptions& options) {
  payload_.resize(bytes);
  while (sender_.send(now_, kStream, kBinary, payload_, options) == sctp::SendStatus::kOk) {
  }
}

std::size_t AssociationLink::exchange() {
  now_ += microseconds(20);
  for (sctp::Association* const end : {&sender_, &receiver_}) {
    if (end->next_timeout() <= now_) end->handle_timeout(now_);
  }
  return carry(sender_, receiver_) + carry(receiver_, sender_);
}

BufferRef AssociationLink::take() {
  CHECK(!free_.empty());
  RxBuffer* const buffer = free_.back();
  free_.pop_back();
  return BufferRef(buffer);
}

std::size_t AssociationLink::carry(sctp::Association& from, sctp::Association& to) {
  const BufferRef buffer = take();
  std::size_t packets = 0;
  while (packets < kBurst) {
    const std::size_t size =
        from.poll_packet(now_, {buffer->data + packets * kSlotBytes, kSlotBytes});
    if (size == 0) break;
    sizes_[packets++] = size;
  }
  sctp::Event event;
  for (std::size_t i = 0; i < packets; ++i) {
    to.handle_packet(now_, {buffer->data + i * kSlotBytes, sizes_[i]}, buffer);
    while (to.poll_event(event)) {
      if (event.kind != sctp::EventKind::kMessage) continue;
      ++messages_;
      payload_bytes_ += event.message.size;
    }
  }
  if (packets != 0) to.handle_burst_end(now_);
  return packets;
}

}  // namespace millrace::bench
