// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/stun_writer.h"

#include <gtest/gtest.h>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

TEST(StunWriter, WritesARequestThatReadsBack) {
  const Bytes bytes = make_check({.transaction = 5, .use_candidate = true, .tie_breaker = 99});
  const StunMessageView check = view(bytes);
  EXPECT_TRUE(check.is_binding(StunClass::kRequest));
  EXPECT_EQ(check.transaction_id(), transaction(5));
  EXPECT_EQ(check.username(), "srvufrag:cliufrag");
  EXPECT_EQ(check.priority(), 0x6E0001FFu);
  EXPECT_EQ(check.controlling(), 99u);
  EXPECT_FALSE(check.controlled());
  EXPECT_TRUE(check.use_candidate());
  EXPECT_TRUE(check.has_fingerprint());
  EXPECT_TRUE(check.has_integrity(kServer.pwd, kTestMac));
}

TEST(StunWriter, WritesTheSameBytesForTheSameRequest) {
  EXPECT_EQ(make_check({.transaction = 3}), make_check({.transaction = 3}));
  EXPECT_NE(make_check({.transaction = 3}), make_check({.transaction = 4}));
}

TEST(StunWriter, MapsBothAddressFamilies) {
  for (const char* text : {"192.0.2.1:32853", "[2001:db8::17]:1", "[::1]:65535"}) {
    Bytes out(kMaxStunBytes);
    out.resize(build_binding_success(transaction(9), address(text), kServer.pwd, kTestMac, out));
    const StunMessageView response = view(out);
    EXPECT_TRUE(response.is_binding(StunClass::kSuccess));
    EXPECT_EQ(response.mapped_address(), address(text));
    EXPECT_TRUE(response.has_integrity(kServer.pwd, kTestMac));
    EXPECT_EQ(response.username(), "");  // RFC 8489 §9.1.3: MUST NOT.
  }
}

TEST(StunWriter, NamesUnknownAttributesIn420) {
  const std::array<std::uint16_t, 3> unknown = {0x7F01, 0x7F02, 0x7F03};
  Bytes out(kMaxStunBytes);
  out.resize(build_binding_error(transaction(1), kErrorUnknownAttribute, unknown, kServer.pwd,
                                 kTestMac, out));
  const StunMessageView response = view(out);
  EXPECT_TRUE(response.is_binding(StunClass::kError));
  EXPECT_EQ(response.error_code(), 420);
  const Bytes list = {0x00, 0x0A, 0x00, 0x06, 0x7F, 0x01, 0x7F, 0x02, 0x7F, 0x03, 0x00, 0x00};
  EXPECT_NE(std::search(out.begin(), out.end(), list.begin(), list.end()), out.end());
}

TEST(StunWriter, LeavesIntegrityOutWithoutAKey) {
  Bytes out(kMaxStunBytes);
  out.resize(build_binding_error(transaction(1), kErrorBadRequest, {}, {}, kTestMac, out));
  EXPECT_EQ(view(out).error_code(), 400);
  EXPECT_FALSE(view(out).has_message_integrity());
}

TEST(StunWriter, ReturnsZeroAndStaysInBoundsWhereRoomIsShort) {
  const std::size_t whole = make_check().size();
  for (std::size_t room = 0; room < whole; ++room) {
    Bytes out(room);  // A write past it is seen by AddressSanitizer.
    const BindingRequest request{
        .id = transaction(1), .remote_ufrag = kServer.ufrag, .local_ufrag = kClient.ufrag};
    EXPECT_EQ(build_binding_request(request, kServer.pwd, kTestMac, out), 0u) << room;
  }
}

TEST(StunWriter, FitsTheLongestCredentialsInItsStatedRoom) {
  const std::string longest(kCredentialMaxChars, 'x');
  Bytes out(kMaxStunBytes);
  const BindingRequest request{
      .id = {}, .remote_ufrag = longest, .local_ufrag = longest, .use_candidate = true};
  out.resize(build_binding_request(request, longest, kTestMac, out));
  ASSERT_FALSE(out.empty());
  EXPECT_TRUE(view(out).has_integrity(longest, kTestMac));
}

}  // namespace
}  // namespace millrace::ice
