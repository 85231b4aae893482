// SPDX-License-Identifier: Apache-2.0
// A peer that loses its state while set-up lasts, and comes back on other terms.
#include <gtest/gtest.h>

#include "sctp/packet/cookie_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

struct Terms {
  const char* name;
  Options before;
  Options after;
  friend void PrintTo(const Terms& terms, std::ostream* out) { *out << terms.name; }
};

Options with(bool i_data, bool forward_tsn = true, std::uint16_t streams = 100) {
  Options options;
  options.extensions.i_data = i_data;
  options.extensions.forward_tsn = forward_tsn;
  options.incoming_streams = streams;
  return options;
}

// A has sent COOKIE-ECHO, with data if it had any, to a B that is gone before A hears of it.
class Successor : public ::testing::TestWithParam<Terms> {
 protected:
  void echo(bool with_data, const Options& a = with(true)) {
    pair_.replace(kA, a);
    pair_.replace(kB, GetParam().before);
    pair_.filter = [](int end, ByteSpan packet) {
      return end == kA || !test::has_chunk(packet, ChunkType::kCookieAck);
    };
    pair_.a().connect(pair_.now());
    if (with_data) {
      ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(90), kPpidBinary, Bytes{1}), SendStatus::kOk);
    }
    pair_.drain();
    ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kConnected) == 1; }));
    pair_.replace(kB, GetParam().after);
    pair_.events(kB).clear();
    pair_.filter = nullptr;
    pair_.cut();
  }
  void expect_both_ways() {
    ASSERT_TRUE(pair_.run_until([&] { return pair_.a().is_connected(); }));
    ASSERT_TRUE(pair_.run_until([&] { return pair_.b().is_connected(); }));
    pair_.run_for(seconds(2));
    pair_.events(kB).clear();
    ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes(5000, 2)),
              SendStatus::kOk);
    ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(2), kPpidBinary, Bytes(5000, 3)),
              SendStatus::kOk);
    pair_.drain();
    pair_.run_for(seconds(5));
    for (const int end : {kA, kB}) {
      EXPECT_FALSE(pair_[end].is_closed());
      EXPECT_EQ(pair_.count(end, EventKind::kMessage), 1u);
      EXPECT_EQ(pair_.count(end, EventKind::kPeerError), 0u);
      EXPECT_TRUE(pair_[end].sender().all_acknowledged());
    }
  }

  AssociationPair pair_;
};

// RFC 9260 §5.2.4 (B), RFC 8260 §2.2.1. Seed 3281 of the hostile simulation.
TEST_P(Successor, WhoHasSentDataToThePeerBeforeIsToldOfARestart) {
  echo(true);
  pair_.b().connect(pair_.now());
  pair_.drain();
  expect_both_ways();
  EXPECT_EQ(pair_.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair_.count(kA, EventKind::kRestarted), 1u);
  EXPECT_EQ(pair_.a().stats().restarts, 1u);
}

// Nothing has been lost then, and what is queued goes out on the new terms.
TEST_P(Successor, WhoHasSentNothingGoesOn) {
  echo(false);
  ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair_.b().connect(pair_.now());
  pair_.drain();
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kMessage) == 1; }));
  expect_both_ways();
  EXPECT_EQ(pair_.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair_.count(kA, EventKind::kRestarted), 0u);
}

// RFC 9260 §5.2.6: the terms come in an INIT-ACK where the first cookie has become stale.
TEST_P(Successor, TheSameHoldsOfAnInitAckAfterAStaleCookie) {
  echo(true);
  const Bytes init = test::last_with(pair_.sent(kA), ChunkType::kInit);
  const Bytes stale{0, 3, 0, 8, 0, 0, 0, 1};
  const VerificationTag tag =
      InitChunk::parse(test::find_chunk(init, ChunkType::kInit)->bytes)->initiate_tag;
  pair_.inject(kA, make_packet(tag, ErrorChunk{stale}));
  pair_.drain();
  expect_both_ways();
  EXPECT_EQ(pair_.count(kA, EventKind::kConnected), 1u);
  EXPECT_EQ(pair_.count(kA, EventKind::kRestarted), 1u);
}

std::string name_of(const ::testing::TestParamInfo<Terms>& terms) { return terms.param.name; }

// The event says that nothing sent before it survives. Seed 1009110 of the hostile simulation.
TEST_P(Successor, WhatIsSentBeforeTheWordOfTheRestartIsLostToo) {
  echo(true);
  pair_.filter = [](int end, ByteSpan packet) {
    return end == kB || !test::has_chunk(packet, ChunkType::kCookieEcho);
  };
  const Bytes init = test::last_with(pair_.sent(kA), ChunkType::kInit);
  const Bytes stale{0, 3, 0, 8, 0, 0, 0, 1};
  const VerificationTag tag =
      InitChunk::parse(test::find_chunk(init, ChunkType::kInit)->bytes)->initiate_tag;
  pair_.sent(kA).clear();
  pair_.inject(kA, make_packet(tag, ErrorChunk{stale}));
  pair_.drain();
  ASSERT_TRUE(pair_.run_until(
      [&] { return test::count_chunks(pair_.sent(kA), ChunkType::kCookieEcho) > 0; }));
  ASSERT_EQ(pair_.count(kA, EventKind::kRestarted), 0u);
  ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{9}), SendStatus::kOk);
  pair_.filter = nullptr;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kA, EventKind::kRestarted) == 1; }));
  pair_.run_for(seconds(5));
  EXPECT_EQ(pair_.count(kB, EventKind::kMessage), 0u);
  expect_both_ways();
}

INSTANTIATE_TEST_SUITE_P(OfOtherTerms, Successor,
                         ::testing::Values(Terms{"IDataNoMore", with(true), with(false)},
                                           Terms{"IDataNow", with(false), with(true)},
                                           Terms{"NoForwardTsn", with(true), with(true, false)},
                                           Terms{"FewerStreams", with(true), with(true, true, 50)}),
                         name_of);

// On the same terms what was sent is sent again.
TEST(SuccessorOnTheSameTerms, GetsWhatWasSentToThePeerBefore) {
  AssociationPair pair;
  bool lose = true;
  pair.filter = [&](int end, ByteSpan packet) {
    return end == kA || !lose || !test::has_chunk(packet, ChunkType::kCookieAck);
  };
  pair.a().connect(pair.now());
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.count(kB, EventKind::kMessage) == 1; }));
  pair.replace(kB, {});
  pair.events(kB).clear();
  lose = false;
  pair.b().connect(pair.now());
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.count(kB, EventKind::kMessage) == 1; }));
  EXPECT_EQ(pair.count(kA, EventKind::kRestarted), 0u);
}

// RFC 9260 §5.2.4, §5.2.6: a peer that loses its state twice, whose first cookie comes back after
// the second was made: that one is for an association which is no more. Seed 5927 of the hostile
// simulation.
TEST(SuccessorOfASuccessor, IsToldThatItsCookieIsStaleAndBeginsAnew) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  std::vector<Bytes> echoes;
  bool hold = true;
  pair.filter = [&](int end, ByteSpan packet) {
    const bool held = hold && end == kA && test::has_chunk(packet, ChunkType::kCookieEcho);
    if (held) echoes.emplace_back(packet.begin(), packet.end());
    return !held;
  };
  for (const std::size_t lives : {1u, 2u}) {
    pair.replace(kA, {});
    pair.a().connect(pair.now());
    pair.drain();
    ASSERT_TRUE(pair.run_until([&] { return echoes.size() == lives; }));
  }
  hold = false;
  pair.inject(kB, echoes[0]);
  EXPECT_EQ(pair.b().stats().restarts, 1u);
  pair.inject(kB, echoes[1]);
  pair.events(kA).clear();
  pair.drain();
  ASSERT_TRUE(pair.run_until([&] { return pair.a().is_connected(); }));
  EXPECT_EQ(pair.b().stats().restarts, 2u);
  ASSERT_EQ(pair.b().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.drain();
  EXPECT_TRUE(pair.run_until([&] { return pair.count(kA, EventKind::kMessage) == 1; }));
}

}  // namespace
}  // namespace millrace::sctp
