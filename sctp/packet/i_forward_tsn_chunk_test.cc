// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/i_forward_tsn_chunk.h"

#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kIForwardTsn =
    from_hex("c2 00 00 18  00 00 10 09  00 01 00 00 00 00 00 05  00 02 00 01 00 01 00 00");
const std::array<SkippedMessages, 2> kSkippedMessages = {
    SkippedMessages{StreamId(1), false, Mid(5)}, SkippedMessages{StreamId(2), true, Mid(0x10000)}};

// RFC 8260 §2.3.1
TEST(IForwardTsnChunk, ReadsAndWritesAGolden) {
  const std::optional<IForwardTsnChunkView> view = IForwardTsnChunkView::parse(kIForwardTsn);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->new_cumulative_tsn(), Tsn(0x1009));
  ASSERT_EQ(view->skipped_count(), 2u);
  EXPECT_EQ(view->skipped(0), kSkippedMessages[0]);
  EXPECT_EQ(view->skipped(1), kSkippedMessages[1]);
  EXPECT_EQ(build(IForwardTsnChunk{Tsn(0x1009), kSkippedMessages}), kIForwardTsn);
}

TEST(IForwardTsnChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<IForwardTsnChunkView>(kIForwardTsn);
  EXPECT_FALSE(parses<IForwardTsnChunkView>(from_hex("c2 00 00 0c 00 00 10 09 00 01 00 00")))
      << "half an entry";
}

}  // namespace
}  // namespace millrace::sctp
