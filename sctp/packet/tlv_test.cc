// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/tlv.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

// RFC 9260 §3.2.1
TEST(TlvReader, SkipsPaddingBetweenAndToleratesItsLackAtTheEnd) {
  const Bytes list = from_hex("00 01 00 05 aa 00 00 00  00 02 00 06 bb cc");
  TlvReader reader(list);
  std::optional<TlvView> tlv = reader.next();
  ASSERT_TRUE(tlv);
  EXPECT_EQ(tlv->type, 1);
  EXPECT_EQ(tlv->value().size(), 1u);
  tlv = reader.next();
  ASSERT_TRUE(tlv);
  EXPECT_EQ(tlv->type, 2);
  EXPECT_EQ(tlv->value().size(), 2u);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.malformed());
}

TEST(TlvReader, StopsForGoodAtTheFirstMalformedEntry) {
  for (const char* hex : {"00 01 00 00", "00 01 00 03", "00 01 00 05", "00 01", "00"}) {
    const Bytes list = from_hex(hex);
    TlvReader reader(list);
    EXPECT_FALSE(reader.next()) << hex;
    EXPECT_TRUE(reader.malformed()) << hex;
    EXPECT_FALSE(reader.next()) << hex;
  }
}

TEST(TlvWriter, PadsBetweenButNotBehind) {
  Bytes space(64, 0xEE);
  TlvWriter writer(space);
  ASSERT_TRUE(writer.append(1, from_hex("aa")));
  EXPECT_EQ(writer.bytes().size(), 5u);
  ASSERT_TRUE(writer.append(2, from_hex("bbcc")));
  EXPECT_EQ(Bytes(writer.bytes().begin(), writer.bytes().end()),
            from_hex("00 01 00 05 aa 00 00 00  00 02 00 06 bb cc"));
}

TEST(TlvWriter, WhatDoesNotFitChangesNothing) {
  Bytes space(8, 0xEE);
  TlvWriter writer(space);
  ASSERT_TRUE(writer.append(1, from_hex("aa")));
  EXPECT_FALSE(writer.append(2, {}));
  EXPECT_EQ(writer.bytes().size(), 5u);
  EXPECT_EQ(space[5], 0xEE);
  TlvWriter huge(space);
  EXPECT_FALSE(huge.append(1, Bytes(70000)));
}

}  // namespace
}  // namespace millrace::sctp
