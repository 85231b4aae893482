// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/dcep_message.h"

#include <gtest/gtest.h>

#include <string>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kOpen = from_hex("03 81 02 00  00 00 00 03  00 04 00 02  65 63 68 6f  c3 a9");

// RFC 8832 §5.1
TEST(OpenMessage, ReadsAndWritesAGolden) {
  const std::optional<OpenMessage> open = OpenMessage::parse(kOpen);
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->reliability.ordered);
  EXPECT_EQ(open->reliability.max_retransmits, 3u);
  EXPECT_FALSE(open->reliability.max_packet_life_time_ms);
  EXPECT_EQ(open->priority, 512);
  EXPECT_EQ(open->label, "echo");
  EXPECT_EQ(open->protocol, "\u00e9");
  EXPECT_EQ(build(*open), kOpen);
}

// RFC 8832 §8.2.2
TEST(OpenMessage, KnowsTheSixChannelTypesAndNoOther) {
  Bytes message = from_hex("03 00 00 00  00 00 00 07  00 00 00 00");
  for (int type = 0; type < 256; ++type) {
    message[1] = static_cast<std::uint8_t>(type);
    const std::optional<OpenMessage> open = OpenMessage::parse(message);
    ASSERT_EQ(open.has_value(), (type & 0x7F) <= 2) << type;
    if (!open) continue;
    EXPECT_EQ(open->reliability.ordered, type < 0x80);
    EXPECT_EQ(open->reliability.max_retransmits.has_value(), (type & 0x7F) == 1);
    EXPECT_EQ(open->reliability.max_packet_life_time_ms.has_value(), (type & 0x7F) == 2);
    EXPECT_EQ(build(*open)[1], type);
  }
}

// RFC 8832 §5.1: sent as zero, ignored when received.
TEST(OpenMessage, TheParameterOfAReliableChannelIsIgnored) {
  const Bytes message = from_hex("03 00 00 00  ff ff ff ff  00 00 00 00");
  const std::optional<OpenMessage> open = OpenMessage::parse(message);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->reliability, ChannelReliability());
  EXPECT_EQ(build(*open), from_hex("03 00 00 00  00 00 00 00  00 00 00 00"));
}

TEST(OpenMessage, RejectsEveryTruncationAndExtension) {
  for (std::size_t n = 0; n < kOpen.size(); ++n) {
    EXPECT_FALSE(parses<OpenMessage>(ByteSpan(kOpen).first(n))) << n;
  }
  Bytes longer = kOpen;
  longer.push_back(0);
  EXPECT_FALSE(parses<OpenMessage>(longer));
}

TEST(OpenMessage, RejectsLengthsThatDoNotAddUp) {
  for (std::size_t at : {8u, 10u}) {
    for (std::uint32_t length = 0; length <= 0xFFFF; ++length) {
      Bytes hostile = kOpen;
      store_be16(&hostile[at], static_cast<std::uint16_t>(length));
      EXPECT_EQ(OpenMessage::parse(hostile).has_value(), hostile == kOpen) << length;
    }
  }
}

TEST(OpenMessage, TakesTheLongestStrings) {
  const std::string longest(OpenMessage::kMaxStringBytes, 'x');
  OpenMessage open;
  open.label = longest;
  open.protocol = longest;
  const Bytes message = build(open);
  EXPECT_EQ(message.size(), OpenMessage::kMaxBytes);
  EXPECT_EQ(OpenMessage::parse(message)->label, longest);
}

TEST(OpenMessage, RejectsStringsThatAreNotUtf8) {
  Bytes message = kOpen;
  message[12] = 0xFF;
  EXPECT_FALSE(OpenMessage::parse(message));
  message = kOpen;
  message.back() = 0x20;
  EXPECT_FALSE(OpenMessage::parse(message));
}

// RFC 8832 §5.2
// As pion/datachannel writes it.
TEST(AckMessage, ToleratesTrailingBytes) {
  EXPECT_TRUE(AckMessage::parse(from_hex("02 00 00 00")));
}

TEST(AckMessage, IsOneByte) {
  EXPECT_TRUE(AckMessage::parse(AckMessage::kBytes));
  EXPECT_FALSE(AckMessage::parse({}));
  EXPECT_FALSE(AckMessage::parse(from_hex("03")));
}

// RFC 3629 §3, §4
TEST(IsUtf8, AcceptsShortestFormsOnly) {
  for (const char* good :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2 ", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xF8", "\xFF", "a\xE2\x82z"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace millrace::sctp
