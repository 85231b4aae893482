// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/i_data_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kFirst =
    from_hex("40 02 00 16  00 00 10 01  00 02 00 00  00 00 00 07  00 00 00 35  aa bb");
const Bytes kSecond =
    from_hex("40 05 00 15  00 00 10 02  00 02 00 00  00 00 00 07  00 00 00 01  cc");

// RFC 8260 §2.1
TEST(IDataChunk, TheFirstFragmentBearsThePpid) {
  const std::optional<IDataChunkView> view = IDataChunkView::parse(kFirst);
  ASSERT_TRUE(view);
  const IDataChunkHeader expected{
      Tsn(0x1001), StreamId(2),
      Mid(7),      kPpidBinary,
      0,           {.immediate = false, .unordered = false, .beginning = true, .ending = false}};
  EXPECT_EQ(view->header, expected);
  EXPECT_EQ(view->payload.size(), 2u);
}

// RFC 8260 §2.1
TEST(IDataChunk, LaterFragmentsBearTheirNumber) {
  const std::optional<IDataChunkView> view = IDataChunkView::parse(kSecond);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->header.fsn, 1u);
  EXPECT_EQ(view->header.ppid, Ppid(0));
  EXPECT_TRUE(view->header.flags.unordered);
  EXPECT_TRUE(view->header.flags.ending);
}

// RFC 8260 §2.1.
TEST(IDataChunk, WritesWhatItReads) {
  for (const Bytes& chunk : {kFirst, kSecond}) {
    const std::optional<IDataChunkView> view = IDataChunkView::parse(chunk);
    ASSERT_TRUE(view);
    Bytes header(IDataChunkHeader::kBytes);
    view->header.write(header.data(), view->payload.size());
    EXPECT_EQ(header, Bytes(chunk.begin(), chunk.begin() + 20));
  }
}

TEST(IDataChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<IDataChunkView>(kFirst); }

}  // namespace
}  // namespace millrace::sctp
