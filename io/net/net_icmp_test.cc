// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

constexpr std::size_t kIcmp4At = 34;
constexpr std::size_t kIcmp6At = 54;

TEST(NetIcmp, AnswersEcho) {
  NetHost host(host_options(1));
  EXPECT_EQ(host.receive(kNow, hex(kEcho4)), RxVerdict::kReply);
  EXPECT_EQ(host.receive(kNow, hex(kEcho6)), RxVerdict::kReply);
  ASSERT_EQ(host.out.size(), 2u);
  EXPECT_EQ(host.out[0], hex(kOurEchoReply4));
  EXPECT_EQ(host.out[1], hex(kOurEchoReply6));
  EXPECT_EQ(host.layer().stats().rx_echo_requests, 2u);
}

TEST(NetIcmp, AnswersEchoOnAVlan) {
  NetOptions options = host_options(1);
  options.vlan = 9;
  NetHost host(options);
  EXPECT_EQ(host.receive(kNow, tagged(hex(kEcho6), 9)), RxVerdict::kReply);
  EXPECT_EQ(host.out[0], tagged(hex(kOurEchoReply6), 9));
}

TEST(NetIcmp, EchoIsBoundedByRate) {
  NetOptions options = host_options(1);
  options.echo_per_second = 10;
  NetHost host(options);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(host.receive(kNow, hex(kEcho4)), RxVerdict::kReply) << i;
  EXPECT_EQ(host.receive(kNow, hex(kEcho6)), RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxEchoLimit), 1u);
  int answered = 0;
  for (int ms = 1; ms <= 1000; ++ms) {
    answered += host.receive(kNow + milliseconds(ms), hex(kEcho4)) == RxVerdict::kReply;
  }
  EXPECT_EQ(answered, 10);
}

TEST(NetIcmp, EchoCanBeSwitchedOff) {
  NetOptions options = host_options(1);
  options.echo_per_second = 0;
  NetHost host(options);
  EXPECT_EQ(host.receive(kNow, hex(kEcho4)), RxVerdict::kDropped);
}

TEST(NetIcmp, TheLargestEchoIsAnsweredAndALargerOneIsNot) {
  NetHost host(host_options(1));
  for (const std::size_t packet : {1500u, 1501u}) {
    Bytes frame = hex(kEcho4);
    frame.resize(14 + packet, 0x55);
    store_be16(frame.data() + 16, static_cast<std::uint16_t>(packet));
    reseal(frame);
    EXPECT_EQ(host.receive(kNow, frame), packet == 1500 ? RxVerdict::kReply : RxVerdict::kDropped);
  }
  EXPECT_EQ(host.out[0].size(), 1514u);
  Bytes again = host.out[0];
  reseal(again);
  EXPECT_EQ(host.out[0], again);
  EXPECT_EQ(host.dropped(NetDrop::kRxReplyNoRoom), 1u);
}

TEST(NetIcmp, AnAnswerNeverExceedsTheBuffer) {
  NetOptions options = host_options(1);
  options.echo_per_second = 1000;
  NetHost host(options);
  std::uint64_t refused = 0;
  for (const std::string_view question : {kArpRequest, kSolicitation, kEcho4, kEcho6}) {
    for (std::size_t room = 0; room <= 128; ++room) {
      Bytes frame = hex(question);
      Bytes reply(room);  // Exactly that much, for the address sanitizer.
      RxFrame out;
      if (host.layer().handle_frame(kNow, frame, {}, reply, out) == RxVerdict::kReply) {
        ASSERT_LE(out.reply_bytes, room);
      } else {
        ASSERT_EQ(out.drop, NetDrop::kRxReplyNoRoom);
        ++refused;
      }
    }
  }
  // ARP needs 60 bytes, neighbour discovery 128; an echo of 47 is padded where there is room.
  EXPECT_EQ(refused, 60u + 128u + 47u + 67u);
}

TEST(NetIcmp, AnswersNoEchoToAGroup) {
  NetHost host(host_options(1));
  Bytes frame = hex(kEcho6);
  const Bytes group = hex(kUnsolicitedAdvertisement);
  std::copy_n(group.begin(), 6, frame.begin());
  std::copy_n(group.begin() + 38, 16, frame.begin() + 38);
  reseal(frame);
  EXPECT_EQ(host.receive(kNow, frame), RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpIgnored), 1u);
}

TEST(NetIcmp, OtherTypesAreIgnored) {
  NetHost host(host_options(1));
  for (const std::uint8_t type : Bytes{0, 3, 5, 11, 13, 17}) {
    EXPECT_EQ(host.receive(kNow, changed(kEcho4, kIcmp4At, {type})), RxVerdict::kDropped);
  }
  for (const std::uint8_t type : Bytes{1, 3, 129, 131, 133, 134, 137, 143}) {
    EXPECT_EQ(host.receive(kNow, changed(kEcho6, kIcmp6At, {type})), RxVerdict::kDropped);
  }
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpIgnored), 14u);
  EXPECT_TRUE(host.out.empty());
}

TEST(NetIcmp, AWrongChecksumIsRefusedWhateverTheDeviceSays) {
  NetHost host(host_options(1));
  const RxFlags good{.ip = Checksum::kGood, .l4 = Checksum::kGood};
  for (const std::string_view frame : {kEcho4, kEcho6, kSolicitation, kPacketTooBig}) {
    Bytes bytes = hex(frame);
    bytes.back() ^= 1;
    EXPECT_EQ(host.receive(kNow, bytes, good), RxVerdict::kDropped);
  }
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpChecksum), 4u);
}

TEST(NetIcmp, TellsOfANarrowPath) {
  NetHost host(host_options(1));
  EXPECT_EQ(host.receive(kNow, hex(kFragmentationNeeded)), RxVerdict::kPathMtu);
  EXPECT_EQ(host.last.path_mtu.mtu, 1400u);
  EXPECT_EQ(host.last.path_mtu.local, at("192.0.2.1:1000"));
  EXPECT_EQ(host.last.path_mtu.remote, at("198.51.100.7:2000"));
  EXPECT_EQ(host.last.path_mtu.bytes, 5u);
  EXPECT_EQ(host.last.path_mtu.limit, 1372u);
  EXPECT_EQ(host.last.path_mtu.payload.size(), 5u);
  EXPECT_EQ(host.receive(kNow, hex(kPacketTooBig)), RxVerdict::kPathMtu);
  EXPECT_EQ(host.last.path_mtu.mtu, 1400u);
  EXPECT_EQ(host.last.path_mtu.local, at("[2001:db8::1]:1000"));
  EXPECT_EQ(host.last.path_mtu.remote, at("[2001:db8:1::7]:2000"));
  EXPECT_EQ(host.last.path_mtu.bytes, 5u);
  EXPECT_EQ(host.last.path_mtu.limit, 1352u);
  EXPECT_EQ(host.last.path_mtu.payload.size(), 5u);
  EXPECT_EQ(host.layer().stats().rx_path_mtu, 2u);
}

// RFC 8200 §5: the least that any link carries.
TEST(NetIcmp, TheLeastMtuOfIpv6IsBelieved) {
  NetHost host(host_options(1));
  EXPECT_EQ(host.receive(kNow, changed(kPacketTooBig, kIcmp6At + 4, {0, 0, 5, 0})),
            RxVerdict::kPathMtu);
  EXPECT_EQ(host.last.path_mtu.mtu, 1280u);
}

// RFC 1191 §3: a router that is older than that says nothing of the size.
TEST(NetIcmp, AnOldRouterNamesNoMtu) {
  NetHost host(host_options(1));
  EXPECT_EQ(host.receive(kNow, changed(kFragmentationNeeded, kIcmp4At + 6, {0, 0})),
            RxVerdict::kPathMtu);
  EXPECT_EQ(host.last.path_mtu.mtu, 0u);
  EXPECT_EQ(host.last.path_mtu.limit, 0u);
}

// RFC 8899 §4.6.1.
TEST(NetIcmp, BelievesNoRouterThatQuotesWhatWeDidNotSend) {
  NetHost host(host_options(1));
  constexpr std::size_t kQuoted4 = kIcmp4At + 8;
  constexpr std::size_t kQuoted6 = kIcmp6At + 8;
  const Bytes frames[] = {
      changed(kFragmentationNeeded, kQuoted4, {0x65}),       // Version.
      changed(kFragmentationNeeded, kQuoted4, {0x46}),       // Options.
      changed(kFragmentationNeeded, kQuoted4 + 9, {6}),      // TCP.
      changed(kFragmentationNeeded, kQuoted4 + 15, {3}),     // Another's address.
      changed(kFragmentationNeeded, kQuoted4 + 6, {0, 0}),   // Without DF.
      changed(kFragmentationNeeded, kQuoted4 + 6, {0x60}),   // A fragment,
      changed(kFragmentationNeeded, kQuoted4 + 7, {1}),      // or another.
      changed(kFragmentationNeeded, kQuoted4 + 3, {32}),     // Lengths that disagree.
      changed(kFragmentationNeeded, kQuoted4 + 2, {0, 27}),  // Shorter than its headers.
      changed(kFragmentationNeeded, kQuoted4 + 25, {14}),    // UDP's length.
      changed(kFragmentationNeeded, kIcmp4At + 6, {0, 67}),  // RFC 791 §3.2: 68 at least.
      changed(kPacketTooBig, kQuoted6, {0x45}),              // Version.
      changed(kPacketTooBig, kQuoted6 + 6, {44}),            // A fragment.
      changed(kPacketTooBig, kQuoted6 + 23, {3}),            // Another's address.
      changed(kPacketTooBig, kQuoted6 + 5, {12}),            // Lengths that disagree.
      changed(kPacketTooBig, kQuoted6 + 4, {0, 7}),          // Shorter than its headers.
      // From an address of ours, and told to another: our link-local one.
      changed(kPacketTooBig, kQuoted6 + 8,
              {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1}),
      changed(kPacketTooBig, kIcmp6At + 4, {0, 0, 4, 0xff}),  // RFC 8201 §4: below 1280.
  };
  for (const Bytes& frame : frames) EXPECT_EQ(host.receive(kNow, frame), RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpMalformed), std::size(frames));
}

TEST(NetIcmp, AQuotationCutShortIsRefused) {
  NetHost host(host_options(1));
  for (const std::string_view whole : {kFragmentationNeeded, kPacketTooBig}) {
    const bool v4 = whole == kFragmentationNeeded;
    const std::size_t ip = v4 ? 20 : 40;
    for (std::size_t quoted = 0; quoted < ip + 8; ++quoted) {
      Bytes frame = hex(whole);
      frame.resize(14 + ip + 8 + quoted);
      const std::size_t length = v4 ? ip + 8 + quoted : 8 + quoted;
      store_be16(frame.data() + (v4 ? 16 : 18), static_cast<std::uint16_t>(length));
      reseal(frame);
      ASSERT_EQ(host.receive(kNow, frame), RxVerdict::kDropped) << quoted;
    }
  }
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpMalformed), 28u + 48u);
}

TEST(NetIcmp, RoutersWordsAreBoundedByRate) {
  NetOptions options = host_options(1);
  options.path_mtu_per_second = 10;
  NetHost host(options);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(host.receive(kNow, hex(kFragmentationNeeded)), RxVerdict::kPathMtu) << i;
  }
  EXPECT_EQ(host.receive(kNow, hex(kPacketTooBig)), RxVerdict::kDropped);
  EXPECT_EQ(host.dropped(NetDrop::kRxPathMtuLimit), 1u);
  EXPECT_FALSE(host.last.concerns_all) << "other layers need not drop it, too";
  // A copy of one that another layer has let through.
  EXPECT_EQ(host.receive(kNow, hex(kPacketTooBig), {.second_hand = true}), RxVerdict::kPathMtu);
  EXPECT_EQ(host.receive(kNow + milliseconds(100), hex(kPacketTooBig)), RxVerdict::kPathMtu);
}

// RFC 792 quotes the header and eight bytes.
TEST(NetIcmp, TheShortestQuotationIsEnough) {
  NetHost host(host_options(1));
  for (const std::string_view whole : {kFragmentationNeeded, kPacketTooBig}) {
    const bool v4 = whole == kFragmentationNeeded;
    const std::size_t message = 8 + (v4 ? 20u : 40u) + 8;
    Bytes frame = hex(whole);
    frame.resize((v4 ? kIcmp4At : kIcmp6At) + message);
    store_be16(frame.data() + (v4 ? 16 : 18), static_cast<std::uint16_t>(message + (v4 ? 20 : 0)));
    reseal(frame);
    EXPECT_EQ(host.receive(kNow, frame), RxVerdict::kPathMtu);
    EXPECT_EQ(host.last.path_mtu.remote.port, 2000);
  }
}

TEST(NetIcmp, AnEchoWithoutDataIsAnswered) {
  NetHost host(host_options(1));
  Bytes four = hex(kEcho4);
  four.resize(kIcmp4At + 8);
  store_be16(four.data() + 16, 28);
  reseal(four);
  Bytes six = hex(kEcho6);
  six.resize(kIcmp6At + 8);
  store_be16(six.data() + 18, 8);
  reseal(six);
  EXPECT_EQ(host.receive(kNow, four), RxVerdict::kReply);
  EXPECT_EQ(host.receive(kNow, six), RxVerdict::kReply);
}

TEST(NetIcmp, AMessageCutShortIsRefused) {
  NetHost host(host_options(1));
  for (std::size_t bytes = 0; bytes < 8; ++bytes) {
    Bytes four = hex(kEcho4);
    four.resize(kIcmp4At + bytes);
    store_be16(four.data() + 16, static_cast<std::uint16_t>(20 + bytes));
    reseal(four);
    Bytes six = hex(kEcho6);
    six.resize(kIcmp6At + bytes);
    store_be16(six.data() + 18, static_cast<std::uint16_t>(bytes));
    reseal(six);
    EXPECT_EQ(host.receive(kNow, four), RxVerdict::kDropped);
    EXPECT_EQ(host.receive(kNow, six), RxVerdict::kDropped);
  }
  EXPECT_EQ(host.dropped(NetDrop::kRxIcmpMalformed), 16u);
}

}  // namespace
}  // namespace millrace::io
