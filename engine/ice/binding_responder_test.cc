// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/binding_responder.h"

#include <gtest/gtest.h>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

struct Answered {
  CheckAnswer answer;
  Bytes response;
};

Answered ask(const Bytes& check, std::string_view remote_ufrag = kClient.ufrag) {
  Answered out{.answer = {}, .response = Bytes(kMaxStunBytes)};
  out.answer = answer_binding_request(view(check), kServer, remote_ufrag, address("192.0.2.7:4321"),
                                      kTestMac, out.response);
  out.response.resize(out.answer.response_bytes);
  return out;
}

TEST(BindingResponder, AnswersAGoodCheckWithTheSendersAddress) {
  const auto [answer, response] = ask(make_check({.transaction = 4, .use_candidate = true}));
  EXPECT_EQ(answer.verdict, CheckVerdict::kAccepted);
  EXPECT_TRUE(answer.use_candidate);
  EXPECT_EQ(answer.priority, 0x6E0001FFu);
  EXPECT_EQ(view(response).mapped_address(), address("192.0.2.7:4321"));
  EXPECT_EQ(view(response).transaction_id(), transaction(4));
  EXPECT_TRUE(view(response).has_integrity(kServer.pwd, kTestMac));
}

TEST(BindingResponder, AnswersALegacyCheckThatStatesNoRole) {
  Bytes out(kMaxStunBytes);
  StunWriter writer(out, StunClass::kRequest, transaction(1));
  writer.add_username(kServer.ufrag, kClient.ufrag);
  writer.add_message_integrity(kServer.pwd, kTestMac);
  out.resize(writer.finish());
  EXPECT_EQ(ask(out).answer.verdict, CheckVerdict::kAccepted);
}

// RFC 8489 §9.1.3.
TEST(BindingResponder, RefusesWrongIntegrityWithAnUnsigned401) {
  const auto [answer, response] = ask(make_check({.key = "some other password....."}));
  EXPECT_EQ(answer.verdict, CheckVerdict::kWrongIntegrity);
  EXPECT_FALSE(answer.use_candidate);
  EXPECT_EQ(view(response).error_code(), 401);
  EXPECT_FALSE(view(response).has_message_integrity());
}

TEST(BindingResponder, RefusesAWrongUserName) {
  EXPECT_EQ(ask(make_check({.receiver = "nobody.."})).answer.verdict, CheckVerdict::kWrongUsername);
  EXPECT_EQ(ask(make_check({.sender = "stranger"})).answer.verdict, CheckVerdict::kWrongUsername);
  // Where the peer's ufrag is not known, any is taken.
  EXPECT_EQ(ask(make_check({.sender = "stranger"}), "").answer.verdict, CheckVerdict::kAccepted);
}

// RFC 8489 §9.1.3.
TEST(BindingResponder, NeverAnswersAStrangerWithMoreBytesThanItSent) {
  Bytes bare(kMaxStunBytes);
  StunWriter writer(bare, StunClass::kRequest, transaction(1));
  bare.resize(writer.finish());
  const auto [answer, response] = ask(bare);
  EXPECT_EQ(answer.verdict, CheckVerdict::kNoCredentials);
  EXPECT_TRUE(response.empty());

  Bytes named(kMaxStunBytes);
  StunWriter longer(named, StunClass::kRequest, transaction(1));
  longer.add_username(kServer.ufrag, kClient.ufrag);
  named.resize(longer.finish());
  const auto refused = ask(named);
  EXPECT_EQ(refused.answer.verdict, CheckVerdict::kNoCredentials);
  EXPECT_EQ(view(refused.response).error_code(), 400);
  EXPECT_LE(refused.response.size(), named.size());
}

// RFC 8489 §6.3.1.
TEST(BindingResponder, AnswersUnknownRequiredAttributesWithASigned420) {
  Bytes out(kMaxStunBytes);
  StunWriter writer(out, StunClass::kRequest, transaction(1));
  writer.add_username(kServer.ufrag, kClient.ufrag);
  writer.add_u32(static_cast<StunAttribute>(0x7ABC), 1);
  writer.add_message_integrity(kServer.pwd, kTestMac);
  out.resize(writer.finish());
  const auto [answer, response] = ask(out);
  EXPECT_EQ(answer.verdict, CheckVerdict::kUnknownAttribute);
  EXPECT_EQ(view(response).error_code(), 420);
  EXPECT_TRUE(view(response).has_integrity(kServer.pwd, kTestMac));
  const Bytes list = {0x00, 0x0A, 0x00, 0x02, 0x7A, 0xBC, 0x00, 0x00};
  EXPECT_NE(std::search(response.begin(), response.end(), list.begin(), list.end()),
            response.end());
}

// RFC 8445 §7.3.1.1: a lite agent does not switch, whatever the tie-breakers.
TEST(BindingResponder, AnswersAControlledPeerWithASigned487) {
  for (const std::uint64_t tie_breaker : {std::uint64_t{0}, UINT64_MAX}) {
    const auto [answer, response] =
        ask(make_check({.controlling = false, .tie_breaker = tie_breaker}));
    EXPECT_EQ(answer.verdict, CheckVerdict::kRoleConflict);
    EXPECT_EQ(view(response).error_code(), 487);
    EXPECT_TRUE(view(response).has_integrity(kServer.pwd, kTestMac));
  }
}

TEST(BindingResponder, DropsResponsesIndicationsAndOtherMethods) {
  Bytes response(kMaxStunBytes);
  response.resize(build_binding_success(transaction(1), address("10.0.0.9:9"), kServer.pwd,
                                        kTestMac, response));
  EXPECT_EQ(ask(response).answer.verdict, CheckVerdict::kNotABindingRequest);
  EXPECT_TRUE(ask(response).response.empty());
  Bytes allocate = make_check();
  store_be16(&allocate[0], 0x0003);
  allocate.resize(allocate.size() - 8);  // FINGERPRINT, wrong by now.
  store_be16(&allocate[2], static_cast<std::uint16_t>(allocate.size() - kStunHeaderBytes));
  EXPECT_EQ(ask(allocate).answer.verdict, CheckVerdict::kNotABindingRequest);
}

}  // namespace
}  // namespace millrace::ice
