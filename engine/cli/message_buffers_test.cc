// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/message_buffers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace millrace::cli {
namespace {

const std::vector<std::uint8_t> kPattern(5000, 7);

TEST(MessageBuffers, UseTheSameMemoryAgainOnceItIsBack) {
  MessageBuffers buffers(kPattern);
  const std::uint8_t* const first = buffers.next().data();
  buffers.next()[0] = 1;
  {
    const OwnedBytes under_way = buffers.hand_over();
    EXPECT_EQ(under_way.bytes().data(), first);
    EXPECT_EQ(under_way.bytes()[0], 1);
    EXPECT_NE(buffers.next().data(), first);
    EXPECT_TRUE(std::ranges::equal(buffers.next(), kPattern));
  }
  EXPECT_EQ(buffers.next().data(), first);
}

TEST(MessageBuffers, MayBeOutlivedByWhatIsUnderWay) {
  std::optional<MessageBuffers> buffers(kPattern);
  std::vector<OwnedBytes> under_way;
  for (std::uint8_t i = 0; i < 20; ++i) {
    buffers->next()[0] = i;
    under_way.push_back(buffers->hand_over());
  }
  buffers.reset();
  for (std::uint8_t i = 0; i < 20; ++i) EXPECT_EQ(under_way[i].bytes()[0], i);
}

}  // namespace
}  // namespace millrace::cli
