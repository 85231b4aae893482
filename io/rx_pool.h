// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/rx_buffer.h"
#include "io/control_message.h"
#include "io/datapath.h"
#include "io/mapped_memory.h"
#include "io/pod_ring.h"

namespace millrace::io {

// RxPool is the receive memory of one kernel datapath: equal buffers in one mapping,
// handed out last-in first-out so that a quiet shard stays in its cache and touches
// little memory. Every reference must be home before it dies (CHECK).
//
// A slot is laid out as io_uring's multishot recvmsg writes it; plain sockets use the
// same places:
//
//   0        io_uring_recvmsg_out
//   16       source address
//   48       control data
//   192      payload, 64 KiB
class RxPool final : public RxBufferHome {
 public:
  static constexpr std::size_t kNameOffset = 16;
  static constexpr std::size_t kNameBytes = 32;
  static constexpr std::size_t kControlOffset = kNameOffset + kNameBytes;
  static constexpr std::size_t kPayloadOffset = kControlOffset + kRxControlBytes;
  static constexpr std::size_t kPayloadBytes = 65536;
  static constexpr std::size_t kSlotBytes = kPayloadOffset + kPayloadBytes;
  static_assert(kPayloadOffset % 64 == 0);

  explicit RxPool(std::size_t buffers);
  ~RxPool();

  // Takes a free buffer, with no reference yet; null when there is none.
  RxBuffer* take();
  // Takes back a buffer that was never lent (its count is 0).
  void put(RxBuffer& buffer) { free_.push_back(buffer.index); }
  void release(RxBuffer& buffer) override { put(buffer); }

  RxBuffer& at(std::size_t index) { return buffers_[index]; }
  std::uint8_t* slot(std::size_t index) { return memory_.data() + index * kSlotBytes; }
  std::size_t size() const { return buffers_.size(); }
  std::size_t free() const { return free_.size(); }

 private:
  MappedMemory memory_;
  std::vector<RxBuffer> buffers_;
  std::vector<std::uint32_t> free_;
};

// RxSplitter cuts filled buffers into views and keeps the reference that lends them.
class RxSplitter {
 public:
  explicit RxSplitter(std::size_t buffers);
  ~RxSplitter();

  // Queues `buffer` with `length` bytes in datagrams of `segment_bytes` (the last may
  // be shorter; 0: one datagram). The splitter takes the first reference.
  void add(RxBuffer& buffer, std::uint32_t length, std::uint32_t segment_bytes);
  // Appends views to `in` from the queue; returns how many.
  std::size_t fill(std::span<RxView> in) { return filled_.empty() ? 0 : split(in); }
  // Ends the loan of every buffer that was split to its end.
  void done() {
    if (!lent_.empty()) end_loans();
  }
  bool pending() const { return !filled_.empty(); }

 private:
  struct Filled {
    RxBuffer* buffer = nullptr;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t segment_bytes = 0;
  };

  std::size_t split(std::span<RxView> in);
  void end_loans();

  PodRing<Filled> filled_;
  std::vector<RxBuffer*> lent_;
};

}  // namespace millrace::io
