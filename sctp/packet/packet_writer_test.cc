// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/packet_writer.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"
#include "sctp/packet/cookie_chunk.h"
#include "sctp/packet/pad_chunk.h"

namespace millrace::sctp {
namespace {

CommonHeader header() {
  CommonHeader header;
  header.source_port = 5000;
  header.destination_port = 5001;
  header.verification_tag = VerificationTag(0x01020304);
  return header;
}

DataChunkHeader data_header(std::uint32_t tsn) {
  DataChunkHeader data;
  data.tsn = Tsn(tsn);
  data.ppid = kPpidBinary;
  data.flags = {.immediate = false, .unordered = false, .beginning = true, .ending = true};
  return data;
}

// RFC 9260 §3.1
TEST(CommonHeader, ReadsWhatItWrites) {
  Bytes out(CommonHeader::kBytes, 0xEE);
  header().write(out);
  EXPECT_EQ(out, from_hex("13 88 13 89 01 02 03 04 00 00 00 00"));
  CommonHeader::store_checksum(&out[8], 0xAABBCCDD);
  const std::optional<CommonHeader> read = CommonHeader::parse(out);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->source_port, 5000);
  EXPECT_EQ(read->destination_port, 5001);
  EXPECT_EQ(read->verification_tag, VerificationTag(0x01020304));
  EXPECT_EQ(read->checksum, 0xAABBCCDDu);
  EXPECT_EQ(out[8], 0xDD) << "RFC 9260 Appendix A: least significant byte first";
}

TEST(CommonHeader, RejectsEveryTruncation) {
  const Bytes whole(CommonHeader::kBytes);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parses<CommonHeader>(Bytes(n))) << n;
  EXPECT_TRUE(parses<CommonHeader>(whole));
}

// RFC 9260 §6.8.
TEST(PacketWriter, BundlesChunksWithPadding) {
  Bytes out(100, 0xEE);
  PacketWriter writer(out, header());
  const Bytes cookie = from_hex("aa");
  const Bytes payload = from_hex("01 02 03");
  ASSERT_TRUE(writer.append(CookieEchoChunk{cookie}));
  ASSERT_TRUE(writer.append_data(data_header(9), payload));
  ASSERT_EQ(writer.finish(), 40u);
  const Bytes chunks(out.begin() + 12, out.begin() + 40);
  EXPECT_EQ(chunks, from_hex("0a 00 00 05 aa 00 00 00"
                             "00 03 00 13 00 00 00 09 00 00 00 00 00 00 00 35 01 02 03 00"));
  EXPECT_EQ(CommonHeader::parse(out)->checksum, packet_checksum(ByteSpan(out).first(40)));
  EXPECT_EQ(out[40], 0xEE) << "wrote past its end";
}

TEST(PacketWriter, WithoutChunksThereIsNoPacket) {
  Bytes out(100);
  PacketWriter writer(out, header());
  EXPECT_FALSE(writer.has_chunks());
  EXPECT_EQ(writer.finish(), 0u);
}

// RFC 9653 §5.2
TEST(PacketWriter, LeavesTheChecksumZeroWhereThatIsAccepted) {
  Bytes out(100, 0xEE);
  PacketWriter writer(out, header());
  ASSERT_TRUE(writer.append(CookieAckChunk()));
  EXPECT_EQ(writer.finish(ChecksumMode::kZero), 16u);
  EXPECT_EQ(CommonHeader::parse(out)->checksum, 0u);
}

TEST(PacketWriter, WhatDoesNotFitChangesNothing) {
  for (std::size_t bytes = CommonHeader::kBytes; bytes < 60; ++bytes) {
    for (std::size_t payload_bytes = 1; payload_bytes < 40; ++payload_bytes) {
      Bytes out(bytes, 0xEE);
      PacketWriter writer(out, header());
      const std::size_t room = writer.space();
      EXPECT_LE(CommonHeader::kBytes + room, bytes);
      const bool fits = DataChunkHeader::kBytes + payload_bytes <= room;
      EXPECT_EQ(writer.append_data(data_header(1), Bytes(payload_bytes)), fits);
      if (!fits) {
        EXPECT_EQ(writer.size(), CommonHeader::kBytes);
        EXPECT_EQ(writer.space(), room);
      }
    }
  }
}

TEST(PacketWriter, FillsItsSpaceToTheLastByte) {
  Bytes out(1200);
  PacketWriter writer(out, header());
  ASSERT_TRUE(writer.append(PadChunk{writer.space() - kChunkHeaderBytes}));
  EXPECT_EQ(writer.space(), 0u);
  EXPECT_FALSE(writer.append(CookieAckChunk()));
  EXPECT_EQ(writer.finish(), 1200u);
}

TEST(PacketWriter, RefusesEmptyDataAndChunksBeyondTheLengthField) {
  Bytes out(100000);
  PacketWriter writer(out, header());
  EXPECT_FALSE(writer.append_data(data_header(1), {}));
  EXPECT_FALSE(writer.append_data(data_header(1), Bytes(65520)));
  EXPECT_FALSE(writer.append(PadChunk{65532}));
  EXPECT_TRUE(writer.append_data(data_header(1), Bytes(65519)));
}

TEST(PacketWriter, CountsThePayloadThatItCopies) {
  Bytes out(1200);
  PacketWriter writer(out, header());
  const std::uint64_t before = copy_counters().build;
  ASSERT_TRUE(writer.append_data(data_header(1), Bytes(1000)));
  EXPECT_EQ(copy_counters().build - before, 1000u);
}

TEST(PacketWriter, LendsRoomForAPayloadInPieces) {
  Bytes out(64);
  PacketWriter writer(out, header());
  IDataChunkHeader data;
  data.tsn = Tsn(5);
  data.flags.beginning = true;
  data.ppid = kPpidString;
  const MutableByteSpan room = writer.reserve_data(data, 6);
  ASSERT_EQ(room.size(), 6u);
  room[0] = 0x68;
  EXPECT_EQ(writer.finish(), 12u + 28u);
  ChunkReader reader(ByteSpan(out).subspan(12, 28));
  const std::optional<IDataChunkView> view = IDataChunkView::parse(reader.next()->bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->payload.size(), 6u);
  EXPECT_EQ(view->payload[0], 0x68);
}

}  // namespace
}  // namespace millrace::sctp
