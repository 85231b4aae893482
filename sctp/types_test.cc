// SPDX-License-Identifier: Apache-2.0
#include "sctp/types.h"

#include <gtest/gtest.h>

#include <concepts>
#include <type_traits>

namespace millrace::sctp {
namespace {

static_assert(!std::totally_ordered<Tsn>);
static_assert(!std::totally_ordered<Mid>);
static_assert(!std::totally_ordered<Ssn>);
static_assert(!std::totally_ordered<ReconfigSeq>);
static_assert(!std::totally_ordered<VerificationTag>);
static_assert(!std::totally_ordered<Ppid>);
static_assert(std::totally_ordered<UnwrappedTsn>);
static_assert(std::totally_ordered<StreamId>);

static_assert(!std::convertible_to<std::uint32_t, Tsn>);
static_assert(!std::convertible_to<Tsn, std::uint32_t>);
static_assert(!std::convertible_to<Tsn, Mid>);
static_assert(!std::convertible_to<Tsn, ReconfigSeq>);
static_assert(!std::convertible_to<std::uint16_t, StreamId>);
static_assert(!std::convertible_to<Ssn, StreamId>);

static_assert(sizeof(Tsn) == 4 && std::is_trivially_copyable_v<Tsn>);
static_assert(sizeof(UnwrappedTsn) == 8 && std::is_trivially_copyable_v<UnwrappedTsn>);
static_assert(sizeof(StreamId) == 2 && sizeof(Ssn) == 2);

TEST(Tsn, PrecedesAcrossTheWrap) {
  EXPECT_TRUE(Tsn(0xFFFFFFFF).precedes(Tsn(0)));
  EXPECT_FALSE(Tsn(0).precedes(Tsn(0xFFFFFFFF)));
  EXPECT_EQ(Tsn(0xFFFFFFFF).next(), Tsn(0));
  EXPECT_EQ(Tsn(0).previous(), Tsn(0xFFFFFFFF));
}

TEST(Tsn, DoesNotPrecedeItself) {
  EXPECT_FALSE(Tsn(7).precedes(Tsn(7)));
  EXPECT_TRUE(Tsn(7).precedes_or_equals(Tsn(7)));
}

// RFC 1982 §3.2
TEST(Tsn, HalfTheCircleApartIsUnordered) {
  EXPECT_FALSE(Tsn(0).precedes(Tsn(0x80000000)));
  EXPECT_FALSE(Tsn(0x80000000).precedes(Tsn(0)));
  EXPECT_TRUE(Tsn(0).precedes(Tsn(0x7FFFFFFF)));
}

TEST(Tsn, DistanceCountsForwardSteps) {
  EXPECT_EQ(Tsn(3).distance_from(Tsn(0xFFFFFFFE)), 5u);
  EXPECT_EQ(Tsn(0xFFFFFFFE).plus(5), Tsn(3));
  EXPECT_EQ(Tsn(3).minus(5), Tsn(0xFFFFFFFE));
}

TEST(UnwrappedTsn, FollowsTheCircleForwardAndBack) {
  const UnwrappedTsn start = UnwrappedTsn::first(Tsn(0xFFFFFFFE));
  EXPECT_EQ(start.wrap(), Tsn(0xFFFFFFFE));
  const UnwrappedTsn ahead = UnwrappedTsn::nearest(start, Tsn(3));
  EXPECT_EQ(ahead.distance_from(start), 5u);
  EXPECT_EQ(UnwrappedTsn::nearest(ahead, Tsn(0xFFFFFFFE)), start);
  EXPECT_EQ(UnwrappedTsn::nearest(start, start.wrap()), start);
}

TEST(UnwrappedTsn, NumbersBeforeTheFirstStayPositive) {
  const UnwrappedTsn start = UnwrappedTsn::first(Tsn(0));
  const UnwrappedTsn before = UnwrappedTsn::nearest(start, Tsn(0xFFFFFFFF));
  EXPECT_LT(before, start);
  EXPECT_EQ(start.distance_from(before), 1u);
}

TEST(UnwrappedTsn, HalfTheCircleAwayIsBehind) {
  const UnwrappedTsn start = UnwrappedTsn::first(Tsn(5));
  EXPECT_LT(UnwrappedTsn::nearest(start, Tsn(5 + 0x80000000u)), start);
  EXPECT_GT(UnwrappedTsn::nearest(start, Tsn(5 + 0x7FFFFFFFu)), start);
}

TEST(UnwrappedTsn, SurvivesManyTurnsOfTheCircle) {
  UnwrappedTsn at = UnwrappedTsn::first(Tsn(1));
  const UnwrappedTsn start = at;
  constexpr std::uint32_t kStride = 0x7FFF0000;
  for (int i = 0; i < 100; ++i) at = UnwrappedTsn::nearest(at, at.wrap().plus(kStride));
  EXPECT_EQ(at.distance_from(start), std::uint64_t{kStride} * 100);
}

TEST(Ssn, PrecedesAcrossTheWrap) {
  EXPECT_TRUE(Ssn(65535).precedes(Ssn(0)));
  EXPECT_EQ(Ssn(65535).next(), Ssn(0));
  EXPECT_FALSE(Ssn(0).precedes(Ssn(0x8000)));
  EXPECT_FALSE(Ssn(0x8000).precedes(Ssn(0)));
  EXPECT_TRUE(Ssn(0).precedes(Ssn(0x7FFF)));
  EXPECT_TRUE(Ssn(9).precedes_or_equals(Ssn(9)));
}

}  // namespace
}  // namespace millrace::sctp
