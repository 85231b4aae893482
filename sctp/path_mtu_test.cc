// SPDX-License-Identifier: Apache-2.0
#include "sctp/path_mtu.h"

#include <gtest/gtest.h>

#include <vector>

#include "sctp/testing/path_sizes.h"

namespace millrace::sctp {
namespace {

using State = PathMtu::State;

using testing::kBase;
using testing::kEthernet;
using testing::kJumbo;
using testing::kMin;
using testing::kRto;
using testing::kRtt;

// A path of one MTU, over which probes go as soon as they are due.
class PathMtuTest : public ::testing::Test {
 protected:
  explicit PathMtuTest(const PathMtuOptions& options = {.enabled = true})
      : path_(options, kBase, rng_) {}

  void start() {
    path_.start();
    probe_on();
  }
  // Sends what is due and lets the answers come, until nothing is due or answered.
  void probe_on() {
    while (path_.probe_bytes() > 0) {
      const std::size_t bytes = path_.probe_bytes();
      probes_.push_back(bytes);
      last_ = path_.make_probe(now_, kRto);
      if (bytes > mtu_ || !answers_) return;
      now_ += kRtt;
      ASSERT_TRUE(path_.handle_answer(now_, last_));
    }
  }
  // Lets the next timer expire, and goes on.
  void expire() {
    ASSERT_NE(path_.next_timeout(), kNever);
    now_ = path_.next_timeout();
    path_.handle_timeout(now_);
    probe_on();
  }
  void expire_until(State state) {
    for (int i = 0; i < 100 && path_.state() != state; ++i) expire();
    ASSERT_EQ(path_.state(), state);
  }

  SeededRng rng_{1};
  PathMtu path_;
  Time now_{seconds(1000)};
  std::size_t mtu_ = kJumbo;
  bool answers_ = true;
  std::vector<std::size_t> probes_;
  PathMtu::Info last_{};
};

// RFC 8899 §5.2, §6.1.4, §6.2.3.1: DISABLED is the initial state, left when connectivity is
// indicated.
TEST_F(PathMtuTest, ProbesNothingBeforeThePeerIsThere) {
  EXPECT_EQ(path_.state(), State::kDisabled);
  EXPECT_EQ(path_.probe_bytes(), 0u);
  EXPECT_EQ(path_.next_timeout(), kNever);
  EXPECT_EQ(path_.packet_bytes(), kBase);
}

// RFC 8899 §5.2, §5.1.2, BASE: PROBED_SIZE is BASE_PLPMTU on entry.
TEST_F(PathMtuTest, ConfirmsTheBaseFirst) {
  path_.start();
  EXPECT_EQ(path_.state(), State::kBase);
  EXPECT_EQ(path_.probe_bytes(), kBase);
  const PathMtu::Info info = path_.make_probe(now_, kRto);
  EXPECT_EQ(path_.probe_bytes(), 0u);
  const auto answer = path_.handle_answer(now_ + kRtt, info);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->changed);
  EXPECT_EQ(answer->rtt, kRtt);
  EXPECT_EQ(path_.state(), State::kSearching);
}

// RFC 8899 §5.2, §3: a probe of MAX_PLPMTU that is acknowledged ends the search.
TEST_F(PathMtuTest, ClimbsToTheMaximumInARoundTripPerSize) {
  const Time begun = now_;
  start();
  EXPECT_EQ(path_.state(), State::kSearchComplete);
  EXPECT_EQ(path_.packet_bytes(), kJumbo);
  EXPECT_LE(now_ - begun, 12 * kRtt);
  EXPECT_TRUE(std::ranges::is_sorted(probes_));
  EXPECT_EQ(probes_.back(), kJumbo);
}

// RFC 8899 §5.1.2, §5.3.1, §3: MAX_PROBES losses of one size rule it out.
TEST_F(PathMtuTest, GivesASizeUpAfterThreeLosses) {
  mtu_ = kEthernet;
  start();
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  const std::size_t too_large = probes_.back();
  ASSERT_GT(too_large, kEthernet);
  expire();
  EXPECT_EQ(probes_.back(), too_large);
  expire();
  EXPECT_EQ(probes_.back(), too_large);
  expire();
  EXPECT_LT(probes_.back(), too_large);
  EXPECT_EQ(path_.state(), State::kSearching);
  expire_until(State::kSearchComplete);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  EXPECT_EQ(path_.probes_lost(), probes_.size() - 6u - 1u);
}

// RFC 8899 §5.1.1: PROBE_TIMER is never below a second, nor below the time an answer takes.
TEST_F(PathMtuTest, WaitsASecondOrAnRtoForAnAnswer) {
  path_.start();
  path_.make_probe(now_, kRto);
  EXPECT_EQ(path_.next_timeout(), now_ + seconds(1));
  path_.handle_timeout(now_ + milliseconds(999));
  EXPECT_EQ(path_.probe_bytes(), 0u);
  now_ += seconds(1);
  path_.handle_timeout(now_);
  EXPECT_EQ(path_.probe_bytes(), kBase);
  path_.make_probe(now_, seconds(3));
  EXPECT_EQ(path_.next_timeout(), now_ + seconds(3));
}

// RFC 8899 §5.3.2: between likely sizes the search halves, and stops where little is to gain.
TEST_F(PathMtuTest, ComesWithinASixteenthOfAnyMtu) {
  for (std::size_t mtu = kBase; mtu <= kJumbo; mtu += 52) {
    PathMtu path({.enabled = true}, kBase, rng_);
    Time now{seconds(1)};
    int probes = 0;
    path.start();
    while (path.state() != State::kSearchComplete) {
      ASSERT_LT(++probes, 60) << mtu;
      ASSERT_GT(path.probe_bytes(), 0u);
      const std::size_t bytes = path.probe_bytes();
      const PathMtu::Info info = path.make_probe(now, kRto);
      if (bytes <= mtu) {
        now += kRtt;
        ASSERT_TRUE(path.handle_answer(now, info));
      } else {
        now = path.next_timeout();
        path.handle_timeout(now);
      }
      ASSERT_LE(path.packet_bytes(), mtu);
    }
    EXPECT_GE(path.packet_bytes() + path.packet_bytes() / 16 + 4, mtu) << mtu;
  }
}

// RFC 8899 §4.1, §3, §6.1.1, §6.2.1.2: the answer names its probe; one that could have been
// guessed is worth
// nothing.
TEST_F(PathMtuTest, BelievesNoAnswerButToItsOwnProbe) {
  path_.start();
  EXPECT_FALSE(path_.handle_answer(now_, PathMtu::Info{}));
  const PathMtu::Info info = path_.make_probe(now_, kRto);
  for (std::size_t i = 0; i < info.size(); ++i) {
    PathMtu::Info forged = info;
    forged[i] ^= 1;
    EXPECT_FALSE(path_.handle_answer(now_, forged)) << i;
  }
  EXPECT_FALSE(path_.handle_answer(now_, ByteSpan(info).first(11)));
  EXPECT_TRUE(path_.handle_answer(now_, info));
  // Of the search, not of what it has confirmed.
  EXPECT_FALSE(path_.handle_answer(now_, info));
}

// RFC 8899 §3: robust to delay and reordering.
TEST_F(PathMtuTest, TakesALateAnswerButNoRoundTripFromIt) {
  path_.start();
  const PathMtu::Info first = path_.make_probe(now_, kRto);
  now_ += seconds(1);
  path_.handle_timeout(now_);
  path_.make_probe(now_, kRto);
  const auto answer = path_.handle_answer(now_ + kRtt, first);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->rtt);
  EXPECT_EQ(path_.state(), State::kSearching);
}

// RFC 8899 §5.2: PMTU_RAISE_TIMER resumes the search.
TEST_F(PathMtuTest, SearchesAgainWhenTheRaiseTimerExpires) {
  mtu_ = 1300;
  start();
  expire_until(State::kSearchComplete);
  EXPECT_LT(path_.packet_bytes(), 1300u);
  EXPECT_EQ(path_.next_timeout(), now_ + seconds(600));
  mtu_ = kEthernet;
  expire();
  EXPECT_EQ(path_.state(), State::kSearching);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
}

// RFC 8899 §6.2.3.3, §5.1.1, §5.2, §6.2.1.3: no CONFIRMATION_TIMER.
TEST_F(PathMtuTest, RepeatsNoProbeOfTheSizeInUse) {
  start();
  ASSERT_EQ(path_.state(), State::kSearchComplete);
  const std::size_t sent = probes_.size();
  now_ += seconds(599);
  path_.handle_timeout(now_);
  probe_on();
  // Nor at the maximum when the timer has expired.
  expire();
  EXPECT_EQ(probes_.size(), sent);
  EXPECT_EQ(path_.state(), State::kSearchComplete);
}

// RFC 8899 §4.3: a black hole lowers PLPMTU to the base at once, and the base is confirmed.
TEST_F(PathMtuTest, FallsToTheBaseInABlackHole) {
  mtu_ = kEthernet;
  start();
  ASSERT_EQ(path_.packet_bytes(), kEthernet);
  EXPECT_EQ(path_.fallback_bytes(), kBase);
  mtu_ = 1340;
  path_.handle_black_hole(now_);
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_EQ(path_.state(), State::kBase);
  EXPECT_EQ(path_.probe_bytes(), kBase);
  EXPECT_EQ(path_.fallback_bytes(), kMin);
  probe_on();
  EXPECT_EQ(path_.state(), State::kSearching);
  EXPECT_EQ(path_.packet_bytes(), 1332u);
  EXPECT_EQ(path_.black_holes(), 1u);
}

// RFC 8899 §5.3.3: probes pass and data does not; the offered size is clamped for a while.
TEST_F(PathMtuTest, LeavesSizesAloneThatOnlyProbesPass) {
  mtu_ = kEthernet;
  start();
  path_.handle_black_hole(now_);
  probe_on();
  // Once may have been an outage.
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  path_.handle_black_hole(now_);
  probe_on();
  EXPECT_LT(path_.packet_bytes(), kEthernet);
  EXPECT_GT(path_.packet_bytes(), kBase);
  path_.handle_black_hole(now_);
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_EQ(path_.state(), State::kSearchComplete);
  expire();
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
}

// RFC 8899 §5.2, ERROR: a path that fails the base and carries less is used at less.
TEST_F(PathMtuTest, FindsWhatAPathBelowTheBaseCarries) {
  mtu_ = 900;
  start();
  expire_until(State::kError);
  EXPECT_EQ(path_.packet_bytes(), kMin);
  for (int i = 0; i < 40 && path_.packet_bytes() < 850; ++i) expire();
  EXPECT_GE(path_.packet_bytes(), 850u);
  EXPECT_LE(path_.packet_bytes(), 900u);
  EXPECT_EQ(path_.state(), State::kError);
  // It is left when the base is confirmed.
  mtu_ = kEthernet;
  for (int i = 0; i < 40 && path_.state() == State::kError; ++i) expire();
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
}

// RFC 8899 §5.2, ERROR: DISABLED where MIN_PLPMTU cannot be validated. A peer that answers no
// HEARTBEAT loses nothing by it.
TEST_F(PathMtuTest, StaysAtTheBaseWithAPeerThatNeverAnswers) {
  answers_ = false;
  start();
  expire_until(State::kError);
  EXPECT_EQ(path_.packet_bytes(), kBase);
  expire_until(State::kDisabled);
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_EQ(probes_.size(), 6u);
  EXPECT_EQ(path_.next_timeout(), now_ + seconds(600));
  answers_ = true;
  expire();
  EXPECT_EQ(path_.packet_bytes(), kJumbo);
}

// RFC 8899 §4.3: what data tells of the base is believed as a probe is.
TEST_F(PathMtuTest, FallsBelowTheBaseWhereDataOfTheBaseIsLost) {
  answers_ = false;
  start();
  EXPECT_EQ(path_.fallback_bytes(), kMin);
  path_.handle_black_hole(now_);
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kMin);
  EXPECT_EQ(path_.state(), State::kError);
  // Nothing lower is left.
  EXPECT_GT(path_.fallback_bytes(), kJumbo);
  // Nobody answers, it was an outage: the base comes back when it is confirmed.
  expire_until(State::kDisabled);
  EXPECT_EQ(path_.packet_bytes(), kMin);
  answers_ = true;
  path_.handle_reachable();
  EXPECT_EQ(path_.state(), State::kBase);
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kJumbo);
}

TEST_F(PathMtuTest, ForgetsAPathThatIsLeft) {
  start();
  ASSERT_EQ(path_.packet_bytes(), kJumbo);
  path_.reset();
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_EQ(path_.state(), State::kBase);
  mtu_ = kEthernet;
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
}

// RFC 8899 §5.2: DISABLED is entered from any state when connectivity is lost.
TEST_F(PathMtuTest, KeepsItsSizeAndStopsProbingWhenStopped) {
  mtu_ = kEthernet;
  start();
  path_.stop();
  EXPECT_EQ(path_.state(), State::kDisabled);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  EXPECT_EQ(path_.next_timeout(), kNever);
  EXPECT_EQ(path_.probe_bytes(), 0u);
  EXPECT_FALSE(path_.handle_answer(now_, last_));
  path_.handle_black_hole(now_);
  EXPECT_EQ(path_.packet_bytes(), kBase);
  path_.reset();
  EXPECT_EQ(path_.state(), State::kDisabled);
}

TEST(PathMtu, IsPinnedWhereItIsOff) {
  SeededRng rng(1);
  PathMtu path({.enabled = false, .min_packet_bytes = kMin, .max_packet_bytes = kJumbo}, kBase,
               rng);
  path.start();
  EXPECT_EQ(path.state(), State::kDisabled);
  EXPECT_EQ(path.probe_bytes(), 0u);
  EXPECT_EQ(path.packet_bytes(), kBase);
  EXPECT_GT(path.fallback_bytes(), kJumbo);
}

// RFC 8899 §5.1.2: MAX_PLPMTU may be any size.
TEST(PathMtu, EndsAtAMaximumThatIsNoLikelySize) {
  SeededRng rng(1);
  PathMtu path({.enabled = true, .max_packet_bytes = 1300}, kBase, rng);
  path.start();
  std::vector<std::size_t> probes;
  for (Time now{seconds(1)}; path.probe_bytes() > 0; now += kRtt) {
    probes.push_back(path.probe_bytes());
    ASSERT_TRUE(path.handle_answer(now, path.make_probe(now, kRto)));
  }
  EXPECT_EQ(probes, (std::vector<std::size_t>{kBase, 1212, 1300}));
}

// RFC 8899 §5.1.2: what the interface does not take is known at once, and the search goes on
// without waiting for a probe that never left.
TEST_F(PathMtuTest, ARefusedProbeIsGivenUpAtOnce) {
  mtu_ = kEthernet;
  start();
  ASSERT_EQ(path_.state(), State::kSearching);
  const std::size_t refused = probes_.back();
  ASSERT_GT(refused, kEthernet);
  EXPECT_FALSE(path_.handle_refused(now_, refused - 4)) << "no size that was sent";
  EXPECT_FALSE(path_.handle_refused(now_, refused)) << "nothing in use has changed";
  probe_on();
  while (path_.probe_bytes() == 0 && path_.state() == State::kSearching) {
    ASSERT_FALSE(path_.handle_refused(now_, probes_.back()));
    probe_on();
  }
  EXPECT_EQ(path_.state(), State::kSearchComplete);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  EXPECT_EQ(path_.probes_lost(), 0u);
  EXPECT_GE(path_.refused(), 1u);
}

// RFC 8899 §4.6.1: a size is lowered to what is known to pass, never below the least, and no word
// of a size that is not in use counts.
TEST_F(PathMtuTest, ARefusedPacketLowersTheSizeAtOnceAndNoFurtherThanTheLeast) {
  mtu_ = kJumbo;
  start();
  ASSERT_EQ(path_.packet_bytes(), kJumbo);
  for (const std::size_t bytes : {kJumbo + 4, std::size_t{65000}, kMin, std::size_t{100}}) {
    EXPECT_FALSE(path_.handle_refused(now_, bytes)) << bytes;
  }
  EXPECT_EQ(path_.refused(), 0u);
  mtu_ = kEthernet;
  EXPECT_TRUE(path_.handle_refused(now_, kJumbo));
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_FALSE(path_.handle_refused(now_, kJumbo)) << "of the same burst";
  probes_.clear();
  probe_on();
  for (const std::size_t probe : probes_) EXPECT_LT(probe, kJumbo);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  mtu_ = kMin;
  EXPECT_TRUE(path_.handle_refused(now_, kBase - 100));
  EXPECT_EQ(path_.packet_bytes(), kMin);
  EXPECT_EQ(path_.state(), State::kError);
  EXPECT_FALSE(path_.handle_refused(now_, kMin));
  EXPECT_EQ(path_.packet_bytes(), kMin);
}

// A peer that must not be probed is sent packets that leave at all; a pinned size stays.
TEST_F(PathMtuTest, ARefusalIsBelievedWithoutProbesToo) {
  path_.forgo();
  EXPECT_TRUE(path_.handle_refused(now_, kBase));
  EXPECT_EQ(path_.packet_bytes(), kMin);
  EXPECT_EQ(path_.probe_bytes(), 0u);
  PathMtu pinned({.enabled = false}, kBase, rng_);
  EXPECT_FALSE(pinned.handle_refused(now_, kBase));
  EXPECT_EQ(pinned.packet_bytes(), kBase);
}

constexpr std::size_t kTunnel = 1352;  // IPv4, 1420 bytes.

// RFC 8899 §4.6.2: a probe that a router has dropped is not waited for, and the next one is of the
// size that it named.
TEST_F(PathMtuTest, ARouterThatDropsAProbeNamesTheNextOne) {
  constexpr std::size_t kOdd = 1300;  // Between those that are tried by themselves.
  mtu_ = kOdd;
  start();
  ASSERT_EQ(path_.state(), State::kSearching);
  const std::size_t in_use = path_.packet_bytes();
  const std::size_t dropped = probes_.back();
  ASSERT_GT(dropped, kOdd);
  EXPECT_FALSE(path_.handle_too_big(now_, dropped, kOdd));
  EXPECT_EQ(path_.packet_bytes(), in_use) << "RFC 8899 §4.6.2: it sets no size";
  EXPECT_EQ(path_.probe_bytes(), kOdd);
  const Time before = now_;
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kOdd);
  EXPECT_EQ(now_ - before, kRtt);
  EXPECT_EQ(path_.probes_lost(), 0u);
  EXPECT_EQ(path_.hints(), 1u);
}

// RFC 8899 §4.6.2, BASE_PLPMTU <= PL_PTB_SIZE < PLPMTU: the base, and then a search.
TEST_F(PathMtuTest, ARouterThatDropsDataBringsTheSizeToTheBaseAndASearch) {
  start();
  ASSERT_EQ(path_.packet_bytes(), kJumbo);
  mtu_ = kEthernet;
  EXPECT_TRUE(path_.handle_too_big(now_, kJumbo - 1000, kEthernet));
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_FALSE(path_.handle_too_big(now_, kJumbo - 500, kEthernet)) << "of the same burst";
  EXPECT_EQ(path_.hints_ignored(), 1u);
  probes_.clear();
  probe_on();
  // The base, what the router named, and one above it, for it may be wrong.
  ASSERT_EQ(probes_.size(), 3u);
  EXPECT_EQ(probes_[0], kBase);
  EXPECT_EQ(probes_[1], kEthernet);
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
  // An old router (RFC 1191 §5) names no size.
  mtu_ = kTunnel;
  EXPECT_TRUE(path_.handle_too_big(now_, kEthernet, 0));
  probe_on();
  EXPECT_GT(path_.packet_bytes(), kBase);
  EXPECT_LE(path_.packet_bytes(), kTunnel);
}

// RFC 8899 §4.6.2, MIN_PLPMTU < PL_PTB_SIZE < BASE_PLPMTU.
TEST_F(PathMtuTest, ARouterBelowTheBaseIsBelievedWhenTheLeastHasPassedAndTheBaseHasNot) {
  start();
  constexpr std::size_t kSmall = 700;
  mtu_ = kSmall;
  EXPECT_TRUE(path_.handle_too_big(now_, kJumbo, kSmall));
  EXPECT_EQ(path_.packet_bytes(), kBase);
  probe_on();
  EXPECT_FALSE(path_.handle_too_big(now_, kBase, kSmall));
  EXPECT_EQ(path_.packet_bytes(), kBase) << "nothing smaller is known to pass";
  EXPECT_EQ(path_.state(), State::kError);
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kMin);
  EXPECT_FALSE(path_.handle_too_big(now_, kBase, kSmall));
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kSmall);
  EXPECT_EQ(path_.probes_lost(), 0u);
}

// RFC 8899 §3 (6), §4.6.2: what is inconsistent, below the least, or of a size that was not sent.
TEST_F(PathMtuTest, MakesNothingOfWordsThatCannotBeTrue) {
  start();
  ASSERT_EQ(path_.packet_bytes(), kJumbo);
  const struct {
    std::size_t bytes, limit;
  } words[] = {
      {kJumbo + 4, kEthernet},
      {65000, kEthernet},  // Larger than anything sent.
      {kJumbo, kJumbo},
      {kJumbo, kJumbo + 4},
      {kEthernet, 65000},  // No smaller limit.
      {kJumbo, kMin - 1},
      {kJumbo, 1},  // Below the least.
      {kMin, 400},
      {kMin, 0},
      {0, 0},
  };
  for (const auto& [bytes, limit] : words) {
    EXPECT_FALSE(path_.handle_too_big(now_, bytes, limit)) << bytes << ' ' << limit;
    EXPECT_EQ(path_.packet_bytes(), kJumbo);
    EXPECT_EQ(path_.state(), State::kSearchComplete);
  }
  EXPECT_EQ(path_.hints_ignored(), std::size(words));
  EXPECT_EQ(path_.hints(), 0u);
}

TEST_F(PathMtuTest, ARouterIsNotHeardWhereNothingCanBeProbed) {
  path_.forgo();
  EXPECT_FALSE(path_.handle_too_big(now_, kBase, 700));
  EXPECT_EQ(path_.packet_bytes(), kBase);
  EXPECT_EQ(path_.hints(), 0u);
}

// RFC 8899 §4.6.2, §5.3.3, §8: whoever forges routers' words gains a few round trips, and then
// nothing.
TEST_F(PathMtuTest, WordsThatProbesRefuteAreHeardThriceAndThenNotForAWhile) {
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(path_.handle_too_big(now_, kJumbo, kBase)) << i;
    EXPECT_EQ(path_.packet_bytes(), kBase);
    probe_on();
    ASSERT_EQ(path_.packet_bytes(), kJumbo) << i;
  }
  const Time since = now_;
  for (; now_ < since + PathMtu::kRaiseTimer - seconds(1); now_ += seconds(1)) {
    ASSERT_FALSE(path_.handle_too_big(now_, kJumbo, kBase));
    ASSERT_EQ(path_.packet_bytes(), kJumbo);
  }
  now_ += seconds(2);
  EXPECT_TRUE(path_.handle_too_big(now_, kJumbo, kBase));
}

// RFC 8899 §4.6.2: a word on a probe that says that less passes than is in use speaks of that.
TEST_F(PathMtuTest, ARouterThatDropsAProbeMayDoubtWhatIsInUse) {
  mtu_ = kEthernet;
  start();
  ASSERT_EQ(path_.packet_bytes(), kEthernet);
  ASSERT_GT(probes_.back(), kEthernet);
  mtu_ = kTunnel;
  EXPECT_TRUE(path_.handle_too_big(now_, probes_.back(), kTunnel));
  EXPECT_EQ(path_.packet_bytes(), kBase);
  probe_on();
  EXPECT_EQ(path_.packet_bytes(), kTunnel);
}

// RFC 8899 §5.3.3: the size named is refuted by one that passes above it, though the packet was
// too large indeed.
TEST_F(PathMtuTest, ARouterThatNamesTooSmallASizeIsFoundOut) {
  start();
  ASSERT_EQ(path_.packet_bytes(), kJumbo);
  mtu_ = kEthernet;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(path_.handle_too_big(now_, path_.packet_bytes(), kBase)) << i;
    probe_on();
    while (path_.state() == State::kSearching) expire();
    ASSERT_EQ(path_.packet_bytes(), kEthernet) << i;
  }
  EXPECT_FALSE(path_.handle_too_big(now_, kEthernet, kBase));
  EXPECT_EQ(path_.packet_bytes(), kEthernet);
}

}  // namespace
}  // namespace millrace::sctp
