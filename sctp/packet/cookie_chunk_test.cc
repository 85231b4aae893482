// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/cookie_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kCookieEcho = from_hex("0a 00 00 07 aa bb cc");
const Bytes kCookieAck = from_hex("0b 00 00 04");

// RFC 9260 §3.3.11
TEST(CookieEchoChunk, ReadsAndWritesAGolden) {
  const std::optional<CookieEchoChunk> chunk = CookieEchoChunk::parse(kCookieEcho);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->cookie.data(), kCookieEcho.data() + 4);
  EXPECT_EQ(build(*chunk), kCookieEcho);
}

TEST(CookieEchoChunk, RejectsTruncationsAndForeignLengths) {
  expect_only_whole<CookieEchoChunk>(kCookieEcho);
}

// RFC 9260 §3.3.12
TEST(CookieAckChunk, ReadsAndWritesAGolden) {
  EXPECT_EQ(build(CookieAckChunk()), kCookieAck);
  expect_only_whole<CookieAckChunk>(kCookieAck);
}

}  // namespace
}  // namespace millrace::sctp
