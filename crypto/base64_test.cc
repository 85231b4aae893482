// SPDX-License-Identifier: Apache-2.0
#include "crypto/base64.h"

#include <gtest/gtest.h>

namespace millrace::crypto {
namespace {

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// RFC 4648 §10
constexpr std::pair<std::string_view, std::string_view> kVectors[] = {{"", ""},
                                                                      {"f", "Zg=="},
                                                                      {"fo", "Zm8="},
                                                                      {"foo", "Zm9v"},
                                                                      {"foob", "Zm9vYg=="},
                                                                      {"fooba", "Zm9vYmE="},
                                                                      {"foobar", "Zm9vYmFy"}};

TEST(Base64, MatchesTheVectorsOfRfc4648BothWays) {
  for (const auto& [plain, text] : kVectors) {
    EXPECT_EQ(encode_base64(bytes_of(plain)), text);
    const auto decoded = decode_base64(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), plain);
  }
}

TEST(Base64, RefusesWhatIsNotWholeGroupsOfTheAlphabet) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zm9v=", "Zm9vY", "Zm-v", "Zm9v\n", "=Zm9", "Zm 9v", "Z===", "===="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

}  // namespace
}  // namespace millrace::crypto
