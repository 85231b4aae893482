// SPDX-License-Identifier: Apache-2.0
// The bounds of the send buffer: of the association and of each stream.
#include <map>

#include "sctp/testing/streamed_send.h"

namespace millrace::sctp {
namespace {

using namespace testing;
using Kind = SendEvent::Kind;

class SendRoom : public StreamedSend {
 protected:
  void bound(std::size_t buffer, std::size_t stream) {
    buffer_bytes_ = buffer;
    stream_buffer_bytes_ = stream;
    make(GetParam());
  }
  SendStatus send(std::uint16_t stream, std::size_t bytes) {
    return sender_->send(now_, StreamId(stream), kPpidBinary, part_of(0, 0, bytes), {});
  }
  std::size_t fill(std::uint16_t stream, std::size_t bytes) {
    std::size_t taken = 0;
    while (send(stream, bytes) == SendStatus::kOk) ++taken;
    return taken;
  }
  // Those that say that there is room.
  std::map<Kind, std::vector<std::uint16_t>> events() {
    std::map<Kind, std::vector<std::uint16_t>> seen;
    SendEvent event;
    while (sender_->poll_event(event)) seen[event.kind].push_back(event.stream.value());
    seen.erase(Kind::kBufferedAmountLow);
    seen.erase(Kind::kTotalBufferedAmountLow);
    return seen;
  }
  // Goes on until `kind` comes, which it must; what else comes counts for nothing.
  void await(Kind kind, std::uint16_t stream) {
    for (int i = 0; i < 1000; ++i) {
      SendEvent event;
      while (sender_->poll_event(event)) {
        if (event.kind == kind && event.stream.value() == stream) return;
      }
      round();
    }
    FAIL() << "never told";
  }
  // Sends a message of `total` bytes on each of the streams, all at once, in parts of `bytes`.
  void send_side_by_side(std::uint16_t streams, std::size_t total, std::size_t bytes);
};

INSTANTIATE_TEST_SUITE_P(, SendRoom, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

TEST_P(SendRoom, AStreamAtItsBoundIsRefusedAndTheOthersGoOn) {
  bound(512 << 10, 64 << 10);
  EXPECT_EQ(fill(1, 4000), (64u << 10) / MessageStore::cost(4000));
  EXPECT_TRUE(sender_->stream_is_full(StreamId(1)));
  EXPECT_EQ(fill(2, 4000), (64u << 10) / MessageStore::cost(4000));
  EXPECT_EQ(send(3, 4000), SendStatus::kOk);
  EXPECT_FALSE(sender_->stream_is_full(StreamId(3)));
  EXPECT_TRUE(events().empty());
  drain();
}

TEST_P(SendRoom, EachStreamIsToldOfItsOwnRoomOnceHalfOfItIsThere) {
  bound(512 << 10, 64 << 10);
  fill(1, 4000);
  await(Kind::kStreamWritable, 1);
  EXPECT_FALSE(sender_->stream_is_full(StreamId(1)));
  EXPECT_LE(sender_->buffered_amount(StreamId(1)), 32u << 10);
  EXPECT_GT(sender_->buffered_amount(StreamId(1)), 0u);
  EXPECT_GE(fill(1, 4000), 7u);
  await(Kind::kStreamWritable, 1);
  drain();
  EXPECT_TRUE(events().empty()) << "nobody else asked";
}

// It asked for nothing else, so the association's event, which is for the others, is not its.
TEST_P(SendRoom, TheTwoBoundsHaveAnEventEach) {
  bound(128 << 10, 64 << 10);
  fill(1, 4000);
  fill(2, 4000);
  std::uint16_t next = 3;
  while (send(next, 4000) == SendStatus::kOk) ++next;  // The quarter that is kept.
  ASSERT_LT(next, 12);
  EXPECT_FALSE(sender_->stream_is_full(StreamId(next)));
  await(Kind::kWritable, 0);
  EXPECT_EQ(send(next, 4000), SendStatus::kOk);
  drain();
}

// A channel that nobody drains, for it is paused, leaves the rest of the buffer to the others.
TEST_P(SendRoom, ABlockedStreamDoesNotStarveTheOthers) {
  bound(256 << 10, 64 << 10);
  sender_->pause_stream(StreamId(1));
  fill(1, 1000);
  std::size_t taken = 0;
  for (int i = 0; i < 200; ++i) {
    taken += fill(2, 1000) + fill(3, 1000);
    round();
  }
  EXPECT_GT(taken, 2000u);
  EXPECT_TRUE(sender_->stream_is_full(StreamId(1)));
  sender_->resume_stream(StreamId(1));
  await(Kind::kStreamWritable, 1);
  drain();
}

TEST_P(SendRoom, WhatAnEntryCostsIsCharged) {
  bound(512 << 10, 64 << 10);
  EXPECT_EQ(fill(1, 1), (64u << 10) / MessageStore::cost(1));
  EXPECT_LE(sender_->buffered_amount(StreamId(1)), 700u);
  std::vector<std::uint8_t> memory(10'000);
  std::size_t adopted = 0;
  const auto adopt = [&] {
    return sender_->send(now_, StreamId(2), kPpidBinary,
                         OwnedBytes(
                             memory, [](void*, std::span<const std::uint8_t>) noexcept {}, nullptr),
                         {});
  };
  while (adopt() == SendStatus::kOk) ++adopted;
  EXPECT_EQ(adopted, (64u << 10) / MessageStore::adopted_cost(10'000));
  drain();
}

TEST_P(SendRoom, AMessageLargerThanTheBoundWaitsForAllOfIt) {
  bound(512 << 10, 64 << 10);
  EXPECT_EQ(send(1, 200'000), SendStatus::kOk) << "counts as all of it";
  EXPECT_EQ(send(1, 1), SendStatus::kWouldBlock);
  EXPECT_EQ(send(2, 1), SendStatus::kOk);
  EXPECT_EQ(send(2, 200'000), SendStatus::kWouldBlock);
  await(Kind::kStreamWritable, 2);
  EXPECT_EQ(send(2, 200'000), SendStatus::kOk);
  drain();
}

TEST_P(SendRoom, WhatIsDroppedMakesRoom) {
  bound(512 << 10, 64 << 10);
  fill(1, 4000);
  sender_->discard_queued(StreamId(1));
  EXPECT_EQ(events()[Kind::kStreamWritable], std::vector<std::uint16_t>{1});
  EXPECT_EQ(fill(1, 4000), (64u << 10) / MessageStore::cost(4000));
  drain();
}

TEST_P(SendRoom, WithoutABoundAStreamMayHaveAllOfTheBuffer) {
  bound(512 << 10, 0);
  EXPECT_GE(fill(1, 4000), (512u << 10) / MessageStore::cost(4000));
  EXPECT_FALSE(sender_->stream_is_full(StreamId(1)));
  drain();
}

void SendRoom::send_side_by_side(std::uint16_t streams, std::size_t total, std::size_t bytes) {
  std::vector<std::size_t> given(streams);
  std::size_t finished = 0;
  int idle = 0;
  while (finished < streams && idle < 200) {
    ++idle;
    for (std::uint16_t stream = 0; stream < streams; ++stream) {
      while (given[stream] < total) {
        const std::size_t next = std::min(bytes, total - given[stream]);
        const bool last = given[stream] + next == total;
        if (part(stream, given[stream], next, last, stream) != SendStatus::kOk) break;
        given[stream] += next;
        finished += last;
        idle = 0;
      }
    }
    EXPECT_LT(pool_.used_bytes(), 2 * buffer_bytes_ + streams * (bytes + (64u << 10)) + kWindow);
    // One that is refused waits to be told.
    bool told = false;
    for (int i = 0; i < 100 && !told; ++i) {
      told = !events().empty();
      round();
    }
    ASSERT_TRUE(told || finished == streams);
  }
  ASSERT_EQ(finished, streams);
  drain();
  for (std::uint16_t stream = 0; stream < streams; ++stream) {
    ASSERT_EQ(messages(stream).size(), 1u);
    EXPECT_TRUE(messages(stream)[0] == part_of(stream, 0, total)) << stream;
  }
}

// What an unfinished message keeps until it knows whether more comes costs a block; the blocks
// of many fill the buffer, and none of them would ever leave.
TEST_P(SendRoom, MessagesInPartsSideBySideDoNotHoldEachOtherUp) {
  for (const std::size_t bytes : {1000u, 20'000u, 100'000u}) {
    bound(256 << 10, 0);
    send_side_by_side(40, 300'000, bytes);
    bound(256 << 10, 64 << 10);
    send_side_by_side(40, 300'000, bytes);
  }
}

TEST_P(SendRoom, PartsLargerThanTheBufferPassOneByOne) {
  bound(128 << 10, 32 << 10);
  send_side_by_side(2, 2'000'000, 500'000);
}

// Without I-DATA what was begun goes first, and all wait for its next part.
TEST_P(SendRoom, AMessageThatWasBegunFindsRoomInABufferFullOfOthers) {
  bound(256 << 10, 0);
  ASSERT_EQ(part(1, 0, 40'000, false), SendStatus::kOk);
  flush();
  fill(2, 4000);
  std::size_t given = 40'000;
  for (int i = 0; i < 400 && given < 1'000'000; ++i) {
    if (part(1, given, 100'000, given + 100'000 >= 1'000'000) == SendStatus::kOk) given += 100'000;
    fill(2, 4000);
    round();
  }
  EXPECT_GE(given, 1'000'000u);
  drain();
}

// The one who sends parts is told so; who is not among those that wait is not.
TEST_P(SendRoom, APartThatWasRefusedIsAskedForOnceItIsWhatIsMissing) {
  bound(256 << 10, 64 << 10);
  ASSERT_EQ(part(1, 0, 60'000, false), SendStatus::kOk);
  ASSERT_EQ(part(1, 60'000, 60'000, false), SendStatus::kWouldBlock);
  await(Kind::kStreamWritable, 1);
  ASSERT_EQ(part(1, 60'000, 60'000, false), SendStatus::kOk);
  for (int i = 0; i < 20; ++i) round();
  EXPECT_TRUE(events().empty()) << "it has not asked for more";
  ASSERT_EQ(part(1, 120'000, 10, true), SendStatus::kOk);
  drain();
}

}  // namespace
}  // namespace millrace::sctp
