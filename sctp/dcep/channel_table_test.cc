// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/channel_table.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::sctp {
namespace {

ChannelHandle add(ChannelTable& table, std::uint16_t stream) {
  ChannelTable::Channel& channel = table.create();
  table.bind(channel, StreamId(stream));
  return channel.handle;
}

TEST(ChannelTable, FindsByHandleAndByStream) {
  ChannelTable table;
  const ChannelHandle high = add(table, 65534);
  const ChannelHandle low = add(table, 3);
  EXPECT_EQ(table.find(StreamId(65534))->handle, high);
  EXPECT_EQ(table.find(StreamId(3))->handle, low);
  EXPECT_EQ(table.find(low)->stream, StreamId(3));
  EXPECT_EQ(table.find(StreamId(4)), nullptr);
  EXPECT_EQ(table.size(), 2u);
}

TEST(ChannelTable, ADeadHandleNeverComesBack) {
  ChannelTable table;
  const ChannelHandle first = add(table, 1);
  table.erase(*table.find(first));
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.find(StreamId(1)), nullptr) << "the last one found is remembered";
  const ChannelHandle second = add(table, 1);
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_NE(second, first);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.find(ChannelHandle()), nullptr);
  EXPECT_EQ(table.find(ChannelHandle{99, 1}), nullptr);
}

TEST(ChannelTable, TheLowestFreeIdHasTheRightParity) {
  ChannelTable table;
  EXPECT_EQ(table.lowest_free(0, 65535), StreamId(0));
  EXPECT_EQ(table.lowest_free(1, 65535), StreamId(1));
  for (const int id : {0, 1, 2, 5, 6}) add(table, static_cast<std::uint16_t>(id));
  EXPECT_EQ(table.lowest_free(0, 65535), StreamId(4));
  EXPECT_EQ(table.lowest_free(1, 65535), StreamId(3));
  EXPECT_EQ(table.lowest_free(0, 4), std::nullopt);
  EXPECT_EQ(table.lowest_free(0, 0), std::nullopt);
}

TEST(ChannelTable, AllIdsOfOneParityCanBeUsed) {
  ChannelTable table;
  for (int i = 0; i < 100; ++i) {
    const std::optional<StreamId> id = table.lowest_free(1, 200);
    ASSERT_TRUE(id);
    EXPECT_EQ(id->value(), 2 * i + 1);
    add(table, id->value());
  }
  EXPECT_FALSE(table.lowest_free(1, 200));
}

TEST(ChannelTable, CountsTheStringsThatItHolds) {
  ChannelTable table;
  const ChannelHandle handle = add(table, 1);
  table.set_strings(*table.find(handle), "label", "protocol");
  EXPECT_EQ(table.string_bytes(), 13u);
  table.set_strings(*table.find(handle), "x", "");
  EXPECT_EQ(table.string_bytes(), 1u);
  table.erase(*table.find(handle));
  EXPECT_EQ(table.string_bytes(), 0u);
}

}  // namespace
}  // namespace millrace::sctp
