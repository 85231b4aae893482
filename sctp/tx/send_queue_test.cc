// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/send_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::sctp {
namespace {

class SendQueueTest : public ::testing::Test {
 protected:
  OutgoingMessage* push(std::uint16_t stream, Time expires_at = kNever) {
    return push_with(stream, expires_at, OutgoingMessage::Policy::kNone);
  }
  OutgoingMessage* push_yielding(std::uint16_t stream) {
    return push_with(stream, kNever, OutgoingMessage::Policy::kPriority);
  }
  OutgoingMessage* push_with(std::uint16_t stream, Time expires_at,
                             OutgoingMessage::Policy policy) {
    const std::vector<std::uint8_t> payload(10, 1);
    OutgoingMessage* const message = store_.copy(payload);
    message->stream = StreamId(stream);
    message->expires_at = expires_at;
    message->policy = policy;
    queue_.push(message);
    return message;
  }
  std::size_t expire(Time now) {
    std::vector<OutgoingMessage*> begun;
    const std::uint64_t before = dropped_.total().unsent;
    queue_.drop_expired(now, begun, dropped_);
    EXPECT_TRUE(begun.empty());
    return dropped_.total().unsent - before;
  }
  static Time at(int second) { return Time(seconds(second)); }

  BlockPool pool_;
  MessageStore store_{pool_};
  AbandonedCounts dropped_;
  SendQueue queue_{store_, StreamScheduling::kWeightedFair, std::size_t{1} << 20};
};

// RFC 3758 §3.5, RFC 7496 §3.2: what has limits is found without a look at all that has none.
TEST_F(SendQueueTest, OnlyStreamsWithMessagesThatHaveLimitsAreLookedThrough) {
  for (std::uint16_t id = 0; id < 1000; ++id) push(id);
  EXPECT_EQ(queue_.limited_stream_count(), 0u);
  push(3, at(5));
  push(3, at(6));
  push(2000, at(7));
  OutgoingMessage* const yielding = push_yielding(2001);
  EXPECT_EQ(queue_.limited_stream_count(), 3u);
  EXPECT_EQ(expire(at(8)), 1u) << "the others wait behind one that has none";
  EXPECT_EQ(queue_.limited_stream_count(), 2u);
  const SendQueue::Yielding any{0, true};
  EXPECT_GT(queue_.yielding_cost(any), 0u);
  ASSERT_EQ(queue_.first_yielding(any), yielding);
  queue_.drop_unbegun(yielding);
  EXPECT_EQ(queue_.limited_stream_count(), 1u);
  EXPECT_EQ(queue_.discard_unbegun(StreamId(3)), 3u);
  EXPECT_EQ(queue_.limited_stream_count(), 0u);
}

// RFC 3758 §3.5
TEST_F(SendQueueTest, WhateverExpiresWhenItsTimeHasComeAndNoSooner) {
  for (int i = 0; i < 100; ++i) {
    push(static_cast<std::uint16_t>(i * 7 % 50), at(10 + i * 31 % 100));
  }
  EXPECT_EQ(queue_.next_expiry(), at(10));
  std::size_t expired = 0;
  for (int second = 10; second < 110; ++second) {
    expired += expire(at(second));
    EXPECT_LE(queue_.limited_stream_count(), 100 - expired);
  }
  EXPECT_EQ(expired, 100u);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.limited_stream_count(), 0u);
}

}  // namespace
}  // namespace millrace::sctp
