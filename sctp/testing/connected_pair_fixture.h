// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "sctp/association.h"
#include "test/support/association_pair.h"
#include "test/support/sctp_packets.h"

// What tests of an association as a whole begin with.
namespace millrace::sctp {

using test::AssociationPair;
using test::Bytes;
using test::make_packet;

inline constexpr int kA = AssociationPair::kA;
inline constexpr int kB = AssociationPair::kB;

// ConnectedPair is a test with two associations that are up.
class ConnectedPair : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(pair_.connect_both()); }
  // The tag that packets to `end` bear.
  VerificationTag tag(int end) {
    return test::tag_of(test::last_with(pair_.sent(1 - end), ChunkType::kCookieEcho));
  }
  AssociationPair pair_;
};

}  // namespace millrace::sctp
