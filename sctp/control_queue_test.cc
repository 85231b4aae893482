// SPDX-License-Identifier: Apache-2.0
#include "sctp/control_queue.h"

#include <gtest/gtest.h>

#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"

namespace millrace::sctp {
namespace {

TEST(ControlQueue, GivesChunksBackInOrderWithTheirTags) {
  ControlQueue queue;
  EXPECT_TRUE(queue.push(ShutdownAckChunk{}));
  EXPECT_TRUE(queue.push_alone(VerificationTag(7), ShutdownCompleteChunk{.tag_reflected = true}));
  EXPECT_FALSE(queue.front().alone);
  EXPECT_EQ(queue.front().raw.bytes[0], static_cast<std::uint8_t>(ChunkType::kShutdownAck));
  queue.pop();
  EXPECT_TRUE(queue.front().alone);
  EXPECT_EQ(queue.front().tag, VerificationTag(7));
  EXPECT_EQ(queue.front().raw.bytes[0], static_cast<std::uint8_t>(ChunkType::kShutdownComplete));
  queue.pop();
  EXPECT_TRUE(queue.empty());
}

TEST(ControlQueue, IsBoundedInNumberAndGoesOnWhenItHasRoom) {
  ControlQueue queue;
  for (std::size_t i = 0; i < ControlQueue::kMaxChunks; ++i) {
    EXPECT_TRUE(queue.push(ShutdownAckChunk{}));
  }
  EXPECT_FALSE(queue.push(ShutdownAckChunk{}));
  queue.pop();
  EXPECT_TRUE(queue.push(ShutdownAckChunk{}));
  EXPECT_FALSE(queue.push(ShutdownAckChunk{}));
}

TEST(ControlQueue, IsBoundedInBytes) {
  ControlQueue queue;
  const std::vector<std::uint8_t> info(1000, 5);
  std::size_t taken = 0;
  while (queue.push(HeartbeatAckChunk{info})) ++taken;
  EXPECT_EQ(taken, ControlQueue::kMaxBytes / (info.size() + 8));
  while (!queue.empty()) queue.pop();
  EXPECT_TRUE(queue.push(HeartbeatAckChunk{info}));
}

TEST(ControlQueue, GrowsWithWhatItHoldsAndGivesItBackWhenEmpty) {
  ControlQueue queue;
  EXPECT_EQ(queue.memory(), 0u);
  EXPECT_TRUE(queue.push(ShutdownAckChunk{}));
  EXPECT_EQ(queue.memory(), ControlQueue::kKeptBytes);
  const std::vector<std::uint8_t> info(1000, 5);
  while (queue.push(HeartbeatAckChunk{info})) {
  }
  EXPECT_GT(queue.memory(), ControlQueue::kMaxBytes / 2);
  EXPECT_LE(queue.memory(), ControlQueue::kMaxBytes);
  queue.pop();
  while (!queue.empty()) {
    EXPECT_EQ(queue.front().raw.bytes[4 + 4], 5);
    queue.pop();
  }
  EXPECT_LE(queue.memory(), ControlQueue::kKeptBytes);
}

}  // namespace
}  // namespace millrace::sctp
