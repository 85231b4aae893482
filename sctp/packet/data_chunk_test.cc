// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/data_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kData = from_hex("00 0b 00 15  00 00 10 01  00 02 00 03  00 00 00 33  68 65 6c 6c 6f");

// RFC 9260 §3.3.1
TEST(DataChunk, ReadsAGolden) {
  const std::optional<DataChunkView> view = DataChunkView::parse(kData);
  ASSERT_TRUE(view);
  const DataChunkHeader expected{
      Tsn(0x1001),
      StreamId(2),
      Ssn(3),
      kPpidString,
      {.immediate = true, .unordered = false, .beginning = true, .ending = true}};
  EXPECT_EQ(view->header, expected);
  EXPECT_EQ(Bytes(view->payload.begin(), view->payload.end()), from_hex("68656c6c6f"));
  EXPECT_EQ(view->payload.data(), kData.data() + 16);
}

TEST(DataChunk, WritesWhatItReads) {
  const std::optional<DataChunkView> view = DataChunkView::parse(kData);
  ASSERT_TRUE(view);
  Bytes header(DataChunkHeader::kBytes);
  view->header.write(header.data(), view->payload.size());
  EXPECT_EQ(header, Bytes(kData.begin(), kData.begin() + 16));
}

// RFC 7053 §3, RFC 9260 §3.3.1
TEST(DataChunk, EachFlagHasItsBit) {
  EXPECT_TRUE(DataFlags::from_byte(0x08).immediate);
  EXPECT_TRUE(DataFlags::from_byte(0x04).unordered);
  EXPECT_TRUE(DataFlags::from_byte(0x02).beginning);
  EXPECT_TRUE(DataFlags::from_byte(0x01).ending);
  EXPECT_EQ(DataFlags::from_byte(0xF0), DataFlags());
  for (int bits = 0; bits < 16; ++bits) {
    EXPECT_EQ(DataFlags::from_byte(static_cast<std::uint8_t>(bits)).to_byte(), bits);
  }
}

// RFC 9260 §6.2: the association answers it with ABORT, so it must be seen.
TEST(DataChunk, WithoutUserDataStillParses) {
  const Bytes empty = from_hex("00 03 00 10  00 00 10 01  00 02 00 03  00 00 00 33");
  const std::optional<DataChunkView> view = DataChunkView::parse(empty);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->payload.empty());
}

TEST(DataChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<DataChunkView>(kData); }

}  // namespace
}  // namespace millrace::sctp
