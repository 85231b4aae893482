// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/time.h"
#include "sctp/types.h"

namespace millrace::sctp {

// OutgoingMessage is one message between `send` and its last acknowledgement. It lies at
// the head of a block of the pool, a copied payload right behind it.
struct OutgoingMessage {
  OutgoingMessage* next = nullptr;  // In its stream's queue.
  const std::uint8_t* data = nullptr;
  std::uint32_t size = 0;
  std::uint32_t sent = 0;         // Bytes that have been given a TSN.
  std::uint32_t outstanding = 0;  // Chunks that the outstanding queue holds.
  std::uint32_t block_bytes = 0;  // As asked of the pool.
  Time expires_at = kNever;
  std::uint32_t stream_index = 0;
  Ppid ppid;
  StreamId stream;
  Ssn ssn;  // Given with the first TSN.
  std::uint32_t max_retransmits = 0;
  bool limits_retransmits = false;
  bool unordered = false;
  bool abandoned = false;
  bool queued = false;  // Not all of it has a TSN.
  OwnedBytes owned;

  // RFC 9260 §6.9: what every chunk of the message says of it.
  ByteSpan bytes(std::uint32_t offset, std::uint32_t n) const { return {data + offset, n}; }
  bool expired(Time now) const { return now >= expires_at; }
};

// MessageStore makes and frees messages in a pool.
class MessageStore {
 public:
  explicit MessageStore(BlockPool& pool) : pool_(pool) {}

  // What a message costs: record, payload and the rounding of its block.
  static std::size_t cost(std::size_t payload_bytes) {
    return BlockPool::block_bytes(sizeof(OutgoingMessage) + payload_bytes);
  }
  // Both return nullptr where the pool is at its limit; `owned` is then untouched.
  OutgoingMessage* copy(ByteSpan payload) {
    OutgoingMessage* const message = make(payload.size());
    if (message == nullptr) return nullptr;
    std::uint8_t* const to = reinterpret_cast<std::uint8_t*>(message) + sizeof(OutgoingMessage);
    copy_payload({to, payload.size()}, payload, copy_counters().send);
    message->data = to;
    message->size = static_cast<std::uint32_t>(payload.size());
    return message;
  }
  OutgoingMessage* adopt(OwnedBytes&& owned) {
    OutgoingMessage* const message = make(0);
    if (message == nullptr) return nullptr;
    message->owned = std::move(owned);
    message->data = message->owned.bytes().data();
    message->size = static_cast<std::uint32_t>(message->owned.bytes().size());
    return message;
  }
  // What `message` costs while it is held.
  static std::size_t cost_of(const OutgoingMessage& message) {
    return BlockPool::block_bytes(message.block_bytes) + message.owned.bytes().size();
  }
  void release(OutgoingMessage* message) {
    const std::size_t bytes = message->block_bytes;
    message->~OutgoingMessage();
    pool_.release(reinterpret_cast<std::uint8_t*>(message), bytes);
  }
  // Frees `message` if neither a queue nor an outstanding chunk needs it any more.
  void release_if_done(OutgoingMessage* message) {
    if (message->outstanding == 0 && !message->queued) release(message);
  }

 private:
  OutgoingMessage* make(std::size_t payload_bytes) {
    const std::size_t bytes = sizeof(OutgoingMessage) + payload_bytes;
    std::uint8_t* const block = pool_.allocate(bytes);
    if (block == nullptr) return nullptr;
    OutgoingMessage* const message = ::new (block) OutgoingMessage;
    message->block_bytes = static_cast<std::uint32_t>(bytes);
    return message;
  }
  BlockPool& pool_;
};

}  // namespace millrace::sctp
