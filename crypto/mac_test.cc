// SPDX-License-Identifier: Apache-2.0
#include "crypto/mac.h"

#include <gtest/gtest.h>

#include "crypto/dtls_test_support.h"

namespace millrace::crypto {
namespace {

TEST(BoringMac, GivesTheVectorOfRfc2202) {
  EXPECT_EQ(
      to_hex(BoringMac().hmac_sha1(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"), {})),
      "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

// RFC 9260 §5.1.3.
TEST(BoringMac, GivesTheVectorOfRfc4231WhereverTheMessageIsCut) {
  const ByteSpan message = bytes_of("what do ya want for nothing?");
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    EXPECT_EQ(
        to_hex(BoringMac().hmac_sha256(bytes_of("Jefe"), message.first(cut), message.subspan(cut))),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
}

TEST(BoringMac, TakesAnEmptyKey) {
  EXPECT_EQ(to_hex(BoringMac().hmac_sha256({}, {}, {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace
}  // namespace millrace::crypto
