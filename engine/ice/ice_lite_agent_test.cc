// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/ice_lite_agent.h"

#include <gtest/gtest.h>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

class IceLiteAgentTest : public testing::Test {
 protected:
  CheckAnswer check(Time now, const CandidatePair& pair, bool use_candidate = false) {
    return check(now, pair, {.transaction = ++transaction_, .use_candidate = use_candidate});
  }
  CheckAnswer check(Time now, const CandidatePair& pair, const CheckSpec& spec) {
    const Bytes bytes = make_check(spec);
    return agent_.handle_check(now, view(bytes), pair, kTestMac, out_);
  }

  const CandidatePair a_ = path("192.0.2.1:1000");
  const CandidatePair b_ = path("192.0.2.2:2000");
  std::uint32_t transaction_ = 100;
  Bytes out_ = Bytes(kMaxStunBytes);
  IceLiteAgent agent_{kStart, kServer, kClient.ufrag, {}};
};

TEST_F(IceLiteAgentTest, TakesDtlsFromAuthenticatedPathsOnly) {
  EXPECT_FALSE(agent_.is_authenticated(a_));
  EXPECT_GT(check(kStart, a_).response_bytes, 0u);
  EXPECT_TRUE(agent_.is_authenticated(a_));
  EXPECT_FALSE(agent_.is_authenticated(b_));
  EXPECT_FALSE(agent_.is_authenticated(path("192.0.2.1:1000", "10.0.0.2")));
}

TEST_F(IceLiteAgentTest, SendsWhereDtlsCameFromUntilANominationComes) {
  check(kStart, a_);
  check(kStart, b_);
  EXPECT_EQ(agent_.selected(), nullptr);
  EXPECT_TRUE(agent_.is_news(a_));
  agent_.note_handshake(a_);
  EXPECT_FALSE(agent_.is_news(a_));
  EXPECT_TRUE(agent_.is_news(b_));
  ASSERT_NE(agent_.selected(), nullptr);
  EXPECT_EQ(*agent_.selected(), a_);
  const CandidatePair stranger = path("203.0.113.9:9");  // Not authenticated.
  agent_.note_handshake(stranger);
  agent_.note_record(kStart, stranger, true);
  EXPECT_EQ(*agent_.selected(), a_);
  agent_.note_record(kStart, b_, false);
  EXPECT_EQ(*agent_.selected(), a_) << "an old one";
  agent_.note_record(kStart, b_, true);
  EXPECT_EQ(*agent_.selected(), b_);
  EXPECT_FALSE(agent_.is_nominated());

  check(kStart, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
  EXPECT_TRUE(agent_.is_nominated());
}

// RFC 5245 §8.1.1.2: a peer with two addresses nominates both, and the answer to one of them is
// lost: it repeats that check, and sends DTLS from the other.
TEST_F(IceLiteAgentTest, SendsWhereDtlsComesFromRatherThanToANominatedPathThatLeadsNowhere) {
  check(kStart, a_, true);
  const CheckSpec unanswered{.transaction = 7, .use_candidate = true};
  check(kStart, b_, unanswered);
  EXPECT_EQ(*agent_.selected(), b_);
  agent_.note_handshake(a_);
  EXPECT_EQ(*agent_.selected(), a_);
  for (std::uint16_t port = 1; port <= 40; ++port) {  // More than are remembered.
    check(kStart, a_);
    EXPECT_GT(check(kStart, b_, unanswered).response_bytes, 0u) << "it may get through yet";
    EXPECT_EQ(*agent_.selected(), a_);
  }
  agent_.note_record(kStart, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
  EXPECT_TRUE(agent_.is_nominated());
  // The path did lead back after all.
  EXPECT_TRUE(agent_.is_news(b_));
  agent_.note_record(kStart, b_, false);
  EXPECT_FALSE(agent_.is_news(a_) || agent_.is_news(b_));
  agent_.note_record(kStart + seconds(9), a_, true);
  EXPECT_EQ(*agent_.selected(), b_);
}

// Whoever knows the addresses can forge a record of the handshake: to the nominated path it draws
// nothing that the peer's own DTLS does not take back.
TEST_F(IceLiteAgentTest, NoHandshakeProvesThatANominatedPathLeadsBack) {
  check(kStart, a_, true);
  check(kStart, b_, true);
  agent_.note_handshake(a_);
  agent_.note_handshake(b_);
  EXPECT_EQ(*agent_.selected(), b_);
  EXPECT_TRUE(agent_.is_news(a_) && agent_.is_news(b_));
  agent_.note_handshake(a_);
  EXPECT_EQ(*agent_.selected(), a_);
}

TEST_F(IceLiteAgentTest, ARecordThatIsLateTakesNoNominationBack) {
  check(kStart, a_, true);
  agent_.note_record(kStart, a_, true);
  // The peer has moved, and its first check from there is the nomination.
  const Time moved = kStart + seconds(5);
  check(moved, b_, true);
  EXPECT_EQ(*agent_.selected(), b_);
  // Under way when it did: the highest number so far.
  agent_.note_record(moved + milliseconds(1), a_, true);
  agent_.note_record(moved + IceLiteAgent::kSettling - nanoseconds(1), a_, true);
  EXPECT_EQ(*agent_.selected(), b_);
  // However late, older than others.
  agent_.note_record(moved + IceLiteAgent::kSettling, a_, false);
  EXPECT_EQ(*agent_.selected(), b_);
  // What comes there and nowhere else, and is new, is the peer.
  agent_.note_record(moved + IceLiteAgent::kSettling, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
  // It repeats the nomination with its next consent check, and is heard there.
  check(moved + seconds(5), b_, true);
  EXPECT_EQ(*agent_.selected(), b_);
  agent_.note_record(moved + seconds(5), b_, true);
  agent_.note_record(moved + seconds(9), a_, true);
  EXPECT_EQ(*agent_.selected(), b_);
}

// RFC 8445 §8.1.1: what a full agent nominates has been answered, if it was checked before.
TEST_F(IceLiteAgentTest, APathThatWasCheckedBeforeItsNominationIsTheOneToBeginOn) {
  check(kStart, a_, true);
  check(kStart, b_);
  check(kStart + milliseconds(50), b_, true);
  EXPECT_FALSE(agent_.is_news(a_) || agent_.is_news(b_));
  agent_.note_handshake(a_);
  EXPECT_EQ(*agent_.selected(), b_);
  // From here on the records tell.
  agent_.note_keys();
  EXPECT_TRUE(agent_.is_news(a_) && agent_.is_news(b_));
  EXPECT_EQ(*agent_.selected(), b_);
  agent_.note_record(kStart + seconds(1), b_, true);
  EXPECT_FALSE(agent_.is_news(a_) || agent_.is_news(b_));
}

// The records that came while the handshake was at its end tell nothing.
TEST_F(IceLiteAgentTest, ThePeerIsTakenToBeWhereTheHandshakeEnded) {
  check(kStart, a_, true);
  agent_.note_keys();
  check(kStart, a_, true);
  EXPECT_TRUE(agent_.is_news(a_)) << "nothing is proven";
  agent_.note_heard(kStart);
  check(kStart, b_, true);
  check(kStart, b_, true);
  EXPECT_EQ(*agent_.selected(), a_);
  agent_.note_record(kStart + IceLiteAgent::kSettling, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
  EXPECT_FALSE(agent_.is_news(a_));
}

// A session with keys, whose peer is at `a_` and was heard last at `heard`.
class EstablishedIceLiteAgentTest : public IceLiteAgentTest {
 protected:
  EstablishedIceLiteAgentTest() {
    check(kStart, a_, true);
    agent_.note_keys();
    agent_.note_record(kStart, a_, true);
  }
  void check_heard(Time now, Time heard, const CandidatePair& pair, bool use_candidate = true) {
    agent_.note_heard(heard);
    check(now, pair, use_candidate);
  }
  const CandidatePair& selected() const { return *agent_.selected(); }
  static constexpr Duration kSettling = IceLiteAgent::kSettling;
  static constexpr Duration kRest = IceLiteAgent::kRest;
  const Time later_ = kStart + seconds(100);
};

// Somebody has kept two checks of the session until they were forgotten.
TEST_F(EstablishedIceLiteAgentTest, ChecksAloneProveNoPath) {
  check_heard(later_, later_ - seconds(1), b_);
  check_heard(later_, later_ - seconds(1), b_);
  EXPECT_EQ(selected(), b_) << "the peer may have moved";
  EXPECT_TRUE(agent_.is_news(a_) && agent_.is_news(b_));
  agent_.note_record(later_ + kSettling, a_, true);
  EXPECT_EQ(selected(), a_);
  EXPECT_FALSE(agent_.is_news(a_));
}

TEST_F(EstablishedIceLiteAgentTest, APeerThatIsHeardIsFollowedWithItsFirstRecordFromElsewhere) {
  check_heard(later_, later_ - milliseconds(1), b_);
  EXPECT_EQ(selected(), a_);
  agent_.note_record(later_, b_, false);
  EXPECT_EQ(selected(), a_) << "somebody may have kept it back";
  agent_.note_record(later_, b_, true);
  EXPECT_EQ(selected(), b_);
  EXPECT_FALSE(agent_.is_news(a_) || agent_.is_news(b_));
  EXPECT_EQ(agent_.next_timeout(), later_ + seconds(30));
  // And back.
  check_heard(later_ + seconds(1), later_ + seconds(1), a_);
  EXPECT_EQ(selected(), b_);
  agent_.note_record(later_ + seconds(1), a_, true);
  EXPECT_EQ(selected(), a_);
}

TEST_F(EstablishedIceLiteAgentTest, ANominatedPathIsTriedOnceThePeerIsNotHeard) {
  check_heard(later_, later_ - milliseconds(1), b_);
  const Time due = later_ - milliseconds(1) + kSettling;
  EXPECT_EQ(agent_.next_timeout(), due);
  agent_.handle_timeout(due - nanoseconds(1));
  EXPECT_EQ(selected(), a_);
  // What was under way when it moved puts that off.
  EXPECT_TRUE(agent_.is_news(a_));
  agent_.note_record(later_ + milliseconds(10), a_, true);
  agent_.handle_timeout(due);
  EXPECT_EQ(selected(), a_);
  EXPECT_EQ(agent_.next_timeout(), later_ + milliseconds(10) + kSettling);
  agent_.handle_timeout(agent_.next_timeout());
  EXPECT_EQ(selected(), b_);
  EXPECT_EQ(agent_.next_timeout(), later_ + seconds(30));
}

TEST_F(EstablishedIceLiteAgentTest, APeerThatGoesOnBeingHeardHasNoPathTriedInItsPlace) {
  check_heard(later_, later_, b_);
  for (Duration at{}; at < kSettling; at += milliseconds(100)) {
    agent_.handle_timeout(later_ + at);
    agent_.note_record(later_ + at, a_, true);
    check_heard(later_ + at, later_ + at, b_);
    EXPECT_EQ(selected(), a_);
  }
  agent_.note_record(later_ + kSettling, a_, true);
  EXPECT_FALSE(agent_.is_news(a_)) << "it is where it was";
  EXPECT_EQ(agent_.next_timeout(), later_ + milliseconds(400) + seconds(30));
}

TEST_F(EstablishedIceLiteAgentTest, WhatIsNominatedDuringATrialHasNoTimeOfItsOwn) {
  check_heard(later_, kStart, b_);
  CandidatePair other = b_;
  for (std::uint16_t port = 1; port < 5; ++port) {
    other.remote.port = port;
    check_heard(later_ + milliseconds(100) * port, kStart, other);
    EXPECT_EQ(selected(), other);
  }
  agent_.note_record(later_ + kSettling, a_, true);
  EXPECT_EQ(selected(), a_);
}

TEST_F(EstablishedIceLiteAgentTest, PathsThatAreTriedInVainAreTriedEverMoreSeldom) {
  Time now = later_;
  Duration rest = kRest;
  for (int i = 0; i < 8; ++i) {
    check_heard(now, kStart, b_);
    EXPECT_EQ(selected(), b_);
    now += kSettling;
    agent_.note_record(now, a_, true);
    check_heard(now + rest - nanoseconds(1), now, b_);
    EXPECT_EQ(selected(), a_);
    agent_.note_record(now + rest - nanoseconds(1) + kSettling, a_, true);
    now += rest + kSettling;
    rest = std::min(2 * rest, IceLiteAgent::kLongestRest);
  }
  // Its records need no trial, and have the next one come as soon as the first.
  check_heard(now - milliseconds(1), now - milliseconds(1), b_);
  agent_.note_record(now, b_, true);
  EXPECT_EQ(selected(), b_);
}

// Of a peer whose consent checks nominate nothing and who has nothing to send.
TEST_F(EstablishedIceLiteAgentTest, ACheckFromWhereThePeerWasEndsATrial) {
  check_heard(later_, kStart, b_);
  check(later_ + kSettling - nanoseconds(1), a_);
  EXPECT_EQ(selected(), b_) << "it may have been under way";
  check(later_ + kSettling, b_);
  EXPECT_EQ(selected(), b_);
  check(later_ + kSettling, a_);
  EXPECT_EQ(selected(), a_);
  check_heard(later_ + kSettling, kStart, b_);
  EXPECT_EQ(selected(), a_);
  EXPECT_EQ(agent_.next_timeout(), later_ + kSettling + kRest);
  // A nomination ends it at once.
  agent_.handle_timeout(later_ + kSettling + kRest);
  EXPECT_EQ(selected(), b_);
  check_heard(later_ + kSettling + kRest, kStart, a_);
  EXPECT_EQ(selected(), a_);
  EXPECT_TRUE(agent_.is_news(a_));
  agent_.note_record(later_ + seconds(5), a_, false);
  EXPECT_FALSE(agent_.is_news(a_) || agent_.is_news(b_));
}

TEST_F(EstablishedIceLiteAgentTest, WhereThePeerIsStaysInMindWhileOthersAreTried) {
  check_heard(later_, kStart, b_);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    CandidatePair pair = b_;
    pair.remote.port = port;
    check(later_, pair, port % 2 == 0);
  }
  EXPECT_TRUE(agent_.is_authenticated(a_));
  agent_.note_record(later_ + kSettling, a_, true);
  EXPECT_EQ(selected(), a_);
}

TEST_F(IceLiteAgentTest, ANewNominationCountsAtOnceWhateverCameBefore) {
  check(kStart, a_, true);
  agent_.note_record(kStart, a_, true);
  check(kStart, b_, true);
  EXPECT_EQ(*agent_.selected(), b_);
  check(kStart, a_);
  EXPECT_EQ(*agent_.selected(), b_);
  check(kStart, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
}

TEST_F(IceLiteAgentTest, LastNominationWins) {
  check(kStart, a_, true);
  check(kStart, b_, true);
  check(kStart, a_);
  EXPECT_EQ(*agent_.selected(), b_);
  check(kStart, a_, true);
  EXPECT_EQ(*agent_.selected(), a_);
}

TEST_F(IceLiteAgentTest, EndsThirtySecondsAfterTheLastAuthenticatedCheck) {
  EXPECT_EQ(agent_.next_timeout(), kStart + seconds(30));
  check(kStart + seconds(10), a_);
  EXPECT_FALSE(agent_.expired(kStart + seconds(40) - nanoseconds(1)));
  EXPECT_TRUE(agent_.expired(kStart + seconds(40)));
  // What is not authenticated, or refused, keeps nobody alive.
  check(kStart + seconds(20), a_, {.transaction = 1, .key = "some other password....."});
  check(kStart + seconds(20), a_, {.transaction = 2, .controlling = false});
  EXPECT_TRUE(agent_.expired(kStart + seconds(40)));
  EXPECT_EQ(agent_.count(CheckVerdict::kAccepted), 1u);
  EXPECT_EQ(agent_.count(CheckVerdict::kWrongIntegrity), 1u);
  EXPECT_EQ(agent_.count(CheckVerdict::kRoleConflict), 1u);
}

TEST_F(IceLiteAgentTest, FloodOfAddressesEvictsTheOldestButNeverTheSelected) {
  check(kStart, a_, true);
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    CandidatePair pair = b_;
    pair.remote.port = port;
    check(kStart + milliseconds(port), pair);
    ASSERT_TRUE(agent_.is_authenticated(pair));
  }
  EXPECT_TRUE(agent_.is_authenticated(a_));
  EXPECT_EQ(*agent_.selected(), a_);
  CandidatePair pair = b_;
  std::size_t kept = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    pair.remote.port = port;
    kept += agent_.is_authenticated(pair) ? 1u : 0u;
  }
  EXPECT_EQ(kept, IceLiteAgent::kMaxPairs - 1);
  pair.remote.port = 994;
  EXPECT_TRUE(agent_.is_authenticated(pair));
}

TEST_F(IceLiteAgentTest, DropsACheckReplayedFromAnotherAddress) {
  const CheckSpec nominating{.transaction = 77, .use_candidate = true};
  EXPECT_EQ(check(kStart, a_, nominating).verdict, CheckVerdict::kAccepted);
  const CheckAnswer replay = check(kStart + seconds(1), b_, nominating);
  EXPECT_EQ(replay.verdict, CheckVerdict::kReplayed);
  EXPECT_EQ(replay.response_bytes, 0u);
  EXPECT_FALSE(agent_.is_authenticated(b_));
  EXPECT_EQ(*agent_.selected(), a_);
  EXPECT_EQ(agent_.next_timeout(), kStart + seconds(30));
  // The same on the same path is a retransmission.
  EXPECT_EQ(check(kStart + seconds(1), a_, nominating).verdict, CheckVerdict::kAccepted);
}

TEST_F(IceLiteAgentTest, RemembersTransactionsOfAnEvictedPath) {
  check(kStart, b_, {.transaction = 77});
  for (std::uint16_t port = 1; port <= IceLiteAgent::kMaxPairs; ++port) {
    CandidatePair pair = a_;
    pair.remote.port = port;
    check(kStart + milliseconds(port), pair);
  }
  EXPECT_FALSE(agent_.is_authenticated(b_));
  EXPECT_EQ(check(kStart + seconds(1), a_, {.transaction = 77}).verdict, CheckVerdict::kReplayed);
}

TEST_F(IceLiteAgentTest, RemembersTransactionsOfTenMinutes) {
  const CheckSpec nominating{.transaction = 77, .use_candidate = true};
  check(kStart, a_, {.transaction = 76});
  check(kStart, a_, nominating);
  for (int i = 1; i <= 120; ++i) check(kStart + i * seconds(5), a_, true);
  EXPECT_EQ(check(kStart + seconds(601), b_, nominating).verdict, CheckVerdict::kReplayed);
  EXPECT_FALSE(agent_.is_authenticated(b_));
}

TEST_F(IceLiteAgentTest, TakesOverThePathsOfThePendingSession) {
  PendingSession pending(kServer, kClient.ufrag, kStart);
  const Bytes plain = make_check({.transaction = 1});
  const Bytes nominating = make_check({.transaction = 2, .use_candidate = true});
  pending.handle_check(kStart, view(plain), a_, kTestMac, out_);
  pending.handle_check(kStart + seconds(1), view(nominating), b_, kTestMac, out_);

  const IceLiteAgent agent(kStart + seconds(3), pending, {});
  EXPECT_TRUE(agent.is_authenticated(a_));
  EXPECT_TRUE(agent.is_authenticated(b_));
  ASSERT_NE(agent.selected(), nullptr);
  EXPECT_EQ(*agent.selected(), b_);
  EXPECT_TRUE(agent.is_nominated());
  EXPECT_EQ(agent.next_timeout(), kStart + seconds(31));
}

// A dialler's first check may be the nomination (decision 0015), and come before the claim.
TEST_F(IceLiteAgentTest, KnowsTheTransactionsThatThePendingSessionSaw) {
  PendingSession pending(kServer, kClient.ufrag, kStart);
  const CheckSpec nominating{.transaction = 77, .use_candidate = true};
  pending.handle_check(kStart, view(make_check(nominating)), a_, kTestMac, out_);
  pending.handle_check(kStart, view(make_check({.transaction = 78})), b_, kTestMac, out_);
  IceLiteAgent agent(kStart, pending, {});
  const auto handle = [&](const CandidatePair& pair, const CheckSpec& spec) {
    return agent.handle_check(kStart + seconds(1), view(make_check(spec)), pair, kTestMac, out_);
  };

  const CandidatePair elsewhere = path("203.0.113.9:9");
  for (const CandidatePair& pair : {elsewhere, b_}) {
    const CheckAnswer replay = handle(pair, nominating);
    EXPECT_EQ(replay.verdict, CheckVerdict::kReplayed);
    EXPECT_EQ(replay.response_bytes, 0u);
    EXPECT_EQ(*agent.selected(), a_);
  }
  EXPECT_FALSE(agent.is_authenticated(elsewhere));
  EXPECT_EQ(agent.next_timeout(), kStart + seconds(30));

  // The same from where it came is a retransmission, of which the answer was lost.
  const CheckAnswer repeated = handle(a_, nominating);
  EXPECT_EQ(repeated.verdict, CheckVerdict::kAccepted);
  EXPECT_GT(repeated.response_bytes, 0u);
  // One that was seen nominates nothing anew.
  handle(b_, {.transaction = 79, .use_candidate = true});
  handle(a_, nominating);
  EXPECT_EQ(*agent.selected(), b_);
}

// A check seen before the claim counts like one that came after it.
TEST_F(IceLiteAgentTest, KnowsWhichPathsWereCheckedWhileItWasPending) {
  PendingSession pending(kServer, kClient.ufrag, kStart);
  pending.handle_check(kStart, view(make_check({.transaction = 1})), a_, kTestMac, out_);
  pending.handle_check(kStart, view(make_check({.transaction = 2, .use_candidate = true})), b_,
                       kTestMac, out_);
  IceLiteAgent agent(kStart, pending, {});
  EXPECT_EQ(*agent.selected(), b_);
  EXPECT_TRUE(agent.is_news(a_)) << "nominated by its first check";
  const Bytes nominating = make_check({.transaction = 3, .use_candidate = true});
  agent.handle_check(kStart, view(nominating), a_, kTestMac, out_);
  EXPECT_EQ(*agent.selected(), a_);
  EXPECT_FALSE(agent.is_news(b_));
}

TEST_F(IceLiteAgentTest, ClaimBeforeNominationSendsWhereTheLastCheckOrDtlsCameFrom) {
  PendingSession pending(kServer, kClient.ufrag, kStart);
  const Bytes first = make_check({.transaction = 1});
  const Bytes second = make_check({.transaction = 2});
  pending.handle_check(kStart + seconds(1), view(first), a_, kTestMac, out_);
  pending.handle_check(kStart, view(second), b_, kTestMac, out_);
  IceLiteAgent agent(kStart + seconds(1), pending, {});
  ASSERT_NE(agent.selected(), nullptr);
  EXPECT_EQ(*agent.selected(), a_);
  EXPECT_FALSE(agent.is_nominated());
  agent.note_handshake(b_);
  EXPECT_EQ(*agent.selected(), b_);
}

}  // namespace
}  // namespace millrace::ice
