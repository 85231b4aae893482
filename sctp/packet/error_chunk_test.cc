// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/error_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kError = from_hex("09 00 00 0c  00 01 00 08  00 07 00 00");
const Bytes kAbort = from_hex("06 01 00 0b  00 0c 00 07  62 79 65");

// RFC 9260 §3.3.10
TEST(ErrorChunk, ReadsAndWritesAGolden) {
  const std::optional<ErrorChunk> chunk = ErrorChunk::parse(kError);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->causes.data(), kError.data() + 4);
  EXPECT_EQ(build(*chunk), kError);
}

TEST(ErrorChunk, MayBeEmpty) {
  const std::optional<ErrorChunk> chunk = ErrorChunk::parse(from_hex("09 00 00 04"));
  ASSERT_TRUE(chunk);
  EXPECT_TRUE(chunk->causes.empty());
}

TEST(ErrorChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<ErrorChunk>(kError); }

// RFC 9260 §3.3.7, §8.5.1
TEST(AbortChunk, ReadsAndWritesAGolden) {
  const std::optional<AbortChunk> chunk = AbortChunk::parse(kAbort);
  ASSERT_TRUE(chunk);
  EXPECT_TRUE(chunk->tag_reflected);
  EXPECT_EQ(chunk->causes.size(), 7u);
  EXPECT_EQ(build(*chunk), kAbort);
  EXPECT_EQ(build(AbortChunk()), from_hex("06 00 00 04"));
}

TEST(AbortChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<AbortChunk>(kAbort); }

}  // namespace
}  // namespace millrace::sctp
