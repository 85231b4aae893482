// SPDX-License-Identifier: Apache-2.0
#include "engine/sdp/candidate_attribute.h"

#include <gtest/gtest.h>

#include "engine/sdp/fingerprint.h"

namespace millrace::sdp {
namespace {

// RFC 8839 §5.1.
TEST(CandidateAttribute, ReadsEachKind) {
  const auto host = parse_candidate("candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host");
  ASSERT_EQ(host.use, CandidateUse::kUsable);
  EXPECT_EQ(host.candidate.foundation, "1");
  EXPECT_EQ(host.candidate.priority, 2130706431u);
  EXPECT_EQ(host.candidate.address, Address::parse("203.0.113.141:8998"));
  EXPECT_EQ(host.candidate.type, ice::CandidateType::kHost);
  const auto reflexive = parse_candidate(
      "2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 generation 0");
  ASSERT_EQ(reflexive.use, CandidateUse::kUsable);
  EXPECT_EQ(reflexive.candidate.type, ice::CandidateType::kServerReflexive);
  EXPECT_EQ(parse_candidate("3 1 udp 5 2001:db8::1 9 typ relay").candidate.type,
            ice::CandidateType::kRelayed);
}

TEST(CandidateAttribute, SaysWhyOneCannotBeUsed) {
  const auto use = [](std::string_view text) { return parse_candidate(text).use; };
  EXPECT_EQ(use("1 1 tcp 1 192.0.2.1 9 typ host tcptype active"), CandidateUse::kTransport);
  EXPECT_EQ(use("1 1 ssltcp 1 192.0.2.1 9 typ host"), CandidateUse::kTransport);
  EXPECT_EQ(use("1 2 udp 1 192.0.2.1 9 typ host"), CandidateUse::kComponent);
  EXPECT_EQ(use("1 1 udp 1 5a3f1c2e-1b2c-4d5e-8f90-a1b2c3d4e5f6.local 9 typ host"),
            CandidateUse::kHostName);
  EXPECT_EQ(use("1 1 udp 1 example.com 9 typ host"), CandidateUse::kHostName);
}

TEST(CandidateAttribute, RefusesWhatIsMalformed) {
  for (const char* text :
       {"", "candidate:", "1", "1 1 udp", "1 1 udp 1 192.0.2.1 9", "1 1 udp 1 192.0.2.1 9 typ",
        "1 1 udp 1 192.0.2.1 9 typ other", "1 1 udp 1 192.0.2.1 9 host typ",
        "1 x udp 1 192.0.2.1 9 typ host", "1 1 udp -1 192.0.2.1 9 typ host",
        "1 1 udp 4294967296 192.0.2.1 9 typ host", "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 65536 typ host", "1 1 udp 1 0.0.0.0 9 typ host",
        "1 1 udp 1 :: 9 typ host", "1 1 udp 1 [::1] 9 typ host", "1 1 udp 1 fe80::1%lo 9 typ host",
        "1 1 udp 1 ::ffff:192.0.2.1 9 typ host",
        "123456789012345678901234567890123 1 udp 1 192.0.2.1 9 typ host"}) {
    EXPECT_EQ(parse_candidate(text).use, CandidateUse::kMalformed) << text;
  }
}

TEST(CandidateAttribute, RoundTrips) {
  for (const char* text : {"192.0.2.1:9", "[2001:db8::1]:65535"}) {
    const ice::Candidate candidate = ice::make_host_candidate(*Address::parse(text), 3);
    const CandidateParse back = parse_candidate(format_candidate(candidate));
    ASSERT_EQ(back.use, CandidateUse::kUsable);
    EXPECT_EQ(back.candidate, candidate);
  }
}

// RFC 8122 §5.
TEST(Fingerprint, TakesEitherCaseAndWritesUpper) {
  const std::string digest = "ab:CD" + [] {
    std::string rest;
    for (int i = 0; i < 30; ++i) rest += ":0f";
    return rest;
  }();
  const auto parsed = Fingerprint::parse("SHA-256 " + digest);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bytes()[0], 0xAB);
  EXPECT_EQ(parsed->bytes()[31], 0x0F);
  EXPECT_EQ(parsed->to_string().substr(0, 19), "sha-256 AB:CD:0F:0F");
  EXPECT_EQ(Fingerprint::parse(parsed->to_string()), parsed);
}

TEST(Fingerprint, RefusesOtherHashesAndWrongDigests) {
  const std::string byte_pairs = [] {
    std::string text = "00";
    for (int i = 0; i < 31; ++i) text += ":00";
    return text;
  }();
  EXPECT_TRUE(Fingerprint::parse("sha-256 " + byte_pairs));
  EXPECT_FALSE(Fingerprint::parse("sha-384 " + byte_pairs));
  EXPECT_FALSE(Fingerprint::parse("sha-1 " + byte_pairs));
  EXPECT_FALSE(Fingerprint::parse("sha-256 " + byte_pairs + ":00"));
  EXPECT_FALSE(Fingerprint::parse("sha-256 " + byte_pairs + " trailing"));
  EXPECT_FALSE(Fingerprint::parse("sha-256"));
  EXPECT_FALSE(Fingerprint::parse(""));
  for (std::size_t n = 0; n < byte_pairs.size(); ++n) {
    EXPECT_FALSE(Fingerprint::parse("sha-256 " + byte_pairs.substr(0, n))) << n;
  }
}

}  // namespace
}  // namespace millrace::sdp
