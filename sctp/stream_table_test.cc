// SPDX-License-Identifier: Apache-2.0
#include "sctp/stream_table.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/rng.h"

namespace millrace::sctp {
namespace {

struct Entry {
  explicit Entry(StreamId stream) : id(stream) {}
  StreamId id;
};

TEST(StreamTable, IsEmptyUntilFirstUse) {
  StreamTable<Entry> table;
  EXPECT_EQ(table.find(StreamId(0)), StreamTable<Entry>::kNone);
  EXPECT_EQ(table.get(StreamId(65535)), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

TEST(StreamTable, FindsEveryStreamOfAnAssociationAtAStableIndex) {
  StreamTable<Entry> table;
  SeededRng rng(3);
  std::map<std::uint16_t, std::uint32_t> model;
  for (int i = 0; i < 100000; ++i) {
    const auto id = static_cast<std::uint16_t>(rng.below(65536));
    ASSERT_EQ(table.find(StreamId(id)) != StreamTable<Entry>::kNone, model.contains(id));
    const std::uint32_t index = table.find_or_add(StreamId(id));
    ASSERT_EQ(model.emplace(id, index).first->second, index);
    ASSERT_EQ(table[index].id, StreamId(id));
  }
  EXPECT_EQ(table.size(), model.size());
}

}  // namespace
}  // namespace millrace::sctp
