// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/stun_message.h"

#include <gtest/gtest.h>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

constexpr std::string_view kVectorPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 §2.1.
const Bytes kRequest = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};

// RFC 5769 §2.2.
const Bytes kResponseV4 = {
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};

// RFC 5769 §2.3.
const Bytes kResponseV6 = {
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c};

// A message of the given type whose attributes are `body`, without FINGERPRINT.
Bytes message(std::uint16_t type, const Bytes& body) {
  Bytes out(kStunHeaderBytes);
  store_be16(&out[0], type);
  store_be16(&out[2], static_cast<std::uint16_t>(body.size()));
  store_be32(&out[4], kStunMagicCookie);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

bool parses(const Bytes& body) { return StunMessageView::parse(message(1, body)).has_value(); }

TEST(StunMessageView, ReadsTheRequestOfRfc5769) {
  const auto request = StunMessageView::parse(kRequest);
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->is_binding(StunClass::kRequest));
  EXPECT_EQ(request->software(), "STUN test client");
  EXPECT_EQ(request->priority(), 0x6e0001ffu);
  EXPECT_EQ(request->controlled(), 0x932ff9b151263b36u);
  EXPECT_FALSE(request->controlling());
  EXPECT_EQ(request->username(), "evtj:h6vY");
  EXPECT_TRUE(request->has_fingerprint());
  EXPECT_TRUE(request->has_integrity(kVectorPassword, kTestMac));
  EXPECT_FALSE(request->has_integrity("VOkJxbRl1RmTxUk/WvJxBT", kTestMac));
  EXPECT_TRUE(request->unknown_required().empty());
}

TEST(StunMessageView, ReadsTheResponsesOfRfc5769) {
  const auto v4 = StunMessageView::parse(kResponseV4);
  ASSERT_TRUE(v4);
  EXPECT_TRUE(v4->is_binding(StunClass::kSuccess));
  EXPECT_EQ(v4->software(), "test vector");
  EXPECT_EQ(v4->mapped_address(), address("192.0.2.1:32853"));
  EXPECT_TRUE(v4->has_integrity(kVectorPassword, kTestMac));

  const auto v6 = StunMessageView::parse(kResponseV6);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->mapped_address(), address("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
  EXPECT_TRUE(v6->has_integrity(kVectorPassword, kTestMac));
}

TEST(StunMessageView, RejectsEveryTruncation) {
  for (const Bytes* whole : {&kRequest, &kResponseV4, &kResponseV6}) {
    for (std::size_t n = 0; n < whole->size(); ++n) {
      EXPECT_FALSE(StunMessageView::parse(std::span(*whole).first(n))) << n;
    }
  }
}

TEST(StunMessageView, RejectsEveryTruncationWhoseLengthFieldFits) {
  // The header says what is there, so that only the attributes themselves can be short.
  for (std::size_t n = kStunHeaderBytes; n < kRequest.size(); ++n) {
    Bytes cut(kRequest.begin(), kRequest.begin() + static_cast<std::ptrdiff_t>(n));
    store_be16(&cut[2], static_cast<std::uint16_t>(n - kStunHeaderBytes));
    const auto parsed = StunMessageView::parse(cut);
    if (parsed) {
      EXPECT_FALSE(parsed->has_fingerprint()) << n;
      EXPECT_EQ(n % 4, 0u);
    }
  }
}

TEST(StunMessageView, RejectsTrailingBytes) {
  Bytes longer = kRequest;
  longer.insert(longer.end(), 4, 0);
  EXPECT_FALSE(StunMessageView::parse(longer));
}

TEST(StunMessageView, NoticesEveryFlippedBit) {
  for (std::size_t bit = 0; bit < 8 * kRequest.size(); ++bit) {
    Bytes bent = kRequest;
    bent[bit / 8] = static_cast<std::uint8_t>(bent[bit / 8] ^ (1u << (bit % 8)));
    const auto parsed = StunMessageView::parse(bent);
    // FINGERPRINT sees it, unless the flip was in the type of FINGERPRINT itself.
    if (parsed) {
      EXPECT_FALSE(parsed->has_fingerprint()) << bit;
    }
  }
}

TEST(StunMessageView, RejectsWhatIsNotStun) {
  for (const auto& [offset, value] : std::vector<std::pair<std::size_t, std::uint8_t>>{
           {0, 0x40}, {0, 0x80}, {0, 22}, {3, 0x57}, {3, 0x5C}, {4, 0x22}}) {
    Bytes bent = kRequest;
    bent[offset] = value;
    EXPECT_FALSE(StunMessageView::parse(bent)) << offset;
  }
}

TEST(StunMessageView, TellsClassAndMethodApart) {
  const auto indication = StunMessageView::parse(message(0x0011, {}));
  ASSERT_TRUE(indication);
  EXPECT_TRUE(indication->is_binding(StunClass::kIndication));
  // TURN Allocate, error: method 3 (RFC 8656 §17).
  const auto allocate = StunMessageView::parse(message(0x0113, {}));
  ASSERT_TRUE(allocate);
  EXPECT_EQ(allocate->method(), 3);
  EXPECT_EQ(allocate->message_class(), StunClass::kError);
  // RFC 8489 §5: all twelve bits of the method, none of the class.
  const auto widest = StunMessageView::parse(message(0x3EEF, {}));
  ASSERT_TRUE(widest);
  EXPECT_EQ(widest->method(), 0xFFF);
  EXPECT_EQ(widest->message_class(), StunClass::kRequest);
}

// RFC 8489 §14.5: what comes after MESSAGE-INTEGRITY is ignored, FINGERPRINT excepted.
TEST(StunMessageView, IgnoresAttributesAfterMessageIntegrity) {
  Bytes body = {0x00, 0x08, 0x00, 0x14};
  body.insert(body.end(), 20, 0xAA);
  const Bytes late = {0x00, 0x25, 0x00, 0x00,                          // USE-CANDIDATE
                      0x00, 0x24, 0x00, 0x04, 0x01, 0x02, 0x03, 0x04,  // PRIORITY
                      0x7F, 0x00, 0x00, 0x00};                         // unknown, required
  body.insert(body.end(), late.begin(), late.end());
  const auto parsed = StunMessageView::parse(message(1, body));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->has_message_integrity());
  EXPECT_FALSE(parsed->use_candidate());
  EXPECT_FALSE(parsed->priority());
  EXPECT_TRUE(parsed->unknown_required().empty());
}

// RFC 8489 §14.5: the length is taken as ending with MESSAGE-INTEGRITY.
TEST(StunMessageView, VerifiesIntegrityInFrontOfForeignAttributes) {
  Bytes bytes(kRequest.begin(), kRequest.end() - 8);
  const Bytes extra = {0x7F, 0x00, 0x00, 0x01, 0xFF, 0x00, 0x00, 0x00};
  bytes.insert(bytes.end(), extra.begin(), extra.end());
  const auto parsed = StunMessageView::parse(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->has_integrity(kVectorPassword, kTestMac));
}

// RFC 8489 §6.3.1.
TEST(StunMessageView, ListsUnknownRequiredAttributesUpToItsLimit) {
  Bytes body = {0x80, 0x99, 0x00, 0x00, 0xC0, 0x57, 0x00, 0x04, 1, 2, 3, 4};
  for (std::uint8_t i = 0; i < 12; ++i) {
    body.insert(body.end(), {0x7F, i, 0x00, 0x00});
  }
  const auto parsed = StunMessageView::parse(message(1, body));
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->unknown_required().size(), StunMessageView::kMaxUnknown);
  EXPECT_EQ(parsed->unknown_required()[0], 0x7F00);
  EXPECT_EQ(parsed->unknown_required()[7], 0x7F07);
}

TEST(StunMessageView, RejectsKnownAttributesOfWrongSize) {
  EXPECT_TRUE(parses({0x00, 0x24, 0, 4, 1, 2, 3, 4}));
  EXPECT_FALSE(parses({0x00, 0x24, 0, 3, 1, 2, 3, 0}));              // PRIORITY
  EXPECT_FALSE(parses({0x00, 0x25, 0, 1, 1, 0, 0, 0}));              // USE-CANDIDATE
  EXPECT_FALSE(parses({0x80, 0x29, 0, 4, 1, 2, 3, 4}));              // ICE-CONTROLLED
  EXPECT_FALSE(parses({0x80, 0x2A, 0, 4, 1, 2, 3, 4}));              // ICE-CONTROLLING
  EXPECT_FALSE(parses({0x00, 0x08, 0, 4, 1, 2, 3, 4}));              // MESSAGE-INTEGRITY
  EXPECT_FALSE(parses({0x00, 0x06, 0, 0}));                          // USERNAME
  EXPECT_FALSE(parses({0x00, 0x09, 0, 3, 0, 0, 4, 0}));              // ERROR-CODE
  EXPECT_FALSE(parses({0x00, 0x09, 0, 4, 0, 0, 2, 0}));              // class 2
  EXPECT_FALSE(parses({0x00, 0x09, 0, 4, 0, 0, 4, 100}));            // number 100
  EXPECT_FALSE(parses({0x00, 0x20, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0}));  // IPv6 in 4 bytes
  EXPECT_FALSE(parses({0x00, 0x20, 0, 2, 0, 1, 0, 0}));              // XOR-MAPPED-ADDRESS
  EXPECT_FALSE(parses({0x80, 0x28, 0, 4, 1, 2, 3, 4}));              // wrong FINGERPRINT
}

TEST(StunMessageView, RejectsAnAttributeBeyondTheEnd) {
  EXPECT_FALSE(parses({0x80, 0x99, 0, 5, 1, 2, 3, 4}));
  EXPECT_FALSE(parses({0x80, 0x99, 0xFF, 0xFF, 1, 2, 3, 4}));
  EXPECT_FALSE(parses({0x80, 0x99, 0xFF, 0xFD}));
}

// RFC 8489 §14.7: FINGERPRINT is the last attribute.
TEST(StunMessageView, RejectsFingerprintThatIsNotLast) {
  Bytes bytes = make_check();
  bytes.insert(bytes.end(), {0x80, 0x99, 0, 0});
  store_be16(&bytes[2], static_cast<std::uint16_t>(bytes.size() - kStunHeaderBytes));
  EXPECT_FALSE(StunMessageView::parse(bytes));
}

// RFC 8489 §14: only the first occurrence needs to be processed.
TEST(StunMessageView, TakesTheFirstOfTwo) {
  const auto parsed = StunMessageView::parse(
      message(1, {0x00, 0x24, 0, 4, 0, 0, 0, 1, 0x00, 0x24, 0, 4, 0, 0, 0, 2}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->priority(), 1u);
}

TEST(StunMessageView, ToleratesAMappedAddressOfUnknownFamily) {
  const auto parsed = StunMessageView::parse(message(0x0101, {0x00, 0x20, 0, 4, 0, 9, 0, 0}));
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->mapped_address());
}

TEST(StunMessageView, SplitsTheUserName) {
  const Bytes check = make_check();
  EXPECT_EQ(local_ufrag_of(view(check)), kServer.ufrag);
  EXPECT_EQ(remote_ufrag_of(view(check)), kClient.ufrag);
  const Bytes no_colon = message(1, {0x00, 0x06, 0, 4, 'a', 'b', 'c', 'd'});
  EXPECT_EQ(local_ufrag_of(view(no_colon)), "");
  const Bytes no_name = message(1, {});
  EXPECT_EQ(local_ufrag_of(view(no_name)), "");
}

// What Chromium 156 sends: GOOG-NETWORK-INFO (0xC057) before ICE-CONTROLLING.
TEST(StunMessageView, ReadsACheckShapedLikeChromiums) {
  Bytes out(kMaxStunBytes);
  StunWriter writer(out, StunClass::kRequest, transaction(1));
  writer.add_username(kServer.ufrag, "cHr0");
  writer.add_u32(static_cast<StunAttribute>(0xC057), 0x00000003);
  writer.add_u64(StunAttribute::kIceControlling, 42);
  writer.add_flag(StunAttribute::kUseCandidate);
  writer.add_u32(StunAttribute::kPriority, 0x6E7F1EFF);
  writer.add_message_integrity(kServer.pwd, kTestMac);
  out.resize(writer.finish());
  const StunMessageView check = view(out);
  EXPECT_TRUE(check.use_candidate());
  EXPECT_EQ(check.controlling(), 42u);
  EXPECT_TRUE(check.unknown_required().empty());
  EXPECT_TRUE(check.has_integrity(kServer.pwd, kTestMac));
}

}  // namespace
}  // namespace millrace::ice
