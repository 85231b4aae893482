// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/credentials.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/ice/candidate.h"
#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

TEST(Credentials, AreOfIceCharsAndOfTheLengthRfc8445Wants) {
  SeededRng rng(1);
  std::set<std::string> ufrags;
  for (int i = 0; i < 1000; ++i) {
    const Credentials drawn = make_credentials(rng);
    EXPECT_TRUE(is_valid_ufrag(drawn.ufrag));
    EXPECT_TRUE(is_valid_pwd(drawn.pwd));
    EXPECT_GE(6 * drawn.pwd.size(), 128u);  // RFC 8445 §5.3.
    ufrags.insert(drawn.ufrag);
  }
  EXPECT_EQ(ufrags.size(), 1000u);
}

// RFC 8839 §5.4.
TEST(Credentials, ValidityFollowsLengthAndAlphabet) {
  EXPECT_FALSE(is_valid_ufrag("abc"));
  EXPECT_TRUE(is_valid_ufrag("ab+/"));
  EXPECT_FALSE(is_valid_ufrag("ab:c"));
  EXPECT_FALSE(is_valid_ufrag("ab c"));
  EXPECT_TRUE(is_valid_ufrag(std::string(256, 'a')));
  EXPECT_FALSE(is_valid_ufrag(std::string(257, 'a')));
  EXPECT_FALSE(is_valid_pwd(std::string(21, 'a')));
  EXPECT_TRUE(is_valid_pwd(std::string(22, 'a')));
  EXPECT_FALSE(is_valid_pwd(std::string(21, 'a') + '\n'));
}

// RFC 8445 §5.1.2.1.
TEST(Candidate, PriorityOfTheFirstHostCandidateIsTheFamiliarOne) {
  EXPECT_EQ(candidate_priority(CandidateType::kHost, 65535), 2130706431u);
  const Candidate first = make_host_candidate(address("10.0.0.1:9"), 0);
  const Candidate second = make_host_candidate(address("10.0.0.2:9"), 1);
  EXPECT_EQ(first.priority, 2130706431u);
  EXPECT_LT(second.priority, first.priority);
  EXPECT_NE(second.foundation, first.foundation);
}

// RFC 8445 §6.1.2.3.
TEST(Candidate, PairPriorityOrdersByTheLesserAndBreaksTiesByRole) {
  EXPECT_EQ(pair_priority(1, 2), (std::uint64_t{1} << 32) + 4);
  EXPECT_EQ(pair_priority(2, 1), (std::uint64_t{1} << 32) + 5);
  EXPECT_GT(pair_priority(100, 100), pair_priority(99, 150));
}

}  // namespace
}  // namespace millrace::ice
