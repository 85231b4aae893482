// SPDX-License-Identifier: Apache-2.0
#include "engine/ice/ice_controlling_agent.h"

#include <gtest/gtest.h>

#include <memory>

#include "engine/ice/test_support.h"

namespace millrace::ice {
namespace {

using Event = IceControllingAgent::Event;
using Type = Event::Type;

const CandidatePair kPath = path("192.0.2.1:1000", "10.0.0.5");

Candidate candidate(const char* text, std::uint32_t priority = 2130706431) {
  return Candidate{.foundation = "1", .priority = priority, .address = address(text)};
}

class IceControllingAgentTest : public testing::Test {
 protected:
  struct Sent {
    CandidatePair path;
    Bytes bytes;
    StunMessageView message() const { return view(bytes); }
  };

  void start(std::vector<Candidate> remotes, bool lite = true,
             std::vector<IpAddress> locals = {ip("10.0.0.5")}) {
    agent_ = std::make_unique<IceControllingAgent>(
        now_,
        IceControllingAgent::Setup{.local = kClient,
                                   .remote = kServer,
                                   .remote_is_lite = lite,
                                   .local_addresses = std::move(locals),
                                   .remote_candidates = std::move(remotes)},
        options_, rng_, kTestMac);
  }
  // Everything that is due now.
  std::vector<Sent> drain() {
    std::vector<Sent> out;
    agent_->handle_timeout(now_);
    for (;;) {
      Sent sent{.path = {}, .bytes = Bytes(kMaxStunBytes)};
      sent.bytes.resize(agent_->poll_datagram(now_, sent.path, sent.bytes));
      if (sent.bytes.empty()) return out;
      out.push_back(std::move(sent));
    }
  }
  std::vector<Type> events() {
    std::vector<Type> out;
    for (Event event; agent_->poll_event(event);) out.push_back(event.type);
    return out;
  }
  void answer(const Sent& check, std::string_view key = kServer.pwd) {
    answer_from(check, check.path, key);
  }
  void answer_from(const Sent& check, const CandidatePair& from,
                   std::string_view key = kServer.pwd) {
    Bytes out(kMaxStunBytes);
    out.resize(build_binding_success(check.message().transaction_id(), address("10.0.0.5:7777"),
                                     key, kTestMac, out));
    agent_->handle_datagram(now_, from, out);
  }
  void refuse(const Sent& check, int code, std::string_view key = kServer.pwd) {
    Bytes out(kMaxStunBytes);
    out.resize(build_binding_error(check.message().transaction_id(), code, {}, key, kTestMac, out));
    agent_->handle_datagram(now_, check.path, out);
  }
  // A check of the peer's, as a full agent sends it.
  void check_from(const CandidatePair& from, CheckSpec spec) {
    spec.receiver = kClient.ufrag;
    spec.sender = kServer.ufrag;
    if (spec.key == kServer.pwd) spec.key = kClient.pwd;
    agent_->handle_datagram(now_, from, make_check(spec));
  }
  // Sleeps until the agent wants to act, at most until `end`; false once there is
  // nothing before `end`.
  bool sleep_before(Time end) {
    const Time next = agent_->next_timeout();
    if (next >= end) {
      now_ = end;
      return false;
    }
    now_ = std::max(now_, next);
    return true;
  }
  void connect() {
    start({candidate("192.0.2.1:1000")});
    answer(drain().at(0));
    ASSERT_TRUE(agent_->is_nominated());
    events();
  }

  Time now_ = kStart;
  SeededRng rng_{42};
  IceControllingAgent::Options options_;
  std::unique_ptr<IceControllingAgent> agent_;
};

TEST_F(IceControllingAgentTest, FirstCheckGoesAtOnce) {
  start({candidate("192.0.2.1:1000")}, false);
  const std::vector<Sent> sent = drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].path, kPath);
  const StunMessageView check = sent[0].message();
  EXPECT_TRUE(check.is_binding(StunClass::kRequest));
  EXPECT_EQ(check.username(), "srvufrag:cliufrag");
  EXPECT_TRUE(check.controlling());
  EXPECT_FALSE(check.use_candidate());
  EXPECT_TRUE(check.has_fingerprint());
  EXPECT_TRUE(check.has_integrity(kServer.pwd, kTestMac));
  // RFC 8445 §7.1.1: the priority of a peer-reflexive candidate.
  EXPECT_EQ(check.priority(), candidate_priority(CandidateType::kPeerReflexive, 65535));
}

// RFC 8445 §8.1.1.
TEST_F(IceControllingAgentTest, NominatesTheFirstPairThatAnswersWithoutDelay) {
  start({candidate("192.0.2.1:1000")}, false);
  const std::vector<Sent> first = drain();
  now_ += milliseconds(2);
  answer(first[0]);
  EXPECT_EQ(events(), std::vector{Type::kPairAuthenticated});
  EXPECT_TRUE(agent_->is_authenticated(kPath));
  EXPECT_EQ(*agent_->selected(), kPath);
  EXPECT_EQ(agent_->rtt(), milliseconds(2));

  const std::vector<Sent> second = drain();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_TRUE(second[0].message().use_candidate());
  EXPECT_NE(second[0].message().transaction_id(), first[0].message().transaction_id());
  answer(second[0]);
  EXPECT_EQ(events(), std::vector{Type::kNominated});
  EXPECT_TRUE(agent_->is_nominated());
}

// RFC 8445 §8.1.1, decision 0015.
TEST_F(IceControllingAgentTest, TheFirstCheckNominatesALitePeersOnlyPair) {
  start({candidate("192.0.2.1:1000")});
  const std::vector<Sent> first = drain();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first[0].message().use_candidate());
  EXPECT_EQ(agent_->selected(), nullptr);
  EXPECT_FALSE(agent_->is_nominated());
  answer(first[0]);
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kNominated}));
  EXPECT_TRUE(agent_->is_nominated());
  EXPECT_TRUE(drain().empty());
}

TEST_F(IceControllingAgentTest, PicksAmongALitePeersPairsByTheirAnswers) {
  start({candidate("192.0.2.1:1000", 300), candidate("192.0.2.2:1000", 200)});
  for (const Sent& check : drain()) EXPECT_FALSE(check.message().use_candidate());
  now_ += milliseconds(50);
  const std::vector<Sent> second = drain();
  ASSERT_EQ(second.size(), 1u);
  answer(second[0]);
  const std::vector<Sent> nominating = drain();
  ASSERT_EQ(nominating.size(), 1u);
  EXPECT_TRUE(nominating[0].message().use_candidate());
  EXPECT_EQ(nominating[0].path, second[0].path);
}

// RFC 8445 §6.1.4.2, §14.2.
TEST_F(IceControllingAgentTest, PacesChecksByPriority) {
  start({candidate("192.0.2.1:1000", 100), candidate("192.0.2.2:1000", 300),
         candidate("192.0.2.3:1000", 200)});
  std::vector<std::pair<Time, Address>> sent;
  while (sleep_before(kStart + milliseconds(101))) {
    for (const Sent& check : drain()) {
      if (sent.size() < 3) sent.emplace_back(now_, check.path.remote);
    }
  }
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0], std::pair(kStart, address("192.0.2.2:1000")));
  EXPECT_EQ(sent[1], std::pair(kStart + milliseconds(50), address("192.0.2.3:1000")));
  EXPECT_EQ(sent[2], std::pair(kStart + milliseconds(100), address("192.0.2.1:1000")));
}

// RFC 8489 §6.2.1: with an RTO of 100 ms.
TEST_F(IceControllingAgentTest, RetransmitsTheSameBytesWithDoublingTimeoutsThenFails) {
  start({candidate("192.0.2.1:1000")});
  std::vector<Duration> times;
  Bytes first;
  while (sleep_before(kStart + seconds(60))) {
    for (const Sent& check : drain()) {
      if (first.empty()) first = check.bytes;
      EXPECT_EQ(check.bytes, first);
      times.push_back(now_ - kStart);
    }
  }
  EXPECT_EQ(times, (std::vector<Duration>{milliseconds(0), milliseconds(100), milliseconds(300),
                                          milliseconds(700), milliseconds(1500), milliseconds(3100),
                                          milliseconds(6300)}));
  EXPECT_EQ(events(), std::vector{Type::kFailed});
  EXPECT_TRUE(agent_->is_closed());
  EXPECT_EQ(agent_->next_timeout(), kNever);
  EXPECT_EQ(agent_->stats().retransmissions, 6u);
}

TEST_F(IceControllingAgentTest, TakesAnAnswerToARetransmission) {
  start({candidate("192.0.2.1:1000")}, false);
  drain();
  now_ += milliseconds(100);
  const std::vector<Sent> again = drain();
  ASSERT_EQ(again.size(), 1u);
  answer(again[0]);
  EXPECT_EQ(events(), std::vector{Type::kPairAuthenticated});
  EXPECT_FALSE(agent_->rtt());  // Karn.
}

TEST_F(IceControllingAgentTest, FailsAtOnceWhereALitePeerHasNoUsableCandidate) {
  start({candidate("[2001:db8::1]:1000")});
  EXPECT_EQ(events(), std::vector{Type::kFailed});
  EXPECT_EQ(agent_->next_timeout(), kNever);
}

// RFC 8863 §4.
TEST_F(IceControllingAgentTest, WaitsPatientlyForAFullPeersChecks) {
  start({}, false);
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(agent_->next_timeout(), kStart + milliseconds(39500));
  now_ = agent_->next_timeout();
  EXPECT_TRUE(drain().empty());
  EXPECT_EQ(events(), std::vector{Type::kFailed});
}

// RFC 8445 §7.3.1.3, §7.3.1.4: all the peer's candidates were mDNS names.
TEST_F(IceControllingAgentTest, LearnsAPeerReflexiveCandidateAndChecksItBack) {
  start({}, false);
  check_from(kPath, {.controlling = false});
  EXPECT_TRUE(agent_->is_authenticated(kPath));
  const std::vector<Sent> sent = drain();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_TRUE(sent[0].message().is_binding(StunClass::kSuccess));
  EXPECT_EQ(sent[0].message().mapped_address(), kPath.remote);
  EXPECT_TRUE(sent[0].message().has_integrity(kClient.pwd, kTestMac));
  EXPECT_TRUE(sent[1].message().is_binding(StunClass::kRequest));
  EXPECT_EQ(sent[1].path, kPath);
  answer(sent[1]);
  answer(drain().at(0));
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kNominated}));
}

TEST_F(IceControllingAgentTest, CheckOfThePeersHastensOursButAFloodDoesNot) {
  options_.initial_rto = seconds(10);
  start({candidate("192.0.2.1:1000")}, false);
  drain();
  for (std::uint32_t i = 0; i < 100; ++i) {
    check_from(kPath, {.transaction = i, .controlling = false});
  }
  for (const Sent& sent : drain()) {
    EXPECT_FALSE(sent.message().is_binding(StunClass::kRequest));
  }
  EXPECT_GT(agent_->stats().dropped_no_room, 0u);
  now_ += milliseconds(50);
  ASSERT_EQ(drain().size(), 1u);
  EXPECT_EQ(agent_->stats().retransmissions, 1u);
}

// RFC 8489 §9.1.4: as if it had never come; retransmissions go on.
TEST_F(IceControllingAgentTest, IgnoresAnswersThatAreNotAuthentic) {
  start({candidate("192.0.2.1:1000")});
  const std::vector<Sent> sent = drain();
  answer(sent[0], "some other password.....");
  refuse(sent[0], kErrorUnauthenticated, {});
  refuse(sent[0], kErrorRoleConflict, "some other password.....");
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(agent_->stats().dropped_unauthenticated, 3u);
  EXPECT_TRUE(agent_->is_controlling());
  now_ += milliseconds(100);
  EXPECT_EQ(drain().size(), 1u);
}

TEST_F(IceControllingAgentTest, IgnoresForeignMalformedAndRepeatedDatagrams) {
  start({candidate("192.0.2.1:1000")}, false);
  const std::vector<Sent> sent = drain();
  agent_->handle_datagram(now_, kPath, Bytes{});
  agent_->handle_datagram(now_, kPath, Bytes(200, 0));
  EXPECT_EQ(agent_->stats().dropped_malformed, 2u);
  Bytes foreign(kMaxStunBytes);
  foreign.resize(build_binding_success(transaction(12345), address("10.0.0.5:7777"), kServer.pwd,
                                       kTestMac, foreign));
  agent_->handle_datagram(now_, kPath, foreign);
  EXPECT_EQ(agent_->stats().dropped_unknown_transaction, 1u);
  answer(sent[0]);
  answer(sent[0]);
  EXPECT_EQ(agent_->stats().dropped_unknown_transaction, 2u);
  EXPECT_EQ(events(), std::vector{Type::kPairAuthenticated});
}

// RFC 8445 §7.2.5.2.1.
TEST_F(IceControllingAgentTest, AnswerFromAnotherAddressFailsThePair) {
  start({candidate("192.0.2.1:1000")});
  answer_from(drain().at(0), path("192.0.2.9:1000", "10.0.0.5"));
  EXPECT_EQ(events(), std::vector{Type::kFailed});
}

// Only the path has failed if its answer has gone stale: the session on it may be alive.
TEST_F(IceControllingAgentTest, LostNominationBeginsAgainOnTheOnlyPath) {
  start({candidate("192.0.2.1:1000")}, false);
  std::vector<TransactionId> nominations;
  while (nominations.size() < 2 && sleep_before(kStart + seconds(30))) {
    for (const Sent& check : drain()) {
      if (!check.message().use_candidate()) {
        answer(check);
        continue;
      }
      const TransactionId id = check.message().transaction_id();
      if (nominations.empty() || nominations.back() != id) nominations.push_back(id);
      if (nominations.size() == 2) answer(check);
    }
  }
  EXPECT_EQ(nominations.size(), 2u);
  EXPECT_TRUE(agent_->is_nominated());
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kNominated}));
}

TEST_F(IceControllingAgentTest, NominationThatIsNeverAnsweredFailsWithinConsent) {
  start({candidate("192.0.2.1:1000")}, false);
  Time last;
  while (sleep_before(kStart + seconds(90))) {
    last = now_;
    for (const Sent& check : drain()) {
      if (!check.message().use_candidate()) answer(check);
    }
  }
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kFailed}));
  EXPECT_LE(last, kStart + seconds(40));
}

TEST_F(IceControllingAgentTest, LostNominationFallsBackToAnotherValidPair) {
  start({candidate("192.0.2.1:1000", 300), candidate("192.0.2.2:1000", 200)});
  std::size_t nominating_second = 0;
  while (sleep_before(kStart + seconds(30))) {
    for (const Sent& check : drain()) {
      const bool is_first = check.path.remote == address("192.0.2.1:1000");
      const bool nominates = check.message().use_candidate();
      // The first pair answers plain checks only.
      if (is_first && nominates) continue;
      nominating_second += !is_first && nominates ? 1u : 0u;
      answer(check);
    }
    if (agent_->is_nominated()) break;
  }
  EXPECT_EQ(nominating_second, 1u);
  ASSERT_TRUE(agent_->is_nominated());
  EXPECT_EQ(agent_->selected()->remote, address("192.0.2.2:1000"));
}

TEST_F(IceControllingAgentTest, RefusesChecksOfStrangersAndAnswersBadOnesAsRfc8489Says) {
  start({}, false);
  check_from(kPath, {.key = "some other password.....", .controlling = false});
  agent_->handle_datagram(now_, kPath, make_check({.receiver = "nobody..", .key = kClient.pwd}));
  EXPECT_FALSE(agent_->is_authenticated(kPath));
  const std::vector<Sent> sent = drain();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].message().error_code(), 401);
  EXPECT_EQ(sent[1].message().error_code(), 401);
  EXPECT_EQ(agent_->stats().requests_refused, 2u);
}

TEST_F(IceControllingAgentTest, FloodFromManyAddressesIsBounded) {
  start({}, false);
  std::size_t authenticated = 0;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    CandidatePair from = kPath;
    from.remote.port = port;
    check_from(from, {.transaction = port, .controlling = false});
    drain();
    authenticated += agent_->is_authenticated(from) ? 1u : 0u;
  }
  EXPECT_EQ(authenticated, IceControllingAgent::kMaxPairs);
  // No time has passed: one check, whatever came.
  EXPECT_EQ(agent_->stats().checks_sent, 1u);
}

// RFC 8445 §7.3.1.1.
TEST_F(IceControllingAgentTest, LowerTieBreakerYieldsTheControllingRole) {
  start({candidate("192.0.2.1:1000")}, false);
  check_from(kPath, {.controlling = true, .tie_breaker = UINT64_MAX});
  EXPECT_FALSE(agent_->is_controlling());
  const std::vector<Sent> sent = drain();
  EXPECT_TRUE(sent.at(0).message().is_binding(StunClass::kSuccess));
  EXPECT_TRUE(sent.at(1).message().controlled());
  answer(sent.at(1));
  EXPECT_EQ(events(), std::vector{Type::kPairAuthenticated});
  EXPECT_TRUE(drain().empty());  // The peer nominates.
  check_from(kPath, {.transaction = 2, .use_candidate = true, .tie_breaker = UINT64_MAX});
  EXPECT_EQ(events(), std::vector{Type::kNominated});
}

TEST_F(IceControllingAgentTest, ControlledNominationWaitsForItsOwnCheck) {
  start({candidate("192.0.2.1:1000")}, false);
  check_from(kPath, {.use_candidate = true, .controlling = true, .tie_breaker = UINT64_MAX});
  EXPECT_FALSE(agent_->is_nominated());
  answer(drain().at(1));
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kNominated}));
}

TEST_F(IceControllingAgentTest, HigherTieBreakerRefusesWith487AndKeepsItsRole) {
  start({candidate("192.0.2.1:1000")}, false);
  check_from(kPath, {.controlling = true, .tie_breaker = 0});
  EXPECT_TRUE(agent_->is_controlling());
  EXPECT_EQ(drain().at(0).message().error_code(), 487);
}

// RFC 8445 §7.2.5.1.
TEST_F(IceControllingAgentTest, SwitchesUpon487AndChecksAgain) {
  start({candidate("192.0.2.1:1000")}, false);
  const std::vector<Sent> first = drain();
  refuse(first[0], kErrorRoleConflict);
  EXPECT_FALSE(agent_->is_controlling());
  now_ += options_.check_interval;
  const std::vector<Sent> second = drain();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_TRUE(second[0].message().controlled());
  EXPECT_NE(second[0].message().transaction_id(), first[0].message().transaction_id());
  EXPECT_NE(second[0].message().controlled(), first[0].message().controlling());
}

TEST_F(IceControllingAgentTest, EndlessRoleConflictsEnd) {
  start({candidate("192.0.2.1:1000")});
  std::size_t checks = 0;
  while (sleep_before(kStart + seconds(60))) {
    for (const Sent& check : drain()) {
      ++checks;
      refuse(check, kErrorRoleConflict);
    }
  }
  EXPECT_LT(checks, 12u);
  EXPECT_EQ(events(), std::vector{Type::kFailed});
}

// RFC 7675 §5.1.
TEST_F(IceControllingAgentTest, ChecksConsentEveryFourToSixSecondsWithFreshTransactions) {
  connect();
  std::vector<Time> times;
  std::vector<TransactionId> ids;
  while (times.size() < 200 && sleep_before(kStart + seconds(3000))) {
    for (const Sent& check : drain()) {
      EXPECT_EQ(check.path, kPath);
      times.push_back(now_);
      ids.push_back(check.message().transaction_id());
      answer(check);
    }
  }
  ASSERT_EQ(times.size(), 200u);
  Duration shortest = seconds(100);
  Duration longest{};
  std::size_t on_the_grain = 0;  // Where many agents are woken together.
  for (std::size_t i = 1; i < times.size(); ++i) {
    on_the_grain += times[i].time_since_epoch() % milliseconds(16) == Duration::zero();
    shortest = std::min(shortest, times[i] - times[i - 1]);
    longest = std::max(longest, times[i] - times[i - 1]);
    EXPECT_NE(ids[i], ids[i - 1]);
  }
  EXPECT_GE(shortest, seconds(4));
  EXPECT_LT(shortest, milliseconds(4200));
  EXPECT_LE(longest, seconds(6));
  EXPECT_GT(longest, milliseconds(5800));
  EXPECT_GE(on_the_grain, 190u);
  EXPECT_EQ(agent_->stats().consent_confirmed, 200u);
  EXPECT_TRUE(events().empty());
}

// RFC 7675 §5.1.
TEST_F(IceControllingAgentTest, ConsentExpiresThirtySecondsAfterTheLastAnswer) {
  connect();
  while (agent_->stats().consent_sent < 1) {
    ASSERT_TRUE(sleep_before(kStart + seconds(20)));
    for (const Sent& check : drain()) answer(check);
  }
  const Time last = now_;
  while (sleep_before(kStart + seconds(100))) {
    drain();
    if (agent_->is_closed()) break;
  }
  EXPECT_EQ(now_, last + seconds(30));
  EXPECT_EQ(events(), std::vector{Type::kConsentLost});
  EXPECT_GE(agent_->stats().consent_sent, 5u);
  EXPECT_EQ(agent_->next_timeout(), kNever);
  EXPECT_TRUE(drain().empty());
}

TEST_F(IceControllingAgentTest, ConsentIsConfirmedByNothingButAnAuthenticAnswerOnThePath) {
  connect();
  while (sleep_before(kStart + seconds(100)) && !agent_->is_closed()) {
    for (const Sent& check : drain()) {
      answer(check, "some other password.....");
      refuse(check, kErrorBadRequest, {});
      answer_from(check, path("192.0.2.9:1", "10.0.0.5"));
    }
  }
  EXPECT_EQ(agent_->stats().consent_confirmed, 0u);
  EXPECT_EQ(events(), std::vector{Type::kConsentLost});
}

// RFC 7675 §5.2.
TEST_F(IceControllingAgentTest, AuthenticForbiddenRevokesConsentAtOnce) {
  connect();
  std::vector<Sent> sent;
  while (sent.empty() && sleep_before(kStart + seconds(20))) sent = drain();
  ASSERT_EQ(sent.size(), 1u);
  refuse(sent[0], kErrorForbidden, {});
  EXPECT_FALSE(agent_->is_closed());
  refuse(sent[0], kErrorForbidden);
  EXPECT_EQ(events(), std::vector{Type::kConsentLost});
}

TEST_F(IceControllingAgentTest, UnspecifiedLocalAddressMatchesWhateverArrives) {
  start({candidate("192.0.2.1:1000")}, true, {ip("0.0.0.0")});
  const std::vector<Sent> sent = drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].path.local, ip("0.0.0.0"));
  answer_from(sent[0], path("192.0.2.1:1000", "10.0.0.5"));
  EXPECT_EQ(events(), (std::vector{Type::kPairAuthenticated, Type::kNominated}));
  EXPECT_TRUE(agent_->is_authenticated(path("192.0.2.1:1000", "10.0.0.5")));
  EXPECT_TRUE(agent_->is_authenticated({address("192.0.2.1:1000"), IpAddress{}}));
}

TEST_F(IceControllingAgentTest, PairsFamiliesAndLeavesOutTheImpossible) {
  start({candidate("192.0.2.1:1000"), candidate("192.0.2.1:1000", 5), candidate("192.0.2.1:0"),
         candidate("0.0.0.0:9"), candidate("[2001:db8::1]:1000")},
        true, {ip("127.0.0.1"), ip("10.0.0.5"), ip("2001:db8::5")});
  std::vector<CandidatePair> checked;
  while (sleep_before(kStart + milliseconds(90))) {
    for (const Sent& check : drain()) checked.push_back(check.path);
  }
  EXPECT_EQ(checked, (std::vector{kPath, path("[2001:db8::1]:1000", "2001:db8::5")}));
}

TEST_F(IceControllingAgentTest, HostileNumberOfCandidatesIsCut) {
  std::vector<Candidate> many;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    many.push_back(candidate("192.0.2.1:1000"));
    many.back().address.port = port;
  }
  start(many, true, std::vector<IpAddress>(100, ip("10.0.0.5")));
  while (sleep_before(kStart + seconds(60))) drain();
  EXPECT_EQ(agent_->stats().checks_sent, IceControllingAgent::kMaxRemoteCandidates);
}

}  // namespace
}  // namespace millrace::ice
