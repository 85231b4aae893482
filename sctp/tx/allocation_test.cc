// SPDX-License-Identifier: Apache-2.0
// Once rings and pools have their size, no message and no packet allocates.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "sctp/packet/packet_writer.h"
#include "sctp/rx/data_receiver.h"
#include "sctp/tx/data_sender.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// Not inlined, or the compiler pairs `free` with `new` and warns.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace millrace::sctp {
namespace {

class NoHome final : public RxBufferHome {
 public:
  void release(RxBuffer&) override {}
};

// A burst of packets lies in one buffer, as GRO delivers it; every 50th packet is lost.
class Loop {
 public:
  // With an `id` each message is tracked.
  explicit Loop(std::size_t message_bytes, std::uint64_t id = 0)
      : options_{.tag = {.id = id}},
        payload_(message_bytes, 7),
        memory_(kBurst * kPacket),
        sender_({}, sender_pool_),
        receiver_({}, receiver_pool_) {
    buffer_.home = &home_;
    buffer_.data = memory_.data();
    buffer_.capacity = static_cast<std::uint32_t>(memory_.size());
    sender_.establish(now_, 5 << 20, 4, true);
  }
  std::size_t messages() const { return messages_; }
  std::size_t news() const { return news_; }

  void turn() {
    now_ += microseconds(200);
    SendEvent event;
    while (sender_.poll_event(event)) {
    }
    MessageProgress progress;
    StreamId stream;
    while (sender_.poll_progress(progress, stream)) ++news_;
    while (sender_.send(now_, StreamId(1), kPpidBinary, payload_, options_) == SendStatus::kOk) {
    }
    if (now_ >= sender_.next_timeout()) static_cast<void>(sender_.handle_timeout(now_));
    const BufferRef reference(&buffer_);
    for (std::size_t i = 0; i < kBurst; ++i) {
      const MutableByteSpan slot{memory_.data() + i * kPacket, kPacket};
      PacketWriter writer(slot, CommonHeader{});
      if (!sender_.append_chunks(now_, writer)) break;
      if (++packets_ % 50 != 0) receive(slot.first(writer.size()), reference);
    }
    receiver_.settle(now_);
    if (now_ >= receiver_.next_timeout()) receiver_.handle_timeout(now_);
    if (receiver_.sack_due(now_)) acknowledge();
  }

 private:
  static constexpr std::size_t kPacket = 1160;
  static constexpr std::size_t kBurst = 56;

  void receive(ByteSpan packet, const BufferRef& reference) {
    ChunkReader reader(packet.subspan(CommonHeader::kBytes));
    while (const auto chunk = reader.next()) {
      const auto data = DataChunkView::parse(chunk->bytes);
      ASSERT_TRUE(data.has_value());
      static_cast<void>(receiver_.handle_data(now_, *data, reference));
      MessageView view;
      while (receiver_.poll_message(view)) ++messages_;
    }
    receiver_.end_packet(now_);
  }
  void acknowledge() {
    std::array<std::uint8_t, kPacket> bytes;
    PacketWriter writer(bytes, CommonHeader{});
    ASSERT_TRUE(receiver_.append_sack(writer));
    const ByteSpan sack{bytes.data() + CommonHeader::kBytes, writer.size() - CommonHeader::kBytes};
    static_cast<void>(sender_.handle_sack(now_, *SackChunkView::parse(sack)));
  }

  SendOptions options_;
  std::vector<std::uint8_t> payload_;
  std::vector<std::uint8_t> memory_;
  NoHome home_;
  RxBuffer buffer_;
  BlockPool sender_pool_;
  BlockPool receiver_pool_;
  DataSender sender_;
  DataReceiver receiver_;
  Time now_{seconds(1)};
  std::size_t packets_ = 0;
  std::size_t messages_ = 0;
  std::size_t news_ = 0;
};

TEST(Allocation, SteadyStateAllocatesNothingEvenWithLoss) {
  for (const std::size_t bytes : {100u, 1000u, 16384u, 65536u}) {
    Loop loop(bytes);
    for (int i = 0; i < 3000; ++i) loop.turn();
    const std::size_t before = allocations;
    const std::size_t messages = loop.messages();
    for (int i = 0; i < 1000; ++i) loop.turn();
    EXPECT_EQ(allocations, before) << bytes;
    EXPECT_GT(loop.messages(), messages + 50) << bytes;
  }
}

TEST(Allocation, WhatBecameOfMessagesIsToldWithoutOne) {
  for (const std::size_t bytes : {100u, 16384u}) {
    Loop loop(bytes, 1);
    for (int i = 0; i < 3000; ++i) loop.turn();
    const std::size_t before = allocations;
    const std::size_t messages = loop.messages();
    const std::size_t news = loop.news();
    for (int i = 0; i < 1000; ++i) loop.turn();
    EXPECT_EQ(allocations, before) << bytes;
    EXPECT_NEAR(static_cast<double>(loop.news() - news),
                2 * static_cast<double>(loop.messages() - messages), 5000)
        << bytes;
  }
}

// Several streams whose fragments interleave, some messages given up half sent, one in parts.
TEST(Allocation, InterleavingAndPartsAllocateNothingInSteadyState) {
  BlockPool pool;
  DataSender sender({}, pool);
  Time now{seconds(1)};
  sender.establish(now, 20 << 10, 16, true, true);
  const std::vector<std::uint8_t> payload(30000, 7);
  std::array<std::uint8_t, 1160> packet;
  std::size_t sent = 0;
  const auto turn = [&](std::uint16_t stream) {
    SendOptions options{.unordered = stream % 2 == 0};
    if (stream == 3) options.max_retransmits = 0;
    if (stream == 4) options.max_lifetime = milliseconds(3);
    static_cast<void>(sender.send(now, StreamId(stream), kPpidBinary, payload, options));
    static_cast<void>(
        sender.send_part(now, StreamId(9), kPpidBinary, payload, {.last = stream == 4}, {}));
    for (;;) {
      PacketWriter writer(packet, CommonHeader{});
      if (!sender.append_chunks(now, writer)) break;
      ++sent;
    }
    now += milliseconds(2);
    if (now >= sender.next_timeout()) static_cast<void>(sender.handle_timeout(now));
    if (stream != 3)
      static_cast<void>(sender.handle_cumulative_ack(now, sender.next_tsn().previous()));
    SendEvent event;
    while (sender.poll_event(event)) {
    }
  };
  for (int i = 0; i < 4000; ++i) turn(static_cast<std::uint16_t>(i % 5));
  const std::size_t before = allocations;
  const std::size_t sent_before = sent;
  const std::uint64_t abandoned = sender.stats().messages_abandoned.sent;
  for (int i = 0; i < 1000; ++i) turn(static_cast<std::uint16_t>(i % 5));
  EXPECT_EQ(allocations, before);
  EXPECT_GT(sent, sent_before + 5000);
  EXPECT_GT(sender.stats().messages_abandoned.sent, abandoned);
}

// Ten thousand idle associations are to cost little each; blocks and rings come with use.
TEST(Allocation, AnIdleHalfIsSmall) {
  static_assert(sizeof(DataSender) <= 1280);
  static_assert(sizeof(DataReceiver) <= 792);
  BlockPool pool;
  const std::size_t before = allocations;
  const DataSender sender({}, pool);
  const DataReceiver receiver({}, pool);
  EXPECT_LE(allocations - before, 1u) << "the congestion control";
  EXPECT_EQ(pool.reserved_bytes(), 0u);
}

}  // namespace
}  // namespace millrace::sctp
