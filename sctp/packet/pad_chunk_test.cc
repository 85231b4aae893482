// SPDX-License-Identifier: Apache-2.0
#include "sctp/packet/pad_chunk.h"

#include <gtest/gtest.h>

#include "sctp/packet/chunk_test_support.h"

namespace millrace::sctp {
namespace {

const Bytes kPad = from_hex("84 00 00 0a 00 00 00 00 00 00");

// RFC 4820 §3
// RFC 8899 §4.1.
TEST(PadChunk, ReadsAndWritesAGolden) {
  Bytes out(10, 0xEE);
  PadChunk{6}.write(out);
  EXPECT_EQ(out, kPad);
  EXPECT_EQ(PadChunk::parse(kPad)->padding_bytes, 6u);
}

TEST(PadChunk, RejectsTruncationsAndForeignLengths) { expect_only_whole<PadChunk>(kPad); }

}  // namespace
}  // namespace millrace::sctp
