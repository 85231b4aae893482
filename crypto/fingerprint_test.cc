// SPDX-License-Identifier: Apache-2.0
#include "crypto/fingerprint.h"

#include <gtest/gtest.h>

#include <string>

#include "crypto/dtls_test_support.h"

namespace millrace::crypto {
namespace {

constexpr HashAlgorithm kAll[] = {HashAlgorithm::kSha256, HashAlgorithm::kSha384,
                                  HashAlgorithm::kSha512};
// FIPS 180-2, appendix B.1: SHA-256 of "abc".
constexpr const char* kAbc =
    "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:"
    "F2:00:15:AD";

TEST(Fingerprint, IsWrittenAsRfc8122Says) {  // RFC 8122 §5
  EXPECT_EQ(Fingerprint::of(HashAlgorithm::kSha256, bytes_of("abc")).to_string(), kAbc);
}

TEST(Fingerprint, RoundTripsForEachHash) {
  for (const HashAlgorithm algorithm : kAll) {
    const Fingerprint print = Fingerprint::of(algorithm, bytes_of("certificate"));
    EXPECT_EQ(Fingerprint::parse(print.to_string()), print);
    EXPECT_TRUE(print.matches(bytes_of("certificate")));
    EXPECT_FALSE(print.matches(bytes_of("certificatf")));
  }
}

TEST(Fingerprint, IsReadInEitherCase) {
  std::string lower = kAbc;
  for (char& c : lower) c = static_cast<char>(std::tolower(c));
  std::string upper = kAbc;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Fingerprint::parse(lower), Fingerprint::parse(kAbc));
  EXPECT_EQ(Fingerprint::parse(upper), Fingerprint::parse(kAbc));
}

TEST(Fingerprint, RejectsEveryTruncation) {
  const std::string whole = kAbc;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(Fingerprint::parse(whole.substr(0, n))) << n;
  }
  ASSERT_TRUE(Fingerprint::parse(whole));
}

TEST(Fingerprint, RejectsWhatIsNotOne) {
  const std::string good = kAbc;
  EXPECT_FALSE(Fingerprint::parse(good + " "));
  EXPECT_FALSE(Fingerprint::parse(good + ":00"));
  EXPECT_FALSE(Fingerprint::parse(" " + good));
  EXPECT_FALSE(Fingerprint::parse("sha-1" + good.substr(7)));
  EXPECT_FALSE(Fingerprint::parse("sha-384" + good.substr(7)));
  for (std::size_t i = 8; i < good.size(); ++i) {
    std::string broken = good;
    broken[i] = 'G';
    EXPECT_FALSE(Fingerprint::parse(broken)) << i;
  }
}

TEST(Fingerprint, DoesNotMatchWhenASingleBitDiffers) {
  const Fingerprint print = Fingerprint::of(HashAlgorithm::kSha384, bytes_of("x"));
  for (std::size_t bit = 0; bit < print.size * std::size_t{8}; ++bit) {
    Fingerprint other = print;
    other.bytes[bit / 8] = static_cast<std::uint8_t>(other.bytes[bit / 8] ^ (1u << bit % 8));
    EXPECT_FALSE(other.matches(bytes_of("x"))) << bit;
  }
}

TEST(Fingerprint, OfADefaultMatchesNothing) { EXPECT_FALSE(Fingerprint().matches({})); }

TEST(MatchesAny, TakesOneOfSeveralCertificatesButOnlyOfTheStrongestHash) {  // RFC 8122 §5.1
  const auto of = [](HashAlgorithm hash, const char* text) {
    return Fingerprint::of(hash, bytes_of(text));
  };
  const ByteSpan der = bytes_of("mine");
  EXPECT_TRUE(
      matches_any({of(HashAlgorithm::kSha256, "other"), of(HashAlgorithm::kSha256, "mine")}, der));
  EXPECT_TRUE(
      matches_any({of(HashAlgorithm::kSha256, "other"), of(HashAlgorithm::kSha512, "mine")}, der));
  EXPECT_FALSE(
      matches_any({of(HashAlgorithm::kSha256, "mine"), of(HashAlgorithm::kSha512, "other")}, der));
  EXPECT_FALSE(matches_any({}, der));
}

}  // namespace
}  // namespace millrace::crypto
