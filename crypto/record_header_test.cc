// SPDX-License-Identifier: Apache-2.0
#include "crypto/record_header.h"

#include <gtest/gtest.h>

#include "crypto/dtls_test_support.h"

namespace millrace::crypto {
namespace {

// RFC 6347 §4.1: an alert of epoch 1, number 0x010203040506, with four bytes.
constexpr const char* kAlert = "15fefd0001010203040506000401020304";

TEST(RecordReader, ReadsAHeader) {
  Bytes bytes = from_hex(kAlert);
  RecordReader reader(bytes);
  const auto record = reader.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->header.type, ContentType::kAlert);
  EXPECT_EQ(record->header.version, kDtls12Version);
  EXPECT_EQ(record->header.epoch, 1);
  EXPECT_EQ(record->header.sequence, 0x010203040506u);
  EXPECT_EQ(record->header.length, 4);
  EXPECT_EQ(to_hex(record->bytes), kAlert);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.drop_reason());
}

TEST(RecordReader, SplitsSeveralRecordsOfADatagram) {  // RFC 6347 §4.1.1
  Bytes bytes = from_hex(std::string(kAlert) + "17fefd00010000000000070000" + kAlert);
  RecordReader reader(bytes);
  EXPECT_EQ(reader.next()->header.type, ContentType::kAlert);
  EXPECT_EQ(reader.next()->header.length, 0);
  EXPECT_EQ(reader.next()->bytes.data(), bytes.data() + bytes.size() - 17);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.drop_reason());
}

TEST(RecordReader, RejectsEveryTruncation) {
  Bytes bytes = from_hex(kAlert);
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    RecordReader reader(MutableByteSpan(bytes).first(n));
    EXPECT_FALSE(reader.next()) << n;
    EXPECT_EQ(reader.drop_reason(), DropReason::kMalformed) << n;
  }
}

TEST(RecordReader, KeepsWhatCameBeforeATruncatedRecord) {
  Bytes bytes = from_hex(std::string(kAlert) + kAlert);
  for (std::size_t n = 18; n < bytes.size(); ++n) {
    RecordReader reader(MutableByteSpan(bytes).first(n));
    EXPECT_TRUE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.drop_reason(), DropReason::kMalformed);
    EXPECT_FALSE(reader.next());
  }
}

TEST(RecordReader, TakesFourContentTypesAndNoOther) {
  for (int type = 0; type < 256; ++type) {
    Bytes bytes = from_hex(kAlert);
    bytes[0] = static_cast<std::uint8_t>(type);
    RecordReader reader(bytes);
    const bool known = type >= 20 && type <= 23;
    EXPECT_EQ(reader.next().has_value(), known) << type;
    if (!known) {
      EXPECT_EQ(reader.drop_reason(), DropReason::kUnexpectedType);
    }
  }
}

TEST(RecordReader, TakesTheVersionsOfDtlsAlone) {  // RFC 6347 §4.2.1
  const auto taken = [](std::uint16_t version) {
    Bytes bytes = from_hex(kAlert);
    store_be16(bytes.data() + 1, version);
    RecordReader reader(bytes);
    const bool ok = reader.next().has_value();
    if (!ok) {
      EXPECT_EQ(reader.drop_reason(), DropReason::kBadVersion);
    }
    return ok;
  };
  EXPECT_TRUE(taken(0xfeff));
  EXPECT_TRUE(taken(0xfefd));
  EXPECT_FALSE(taken(0x0303));
  EXPECT_FALSE(taken(0xfdfd));
}

TEST(RecordReader, RefusesALengthBeyondThatOfTlsCiphertext) {  // RFC 5246 §6.2.3
  Bytes bytes(20000, 0);
  const Bytes head = from_hex(kAlert);
  std::copy(head.begin(), head.end(), bytes.begin());
  store_be16(bytes.data() + 11, kMaxCiphertextBytes);
  EXPECT_TRUE(RecordReader(bytes).next());
  store_be16(bytes.data() + 11, kMaxCiphertextBytes + 1);
  EXPECT_FALSE(RecordReader(bytes).next());
}

TEST(DropReason, HasANameForEach) {
  for (int i = 0; i < static_cast<int>(DropReason::kCount); ++i) {
    EXPECT_NE(to_string(static_cast<DropReason>(i)), "unknown") << i;
  }
}

}  // namespace
}  // namespace millrace::crypto
