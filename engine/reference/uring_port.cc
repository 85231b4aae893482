// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/uring_port.h"

#include <algorithm>
#include <utility>

namespace millrace::reference {

Result<std::unique_ptr<UringPort>, io::IoError> UringPort::create(RawSocket& socket, bool receives,
                                                                  bool spin) {
  auto ring = io::Uring::create(64, 4 * kBuffers, kBuffers);
  if (!ring) return Failure(ring.error());
  std::unique_ptr<UringPort> port(new UringPort(socket, std::move(ring).value(), spin));
  port->ring_->enable();
  if (!receives) return port;
  for (std::uint16_t id = 0; id < kBuffers; ++id) {
    port->ring_->provide(id, port->memory_.data() + id * kBufferBytes, kBufferBytes);
  }
  port->ring_->publish();
  port->ring_->receive_multishot(port->fd_, port->layout_, 0);
  port->ring_->submit();
  return port;
}

UringPort::UringPort(RawSocket& socket, std::unique_ptr<io::Uring> ring, bool spin)
    : fd_(socket.fd()),
      spin_(spin),
      ring_(std::move(ring)),
      memory_(kBuffers * kBufferBytes),
      slots_(kSlots * kPortBufferBytes) {
  layout_.msg_controllen = 64;  // GRO's size alone.
  for (std::size_t i = 0; i < kSlots; ++i) runs_[i].data = slots_.data() + i * kPortBufferBytes;
}

UringPort::~UringPort() { ring_->cancel(-1); }

void UringPort::poll() {
  if (ring_->completion_waiting()) return;
  if (spin_) {
    ring_->submit();
  } else {
    ring_->submit_and_wait(RawSocket::kReceiveTimeout);
  }
}

bool UringPort::accept(const io::UringCompletion& completion, Arrival& arrival) {
  if (completion.result < 0 || (completion.flags & IORING_CQE_F_BUFFER) == 0) return false;
  std::uint8_t* const data =
      memory_.data() + (completion.flags >> IORING_CQE_BUFFER_SHIFT) * kBufferBytes;
  io_uring_recvmsg_out* const out = io_uring_recvmsg_validate(data, completion.result, &layout_);
  if (out == nullptr) return false;
  const unsigned length = io_uring_recvmsg_payload_length(out, completion.result, &layout_);
  if (length == 0) return false;
  auto* const payload = static_cast<std::uint8_t*>(io_uring_recvmsg_payload(out, &layout_));
  const auto* const control =
      reinterpret_cast<const std::uint8_t*>(out + 1);  // No name precedes it.
  const std::size_t segment = io::read_control(control, out->controllen).segment_bytes;
  arrival = {.bytes = {payload, length}, .segment_bytes = segment == 0 ? length : segment};
  return true;
}

void UringPort::recycle(const io::UringCompletion& completion) {
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    ring_->provide(id, memory_.data() + id * kBufferBytes, kBufferBytes);
  }
  // Out of buffers, or an error of the socket: armed anew, the buffers are back.
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    ring_->publish();
    ring_->receive_multishot(fd_, layout_, 0);
  }
}

void UringPort::send(ByteSpan datagram) {
  GsoRun& run = runs_[next_slot_];
  next_slot_ = (next_slot_ + 1) % kSlots;
  run.bytes = std::min(datagram.size(), kPortBufferBytes);
  copy_payload({run.data, run.bytes}, datagram.first(run.bytes), copied_);
  run.prepare(0);
  ring_->send(fd_, run.message, 0);
}

bool UringPort::send_runs(std::span<GsoRun> runs) {
  for (const GsoRun& run : runs) ring_->send(fd_, run.message, 0);
  std::size_t done = 0;
  io::UringCompletion completion;
  bool reached = true;
  ring_->submit();
  while (done < runs.size()) {
    if (!ring_->completion_waiting()) ring_->submit_and_wait(RawSocket::kReceiveTimeout);
    while (ring_->next(completion)) {
      ++done;
      const int error = -completion.result;
      if (error > 0 && error != ENOBUFS && error != EAGAIN) reached = false;
    }
  }
  return reached;
}

}  // namespace millrace::reference
