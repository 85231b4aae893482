// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/error_cause.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

template <class Cause>
Bytes encode(const Cause& cause) {
  Bytes space(256);
  TlvWriter writer(space);
  EXPECT_TRUE(writer.append(cause));
  return {writer.bytes().begin(), writer.bytes().end()};
}

// Expects that the golden parses as Cause, and under no other code or shorter value.
template <class Cause>
std::optional<Cause> decode(const Bytes& bytes) {
  TlvReader reader(bytes);
  const std::optional<TlvView> tlv = reader.next();
  EXPECT_TRUE(tlv);
  EXPECT_FALSE(Cause::parse({static_cast<std::uint16_t>(tlv->type + 1), tlv->bytes}));
  return Cause::parse(*tlv);
}

template <class Cause>
void expect_no_truncation(const Bytes& bytes) {
  for (std::size_t n = kTlvHeaderBytes; n < bytes.size(); ++n) {
    const Bytes exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(Cause::parse({load_be16(bytes.data()), exact})) << n;
  }
}

// RFC 9260 §3.3.10.1
TEST(ErrorCause, InvalidStreamIdentifier) {
  const Bytes golden = from_hex("00 01 00 08 00 07 00 00");
  EXPECT_EQ(encode(InvalidStreamIdentifierCause{StreamId(7)}), golden);
  EXPECT_EQ(decode<InvalidStreamIdentifierCause>(golden)->stream, StreamId(7));
  expect_no_truncation<InvalidStreamIdentifierCause>(golden);
}

// RFC 9260 §3.3.10.2, §5.1
TEST(ErrorCause, MissingMandatoryParameter) {
  const Bytes golden = from_hex("00 02 00 0a 00 00 00 01 00 07");
  EXPECT_EQ(encode(MissingMandatoryParameterCause()), golden);
  EXPECT_EQ(decode<MissingMandatoryParameterCause>(golden)->missing, ParameterType::kStateCookie);
  expect_no_truncation<MissingMandatoryParameterCause>(golden);
}

TEST(ErrorCause, MissingMandatoryParameterCountsWhatItLists) {
  EXPECT_TRUE(
      decode<MissingMandatoryParameterCause>(from_hex("00 02 00 0c 00 00 00 02 00 07 00 08")));
  EXPECT_FALSE(decode<MissingMandatoryParameterCause>(from_hex("00 02 00 0a ff ff ff ff 00 07")));
  EXPECT_FALSE(decode<MissingMandatoryParameterCause>(from_hex("00 02 00 08 00 00 00 00")));
  EXPECT_FALSE(
      decode<MissingMandatoryParameterCause>(from_hex("00 02 00 0b 00 00 00 01 00 07 00")));
}

// RFC 9260 §3.3.10.3
TEST(ErrorCause, StaleCookie) {
  const Bytes golden = from_hex("00 03 00 08 00 01 86 a0");
  EXPECT_EQ(encode(StaleCookieCause{100000}), golden);
  EXPECT_EQ(decode<StaleCookieCause>(golden)->staleness_us, 100000u);
  expect_no_truncation<StaleCookieCause>(golden);
}

// RFC 9260 §3.3.10.9
TEST(ErrorCause, NoUserData) {
  const Bytes golden = from_hex("00 09 00 08 00 00 10 01");
  EXPECT_EQ(encode(NoUserDataCause{Tsn(0x1001)}), golden);
  EXPECT_EQ(decode<NoUserDataCause>(golden)->tsn, Tsn(0x1001));
  expect_no_truncation<NoUserDataCause>(golden);
}

template <class Cause>
void expect_opaque(std::uint16_t code) {
  const Bytes info = from_hex("61 62 63");
  Bytes golden = from_hex("00 00 00 07 61 62 63");
  store_be16(golden.data(), code);
  EXPECT_EQ(encode(Cause{info}), golden);
  const std::optional<Cause> cause = decode<Cause>(golden);
  ASSERT_TRUE(cause);
  EXPECT_EQ(Bytes(cause->info.begin(), cause->info.end()), info);
}

// RFC 9260 §3.3.10.4 to §3.3.10.8 and §3.3.10.10 to §3.3.10.13
TEST(ErrorCause, TheOthersAreCarriedAsTheyAre) {
  expect_opaque<OutOfResourceCause>(4);
  expect_opaque<UnresolvableAddressCause>(5);
  expect_opaque<UnrecognizedChunkTypeCause>(6);
  expect_opaque<InvalidMandatoryParameterCause>(7);
  expect_opaque<UnrecognizedParametersCause>(8);
  expect_opaque<CookieReceivedWhileShuttingDownCause>(10);
  expect_opaque<RestartWithNewAddressesCause>(11);
  expect_opaque<UserInitiatedAbortCause>(12);
  expect_opaque<ProtocolViolationCause>(13);
}

}  // namespace
}  // namespace millrace::sctp
