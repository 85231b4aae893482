// SPDX-License-Identifier: Apache-2.0
#include "sctp/state_cookie.h"

#include <gtest/gtest.h>

#include "test/support/test_mac.h"

namespace millrace::sctp {
namespace {

const StateCookie kCookie{
    .created = Time(seconds(77)),
    .lifetime = seconds(60),
    .local_tag = VerificationTag(1),
    .peer_tag = VerificationTag(2),
    .local_initial_tsn = Tsn(3),
    .peer_initial_tsn = Tsn(4),
    .peer_a_rwnd = 5,
    .outgoing_streams = 6,
    .incoming_streams = 7,
    .local_tie_tag = VerificationTag(8),
    .peer_tie_tag = VerificationTag(9),
    .extensions = {.forward_tsn = false, .reconfig = true, .i_data = true, .pad = false}};

// RFC 9260 §5.1.3.
TEST(StateCookie, ComesBackAsItWasSealed) {
  const test::TestMac mac;
  const StateCookie::Key key{1, 2, 3};
  const auto sealed = kCookie.seal(key, mac);
  const auto opened = StateCookie::open(sealed, key, mac);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->seal(key, mac), sealed);
  EXPECT_EQ(opened->peer_tie_tag, kCookie.peer_tie_tag);
  EXPECT_TRUE(opened->extensions.i_data);
  EXPECT_FALSE(opened->extensions.forward_tsn);
  EXPECT_FALSE(opened->extensions.pad);
  EXPECT_FALSE(opened->is_stale(Time(seconds(137))));
  EXPECT_TRUE(opened->is_stale(Time(seconds(138))));
}

// RFC 9260 §5.1.5 (1, 2), §5.1.3.
TEST(StateCookie, RejectsEveryTruncationEveryChangeAndAnotherKey) {
  const test::TestMac mac;
  const StateCookie::Key key{1, 2, 3};
  auto sealed = kCookie.seal(key, mac);
  for (std::size_t n = 0; n < sealed.size(); ++n) {
    EXPECT_FALSE(StateCookie::open(ByteSpan(sealed).first(n), key, mac)) << n;
    sealed[n] ^= 0x80;
    EXPECT_FALSE(StateCookie::open(sealed, key, mac)) << n;
    sealed[n] ^= 0x80;
  }
  EXPECT_FALSE(StateCookie::open(sealed, StateCookie::Key{9}, mac));
}

}  // namespace
}  // namespace millrace::sctp
