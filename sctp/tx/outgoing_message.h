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
#include "sctp/tx/streamed_payload.h"
#include "sctp/types.h"

namespace millrace::sctp {

// OutgoingMessage is one message between `send` and its last acknowledgement. It lies at
// the head of a block of the pool, right behind it a copied payload or what owns it.
struct OutgoingMessage {
  OutgoingMessage* next = nullptr;  // In its stream's queue.
  const std::uint8_t* data = nullptr;
  StreamedPayload* streamed = nullptr;  // In place of `data`, of a message that comes in parts.
  std::uint32_t size = 0;
  std::uint32_t sent = 0;         // Bytes that have been given a TSN.
  std::uint32_t outstanding = 0;  // Chunks that the outstanding queue holds.
  std::uint32_t block_bytes = 0;  // As asked of the pool.
  Time expires_at = kNever;
  std::uint32_t stream_index = 0;
  Ppid ppid;
  Mid mid;  // Given with the first TSN.
  std::uint32_t next_fsn = 0;
  UnwrappedTsn last_tsn;      // Of the chunk that was sent last.
  std::uint32_t arrival = 0;  // In the order of `send`, on a circle.
  std::uint32_t limit = 0;    // As `policy` says.
  StreamId stream;
  // RFC 7496 §3: `limit` is the number of retransmissions, or the priority.
  enum class Policy : std::uint8_t { kNone, kRetransmits, kPriority };
  Policy policy = Policy::kNone;
  bool unordered = false;
  bool abandoned = false;
  bool queued = false;   // Not all of it has a TSN.
  bool adopted = false;  // An OwnedBytes lies where a copy would.
  bool open = false;     // More parts may come: its last byte so far is not sent.

  // What a DATA chunk has in place of the MID: ordered messages have both, counted alike.
  Ssn ssn() const { return Ssn(static_cast<std::uint16_t>(mid.value())); }
  ByteSpan bytes(std::uint32_t offset, std::uint32_t n) const {
    return {streamed == nullptr ? data + offset : streamed->at(offset), n};
  }
  bool expired(Time now) const { return now >= expires_at; }
  bool yields() const { return policy == Policy::kPriority; }
  // The peer may never have all of it, and knows.
  bool may_be_lost() const { return expires_at != kNever || policy == Policy::kRetransmits; }
  // It may be dropped from the queue.
  bool limited() const { return expires_at != kNever || yields(); }
};

// MessageStore makes and frees messages in a pool.
class MessageStore {
 public:
  // One that is larger can be handed over or come in parts.
  static constexpr std::size_t kMaxCopiedBytes =
      BlockPool::kMaxBlockBytes - sizeof(OutgoingMessage);

  explicit MessageStore(BlockPool& pool) : pool_(pool) {}

  // What a message costs: record, payload and the rounding of its block.
  static std::size_t cost(std::size_t payload_bytes) {
    return BlockPool::block_bytes(sizeof(OutgoingMessage) + payload_bytes);
  }
  static std::size_t adopted_cost(std::size_t payload_bytes) {
    return cost(sizeof(OwnedBytes)) + payload_bytes;
  }
  // Both return nullptr where the pool is at its limit; `owned` is then untouched.
  OutgoingMessage* copy(ByteSpan payload) {
    OutgoingMessage* const message = make(payload.size());
    if (message == nullptr) return nullptr;
    std::uint8_t* const to = behind(message);
    copy_payload({to, payload.size()}, payload, copy_counters().send);
    message->data = to;
    message->size = static_cast<std::uint32_t>(payload.size());
    return message;
  }
  OutgoingMessage* adopt(OwnedBytes&& owned) {
    OutgoingMessage* const message = make(sizeof(OwnedBytes));
    if (message == nullptr) return nullptr;
    message->data = owned.bytes().data();
    message->size = static_cast<std::uint32_t>(owned.bytes().size());
    message->adopted = true;
    ::new (behind(message)) OwnedBytes(std::move(owned));
    return message;
  }
  // A message without a byte, to which parts are appended.
  OutgoingMessage* open() {
    OutgoingMessage* const message = make(sizeof(StreamedPayload));
    if (message == nullptr) return nullptr;
    message->streamed = ::new (behind(message)) StreamedPayload(pool_);
    message->open = true;
    return message;
  }
  static std::size_t open_cost(std::size_t part_bytes) {
    return cost(sizeof(StreamedPayload)) + StreamedPayload::cost_of(0, part_bytes);
  }
  // What `message` costs while it is queued.
  static std::size_t cost_of(const OutgoingMessage& message) {
    if (message.streamed != nullptr) {
      return BlockPool::block_bytes(message.block_bytes) + message.streamed->queued_cost();
    }
    return BlockPool::block_bytes(message.block_bytes) + (message.adopted ? message.size : 0);
  }
  void release(OutgoingMessage* message) {
    const std::size_t bytes = message->block_bytes;
    if (message->streamed != nullptr) message->streamed->~StreamedPayload();
    if (message->adopted) reinterpret_cast<OwnedBytes*>(behind(message))->~OwnedBytes();
    message->~OutgoingMessage();
    pool_.release(reinterpret_cast<std::uint8_t*>(message), bytes);
  }
  // Frees `message` if neither a queue nor an outstanding chunk needs it any more.
  void release_if_done(OutgoingMessage* message) {
    if (message->outstanding == 0 && !message->queued) release(message);
  }

 private:
  static_assert(sizeof(OutgoingMessage) <= 88 &&
                sizeof(OutgoingMessage) % alignof(OwnedBytes) == 0);

  static std::uint8_t* behind(OutgoingMessage* message) {
    return reinterpret_cast<std::uint8_t*>(message) + sizeof(OutgoingMessage);
  }
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
