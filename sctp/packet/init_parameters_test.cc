// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/init_parameters.h"

#include <gtest/gtest.h>

#include <array>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

std::optional<InitParameters> parse(std::string_view hex) {
  static Bytes list;
  list = from_hex(hex);
  return InitParameters::parse(list);
}

TEST(InitParameters, NoneIsValid) {
  const std::optional<InitParameters> parameters = InitParameters::parse({});
  ASSERT_TRUE(parameters);
  EXPECT_FALSE(parameters->state_cookie);
  EXPECT_FALSE(parameters->forward_tsn);
}

// RFC 5061 §4.2.7
TEST(InitParameters, ReadsSupportedExtensions) {
  const std::optional<InitParameters> parameters = parse("80 08 00 0a  c0 82 40 c2 84 c1 00 00");
  ASSERT_TRUE(parameters);
  EXPECT_TRUE(parameters->forward_tsn);
  EXPECT_TRUE(parameters->reconfig);
  EXPECT_TRUE(parameters->i_data);
  EXPECT_TRUE(parameters->i_forward_tsn);
  EXPECT_TRUE(parameters->pad);
}

// RFC 9653 §4, §5.1, §6
TEST(InitParameters, ReadsZeroChecksumAcceptable) {
  EXPECT_EQ(parse("80 01 00 08 00 00 00 01")->zero_checksum_edmid, kEdmidDtls);
  EXPECT_FALSE(parse("80 01 00 06 00 01")) << "malformed";
}

// RFC 9260 §3.3.3.1
TEST(InitParameters, ReadsTheStateCookieInPlace) {
  const Bytes list = from_hex("00 07 00 07  aa bb cc 00  c0 00 00 04");
  const std::optional<InitParameters> parameters = InitParameters::parse(list);
  ASSERT_TRUE(parameters && parameters->state_cookie);
  EXPECT_EQ(parameters->state_cookie->data(), list.data() + 4);
  EXPECT_EQ(parameters->state_cookie->size(), 3u);
  EXPECT_TRUE(parameters->forward_tsn);
}

// RFC 9260 §3.3.2.1, §5.1.2: over DTLS addresses mean nothing; a host name is refused.
TEST(InitParameters, ToleratesWhatIsOfNoUseOverDtls) {
  const std::optional<InitParameters> parameters = parse(
      "00 05 00 08 7f 00 00 01"
      "00 06 00 14 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
      "00 09 00 08 00 00 00 01  00 0c 00 06 00 05 00 00  80 00 00 04"
      "80 02 00 08 01 02 03 04  80 03 00 05 c1 00 00 00  80 04 00 06 00 01 00 00"
      "80 05 00 08 00 00 00 00");
  ASSERT_TRUE(parameters);
  EXPECT_EQ(parameters->unrecognized_count, 0u);
  EXPECT_FALSE(parameters->host_name);
  EXPECT_TRUE(parse("00 0b 00 08 61 2e 62 00")->host_name);
}

// CVE-2019-20503: an address parameter shorter than an address.
TEST(InitParameters, RejectsAddressesOfWrongSize) {
  EXPECT_FALSE(parse("00 05 00 04"));
  EXPECT_FALSE(parse("00 05 00 06 7f 00"));
  EXPECT_FALSE(parse("00 06 00 08 7f 00 00 01"));
}

// RFC 9260 §3.2.1
TEST(InitParameters, TreatsTheUnknownByItsTopBits) {
  constexpr std::string_view kForwardTsn = "c0 00 00 04";
  const auto with = [&](std::string_view unknown) {
    return *parse(std::string(unknown) + std::string(kForwardTsn));
  };
  const InitParameters stop = with("3f ff 00 04");
  EXPECT_FALSE(stop.forward_tsn);
  EXPECT_EQ(stop.unrecognized_count, 0u);
  const InitParameters stop_and_report = with("7f ff 00 04");
  EXPECT_FALSE(stop_and_report.forward_tsn);
  EXPECT_EQ(stop_and_report.unrecognized_count, 1u);
  const InitParameters skip = with("bf ff 00 04");
  EXPECT_TRUE(skip.forward_tsn);
  EXPECT_EQ(skip.unrecognized_count, 0u);
  const InitParameters skip_and_report = with("ff ff 00 06 aa bb 00 00");
  EXPECT_TRUE(skip_and_report.forward_tsn);
  ASSERT_EQ(skip_and_report.unrecognized_count, 1u);
  const ByteSpan reported = skip_and_report.unrecognized[0];
  EXPECT_EQ(reported.size(), 6u);
}

TEST(InitParameters, KeepsABoundedNumberOfUnknowns) {
  Bytes list;
  for (int i = 0; i < 1000; ++i) {
    const Bytes unknown = from_hex("ff ff 00 04");
    list.insert(list.end(), unknown.begin(), unknown.end());
  }
  const std::optional<InitParameters> parameters = InitParameters::parse(list);
  ASSERT_TRUE(parameters);
  EXPECT_EQ(parameters->unrecognized_count, InitParameters::kMaxUnrecognized);
}

TEST(InitParameters, ReadsWhatThePeerDidNotRecognize) {
  const std::optional<InitParameters> parameters = parse("00 08 00 08 c0 00 00 04");
  ASSERT_TRUE(parameters);
  ASSERT_EQ(parameters->refused_count, 1u);
  EXPECT_EQ(parameters->refused[0].size(), 4u);
  EXPECT_FALSE(parameters->forward_tsn);
}

// RFC 9653 §4.
TEST(InitParameters, OfARepeatedOneTheFirstCounts) {
  const std::optional<InitParameters> parameters =
      parse("00 07 00 05 aa 00 00 00 00 07 00 06 bb cc 00 00");
  ASSERT_TRUE(parameters && parameters->state_cookie);
  EXPECT_EQ(parameters->state_cookie->size(), 1u);
}

// RFC 9653 §4.
TEST(InitParameters, RejectsLengthsThatDoNotAddUp) {
  EXPECT_FALSE(parse("c0 00 00 00")) << "zero length: no progress";
  EXPECT_FALSE(parse("c0 00 00 03"));
  EXPECT_FALSE(parse("00 07 00 09 aa bb cc dd")) << "past the end";
  EXPECT_FALSE(parse("c0 00 00 04 80")) << "a piece of a header";
  EXPECT_FALSE(parse("c0 00 00 05 aa")) << "has no value";
}

// RFC 3758 §3.1.
// RFC 6525 §5.1.1.
// RFC 9653 §4.
TEST(InitParameters, WritesEachParameterOnce) {
  const Bytes cookie = from_hex("aa bb cc");
  const Bytes unknown = from_hex("ff ff 00 04");
  const std::array<ChunkType, 3> types = {ChunkType::kReconfig, ChunkType::kForwardTsn,
                                          ChunkType::kIData};
  Bytes list(256, 0xEE);
  TlvWriter writer(list);
  ASSERT_TRUE(writer.append(StateCookieParameter{cookie}));
  ASSERT_TRUE(writer.append(UnrecognizedParameter{unknown}));
  ASSERT_TRUE(writer.append(ForwardTsnSupportedParameter()));
  ASSERT_TRUE(writer.append(ZeroChecksumParameter()));
  ASSERT_TRUE(writer.append(SupportedExtensionsParameter{types}));
  EXPECT_EQ(Bytes(writer.bytes().begin(), writer.bytes().end()),
            from_hex("00 07 00 07 aa bb cc 00  00 08 00 08 ff ff 00 04  c0 00 00 04"
                     "80 01 00 08 00 00 00 01  80 08 00 07 82 c0 40"));
  EXPECT_TRUE(InitParameters::parse(writer.bytes()));
}

TEST(InitParameters, ChangedBytesNeverReachPastTheList) {
  const Bytes list = from_hex(
      "00 07 00 07 aa bb cc 00  00 08 00 08 ff ff 00 04  c0 00 00 04"
      "80 01 00 08 00 00 00 01  80 08 00 07 82 c0 40");
  with_random_changes(list, [](ByteSpan changed) { InitParameters::parse(changed); });
}

}  // namespace
}  // namespace millrace::sctp
