// SPDX-License-Identifier: Apache-2.0
#include "sctp/setup_terms.h"

#include <gtest/gtest.h>

#include <array>

namespace millrace::sctp {
namespace {

// What an end that offers `offered` makes of another's offer.
Extensions agreed(const Extensions& offered, const Extensions& peer) {
  std::array<std::uint8_t, kMaxInitParameterBytes> memory;
  TlvWriter out(memory);
  append_extensions(peer, out);
  return in_common(offered, InitParameters::parse(out.bytes()).value());
}

// RFC 8260 §2.2.1, §2: where both list I-DATA, and nowhere else.
TEST(SetupTerms, IDataIsInUseOnlyWhereBothEndsListIt) {
  const Extensions with{.i_data = true};
  const Extensions without{.i_data = false};
  EXPECT_TRUE(agreed(with, with).i_data);
  EXPECT_FALSE(agreed(with, without).i_data);
  EXPECT_FALSE(agreed(without, with).i_data);
  EXPECT_TRUE(agreed(with, without).forward_tsn);
  EXPECT_TRUE(agreed(without, with).forward_tsn);
}

// RFC 8260 §2.3.1: I-FORWARD-TSN is negotiated for itself; FORWARD-TSN's offer is no offer of it.
TEST(SetupTerms, PartialReliabilityOverIDataNeedsBothToListIForwardTsn) {
  const Extensions both{.i_data = true};
  EXPECT_TRUE(agreed(both, both).forward_tsn);
  EXPECT_FALSE(agreed(both, {.forward_tsn = false, .i_data = true}).forward_tsn);
  EXPECT_FALSE(agreed({.forward_tsn = false, .i_data = true}, both).forward_tsn);
  InitParameters peer;
  peer.i_data = peer.forward_tsn = true;
  EXPECT_TRUE(in_common(both, peer).i_data);
  EXPECT_FALSE(in_common(both, peer).forward_tsn);
  peer.i_data = false;
  peer.forward_tsn = true;
  EXPECT_TRUE(in_common(both, peer).forward_tsn);
}

}  // namespace
}  // namespace millrace::sctp
