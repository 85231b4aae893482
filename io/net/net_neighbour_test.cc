// SPDX-License-Identifier: Apache-2.0
// ARP and neighbour discovery, as frames.
#include <gtest/gtest.h>

#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;
using State = NeighbourState;

const Address kOur4 = at("192.0.2.1:1000");
const Address kPeer4 = at("192.0.2.2:2000");
const Address kOur6 = at("[2001:db8::1]:1000");
const Address kPeer6 = at("[2001:db8::2]:2000");

constexpr std::size_t kArpAt = 14;
constexpr std::size_t kNdAt = 54;
constexpr std::size_t kNdHopLimitAt = 14 + 7;
constexpr std::size_t kOptionAt = kNdAt + 24;

// A neighbour discovery frame with other options.
Bytes with_options(std::string_view frame, const Bytes& options) {
  Bytes out = hex(frame);
  out.resize(kOptionAt);
  out.insert(out.end(), options.begin(), options.end());
  store_be16(&out[18], static_cast<std::uint16_t>(24 + options.size()));
  reseal(out);
  return out;
}

class NetNeighbour : public testing::Test {
 protected:
  // Sends to both of the peer's addresses; the questions are left in `out`.
  void ask() {
    host_.send(kNow, kOur4, kPeer4, text_bytes("hello"), 2);
    host_.send(kNow, kOur6, kPeer6, text_bytes("hello"), 0xba);
  }
  void know_peer() {
    ask();
    host_.receive(kNow, hex(kArpReply));
    host_.receive(kNow, hex(kAdvertisement));
    host_.out.clear();
    ASSERT_EQ(state(kPeer4), State::kReachable);
    ASSERT_EQ(state(kPeer6), State::kReachable);
  }
  bool drops(const Bytes& frame, NetDrop reason) {
    const std::uint64_t before = host_.dropped(reason);
    return host_.receive(kNow, frame) == RxVerdict::kDropped && host_.last.drop == reason &&
           host_.dropped(reason) == before + 1 && host_.out.empty();
  }
  State state(const Address& address) { return host_.layer().neighbour_state(address.ip); }

  NetHost host_{host_options(1), 1, kNow};
};

TEST_F(NetNeighbour, AsksAsAnotherImplementationDoes) {
  ask();
  ASSERT_EQ(host_.out.size(), 2u);
  EXPECT_EQ(host_.out[0], hex(kOurArpRequest));
  EXPECT_EQ(host_.out[1], hex(kOurSolicitation));
  EXPECT_EQ(host_.layer().stats().tx_solicitations, 2u);
}

TEST_F(NetNeighbour, SendsWhatWaitedOnceAnswered) {
  ask();
  host_.out.clear();
  EXPECT_EQ(host_.receive(kNow, hex(kArpReply)), RxVerdict::kHandled);
  EXPECT_EQ(host_.receive(kNow, hex(kAdvertisement)), RxVerdict::kHandled);
  ASSERT_EQ(host_.out.size(), 2u);
  EXPECT_EQ(host_.out[0], hex(kOurUdp4));
  EXPECT_EQ(host_.out[1], hex(kOurUdp6));
  EXPECT_EQ(host_.layer().stats().rx_arp, 1u);
  EXPECT_EQ(host_.layer().stats().rx_nd, 1u);
}

TEST_F(NetNeighbour, AnswersAsAnotherImplementationDoes) {
  for (const std::string_view question : {kArpRequest, kSolicitation, kDuplicateProbe}) {
    EXPECT_EQ(host_.receive(kNow, hex(question)), RxVerdict::kReply);
  }
  ASSERT_EQ(host_.out.size(), 3u);
  EXPECT_EQ(host_.out[0], hex(kOurArpReply));
  EXPECT_EQ(host_.out[1], hex(kOurAdvertisement));
  EXPECT_EQ(host_.out[2], hex(kOurAdvertisementToAll));
  EXPECT_EQ(host_.layer().stats().tx_answers, 3u);
  // Whoever asks does not get into the table by that.
  EXPECT_EQ(state(kPeer4), State::kNone);
  EXPECT_EQ(state(kPeer6), State::kNone);
}

TEST_F(NetNeighbour, AnswersAProbeWithoutASender) {
  EXPECT_EQ(host_.receive(kNow, hex(kArpProbe)), RxVerdict::kReply);
  ASSERT_EQ(host_.out.size(), 1u);
  EXPECT_EQ(load_be16(&host_.out[0][kArpAt + 6]), 2);
  EXPECT_EQ(load_be32(&host_.out[0][kArpAt + 24]), 0u);
}

TEST_F(NetNeighbour, AnswersWithoutTheAskersOption) {
  EXPECT_EQ(host_.receive(kNow, with_options(kSolicitation, {})), RxVerdict::kReply);
  EXPECT_EQ(host_.out[0], hex(kOurAdvertisement));
}

TEST_F(NetNeighbour, AnswersForOurOwnAddressesOnly) {
  EXPECT_TRUE(drops(changed(kArpRequest, kArpAt + 27, {3}), NetDrop::kRxArpNotForUs));
  EXPECT_TRUE(drops(changed(kArpProbe, kArpAt + 27, {3}), NetDrop::kRxArpNotForUs));
  EXPECT_TRUE(drops(changed(kSolicitation, kNdAt + 23, {3}), NetDrop::kRxNdNotForUs));
  EXPECT_TRUE(drops(changed(kArpAnnouncement, 0, {}), NetDrop::kRxArpNotForUs));
}

TEST_F(NetNeighbour, ASecondHandFrameIsLearntFromAndNotAnswered) {
  const RxFlags second{.second_hand = true};
  for (const std::string_view question : {kArpRequest, kSolicitation, kDuplicateProbe, kEcho4}) {
    EXPECT_EQ(host_.receive(kNow, hex(question), second), RxVerdict::kHandled);
  }
  EXPECT_TRUE(host_.out.empty());
  ask();
  EXPECT_EQ(host_.receive(kNow, hex(kArpReply), second), RxVerdict::kHandled);
  EXPECT_EQ(state(kPeer4), State::kReachable);
}

TEST_F(NetNeighbour, AnswersThatNobodyAskedForAreDropped) {
  EXPECT_TRUE(drops(hex(kArpReply), NetDrop::kRxUnknownNeighbour));
  EXPECT_TRUE(host_.last.concerns_all);  // Another layer may have asked.
  EXPECT_TRUE(drops(hex(kAdvertisement), NetDrop::kRxUnknownNeighbour));
  EXPECT_TRUE(drops(hex(kUnsolicitedAdvertisement), NetDrop::kRxUnknownNeighbour));
  EXPECT_EQ(state(kPeer4), State::kNone);
}

TEST_F(NetNeighbour, WhatStrangersTellEachOtherConcernsNoOtherLayer) {
  Bytes request = hex(kArpRequest);
  request[kArpAt + 27] = 77;  // For another host.
  EXPECT_TRUE(drops(request, NetDrop::kRxArpNotForUs));
  EXPECT_FALSE(host_.last.concerns_all);
  EXPECT_TRUE(drops(changed(kSolicitation, kNdAt + 23, {77}), NetDrop::kRxNdNotForUs));
  EXPECT_FALSE(host_.last.concerns_all);
  EXPECT_TRUE(drops(hex(kUnsolicitedAdvertisement), NetDrop::kRxUnknownNeighbour));
  EXPECT_FALSE(host_.last.concerns_all);
  // Of one that is asked for it does, whoever it speaks to.
  ask();
  EXPECT_EQ(host_.receive(kNow, request), RxVerdict::kHandled);
  EXPECT_TRUE(host_.last.concerns_all);
}

TEST_F(NetNeighbour, AnswersAreBoundedByRate) {
  NetOptions options = host_options(1);
  options.answers_per_second = 10;
  NetHost host(options);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(host.receive(kNow, hex(i % 2 == 0 ? kArpRequest : kSolicitation)), RxVerdict::kReply);
  }
  for (const std::string_view question : {kArpRequest, kSolicitation}) {
    EXPECT_EQ(host.receive(kNow, hex(question)), RxVerdict::kDropped);
    EXPECT_FALSE(host.last.concerns_all);
  }
  EXPECT_EQ(host.dropped(NetDrop::kRxAnswerLimit), 2u);
  int answered = 0;
  for (int ms = 1; ms <= 1000; ++ms) {
    answered += host.receive(kNow + milliseconds(ms), hex(kArpRequest)) == RxVerdict::kReply;
  }
  EXPECT_EQ(answered, 10);
}

TEST_F(NetNeighbour, AFloodOfAnswersFillsNothing) {
  SeededRng rng(6);
  for (int i = 0; i < 5000; ++i) {
    Bytes four = hex(kArpReply);
    store_be16(&four[kArpAt + 16], static_cast<std::uint16_t>(0x0202 + rng.below(200)));
    Bytes six = hex(kAdvertisement);
    rng.fill(std::span(six).subspan(kNdAt + 16, 8));
    reseal(six);
    EXPECT_EQ(host_.receive(kNow, four), RxVerdict::kDropped);
    EXPECT_EQ(host_.receive(kNow, six), RxVerdict::kDropped);
  }
  EXPECT_EQ(host_.dropped(NetDrop::kRxUnknownNeighbour), 10000u);
  EXPECT_EQ(host_.layer().next_timeout(), kNever);
}

// RFC 4861 §7.2.5 and RFC 826: an announcement moves a neighbour that we know.
TEST_F(NetNeighbour, AnAnnouncementMovesAKnownNeighbour) {
  know_peer();
  const Bytes moved = hex("02000000000a");
  EXPECT_EQ(host_.receive(kNow, changed(kArpAnnouncement, kArpAt + 8, moved)), RxVerdict::kHandled);
  EXPECT_EQ(host_.receive(kNow, changed(kUnsolicitedAdvertisement, kOptionAt + 2, moved)),
            RxVerdict::kHandled);
  EXPECT_EQ(state(kPeer4), State::kStale);
  EXPECT_EQ(state(kPeer6), State::kStale);
  // What is sent goes there, and a question with it.
  for (const Address& peer : {kPeer4, kPeer6}) {
    host_.out.clear();
    EXPECT_TRUE(host_.send(kNow, peer.ip.is_v4() ? kOur4 : kOur6, peer, text_bytes("x")));
    ASSERT_EQ(host_.out.size(), 2u);
    EXPECT_TRUE(std::equal(moved.begin(), moved.end(), host_.out[0].begin()));
    EXPECT_TRUE(std::equal(moved.begin(), moved.end(), host_.out[1].begin()));
    EXPECT_EQ(state(peer), State::kProbe);
  }
}

TEST_F(NetNeighbour, APoisonersSecondMoveIsNotFollowed) {
  know_peer();
  EXPECT_EQ(host_.receive(kNow, changed(kArpReply, kArpAt + 8, hex("02000000000a"))),
            RxVerdict::kHandled);
  EXPECT_TRUE(
      drops(changed(kArpReply, kArpAt + 8, hex("02000000000b")), NetDrop::kRxNeighbourFlap));
}

TEST_F(NetNeighbour, AnAdvertisementWithoutItsOptionConfirmsWhatIsKnown) {
  ask();
  host_.out.clear();
  EXPECT_TRUE(drops(with_options(kAdvertisement, {}), NetDrop::kRxUnknownNeighbour));
  EXPECT_EQ(host_.receive(kNow, hex(kAdvertisement)), RxVerdict::kHandled);
  host_.turn(kNow + seconds(46));
  ASSERT_EQ(state(kPeer6), State::kStale);
  host_.send(kNow + seconds(46), kOur6, kPeer6, text_bytes("x"));
  EXPECT_EQ(host_.receive(kNow + seconds(46), with_options(kAdvertisement, {})),
            RxVerdict::kHandled);
  EXPECT_EQ(state(kPeer6), State::kReachable);
}

TEST_F(NetNeighbour, AnotherStationWithOurAddressIsCounted) {
  EXPECT_TRUE(drops(changed(kArpAnnouncement, kArpAt + 17, {1}), NetDrop::kRxNeighbourConflict));
  EXPECT_TRUE(
      drops(changed(kUnsolicitedAdvertisement, kNdAt + 23, {1}), NetDrop::kRxNeighbourConflict));
  EXPECT_EQ(host_.layer().stats().rx_address_conflicts, 2u);
}

// RFC 826.
TEST_F(NetNeighbour, MalformedArpIsRefused) {
  ask();
  host_.out.clear();
  const Bytes frames[] = {
      changed(kArpReply, kArpAt, {0, 6}),            // Hardware.
      changed(kArpReply, kArpAt + 2, {0x86, 0xdd}),  // Protocol.
      changed(kArpReply, kArpAt + 4, {8}),           // Lengths.
      changed(kArpReply, kArpAt + 5, {16}),
      changed(kArpReply, kArpAt + 6, {0, 0}),  // Operations.
      changed(kArpReply, kArpAt + 6, {0, 3}),
      changed(kArpReply, kArpAt + 8, hex("ffffffffffff")),  // Senders that are none.
      changed(kArpReply, kArpAt + 8, hex("000000000000")),
      changed(kArpReply, kArpAt + 8, hex("01005e000001")),
      changed(kArpReply, kArpAt + 14, hex("e0000001")),
      changed(kArpReply, kArpAt + 14, hex("ffffffff")),
      changed(kArpReply, kArpAt + 14, hex("c00002ff")),
      changed(kArpReply, kArpAt + 14, hex("7f000001")),
      changed(kArpReply, kArpAt + 14, hex("00000000")),
  };
  for (const Bytes& frame : frames) {
    EXPECT_TRUE(drops(frame, NetDrop::kRxArpMalformed)) << &frame - frames;
  }
  EXPECT_EQ(state(kPeer4), State::kIncomplete);
}

// RFC 4861 §7.1.1, §7.1.2.
TEST_F(NetNeighbour, MalformedDiscoveryIsRefused) {
  ask();
  host_.out.clear();
  const std::string_view kBoth[] = {kSolicitation, kAdvertisement};
  for (const std::string_view frame : kBoth) {
    EXPECT_TRUE(drops(changed(frame, kNdHopLimitAt, {254}), NetDrop::kRxNdMalformed));
    EXPECT_TRUE(drops(changed(frame, kNdAt + 1, {1}), NetDrop::kRxNdMalformed));
    EXPECT_TRUE(drops(changed(frame, kNdAt + 8, {0xff}), NetDrop::kRxNdMalformed));
    const std::uint8_t type = frame == kSolicitation ? 1 : 2;
    const Bytes options[] = {
        {type, 0, 2, 0, 0, 0, 0, 2},                          // Of no length: read for ever.
        {7, 0},                                               // The same, of another type.
        {type},                                               // Cut short.
        {type, 1, 2, 0, 0, 0, 0},                             // Beyond the end.
        {type, 1, 2, 0, 0, 0, 0, 2, 9, 2, 0, 0},              // The next one is.
        {type, 2, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},  // No Ethernet address.
        {type, 1, 3, 0, 0, 0, 0, 2},                          // A group's.
        {type, 1, 0, 0, 0, 0, 0, 0},
    };
    for (const Bytes& option : options) {
      EXPECT_TRUE(drops(with_options(frame, option), NetDrop::kRxNdMalformed))
          << int{type} << " " << &option - options;
    }
    // Options that are not known are skipped, whatever their length.
    Bytes odd(8 * 5, 0);
    odd[0] = 14;
    odd[1] = 5;
    odd.insert(odd.end(), {type, 1, 2, 0, 0, 0, 0, 2});
    EXPECT_NE(host_.receive(kNow, with_options(frame, odd)), RxVerdict::kDropped);
    host_.out.clear();
  }
  // A probe for a duplicate names no address and goes to the group.
  EXPECT_TRUE(
      drops(with_options(kDuplicateProbe, {1, 1, 2, 0, 0, 0, 0, 2}), NetDrop::kRxNdMalformed));
  Bytes direct = hex(kDuplicateProbe);
  std::copy_n(hex(kEcho6).begin(), 6, direct.begin());
  const Bytes echo = hex(kEcho6);
  std::copy_n(echo.begin() + 38, 16, direct.begin() + 38);
  reseal(direct);
  EXPECT_TRUE(drops(direct, NetDrop::kRxNdMalformed));
  // What all may hear is no answer to one, and comes from somebody.
  EXPECT_TRUE(
      drops(changed(kUnsolicitedAdvertisement, kNdAt + 4, {0x60}), NetDrop::kRxNdMalformed));
  EXPECT_TRUE(drops(changed(kAdvertisement, 22, Bytes(16, 0)), NetDrop::kRxNdMalformed));
  EXPECT_EQ(state(kPeer6), State::kReachable);  // By the one with odd options.
}

TEST_F(NetNeighbour, MessagesOfDiscoveryCutShortAreRefused) {
  for (const std::string_view frame : {kSolicitation, kAdvertisement}) {
    for (std::size_t bytes = 8; bytes < 24; ++bytes) {
      Bytes cut = hex(frame);
      cut.resize(kNdAt + bytes);
      store_be16(&cut[18], static_cast<std::uint16_t>(bytes));
      reseal(cut);
      EXPECT_TRUE(drops(cut, NetDrop::kRxNdMalformed)) << bytes;
    }
  }
}

TEST(NetAnnouncement, EveryAddressIsAnnouncedOnce) {
  NetOptions options = host_options(1);
  options.announces = true;
  NetHost host(options);
  host.turn(Time{});
  ASSERT_EQ(host.out.size(), 5u);  // The link-local address too, and two reports.
  EXPECT_EQ(host.out[0], hex(kOurArpAnnouncement));
  EXPECT_EQ(host.out[1], hex(kOurAdvertisementToAll));
  EXPECT_EQ(load_ipv6(&host.out[2][22]), ip("fe80::ff:fe00:1"));
  host.out.clear();
  host.turn(Time{});
  EXPECT_TRUE(host.out.empty());
  host.layer().announce();
  host.turn(Time{});
  EXPECT_EQ(host.out.size(), 5u);
}

}  // namespace
}  // namespace millrace::io
