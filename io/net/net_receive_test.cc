// SPDX-License-Identifier: Apache-2.0
// Ethernet, IPv4, IPv6 and UDP on the way in.
#include <gtest/gtest.h>

#include <map>

#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

constexpr std::size_t kIpAt = 14;
constexpr std::size_t kUdp4At = 34;
constexpr std::size_t kUdp6At = 54;

struct Kind {
  const char* name;
  std::string_view frame;
  RxVerdict verdict;
  std::size_t bytes;  // Without padding.
};
constexpr Kind kKinds[] = {
    {"Udp4", kUdp4, RxVerdict::kDatagram, 47},
    {"Udp4Options", kUdp4Options, RxVerdict::kDatagram, 55},
    {"Udp4NoChecksum", kUdp4NoChecksum, RxVerdict::kDatagram, 47},
    {"Udp6", kUdp6, RxVerdict::kDatagram, 67},
    {"Udp6Options", kUdp6Options, RxVerdict::kDatagram, 91},
    {"ArpRequest", kArpRequest, RxVerdict::kReply, 42},
    {"ArpReply", kArpReply, RxVerdict::kHandled, 42},
    {"ArpProbe", kArpProbe, RxVerdict::kReply, 42},
    {"ArpAnnouncement", kArpAnnouncement, RxVerdict::kHandled, 42},
    {"Solicitation", kSolicitation, RxVerdict::kReply, 86},
    {"DuplicateProbe", kDuplicateProbe, RxVerdict::kReply, 78},
    {"Advertisement", kAdvertisement, RxVerdict::kHandled, 86},
    {"UnsolicitedAdvertisement", kUnsolicitedAdvertisement, RxVerdict::kHandled, 86},
    {"Echo4", kEcho4, RxVerdict::kReply, 47},
    {"Echo6", kEcho6, RxVerdict::kReply, 67},
    {"FragmentationNeeded", kFragmentationNeeded, RxVerdict::kPathMtu, 75},
    {"PacketTooBig", kPacketTooBig, RxVerdict::kPathMtu, 115},
    {"ListenerQuery", kListenerQuery, RxVerdict::kHandled, 90},
    {"ListenerQueryForGroup", kListenerQueryForGroup, RxVerdict::kHandled, 90},
};

// A host that has asked for its peer, so that answers mean something.
class Receiver : public NetHost {
 public:
  explicit Receiver(const NetOptions& options = host_options(1)) : NetHost(options, 1, kNow) {
    send(kNow, at("192.0.2.1:1"), at("192.0.2.2:1"), text_bytes("x"));
    send(kNow, at("[2001:db8::1]:1"), at("[2001:db8::2]:1"), text_bytes("x"));
    out.clear();
  }
  // True if the frame is dropped for that reason.
  bool drops(const Bytes& frame, NetDrop reason, RxFlags flags = {}) {
    const std::uint64_t before = dropped(reason);
    return receive(kNow, frame, flags) == RxVerdict::kDropped && last.drop == reason &&
           dropped(reason) == before + 1;
  }
};

// An IPv6 packet with `headers` between it and UDP, of which the first is of the type `next`.
Bytes with_headers(std::uint8_t next, const Bytes& headers) {
  Bytes frame = hex(kUdp6);
  frame[kIpAt + 6] = next;
  frame.insert(frame.begin() + kUdp6At, headers.begin(), headers.end());
  store_be16(&frame[kIpAt + 4], static_cast<std::uint16_t>(13 + headers.size()));
  return frame;
}

class NetReceiveKind : public testing::TestWithParam<Kind> {};

TEST_P(NetReceiveKind, IsTakenAsWhatItIs) {
  Receiver host;
  EXPECT_EQ(host.receive(kNow, hex(GetParam().frame)), GetParam().verdict);
  EXPECT_EQ(host.layer().stats().drops, decltype(NetStats::drops){});
  const bool tells =
      GetParam().frame != kArpProbe && GetParam().frame != kDuplicateProbe &&
      (std::string_view(GetParam().name).substr(0, 3) == "Arp" ||
       GetParam().frame == kSolicitation || GetParam().frame == kAdvertisement ||
       GetParam().frame == kUnsolicitedAdvertisement || GetParam().verdict == RxVerdict::kPathMtu);
  EXPECT_EQ(host.last.concerns_all, tells);
}

TEST_P(NetReceiveKind, EveryTruncationIsDropped) {
  Receiver host;
  const Bytes whole = hex(GetParam().frame);
  for (std::size_t n = 0; n < GetParam().bytes; ++n) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    ASSERT_TRUE(host.drops(cut, NetDrop::kRxTruncated)) << n;
  }
  NetOptions options = host_options(1);
  options.vlan = 7;
  Receiver inside(options);
  const Bytes with_tag = tagged(whole, 7);
  for (std::size_t n = 0; n < GetParam().bytes + 4; ++n) {
    const Bytes cut(with_tag.begin(), with_tag.begin() + static_cast<std::ptrdiff_t>(n));
    ASSERT_TRUE(inside.drops(cut, NetDrop::kRxTruncated)) << n;
  }
  // What follows is padding.
  Bytes padded = whole;
  padded.resize(whole.size() + 30, 0xee);
  EXPECT_EQ(host.receive(kNow, padded), GetParam().verdict);
}

TEST_P(NetReceiveKind, EveryTruncationWithLengthsToMatchIsReadSafely) {
  Receiver host;
  const Bytes whole = hex(GetParam().frame);
  const std::uint16_t type = load_be16(&whole[12]);
  for (std::size_t n = type == 0x0800 ? 34 : 54; n < GetParam().bytes; ++n) {
    if (type == 0x0806) break;
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    if (type == 0x0800) store_be16(&cut[16], static_cast<std::uint16_t>(n - 14));
    if (type == 0x86dd) store_be16(&cut[18], static_cast<std::uint16_t>(n - 54));
    reseal(cut);
    const RxVerdict verdict = host.receive(kNow, cut);
    // An echo and a quotation may have many lengths, and a solicitation no option.
    const bool fine = verdict == GetParam().verdict &&
                      (verdict == RxVerdict::kReply || verdict == RxVerdict::kPathMtu);
    // An old query (RFC 2710) is shorter.
    const bool plain = verdict == RxVerdict::kHandled && (n == 78 || n >= 86);
    ASSERT_TRUE(verdict == RxVerdict::kDropped || fine || plain) << n;
  }
  EXPECT_TRUE(host.datagrams.empty());
}

// Whatever one bit does, a datagram that comes through is the one that was sent.
TEST_P(NetReceiveKind, NoFlippedBitGetsAWrongDatagramThrough) {
  const Bytes whole = hex(GetParam().frame);
  for (std::size_t bit = 0; bit < 8 * GetParam().bytes; ++bit) {
    Receiver host;
    Bytes frame = whole;
    frame[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ (1u << bit % 8));
    host.receive(kNow, frame);
    if (GetParam().frame == kUdp4NoChecksum && bit >= 8 * kUdp4At) continue;
    for (const NetHost::Datagram& one : host.datagrams) {
      ASSERT_EQ(one.payload, text_bytes("hello")) << bit;
      ASSERT_EQ(one.source.port, 2000) << bit;
      ASSERT_EQ(one.local.port, 1000) << bit;
      ASSERT_TRUE(one.source.ip == ip("192.0.2.2") || one.source.ip == ip("2001:db8::2")) << bit;
    }
    ASSERT_FALSE(bit >= 8 * kIpAt && GetParam().frame == kUdp4 && !host.datagrams.empty()) << bit;
  }
}

TEST_P(NetReceiveKind, OfAnotherVlanIsDropped) {
  const Bytes frame = hex(GetParam().frame);
  Receiver plain;
  EXPECT_TRUE(plain.drops(tagged(frame, 7), NetDrop::kRxVlan));
  EXPECT_TRUE(plain.drops(frame, NetDrop::kRxVlan, {.stripped_vlan = 7}));
  // Priority alone is no VLAN.
  EXPECT_EQ(plain.receive(kNow, tagged(frame, 0x6000)), GetParam().verdict);
  EXPECT_EQ(plain.receive(kNow, frame, {.stripped_vlan = 0x6000}), GetParam().verdict);
  NetOptions options = host_options(1);
  options.vlan = 7;
  Receiver inside(options);
  EXPECT_TRUE(inside.drops(frame, NetDrop::kRxVlan));
  EXPECT_TRUE(inside.drops(tagged(frame, 8), NetDrop::kRxVlan));
  EXPECT_TRUE(inside.drops(tagged(frame, 0x6000), NetDrop::kRxVlan));
  EXPECT_TRUE(inside.drops(tagged(frame, 7), NetDrop::kRxVlan, {.stripped_vlan = 7}));
  EXPECT_TRUE(inside.drops(tagged(tagged(frame, 7), 7), NetDrop::kRxEtherType));
  EXPECT_EQ(inside.receive(kNow, tagged(frame, 0x6007)), GetParam().verdict);
  EXPECT_EQ(inside.receive(kNow, frame, {.stripped_vlan = 7}), GetParam().verdict);
}

TEST_P(NetReceiveKind, FromAGroupOrToAnotherStationIsDropped) {
  Receiver host;
  Bytes frame = hex(GetParam().frame);
  frame[6] = 0x03;
  EXPECT_TRUE(host.drops(frame, NetDrop::kRxMartian));
  std::fill_n(frame.begin() + 6, 6, std::uint8_t{0});
  EXPECT_TRUE(host.drops(frame, NetDrop::kRxMartian));
  frame = hex(GetParam().frame);
  const Bytes other = hex("020000000009");
  std::copy(other.begin(), other.end(), frame.begin());
  EXPECT_TRUE(host.drops(frame, NetDrop::kRxNotOurMac));
  const Bytes group = hex("01005e000001");
  std::copy(group.begin(), group.end(), frame.begin());
  EXPECT_TRUE(host.drops(frame, NetDrop::kRxNotOurMac));
}

INSTANTIATE_TEST_SUITE_P(Frames, NetReceiveKind, testing::ValuesIn(kKinds),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(NetReceive, ReadsTheWholeDatagram) {
  Receiver host;
  for (const std::string_view frame : {kUdp4, kUdp6, kUdp4Options, kUdp6Options}) {
    ASSERT_EQ(host.receive(kNow, hex(frame)), RxVerdict::kDatagram);
  }
  ASSERT_EQ(host.datagrams.size(), 4u);
  EXPECT_EQ(host.datagrams[0].source, at("192.0.2.2:2000"));
  EXPECT_EQ(host.datagrams[0].local, at("192.0.2.1:1000"));
  EXPECT_EQ(host.datagrams[0].tos, 1);
  EXPECT_EQ(host.datagrams[1].source, at("[2001:db8::2]:2000"));
  EXPECT_EQ(host.datagrams[1].local, at("[2001:db8::1]:1000"));
  EXPECT_EQ(host.datagrams[1].tos, 0xb9);
  for (const NetHost::Datagram& one : host.datagrams) EXPECT_EQ(one.payload, text_bytes("hello"));
  EXPECT_EQ(host.layer().stats().rx_datagrams, 4u);
}

TEST(NetReceive, ThePayloadIsAViewIntoTheFrame) {
  Receiver host;
  Bytes frame = hex(kUdp4);
  RxFrame out;
  ASSERT_EQ(host.layer().handle_frame(kNow, frame, {}, {}, out), RxVerdict::kDatagram);
  EXPECT_EQ(out.payload.data(), frame.data() + 42);
  EXPECT_EQ(out.payload.size(), 5u);
}

TEST(NetReceive, TheDevicesWordOnChecksumsCounts) {
  Receiver host;
  for (const std::string_view kind : {kUdp4, kUdp6}) {
    const bool v4 = kind == kUdp4;
    Bytes broken = hex(kind);
    broken.back() ^= 1;
    EXPECT_TRUE(host.drops(broken, NetDrop::kRxUdpChecksum));
    EXPECT_EQ(host.receive(kNow, broken, {.l4 = Checksum::kGood}), RxVerdict::kDatagram);
    EXPECT_TRUE(host.drops(hex(kind), NetDrop::kRxUdpChecksum, {.l4 = Checksum::kBad}));
    if (!v4) continue;
    broken = hex(kind);
    broken[kIpAt + 8] ^= 1;
    EXPECT_TRUE(host.drops(broken, NetDrop::kRxIpChecksum));
    EXPECT_EQ(host.receive(kNow, broken, {.ip = Checksum::kGood}), RxVerdict::kDatagram);
    EXPECT_TRUE(host.drops(hex(kind), NetDrop::kRxIpChecksum, {.ip = Checksum::kBad}));
  }
}

// The pseudo-header's words, summed one by one.
std::uint16_t pseudo_header_field(const Bytes& frame, std::size_t addresses, std::size_t bytes,
                                  std::uint16_t udp_bytes) {
  std::uint32_t sum = 17u + udp_bytes;
  for (std::size_t i = 0; i < bytes; i += 2) sum += load_be16(&frame[addresses + i]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

TEST(NetReceive, AChecksumThatWasNeverFinishedIsTakenOfAFrameThatMetNoWire) {
  Receiver host;
  for (const std::string_view kind : {kUdp4, kUdp6}) {
    const bool v4 = kind == kUdp4;
    const std::size_t udp = v4 ? kIpAt + 20 : kUdp6At;
    const std::size_t addresses = v4 ? kIpAt + 12 : kIpAt + 8;
    const RxFlags unfinished{.l4 = Checksum::kUnfinished};
    Bytes frame = hex(kind);
    EXPECT_EQ(host.receive(kNow, frame, unfinished), RxVerdict::kDatagram);
    store_be16(&frame[udp + 6],
               pseudo_header_field(frame, addresses, v4 ? 8 : 32, load_be16(&frame[udp + 4])));
    EXPECT_EQ(host.receive(kNow, frame, unfinished), RxVerdict::kDatagram);
    EXPECT_TRUE(host.drops(frame, NetDrop::kRxUdpChecksum));
    // Neither the one nor the other.
    frame[udp + 7] ^= 1;
    EXPECT_TRUE(host.drops(frame, NetDrop::kRxUdpChecksum, unfinished));
    Bytes broken = hex(kind);
    broken.back() ^= 1;
    EXPECT_TRUE(host.drops(broken, NetDrop::kRxUdpChecksum, unfinished));
    if (!v4) continue;
    const RxFlags ip_unfinished{.ip = Checksum::kUnfinished};
    EXPECT_EQ(host.receive(kNow, hex(kind), ip_unfinished), RxVerdict::kDatagram);
    broken = hex(kind);
    broken[kIpAt + 8] ^= 1;
    EXPECT_TRUE(host.drops(broken, NetDrop::kRxIpChecksum, ip_unfinished));
  }
}

// RFC 768 and RFC 8200 §8.1.
TEST(NetReceive, AnAbsentChecksumIsTakenOverIpv4Alone) {
  Receiver host;
  EXPECT_EQ(host.receive(kNow, hex(kUdp4NoChecksum)), RxVerdict::kDatagram);
  const Bytes six = changed(kUdp6, kUdp6At + 6, {0, 0}, false);
  EXPECT_TRUE(host.drops(six, NetDrop::kRxUdpChecksum));
  EXPECT_TRUE(host.drops(six, NetDrop::kRxUdpChecksum, {.l4 = Checksum::kGood}));
}

TEST(NetReceive, LengthsThatLieAreRefused) {
  Receiver host;
  struct Lie {
    std::string_view frame;
    std::size_t at;
    Bytes bytes;
    NetDrop reason;
  };
  const Lie lies[] = {
      {kUdp4, kIpAt, {0x44}, NetDrop::kRxIpMalformed},          // Header of 16 bytes.
      {kUdp4, kIpAt, {0x65}, NetDrop::kRxIpMalformed},          // Version.
      {kUdp4, kIpAt, {0x4f}, NetDrop::kRxIpMalformed},          // Header above the total.
      {kUdp4, kIpAt + 2, {0, 19}, NetDrop::kRxIpMalformed},     // Total below the header.
      {kUdp4, kIpAt + 2, {0, 34}, NetDrop::kRxTruncated},       // Total above the frame.
      {kUdp4, kIpAt + 2, {0xff, 0xff}, NetDrop::kRxTruncated},  // The most.
      {kUdp4, kIpAt + 2, {0, 27}, NetDrop::kRxTruncated},       // No room for UDP.
      {kUdp4, kUdp4At + 4, {0, 7}, NetDrop::kRxUdpMalformed},   // UDP below its header.
      {kUdp4, kUdp4At + 4, {0, 14}, NetDrop::kRxUdpMalformed},  // UDP above the packet.
      {kUdp4, kUdp4At + 4, {0xff, 0xff}, NetDrop::kRxUdpMalformed},
      {kUdp4, kUdp4At + 4, {0, 0}, NetDrop::kRxUdpMalformed},
      {kUdp6, kIpAt, {0x40}, NetDrop::kRxIpMalformed},
      {kUdp6, kIpAt + 4, {0, 14}, NetDrop::kRxTruncated},
      {kUdp6, kIpAt + 4, {0xff, 0xff}, NetDrop::kRxTruncated},
      {kUdp6, kIpAt + 4, {0, 7}, NetDrop::kRxTruncated},
      {kUdp6, kIpAt + 4, {0, 0}, NetDrop::kRxTruncated},  // A jumbogram, too.
      {kUdp6, kUdp6At + 4, {0, 7}, NetDrop::kRxUdpMalformed},
      {kUdp6, kUdp6At + 4, {0, 14}, NetDrop::kRxUdpMalformed},
      {kUdp4, kUdp4At, {0, 0}, NetDrop::kRxUdpMalformed},  // Port 0.
      {kUdp6, kUdp6At + 2, {0, 0}, NetDrop::kRxUdpMalformed},
      {kUdp4, kUdp4At + 4, {0, 8}, NetDrop::kRxUdpEmpty},
      {kUdp6, kUdp6At + 4, {0, 8}, NetDrop::kRxUdpEmpty},
  };
  for (const Lie& lie : lies) {
    EXPECT_TRUE(host.drops(changed(lie.frame, lie.at, lie.bytes), lie.reason))
        << &lie - lies << " " << drop_name(host.last.drop);
  }
}

TEST(NetReceive, ADatagramOfAHeaderAloneIsEmpty) {
  Receiver host;
  for (const std::string_view kind : {kUdp4, kUdp6}) {
    const bool v4 = kind == kUdp4;
    Bytes frame = hex(kind);
    frame.resize((v4 ? kUdp4At : kUdp6At) + 8);
    store_be16(&frame[v4 ? 16 : 18], v4 ? 28 : 8);
    store_be16(&frame[frame.size() - 4], 8);
    reseal(frame);
    EXPECT_TRUE(host.drops(frame, NetDrop::kRxUdpEmpty)) << v4;
  }
}

TEST(NetReceive, ADatagramShorterThanItsPacketIsTrimmed) {
  Receiver host;
  EXPECT_EQ(host.receive(kNow, changed(kUdp4, kUdp4At + 4, {0, 12})), RxVerdict::kDatagram);
  EXPECT_EQ(host.datagrams[0].payload, text_bytes("hell"));
}

TEST(NetReceive, FragmentsAreRefused) {
  Receiver host;
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 6, {0x20, 0}), NetDrop::kRxFragment));
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 6, {0, 1}), NetDrop::kRxFragment));
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 6, {0x1f, 0xff}), NetDrop::kRxFragment));
  EXPECT_EQ(host.receive(kNow, changed(kUdp4, kIpAt + 6, {0, 0})), RxVerdict::kDatagram);
  const Bytes fragment{17, 0, 0, 0, 0, 0, 0, 9};
  EXPECT_TRUE(host.drops(with_headers(44, fragment), NetDrop::kRxFragment));
  Bytes behind{44, 0, 1, 4, 0, 0, 0, 0};
  behind.insert(behind.end(), fragment.begin(), fragment.end());
  EXPECT_TRUE(host.drops(with_headers(0, behind), NetDrop::kRxFragment));
  EXPECT_TRUE(host.drops(with_headers(60, behind), NetDrop::kRxFragment));
}

TEST(NetReceive, ExtensionHeadersAreSkippedWithinBounds) {
  Receiver host;
  const Bytes pad{17, 0, 1, 4, 0, 0, 0, 0};
  EXPECT_EQ(host.receive(kNow, with_headers(0, pad)), RxVerdict::kDatagram);
  EXPECT_EQ(host.receive(kNow, with_headers(60, pad)), RxVerdict::kDatagram);
  // Routing, and hop-by-hop in another place than the first.
  EXPECT_TRUE(host.drops(with_headers(43, pad), NetDrop::kRxIpOptions));
  Bytes two{0, 0, 1, 4, 0, 0, 0, 0};
  two.insert(two.end(), pad.begin(), pad.end());
  EXPECT_TRUE(host.drops(with_headers(60, two), NetDrop::kRxIpOptions));
  // Four headers, and five.
  Bytes many;
  for (int i = 0; i < 3; ++i) many.insert(many.end(), {60, 0, 1, 4, 0, 0, 0, 0});
  many.insert(many.end(), pad.begin(), pad.end());
  EXPECT_EQ(host.receive(kNow, with_headers(60, many)), RxVerdict::kDatagram);
  many.insert(many.begin(), {60, 0, 1, 4, 0, 0, 0, 0});
  EXPECT_TRUE(host.drops(with_headers(60, many), NetDrop::kRxIpOptions));
  // 256 bytes, and 264.
  for (const std::uint8_t units : Bytes{31, 32}) {
    Bytes large(8 * (units + 1u), 0);
    large[0] = 17;
    large[1] = units;
    EXPECT_EQ(host.receive(kNow, with_headers(60, large)),
              units == 31 ? RxVerdict::kDatagram : RxVerdict::kDropped);
  }
  // A length beyond the packet, and no room for a header at all.
  EXPECT_TRUE(host.drops(with_headers(60, {17, 9, 1, 4, 0, 0, 0, 0}), NetDrop::kRxTruncated));
  Bytes bare = hex(kUdp6);
  bare.resize(kUdp6At + 1);
  bare[kIpAt + 6] = 60;
  store_be16(&bare[kIpAt + 4], 1);
  EXPECT_TRUE(host.drops(bare, NetDrop::kRxTruncated));
}

// RFC 8200 §4.2: the two high bits of an unknown option's type.
TEST(NetReceive, OptionsThatMustBeUnderstoodAreNot) {
  Receiver host;
  EXPECT_EQ(host.receive(kNow, with_headers(60, {17, 0, 0x1e, 4, 9, 9, 9, 9})),
            RxVerdict::kDatagram);
  for (const std::uint8_t type : Bytes{0x40, 0x80, 0xc0, 0xc2, 0xc9}) {
    EXPECT_TRUE(host.drops(with_headers(0, {17, 0, type, 4, 0, 0, 0, 0}), NetDrop::kRxIpOptions));
  }
  // An option beyond its header's end, and one without a length.
  EXPECT_TRUE(host.drops(with_headers(60, {17, 0, 1, 5, 0, 0, 0, 0}), NetDrop::kRxIpOptions));
  EXPECT_TRUE(host.drops(with_headers(60, {17, 0, 0, 0, 0, 0, 0, 1}), NetDrop::kRxIpOptions));
}

TEST(NetReceive, OnlyUdpAndIcmpOfTheFamilyAreTaken) {
  Receiver host;
  for (const std::uint8_t protocol : Bytes{0, 6, 58, 132, 255}) {
    EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 9, {protocol}), NetDrop::kRxProtocol));
  }
  for (const std::uint8_t next : Bytes{1, 6, 59, 132, 255}) {
    EXPECT_TRUE(host.drops(changed(kUdp6, kIpAt + 6, {next}), NetDrop::kRxProtocol));
  }
  for (const std::uint16_t type : std::vector<std::uint16_t>{0x05dc, 0x88cc, 0x88a8, 0x8847}) {
    Bytes frame = hex(kUdp4);
    store_be16(&frame[12], type);
    EXPECT_TRUE(host.drops(frame, NetDrop::kRxEtherType));
  }
}

TEST(NetReceive, OnlyOurAddressesAreAnsweredTo) {
  Receiver host;
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 19, {3}), NetDrop::kRxNotOurAddress));
  EXPECT_TRUE(host.drops(changed(kEcho4, kIpAt + 19, {3}), NetDrop::kRxNotOurAddress));
  EXPECT_TRUE(host.drops(changed(kUdp6, kIpAt + 39, {3}), NetDrop::kRxNotOurAddress));
  EXPECT_TRUE(host.drops(changed(kEcho6, kIpAt + 39, {3}), NetDrop::kRxNotOurAddress));
  // Broadcast and multicast.
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 16, hex("ffffffff")), NetDrop::kRxNotOurAddress));
  EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 16, hex("c00002ff")), NetDrop::kRxNotOurAddress));
  EXPECT_TRUE(host.drops(changed(kUdp4, 0, hex("ffffffffffff")), NetDrop::kRxNotOurMac));
  EXPECT_TRUE(host.drops(changed(kUdp6, 0, hex("333300000001")), NetDrop::kRxNotOurMac));
  Bytes group = hex(kUdp6);
  const Bytes all = hex(kUnsolicitedAdvertisement);
  std::copy_n(all.begin(), 6, group.begin());
  std::copy_n(all.begin() + 38, 16, group.begin() + 38);
  reseal(group);
  EXPECT_TRUE(host.drops(group, NetDrop::kRxNotOurAddress));
  // A group of ours by its MAC address alone: ff0e::1:ff00:1.
  EXPECT_TRUE(host.drops(changed(kSolicitation, kIpAt + 25, {0x0e}), NetDrop::kRxNotOurAddress));
}

TEST(NetReceive, AddressesThatNoHostSendsFromAreRefused) {
  Receiver host;
  for (const char* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                             "240.0.0.1", "192.0.2.1", "192.0.2.255"}) {
    const IpAddress one = ip(source);
    const Bytes bytes(one.bytes.begin(), one.bytes.begin() + 4);
    EXPECT_TRUE(host.drops(changed(kUdp4, kIpAt + 12, bytes), NetDrop::kRxMartian)) << source;
  }
  for (const char* source :
       {"::", "::1", "ff02::1", "::ffff:192.0.2.2", "2001:db8::1", "fe80::ff:fe00:1"}) {
    const IpAddress one = ip(source);
    const Bytes bytes(one.bytes.begin(), one.bytes.end());
    EXPECT_TRUE(host.drops(changed(kUdp6, kIpAt + 8, bytes), NetDrop::kRxMartian)) << source;
    const bool probe = one.is_unspecified();
    EXPECT_TRUE(host.drops(changed(kEcho6, kIpAt + 8, bytes), NetDrop::kRxMartian) || probe);
  }
}

TEST(NetReceive, EveryReasonHasANameOfItsOwn) {
  std::map<std::string_view, int> names;
  for (std::size_t i = 0; i < kNetDropCount; ++i) {
    const std::string_view name = drop_name(static_cast<NetDrop>(i));
    EXPECT_EQ(++names[name], 1) << name;
    EXPECT_EQ(name.substr(0, 3),
              i >= static_cast<std::size_t>(NetDrop::kTxNoRoute) ? "tx_" : "rx_");
  }
  EXPECT_EQ(drop_name(NetDrop::kCount), "unknown");
}

TEST(NetReceive, RandomDamageStaysWithinBounds) {
  SeededRng rng(20261);
  Receiver host;
  std::size_t datagrams = 0;
  for (int i = 0; i < 60000; ++i) {
    Bytes frame = hex(kKinds[rng.below(std::size(kKinds))].frame);
    for (std::uint64_t k = rng.below(4); k > 0; --k) {
      switch (rng.below(4)) {
        case 0:
          frame.resize(rng.below(frame.size() + 1));
          break;
        case 1:
          frame.resize(frame.size() + rng.below(40), static_cast<std::uint8_t>(rng.next()));
          break;
        default:
          if (!frame.empty())
            frame[rng.below(frame.size())] = static_cast<std::uint8_t>(rng.next());
      }
    }
    if (rng.below(2) == 0) reseal(frame);
    const Time now = kNow + milliseconds(i);
    Bytes reply(host.layer().max_frame_bytes());
    RxFrame out;
    switch (host.layer().handle_frame(now, frame, {}, reply, out)) {
      case RxVerdict::kDatagram:
        ++datagrams;
        ASSERT_GE(out.payload.data(), frame.data() + 42);
        ASSERT_LE(out.payload.data() + out.payload.size(), frame.data() + frame.size());
        ASSERT_FALSE(out.payload.empty());
        break;
      case RxVerdict::kReply: {
        ASSERT_GE(out.reply_bytes, 60u);
        ASSERT_LE(out.reply_bytes, reply.size());
        reply.resize(out.reply_bytes);
        Bytes again = reply;
        reseal(again);
        ASSERT_EQ(reply, again);
        break;
      }
      case RxVerdict::kDropped:
        ASSERT_LT(out.drop, NetDrop::kCount);
        break;
      default:
        break;
    }
    host.turn(now);
    ASSERT_LE(host.layer().parked(), 2u);
    host.out.clear();
  }
  EXPECT_GT(datagrams, 5000u);
}

}  // namespace
}  // namespace millrace::io
