// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "engine/base/block_pool.h"
#include "engine/base/bytes.h"
#include "engine/base/owned_bytes.h"
#include "engine/base/time.h"
#include "sctp/tx/message_tracker.h"
#include "sctp/tx/streamed_payload.h"
#include "sctp/types.h"

namespace millrace::sctp {

// OutgoingMessage is one message between `send` and its last acknowledgement. It lies at
// the head of a block of the pool, right behind it a copied payload or what owns it, and at the
// end of the block its tracking if it has any.
struct OutgoingMessage {
  // What the block holds but for a copied payload: a StreamedPayload or an OwnedBytes in its
  // place, and a Tracking at the end.
  static constexpr std::uint8_t kStreamed = 1;
  static constexpr std::uint8_t kAdopted = 2;
  static constexpr std::uint8_t kTracked = 4;

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
  bool queued = false;      // Not all of it has a TSN.
  std::uint8_t extras = 0;  // Of the three above.
  bool open = false;        // More parts may come: its last byte so far is not sent.

  // What a DATA chunk has in place of the MID: ordered messages have both, counted alike.
  Ssn ssn() const { return Ssn(static_cast<std::uint16_t>(mid.value())); }
  ByteSpan bytes(std::uint32_t offset, std::uint32_t n) const {
    return {streamed == nullptr ? data + offset : streamed->at(offset), n};
  }
  bool expired(Time now) const { return now >= expires_at; }
  bool is_tracked() const { return (extras & kTracked) != 0; }
  // Of one that is tracked.
  Tracking& tracking() {
    return *reinterpret_cast<Tracking*>(reinterpret_cast<std::uint8_t*>(this) + tracking_at());
  }
  // `block_bytes` has room for kTrackingBytes behind all else.
  std::size_t tracking_at() const {
    return (block_bytes - sizeof(Tracking)) & ~(alignof(Tracking) - 1);
  }
  MessageExtent extent() const {
    if (sent == 0) return MessageExtent::kNone;
    return open || sent < size ? MessageExtent::kPart : MessageExtent::kWhole;
  }
  bool yields() const { return policy == Policy::kPriority; }
  // The peer may never have all of it, and knows.
  bool may_be_lost() const { return expires_at != kNever || policy == Policy::kRetransmits; }
  // It may be dropped from the queue.
  bool limited() const { return expires_at != kNever || yields(); }
};

// MessageStore makes and frees messages in a pool.
class MessageStore {
 public:
  // What tracking adds to a message's block, alignment included.
  static constexpr std::size_t kTrackingBytes = sizeof(Tracking) + alignof(Tracking) - 1;
  // One that is larger can be handed over or come in parts.
  static constexpr std::size_t kMaxCopiedBytes =
      BlockPool::kMaxBlockBytes - sizeof(OutgoingMessage) - kTrackingBytes;

  explicit MessageStore(BlockPool& pool) : pool_(pool) {}
  // Neither a queue nor an outstanding chunk has any message left.
  ~MessageStore();

  // What a message costs: record, payload, the rounding of its block; `extra` is kTrackingBytes
  // for one that is to be tracked, else 0.
  static std::size_t cost(std::size_t payload_bytes, std::size_t extra = 0) {
    return BlockPool::block_bytes(sizeof(OutgoingMessage) + payload_bytes + extra);
  }
  static std::size_t adopted_cost(std::size_t payload_bytes, std::size_t extra = 0) {
    return cost(sizeof(OwnedBytes), extra) + payload_bytes;
  }
  // Both return nullptr where the pool is at its limit; `owned` is then untouched.
  OutgoingMessage* copy(ByteSpan payload, std::size_t extra = 0) {
    OutgoingMessage* const message = make(payload.size() + extra);
    if (message == nullptr) return nullptr;
    std::uint8_t* const to = behind(message);
    copy_payload({to, payload.size()}, payload, copy_counters().send);
    message->data = to;
    message->size = static_cast<std::uint32_t>(payload.size());
    return message;
  }
  OutgoingMessage* adopt(OwnedBytes&& owned, std::size_t extra = 0) {
    OutgoingMessage* const message = make(sizeof(OwnedBytes) + extra);
    if (message == nullptr) return nullptr;
    message->data = owned.bytes().data();
    message->size = static_cast<std::uint32_t>(owned.bytes().size());
    message->extras = OutgoingMessage::kAdopted;
    ::new (behind(message)) OwnedBytes(std::move(owned));
    return message;
  }
  // A message without a byte, to which parts are appended.
  OutgoingMessage* open(std::size_t extra = 0) {
    OutgoingMessage* const message = make(sizeof(StreamedPayload) + extra);
    if (message == nullptr) return nullptr;
    message->streamed = ::new (behind(message)) StreamedPayload(pool_);
    message->extras = OutgoingMessage::kStreamed;
    message->open = true;
    return message;
  }
  static std::size_t open_cost(std::size_t part_bytes, std::size_t extra = 0) {
    return cost(sizeof(StreamedPayload), extra) + StreamedPayload::cost_of(0, part_bytes);
  }
  // What `message` costs while it is queued.
  static std::size_t cost_of(const OutgoingMessage& message) {
    const std::size_t block = BlockPool::block_bytes(message.block_bytes);
    if (message.extras == 0) return block;
    if (message.streamed != nullptr) return block + message.streamed->queued_cost();
    return block + ((message.extras & OutgoingMessage::kAdopted) != 0 ? message.size : 0);
  }
  void release(OutgoingMessage* message) {
    if (message->extras != 0 && !give_up_extras(*message)) return;
    free_block(message);
  }
  // Frees `message` if neither a queue nor an outstanding chunk needs it any more.
  void release_if_done(OutgoingMessage* message) {
    if (message->outstanding == 0 && !message->queued) release(message);
  }

  // `message` is queued and was made with kTrackingBytes.
  void track(OutgoingMessage& message, const MessageTag& tag);
  // No fragment of it will be sent for the first time any more.
  void note_left_queue(OutgoingMessage& message);
  // Nullptr while no message was ever tracked.
  MessageTracker* tracker() { return tracker_.get(); }
  bool has_progress() const { return tracker_ && tracker_->has_news(); }
  // Of a store that is replaced: what it had to tell. Its messages may still be its own.
  void give_news(const MessageNews& news);
  bool poll_progress(MessageProgress& out, StreamId& stream);

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
  // False where the block has to stay until its news is taken.
  bool give_up_extras(OutgoingMessage& message);
  void free_block(OutgoingMessage* message) {
    const std::size_t bytes = message->block_bytes;
    message->~OutgoingMessage();
    pool_.release(reinterpret_cast<std::uint8_t*>(message), bytes);
  }

  BlockPool& pool_;
  std::unique_ptr<MessageTracker> tracker_;  // Made by the first message that has an id.
};

}  // namespace millrace::sctp
