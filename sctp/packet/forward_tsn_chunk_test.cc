// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/forward_tsn_chunk.h"

#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kForwardTsn = from_hex("c0 00 00 10  00 00 10 09  00 01 00 05  00 02 00 06");
const std::array<SkippedStream, 2> kSkipped = {SkippedStream{StreamId(1), Ssn(5)},
                                               SkippedStream{StreamId(2), Ssn(6)}};

// RFC 3758 §3.2
TEST(ForwardTsnChunk, ReadsAndWritesAGolden) {
  const std::optional<ForwardTsnChunkView> view = ForwardTsnChunkView::parse(kForwardTsn);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->new_cumulative_tsn(), Tsn(0x1009));
  ASSERT_EQ(view->skipped_count(), 2u);
  EXPECT_EQ(view->skipped(0), kSkipped[0]);
  EXPECT_EQ(view->skipped(1), kSkipped[1]);
  EXPECT_EQ(build(ForwardTsnChunk{Tsn(0x1009), kSkipped}), kForwardTsn);
}

TEST(ForwardTsnChunk, MayListNoStream) {
  const Bytes golden = from_hex("c0 00 00 08 00 00 10 09");
  EXPECT_EQ(build(ForwardTsnChunk{Tsn(0x1009), {}}), golden);
  EXPECT_EQ(ForwardTsnChunkView::parse(golden)->skipped_count(), 0u);
}

TEST(ForwardTsnChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<ForwardTsnChunkView>(kForwardTsn);
  EXPECT_FALSE(parses<ForwardTsnChunkView>(from_hex("c0 00 00 0a 00 00 10 09 00 01")))
      << "half an entry";
}

}  // namespace
}  // namespace millrace::sctp
