// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/packet_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

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

// Writes a packet with these payloads, once with all copied and once lending, and expects the same
// of both once what was lent is in its place.
LentBytes expect_the_same_lending(const std::vector<Bytes>& payloads) {
  Bytes whole(2000, 0xEE);
  Bytes out(2000, 0xEE);
  LentBytes lent;
  PacketWriter copying(whole, header());
  PacketWriter lending(out, header(), &lent);
  for (const Bytes& payload : payloads) {
    EXPECT_TRUE(copying.append_data(data_header(1), payload));
    EXPECT_TRUE(lending.append_data(data_header(1), payload));
  }
  const std::size_t size = copying.finish(ChecksumMode::kZero);
  EXPECT_EQ(lending.finish(ChecksumMode::kZero), size);
  EXPECT_LE(lent.end(), size);
  for (std::size_t i = lent.at; i < lent.end(); ++i) EXPECT_EQ(out[i], 0xEE);
  if (!lent.empty()) std::copy_n(lent.data, lent.size, out.data() + lent.at);
  EXPECT_EQ(out, whole);
  return lent;
}

Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return bytes;
}

TEST(PacketWriter, LendsWholeGrainsOfAPayload) {
  for (std::size_t size = PacketWriter::kMinLentBytes; size < 1200; ++size) {
    const std::vector<Bytes> payloads = {counting(size)};
    const LentBytes lent = expect_the_same_lending(payloads);
    const std::size_t begin = CommonHeader::kBytes + DataChunkHeader::kBytes;
    ASSERT_EQ(lent.at, LentBytes::kGrain);
    ASSERT_EQ(lent.data, payloads[0].data() + (lent.at - begin));
    ASSERT_EQ(lent.size, (begin + size - lent.at) / LentBytes::kGrain * LentBytes::kGrain);
  }
}

TEST(PacketWriter, LendsTheFirstPayloadThatIsLargeEnough) {
  for (std::size_t before = 1; before < 200; ++before) {
    const std::vector<Bytes> payloads = {counting(before), counting(300), counting(400)};
    const LentBytes lent = expect_the_same_lending(payloads);
    ASSERT_FALSE(lent.empty());
    EXPECT_GE(lent.data, payloads[1].data());
    EXPECT_LE(lent.data + lent.size, payloads[1].data() + payloads[1].size());
    EXPECT_EQ(lent.at % LentBytes::kGrain, 0u);
    EXPECT_EQ(lent.size % LentBytes::kGrain, 0u);
    EXPECT_GE(lent.size, 2 * LentBytes::kGrain);
  }
}

TEST(PacketWriter, LendsNoSmallPayload) {
  EXPECT_TRUE(expect_the_same_lending({counting(PacketWriter::kMinLentBytes - 1)}).empty());
  EXPECT_TRUE(expect_the_same_lending({counting(100), counting(255), counting(200)}).empty());
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
