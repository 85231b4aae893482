// SPDX-License-Identifier: Apache-2.0
#include "bench/impair/route_book.h"

#include <gtest/gtest.h>

namespace millrace::impair {
namespace {

const Address kProxy = *Address::parse("127.0.0.1:7500");
constexpr char kAnswer[] =
    "v=0\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "a=ice-ufrag:abcd\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.7 4001 typ host\r\n"
    "a=candidate:2 1 tcp 2130706000 127.0.0.1 9 typ host tcptype active\r\n"
    "a=candidate:3 1 udp 2130705000 127.0.0.1 4001 typ host\r\n"
    "a=candidate:4 1 udp 2130704000 ::1 4001 typ host\r\n"
    "a=end-of-candidates\r\n"
    "a=sctp-port:5000\r\n";

TEST(RewriteAnswer, LeavesTheProxyAsTheOnlyCandidateAndTellsTheServers) {
  const RewrittenAnswer out = rewrite_answer(kAnswer, kProxy);
  EXPECT_EQ(out.server_ufrag, "abcd");
  EXPECT_EQ(out.server, Address::parse("127.0.0.1:4001"));
  const std::size_t candidate = out.sdp.find("a=candidate:");
  ASSERT_NE(candidate, std::string::npos);
  EXPECT_EQ(out.sdp.find("a=candidate:", candidate + 1), std::string::npos);
  EXPECT_NE(out.sdp.find(" 127.0.0.1 7500 typ host\r\n"), std::string::npos);
  EXPECT_NE(out.sdp.find("a=end-of-candidates\r\na=sctp-port:5000\r\n"), std::string::npos);
}

TEST(RewriteAnswer, WithoutAUsableCandidateNamesNoServer) {
  EXPECT_FALSE(rewrite_answer("v=0\r\na=ice-ufrag:x\r\n", kProxy).server.has_value());
  EXPECT_FALSE(rewrite_answer("a=candidate:1 1 udp 1 a.local 9 typ host", kProxy).server);
}

TEST(WithoutCandidates, RemovesThoseLinesAndNoOthers) {
  EXPECT_EQ(without_candidates("v=0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=mid:0\r\n"),
            "v=0\r\na=mid:0\r\n");
  EXPECT_EQ(without_candidates("a=candidate:x"), "");
  EXPECT_EQ(without_candidates(""), "");
}

TEST(RouteBook, AFixedServerTakesEverything) {
  const RouteBook book(Address::parse("192.0.2.1:5"));
  EXPECT_EQ(book.route({}), Address::parse("192.0.2.1:5"));
  EXPECT_FALSE(book.learns());
}

TEST(RouteBook, RoutesByTheServersFragmentOfACheck) {
  // A binding request whose USERNAME is "abcd:wxyz".
  const std::uint8_t check[] = {0,   1,   0,   16,  0x21, 0x12, 0xa4, 0x42, 1,   2, 3, 4,
                                5,   6,   7,   8,   9,    10,   11,   12,   0,   6, 0, 9,
                                'a', 'b', 'c', 'd', ':',  'w',  'x',  'y',  'z', 0, 0, 0};
  RouteBook book(std::nullopt);
  EXPECT_FALSE(book.route(check).has_value());
  book.add("abcd", *Address::parse("192.0.2.1:5"));
  EXPECT_EQ(book.route(check), Address::parse("192.0.2.1:5"));
  for (std::size_t n = 0; n < sizeof(check); ++n) {
    EXPECT_FALSE(book.route(ByteSpan(check).first(n)).has_value()) << n;
  }
}

}  // namespace
}  // namespace millrace::impair
