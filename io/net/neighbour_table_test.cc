// SPDX-License-Identifier: Apache-2.0
#include "io/net/neighbour_table.h"

#include <gtest/gtest.h>

#include <map>

#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;
using State = NeighbourState;

IpAddress host(unsigned n) {
  return IpAddress::v4(10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n));
}
MacAddress mac_of(unsigned n) {
  MacAddress mac{{2, 1, 0, 0, 0, 0}};
  store_be16(&mac.bytes[4], static_cast<std::uint16_t>(n));
  return mac;
}
const MacAddress kMac = mac("02:00:00:00:00:02");
const MacAddress kOther = mac("02:00:00:00:00:03");
constexpr NeighbourClaim kAnswer{.solicited = true};
constexpr NeighbourClaim kNews{};

class NeighbourTableTest : public testing::Test {
 protected:
  // The first of what waited, to be sent to kMac or not at all.
  void expect_polled(FrameToken waited, bool sent) {
    FrameToken token = 0;
    bool send = !sent;
    MacAddress to;
    ASSERT_TRUE(table().poll_parked(token, send, to));
    EXPECT_EQ(token, waited);
    EXPECT_EQ(send, sent);
    if (sent) {
      EXPECT_EQ(to, kMac);
    }
  }
  // The first of what waited, and all so far.
  void expect_given_up(FrameToken waited) {
    expect_polled(waited, false);
    EXPECT_EQ(stats_.dropped(NetDrop::kTxUnreachable), 1u);
  }
  void make(std::size_t pinned = 0) {
    SeededRng rng(1);
    table_ = std::make_unique<NeighbourTable>(options_, pinned, now_, rng, stats_);
  }
  NeighbourTable& table() {
    if (!table_) make();
    return *table_;
  }
  NeighbourTable::Index resolve(const IpAddress& ip, bool pinned = false) {
    refusal_ = NetDrop::kCount;
    return table().resolve(now_, ip, pinned, refusal_);
  }
  bool refused(const IpAddress& ip, NetDrop why) {
    return resolve(ip) == NeighbourTable::kNoIndex && refusal_ == why;
  }
  NetDrop learn(const IpAddress& ip, const MacAddress& mac, NeighbourClaim claim) {
    return table().learn(now_, ip, mac, claim);
  }
  // The questions asked until `to`, and when.
  std::vector<std::pair<Time, Solicitation>> run(Time to) {
    std::vector<std::pair<Time, Solicitation>> asked;
    for (;;) {
      Solicitation one;
      while (table().poll_solicitation(one)) asked.emplace_back(now_, one);
      const Time next = table().next_timeout();
      if (next > to) break;
      now_ = std::max(now_, next);
      table().handle_timeout(now_);
    }
    now_ = to;
    return asked;
  }
  // A neighbour that has answered.
  void make_reachable(const IpAddress& ip, const MacAddress& mac = kMac) {
    resolve(ip);
    learn(ip, mac, kAnswer);
    run(now_);
    ASSERT_EQ(table().state(ip), State::kReachable);
  }
  void make_stale(const IpAddress& ip) {
    make_reachable(ip);
    run(now_ + seconds(46));
    ASSERT_EQ(table().state(ip), State::kStale);
  }

  NeighbourOptions options_;
  NetStats stats_;
  Time now_{seconds(100)};
  NetDrop refusal_ = NetDrop::kCount;
  std::unique_ptr<NeighbourTable> table_;
};

// RFC 4861 §7.2.2: three questions to all, then silence; the pauses double.
TEST_F(NeighbourTableTest, AsksThriceWithBackOffThenHoldsItsPeace) {
  const Time start = now_;
  const auto i = resolve(host(1));
  ASSERT_NE(i, NeighbourTable::kNoIndex);
  EXPECT_TRUE(table().park(i, 77));
  const auto asked = run(start + milliseconds(7500));
  ASSERT_EQ(asked.size(), 3u);
  for (const auto& [when, question] : asked) {
    EXPECT_EQ(question.ip, host(1));
    EXPECT_TRUE(question.mac.is_zero());
  }
  EXPECT_EQ(asked[0].first, start);
  EXPECT_GE(asked[1].first, start + seconds(1));
  EXPECT_LT(asked[1].first, start + milliseconds(1100));
  EXPECT_GE(asked[2].first, start + seconds(3));
  EXPECT_LT(asked[2].first, start + milliseconds(3200));
  EXPECT_EQ(table().state(host(1)), State::kFailed);
  EXPECT_EQ(stats_.resolve_failures, 1u);
  // What waited is given up, and counted.
  expect_given_up(77);
  EXPECT_EQ(table().parked(), 0u);
  // Nothing more is asked while it is held, whoever wants to send.
  EXPECT_TRUE(refused(host(1), NetDrop::kTxUnreachable));
  EXPECT_TRUE(run(start + seconds(11)).empty());
  run(start + seconds(13));
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_NE(resolve(host(1)), NeighbourTable::kNoIndex);
  EXPECT_EQ(run(now_).size(), 1u);
}

TEST_F(NeighbourTableTest, OneThatFailedIsThereAgainWhenItSpeaks) {
  resolve(host(1));
  run(now_ + milliseconds(7500));
  ASSERT_EQ(table().state(host(1)), State::kFailed);
  EXPECT_EQ(learn(host(1), kMac, {}), NetDrop::kCount);
  EXPECT_EQ(table().state(host(1)), State::kStale);
  EXPECT_EQ(table().known_mac(host(1)), kMac);
  EXPECT_EQ(table().unresolved(), 0u);
  EXPECT_NE(resolve(host(1)), NeighbourTable::kNoIndex);
  EXPECT_EQ(table().state(host(1)), State::kProbe);
}

TEST_F(NeighbourTableTest, ALinkThatComesUpBeginsAllQuestionsAnew) {
  resolve(host(1));
  run(now_ + milliseconds(7500));
  const Time asked = now_;
  resolve(host(2));
  run(asked + milliseconds(3500));  // Asked thrice.
  ASSERT_EQ(table().state(host(1)), State::kFailed);
  ASSERT_EQ(table().state(host(2)), State::kIncomplete);
  table().ask_anew(now_);
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_EQ(run(now_ + milliseconds(7500)).size(), 3u);
  EXPECT_EQ(table().state(host(2)), State::kFailed);
}

TEST_F(NeighbourTableTest, TheOldestFailureMakesRoomForANewQuestion) {
  options_.max_unresolved = 2;
  resolve(host(1));
  run(now_ + milliseconds(500));
  resolve(host(2));
  run(now_ + milliseconds(499));
  EXPECT_TRUE(refused(host(3), NetDrop::kTxNeighbourTable));  // Neither had time to answer.
  run(now_ + milliseconds(8500));
  ASSERT_EQ(table().state(host(1)), State::kFailed);
  ASSERT_EQ(table().state(host(2)), State::kFailed);
  EXPECT_NE(resolve(host(3)), NeighbourTable::kNoIndex);
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_EQ(table().state(host(2)), State::kFailed);
  EXPECT_EQ(table().unresolved(), 2u);
}

TEST_F(NeighbourTableTest, AnAnswerReleasesWhatWaits) {
  const auto i = resolve(host(1));
  const std::uint32_t before = table().generation(i);
  EXPECT_TRUE(table().park(i, 1));
  EXPECT_TRUE(table().park(i, 2));
  EXPECT_EQ(learn(host(1), kMac, kAnswer), NetDrop::kCount);
  EXPECT_NE(table().generation(i), before);
  for (const FrameToken waited : {1u, 2u}) expect_polled(waited, true);
  EXPECT_EQ(table().state(host(1)), State::kReachable);
  EXPECT_EQ(stats_.resolved, 1u);
}

// RFC 4861 §6.3.2, §7.3.3.
TEST_F(NeighbourTableTest, WhatIsReachableIsDoubtedAndProbedByUnicast) {
  make_reachable(host(1));
  const Time start = now_;
  run(start + milliseconds(14900));
  EXPECT_EQ(table().state(host(1)), State::kReachable);
  EXPECT_TRUE(run(start + seconds(46)).empty());
  EXPECT_EQ(table().state(host(1)), State::kStale);
  // The next use asks, and sends all the same.
  const auto i = resolve(host(1));
  EXPECT_TRUE(table().resolved(i));
  EXPECT_EQ(table().state(host(1)), State::kProbe);
  const auto asked = run(now_);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].second.mac, kMac);
  EXPECT_EQ(learn(host(1), kMac, kAnswer), NetDrop::kCount);
  EXPECT_EQ(table().state(host(1)), State::kReachable);
}

TEST_F(NeighbourTableTest, TheTimeOfBeingReachableVaries) {
  std::map<std::int64_t, int> times;
  for (unsigned n = 0; n < 40; ++n) make_reachable(host(n));
  const Time start = now_;
  for (int s = 15; s <= 45; ++s) {
    run(start + seconds(s));
    int reachable = 0;
    for (unsigned n = 0; n < 40; ++n) reachable += table().state(host(n)) == State::kReachable;
    ++times[reachable];
  }
  EXPECT_GT(times.size(), 8u);
}

TEST_F(NeighbourTableTest, WhoDoesNotAnswerProbesIsForgotten) {
  make_stale(host(1));
  resolve(host(1));
  const auto asked = run(now_ + seconds(8));
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_EQ(table().size(), 0u);
  const auto i = resolve(host(1));
  EXPECT_FALSE(table().resolved(i));
  EXPECT_TRUE(run(now_)[0].second.mac.is_zero());
}

TEST_F(NeighbourTableTest, WhatIsNotUsedIsForgotten) {
  make_stale(host(1));
  run(now_ + seconds(590));
  EXPECT_EQ(table().state(host(1)), State::kStale);
  run(now_ + seconds(60));
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_EQ(table().next_timeout(), kNever);
}

TEST_F(NeighbourTableTest, UseFindsOutThatAnEntryHasChanged) {
  make_reachable(host(1));
  const auto i = resolve(host(1));
  const std::uint32_t generation = table().generation(i);
  EXPECT_TRUE(table().use(now_, i, generation));
  now_ += seconds(2);
  EXPECT_EQ(learn(host(1), kOther, kNews), NetDrop::kCount);
  EXPECT_FALSE(table().use(now_, i, generation));
  EXPECT_EQ(table().mac(i), kOther);
}

TEST_F(NeighbourTableTest, UseOfAStaleOneAsks) {
  make_stale(host(1));
  NetDrop refusal{};
  const auto i = table().resolve(now_ - seconds(1), host(1), false, refusal);
  learn(host(1), kMac, kAnswer);
  run(now_ + seconds(46));
  ASSERT_EQ(table().state(host(1)), State::kStale);
  EXPECT_TRUE(table().use(now_, i, table().generation(i)));
  EXPECT_EQ(run(now_).size(), 1u);
}

TEST_F(NeighbourTableTest, NothingIsLearntOfStrangers) {
  EXPECT_EQ(learn(host(9), kMac, kAnswer), NetDrop::kRxUnknownNeighbour);
  EXPECT_EQ(learn(host(9), kMac, kNews), NetDrop::kRxUnknownNeighbour);
  EXPECT_EQ(table().size(), 0u);
  EXPECT_EQ(table().state(host(9)), State::kNone);
}

// RFC 4861 §7.2.5: unasked, it may move a neighbour, and is not believed to reach it.
TEST_F(NeighbourTableTest, AnUnaskedWordLeadsToDoubt) {
  make_reachable(host(1));
  EXPECT_EQ(learn(host(1), kMac, kAnswer), NetDrop::kCount);
  now_ += seconds(5);
  EXPECT_EQ(learn(host(1), kOther, kAnswer), NetDrop::kCount);
  EXPECT_EQ(table().state(host(1)), State::kStale);
  // The next use asks the new address.
  resolve(host(1));
  EXPECT_EQ(run(now_)[0].second.mac, kOther);
}

TEST_F(NeighbourTableTest, WhereBothAskAtOnceTheAnswerStillCounts) {
  resolve(host(1));
  EXPECT_EQ(learn(host(1), kMac, kNews), NetDrop::kCount);  // The other's question.
  EXPECT_EQ(table().state(host(1)), State::kStale);
  now_ += milliseconds(10);
  EXPECT_EQ(learn(host(1), kMac, kAnswer), NetDrop::kCount);
  EXPECT_EQ(table().state(host(1)), State::kReachable);
  // Too late, it is an answer to nothing.
  resolve(host(2));
  EXPECT_EQ(learn(host(2), kMac, kNews), NetDrop::kCount);
  now_ += seconds(1);
  EXPECT_EQ(learn(host(2), kMac, kAnswer), NetDrop::kCount);
  EXPECT_EQ(table().state(host(2)), State::kStale);
}

TEST_F(NeighbourTableTest, WithoutOverrideItSowsDoubtOnly) {
  make_reachable(host(1));
  EXPECT_EQ(learn(host(1), kOther, {.solicited = true, .overrides = false}), NetDrop::kCount);
  EXPECT_EQ(table().state(host(1)), State::kStale);
  EXPECT_EQ(*table().known_mac(host(1)), kMac);
}

TEST_F(NeighbourTableTest, ANeighbourDoesNotMoveTwiceInASecond) {
  make_reachable(host(1));
  EXPECT_EQ(learn(host(1), kOther, kNews), NetDrop::kCount);
  now_ += milliseconds(900);
  EXPECT_EQ(learn(host(1), kMac, kNews), NetDrop::kRxNeighbourFlap);
  EXPECT_EQ(*table().known_mac(host(1)), kOther);
  now_ += milliseconds(100);
  EXPECT_EQ(learn(host(1), kMac, kNews), NetDrop::kCount);
  EXPECT_EQ(*table().known_mac(host(1)), kMac);
}

TEST_F(NeighbourTableTest, AStaticOneNeitherMovesNorAges) {
  make(1);
  table().add_static(host(1), kMac);
  EXPECT_EQ(learn(host(1), kOther, kAnswer), NetDrop::kRxNeighbourConflict);
  EXPECT_EQ(learn(host(1), kMac, kAnswer), NetDrop::kCount);
  run(now_ + std::chrono::hours(30));
  EXPECT_EQ(table().state(host(1)), State::kStatic);
  EXPECT_TRUE(table().resolved(resolve(host(1))));
  EXPECT_TRUE(run(now_).empty());
  EXPECT_EQ(table().size(), 0u);
}

TEST_F(NeighbourTableTest, TheUnresolvedAreBoundedAndTheKnownUntouched) {
  options_.max_neighbours = 8;
  options_.max_unresolved = 3;
  make_reachable(host(9000));
  for (unsigned n = 0; n < 3; ++n) EXPECT_NE(resolve(host(n)), NeighbourTable::kNoIndex);
  for (unsigned n = 3; n < 2000; ++n) {
    ASSERT_TRUE(refused(host(n), NetDrop::kTxNeighbourTable));
  }
  EXPECT_EQ(table().unresolved(), 3u);
  EXPECT_EQ(table().state(host(9000)), State::kReachable);
  // Those that failed count for as long as they are held, and make room.
  run(now_ + seconds(8));
  EXPECT_EQ(table().unresolved(), 3u);
  EXPECT_NE(resolve(host(5)), NeighbourTable::kNoIndex);
  EXPECT_EQ(table().unresolved(), 3u);
  EXPECT_EQ(table().state(host(9000)), State::kReachable);
  run(now_ + seconds(14));
  EXPECT_EQ(table().unresolved(), 0u);
}

TEST_F(NeighbourTableTest, AFullTableGivesUpTheOneUnusedForLongest) {
  options_.max_neighbours = 4;
  for (unsigned n = 0; n < 4; ++n) make_reachable(host(n));
  EXPECT_TRUE(refused(host(9), NetDrop::kTxNeighbourTable));  // None of these may go.
  run(now_ + seconds(46));
  // Host 0 is talked to again, 1 is the oldest.
  resolve(host(0));
  EXPECT_NE(resolve(host(9)), NeighbourTable::kNoIndex);
  EXPECT_EQ(table().size(), 4u);
  EXPECT_EQ(table().state(host(1)), State::kNone);
  EXPECT_EQ(table().state(host(0)), State::kProbe);
  EXPECT_EQ(table().state(host(2)), State::kStale);
}

// RFC 6583 §3: whoever scans the link must not keep others from being found.
TEST_F(NeighbourTableTest, AScanOfAddressesKeepsNobodyFromBeingFound) {
  options_.max_unresolved = 4;
  unsigned scanned = 1000;
  for (unsigned one = 0; one < 20; ++one) {
    while (resolve(host(scanned)) != NeighbourTable::kNoIndex) ++scanned;
    EXPECT_EQ(refusal_, NetDrop::kTxNeighbourTable);
    const std::size_t asked = run(now_ + seconds(1)).size();
    EXPECT_LE(asked, 2 * options_.max_unresolved);
    // Before the scan takes the place that has come free.
    const auto i = resolve(host(one));
    ASSERT_NE(i, NeighbourTable::kNoIndex);
    EXPECT_TRUE(table().park(i, 7));
    learn(host(one), kMac, kAnswer);
    FrameToken token = 0;
    MacAddress to;
    for (bool send = false; !send;) ASSERT_TRUE(table().poll_parked(token, send, to));
    EXPECT_EQ(token, 7u);
    EXPECT_LE(table().unresolved(), options_.max_unresolved);
  }
  EXPECT_EQ(table().parked(), 0u);
  EXPECT_GT(stats_.neighbours_displaced, 60u);
}

TEST_F(NeighbourTableTest, WhatWaitsForADisplacedOneIsGivenUpAndCounted) {
  options_.max_unresolved = 1;
  const auto i = resolve(host(1));
  EXPECT_TRUE(table().park(i, 5));
  const std::uint32_t before = table().generation(i);
  run(now_ + seconds(1));
  ASSERT_NE(resolve(host(2)), NeighbourTable::kNoIndex);
  EXPECT_FALSE(table().use(now_, i, before));
  expect_given_up(5);
  // Its question, if not yet sent, is another's now: one for each that is being asked for.
  EXPECT_EQ(run(now_).size(), 1u);
  EXPECT_EQ(table().state(host(1)), State::kNone);
}

// Ever new neighbours that answer, are spoken to once, and not again.
TEST_F(NeighbourTableTest, AFloodOfNeighboursDisplacesItselfAndNotWhoIsTalkedTo) {
  options_.max_neighbours = 16;
  std::array<NeighbourTable::Index, 4> friends{};
  for (unsigned n = 0; n < 4; ++n) {
    make_reachable(host(n));
    friends[n] = resolve(host(n));
  }
  unsigned strangers = 1000;
  for (int tenth = 0; tenth < 600; ++tenth) {
    run(now_ + milliseconds(100));
    for (unsigned n = 0; n < 4; ++n) {
      EXPECT_EQ(resolve(host(n)), friends[n]);
      learn(host(n), kMac, kAnswer);
    }
    for (int i = 0; i < 100; ++i) {
      ++strangers;
      if (resolve(host(strangers)) != NeighbourTable::kNoIndex) {
        learn(host(strangers), kOther, kAnswer);
      }
    }
    EXPECT_LE(table().size(), 16u);
  }
  // And one more friend is found, within a second.
  run(now_ + seconds(1));
  EXPECT_NE(resolve(host(5)), NeighbourTable::kNoIndex);
  EXPECT_GT(stats_.neighbours_displaced, 12u * 50);
}

TEST_F(NeighbourTableTest, WhereAllAreTalkedToANewOneIsRefused) {
  options_.max_neighbours = 100;
  // A host may have some addresses.
  for (unsigned n = 0; n < 100; ++n) make_reachable(host(n), mac_of(n / 3));
  for (int turn = 0; turn < 50; ++turn) {
    run(now_ + seconds(2));
    for (unsigned n = 0; n < 100; ++n) {
      resolve(host(n));
      learn(host(n), mac_of(n / 3), kAnswer);
    }
    EXPECT_TRUE(refused(host(1000), NetDrop::kTxNeighbourTable));
  }
  EXPECT_EQ(stats_.neighbours_displaced, 0u);
}

// One host that has all of them talked to, as its questions' answers are.
TEST_F(NeighbourTableTest, OneHostWithManyAddressesDoesNotHoldTheTable) {
  options_.max_neighbours = 64;
  unsigned friends = 4;
  for (unsigned n = 0; n < friends; ++n) make_reachable(host(n), mac_of(n));
  unsigned crowd = 1000;
  while (table().size() < 64) make_reachable(host(crowd++), kOther);
  const auto talk = [&] {
    for (unsigned n = 0; n < friends; ++n) {
      EXPECT_NE(table().state(host(n)), State::kNone) << n;
      resolve(host(n));
      learn(host(n), mac_of(n), kAnswer);
    }
    // Those that lost their place come again, and find one among their own.
    for (unsigned n = 1000; n < crowd; ++n) {
      if (resolve(host(n)) != NeighbourTable::kNoIndex) learn(host(n), kOther, kAnswer);
    }
  };
  for (; friends < 40; ++friends) {
    for (int i = 0; i < 4; ++i) {
      talk();
      run(now_ + milliseconds(600));
    }
    // Whoever comes first as one of the crowd has had its second.
    for (int i = 0; i < 10 && resolve(host(friends)) == NeighbourTable::kNoIndex; ++i) {
      talk();
      run(now_ + milliseconds(100));
    }
    ASSERT_NE(table().state(host(friends)), State::kNone) << friends;
    learn(host(friends), mac_of(friends), kAnswer);
  }
  talk();
}

// As where a proxy goes and those that it spoke for are there themselves.
TEST_F(NeighbourTableTest, WhoMovesToAnotherMacAddressIsOfThatCrowd) {
  options_.max_neighbours = 32;
  for (unsigned n = 0; n < 32; ++n) make_reachable(host(n), kOther);
  run(now_ + seconds(2));
  for (unsigned n = 0; n < 32; ++n) {
    resolve(host(n));
    EXPECT_EQ(learn(host(n), mac_of(n), kNews), NetDrop::kCount);
  }
  run(now_ + seconds(2));
  for (unsigned n = 0; n < 32; ++n) resolve(host(n));
  EXPECT_TRUE(refused(host(1000), NetDrop::kTxNeighbourTable));
}

TEST_F(NeighbourTableTest, AGatewayHasAPlaceOfItsOwn) {
  options_.max_neighbours = 2;
  options_.max_unresolved = 1;
  make(1);
  EXPECT_NE(resolve(host(0)), NeighbourTable::kNoIndex);
  EXPECT_TRUE(refused(host(1), NetDrop::kTxNeighbourTable));
  EXPECT_NE(resolve(host(200), true), NeighbourTable::kNoIndex);
  EXPECT_EQ(table().size(), 1u);
  // Again and again, for as long as it does not answer.
  for (int i = 0; i < 5; ++i) {
    run(now_ + seconds(13));
    EXPECT_NE(resolve(host(200), true), NeighbourTable::kNoIndex);
    EXPECT_LE(table().size(), 2u);
  }
}

// RFC 4861 §7.2.2: the newest frames are the ones kept.
TEST_F(NeighbourTableTest, TheQueueOfOneNeighbourIsBounded) {
  options_.max_parked_each = 3;
  const auto i = resolve(host(1));
  for (FrameToken token = 1; token <= 5; ++token) EXPECT_TRUE(table().park(i, token));
  EXPECT_EQ(stats_.dropped(NetDrop::kTxParkedFull), 2u);
  EXPECT_EQ(table().parked(), 5u);
  learn(host(1), kMac, kAnswer);
  std::vector<std::pair<FrameToken, bool>> out;
  FrameToken token = 0;
  bool send = false;
  MacAddress to;
  while (table().poll_parked(token, send, to)) out.emplace_back(token, send);
  const std::vector<std::pair<FrameToken, bool>> expected{
      {1, false}, {2, false}, {3, true}, {4, true}, {5, true}};
  EXPECT_EQ(out, expected);
  EXPECT_EQ(table().parked(), 0u);
}

TEST_F(NeighbourTableTest, AllThatWaitIsBounded) {
  options_.max_parked = 10;
  FrameToken token = 0;
  for (unsigned n = 0; n < 5; ++n) {
    const auto i = resolve(host(n));
    for (int k = 0; k < 4; ++k) {
      ++token;
      EXPECT_EQ(table().park(i, token), token <= 10);
    }
  }
  EXPECT_EQ(table().parked(), 10u);
  EXPECT_EQ(stats_.dropped(NetDrop::kTxParkedFull), 10u);
  run(now_ + seconds(8));
  EXPECT_EQ(table().parked(), 10u);  // Until they are taken.
  bool send = true;
  MacAddress to;
  std::size_t given_up = 0;
  while (table().poll_parked(token, send, to)) given_up += send ? 0 : 1;
  EXPECT_EQ(given_up, 10u);
  EXPECT_EQ(table().parked(), 0u);
}

TEST_F(NeighbourTableTest, ManyOfBothFamiliesKeepApart) {
  for (unsigned n = 0; n < 200; ++n) {
    IpAddress six = ip("2001:db8::");
    six.bytes[15] = static_cast<std::uint8_t>(n);
    for (const IpAddress& one : {host(n), six}) {
      resolve(one);
      MacAddress its{{2, one.is_v4() ? std::uint8_t{4} : std::uint8_t{6}, 0, 0, 0,
                      static_cast<std::uint8_t>(n)}};
      EXPECT_EQ(learn(one, its, kAnswer), NetDrop::kCount);
    }
  }
  for (unsigned n = 0; n < 200; ++n) {
    EXPECT_EQ(table().known_mac(host(n))->bytes[1], 4);
    EXPECT_EQ(table().known_mac(host(n))->bytes[5], n);
  }
  EXPECT_EQ(table().size(), 400u);
}

}  // namespace
}  // namespace millrace::io
