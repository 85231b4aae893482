// SPDX-License-Identifier: Apache-2.0
// The way out: headers, routes, templates and their cache.
#include "io/net/next_hop.h"

#include <gtest/gtest.h>

#include "io/net/net_test_frames.h"
#include "io/net/net_test_support.h"

namespace millrace::io {
namespace {

using namespace test;

const MacAddress kPeer = mac("02:00:00:00:00:02");

NetOptions with_peer(unsigned n = 1) {
  NetOptions options = host_options(n);
  options.static_neighbours = {{ip("192.0.2.2"), kPeer}, {ip("2001:db8::2"), kPeer}};
  return options;
}

Bytes sent(NetHost& host, const char* local, const char* remote, ByteSpan payload,
           std::uint8_t tos = 0) {
  host.out.clear();
  EXPECT_TRUE(host.send(Time{}, at(local), at(remote), payload, tos));
  return host.out.empty() ? Bytes{} : host.out[0];
}

TEST(NextHop, WritesTheHeadersOfAnotherImplementation) {
  NetHost host(with_peer());
  EXPECT_EQ(sent(host, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("hello"), 2), hex(kOurUdp4));
  EXPECT_EQ(sent(host, "[2001:db8::1]:1000", "[2001:db8::2]:2000", text_bytes("hello"), 0xba),
            hex(kOurUdp6));
}

TEST(NextHop, TagsFramesOfAVlan) {
  NetOptions options = with_peer();
  options.vlan = 0x123;
  NetHost host(options);
  EXPECT_EQ(sent(host, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("hello"), 2),
            tagged(hex(kOurUdp4), 0x123));
  EXPECT_EQ(sent(host, "[2001:db8::1]:1000", "[2001:db8::2]:2000", text_bytes("hello"), 0xba),
            tagged(hex(kOurUdp6), 0x123));
}

TEST(NextHop, EveryLengthUpToTheMtuIsSealed) {
  NetHost host(with_peer());
  SeededRng rng(4);
  for (const bool v6 : {false, true}) {
    const std::size_t most = 1500 - (v6 ? 48 : 28);
    for (std::size_t bytes = 1; bytes <= most; bytes += bytes < 100 ? 1 : 13) {
      Bytes payload(bytes);
      rng.fill(payload);
      const Bytes frame = v6 ? sent(host, "[2001:db8::1]:9", "[2001:db8::2]:8", payload, 7)
                             : sent(host, "192.0.2.1:9", "192.0.2.2:8", payload, 7);
      Bytes again = frame;
      reseal(again);
      ASSERT_EQ(frame, again) << bytes;
    }
    const Address from = at(v6 ? "[2001:db8::1]:9" : "192.0.2.1:9");
    const Address to = at(v6 ? "[2001:db8::2]:8" : "192.0.2.2:8");
    EXPECT_EQ(host.layer().next_hop(Time{}, from.ip, to.ip).hop->max_payload(), most);
    EXPECT_FALSE(host.send(Time{}, from, to, Bytes(most + 1)));
  }
  EXPECT_EQ(host.dropped(NetDrop::kTxTooBig), 2u);
}

// RFC 768: a sum that comes to zero is sent as ones, for zero means that there is none.
TEST(NextHop, AUdpChecksumOfZeroIsSentAsOnes) {
  NetHost host(with_peer());
  int found = 0;
  for (std::uint32_t word = 0; word < 65536; ++word) {
    Bytes payload(2);
    store_be16(payload.data(), static_cast<std::uint16_t>(word));
    const std::uint16_t checksum =
        load_be16(sent(host, "192.0.2.1:9", "192.0.2.2:8", payload).data() + 40);
    ASSERT_NE(checksum, 0) << word;
    found += checksum == 0xffff ? 1 : 0;
  }
  EXPECT_EQ(found, 1);
}

TEST(NextHop, LeavesToTheDeviceWhatItFillsIn) {
  NetOptions options = with_peer();
  options.ip_offload = true;
  options.udp_checksum = UdpChecksum::kDevice;
  NetHost host(options);
  const Bytes v4 = sent(host, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("hello"));
  EXPECT_EQ(load_be16(v4.data() + 24), 0);
  // By hand: 0xc000 + 0x0201 + 0xc000 + 0x0202 + 17 + 13.
  EXPECT_EQ(load_be16(v4.data() + 40), 0x8422);
  const Bytes v6 = sent(host, "[2001:db8::1]:1000", "[2001:db8::2]:2000", text_bytes("hello"));
  EXPECT_EQ(load_be16(v6.data() + 60), 2 * (0x2001 + 0x0db8) + 1 + 2 + 17 + 13);
  EXPECT_FALSE(host.layer().next_hop(Time{}, {}, ip("192.0.2.2")).hop->wants_payload_sum());
}

// RFC 768: zero means that there is none. RFC 8200 §8.1: over IPv6 there must be one.
TEST(NextHop, WithoutUdpChecksumTheFieldIsZeroOverIpv4Alone) {
  NetOptions options = with_peer();
  NetHost with(options);
  options.udp_checksum = UdpChecksum::kNone;
  NetHost without(options);
  Bytes v4 = sent(with, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("hello"));
  EXPECT_NE(load_be16(v4.data() + 40), 0);
  store_be16(v4.data() + 40, 0);
  EXPECT_EQ(sent(without, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("hello")), v4);
  EXPECT_FALSE(without.layer().next_hop(Time{}, {}, ip("192.0.2.2")).hop->wants_payload_sum());
  EXPECT_EQ(sent(without, "[2001:db8::1]:1000", "[2001:db8::2]:2000", text_bytes("hello")),
            sent(with, "[2001:db8::1]:1000", "[2001:db8::2]:2000", text_bytes("hello")));
  EXPECT_TRUE(without.layer().next_hop(Time{}, {}, ip("2001:db8::2")).hop->wants_payload_sum());
}

TEST(NextHop, TakesASumInPieces) {
  NetHost host(with_peer());
  SeededRng rng(5);
  Bytes payload(333);
  rng.fill(payload);
  const Bytes whole = sent(host, "192.0.2.1:9", "192.0.2.2:8", payload);
  const NextHop* const hop = host.layer().next_hop(Time{}, ip("192.0.2.1"), ip("192.0.2.2")).hop;
  ASSERT_TRUE(hop != nullptr && hop->wants_payload_sum());
  ChecksumSum sum = checksum_add(ChecksumSum{}, ByteSpan(payload).first(100));
  sum = checksum_add(sum, ByteSpan(payload).subspan(100));
  Bytes header(hop->header_bytes());
  hop->write_headers(header.data(), {.source_port = 9, .destination_port = 8}, 333, sum);
  EXPECT_EQ(header, Bytes(whole.begin(), whole.begin() + 42));
}

// RFC 791 §3.2: without DF a router cuts what its next link does not carry.
TEST(NextHop, WhatMayBeFragmentedHasNoDfAndAnIdOfItsOwn) {
  NetHost host(with_peer());
  const Bytes whole = sent(host, "192.0.2.1:9", "192.0.2.2:8", text_bytes("hello"));
  const NextHop* const hop = host.layer().next_hop(Time{}, ip("192.0.2.1"), ip("192.0.2.2")).hop;
  ASSERT_NE(hop, nullptr);
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{0x4000}, std::uint16_t{0xffff}}) {
    Bytes frame(whole.begin(), whole.begin() + 47);
    hop->write_headers(frame.data(), {.source_port = 9, .destination_port = 8, .fragment_id = id},
                       5);
    EXPECT_EQ(load_be16(frame.data() + 18), id);
    EXPECT_EQ(load_be16(frame.data() + 20), 0);
    EXPECT_TRUE(checksum_is_good(checksum_add({}, ByteSpan(frame).subspan(14, 20))));
    // Nothing else differs.
    Bytes rest = frame;
    for (const std::size_t at : {18u, 19u, 20u, 21u, 24u, 25u}) rest[at] = whole[at];
    EXPECT_EQ(rest, Bytes(whole.begin(), whole.begin() + 47));
  }
}

TEST(NextHop, AKnownPairCostsNoSecondTemplate) {
  NetHost host(with_peer());
  for (int i = 0; i < 5; ++i) sent(host, "192.0.2.1:9", "192.0.2.2:8", text_bytes("x"));
  sent(host, "192.0.2.1:7", "192.0.2.2:6", text_bytes("x"));
  EXPECT_EQ(host.layer().stats().next_hop_misses, 1u);
}

TEST(NextHop, ANeighbourThatMovesCostsOneTemplateMore) {
  NetHost host(host_options(1));
  const auto send = [&] { return sent(host, "192.0.2.1:1000", "192.0.2.2:2000", text_bytes("x")); };
  send();
  host.receive(Time{}, hex(kArpReply));
  EXPECT_EQ(send()[5], 2);
  EXPECT_EQ(send()[5], 2);
  EXPECT_EQ(host.layer().stats().next_hop_misses, 2u);
  Bytes moved = hex(kArpAnnouncement);
  moved[14 + 8 + 5] = 9;
  host.receive(Time{}, moved);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(send()[5], 9);
  EXPECT_EQ(host.layer().stats().next_hop_misses, 3u);
}

TEST(NextHop, FourPairsOfOneSetKeepTheirTemplates) {
  NetOptions options = host_options(1);
  options.max_next_hops = 4;
  for (std::uint8_t i = 10; i < 14; ++i) {
    options.static_neighbours.push_back({IpAddress::v4(192, 0, 2, i), kPeer});
  }
  NetHost host(options);
  for (int round = 0; round < 3; ++round) {
    for (const StaticNeighbour& one : options.static_neighbours) {
      EXPECT_NE(host.layer().next_hop(Time{}, {}, one.ip).hop, nullptr);
    }
  }
  EXPECT_EQ(host.layer().stats().next_hop_misses, 4u);
}

TEST(NextHop, AScanOfTheLinkFillsNoMoreThanItMay) {
  NetOptions options = host_options(1);
  options.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
  options.neighbours.max_neighbours = 6;
  options.neighbours.max_unresolved = 4;
  NetHost host(options);
  for (std::uint8_t i = 2; i < 200; ++i) {
    IpAddress six = ip("2001:db8::");
    six.bytes[15] = i;
    host.send(Time{}, {ip("192.0.2.1"), 1}, {IpAddress::v4(192, 0, 2, i), 1}, text_bytes("x"));
    host.send(Time{}, {ip("2001:db8::1"), 1}, {six, 1}, text_bytes("x"));
  }
  EXPECT_EQ(host.layer().neighbours(), 4u);
  EXPECT_EQ(host.layer().stats().tx_solicitations, 4u);
  EXPECT_EQ(host.dropped(NetDrop::kTxNeighbourTable), 2 * 198u - 4);
  // The gateways are asked for all the same.
  EXPECT_TRUE(host.send(Time{}, at("192.0.2.1:1"), at("203.0.113.5:1"), text_bytes("x")));
  EXPECT_TRUE(host.send(Time{}, at("[2001:db8::1]:1"), at("[2001:db9::5]:1"), text_bytes("x")));
  EXPECT_EQ(host.layer().stats().tx_solicitations, 6u);
}

TEST(NextHop, ACacheTooSmallCostsTemplatesAndNothingElse) {
  NetOptions options = host_options(1);
  options.max_next_hops = 1;
  options.static_neighbours.clear();
  for (unsigned i = 10; i < 60; ++i) {
    options.static_neighbours.push_back({IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(i)),
                                         {{2, 0, 0, 0, 1, static_cast<std::uint8_t>(i)}}});
  }
  NetHost host(options);
  for (int round = 0; round < 3; ++round) {
    for (const StaticNeighbour& one : options.static_neighbours) {
      const NextHopResult way = host.layer().next_hop(Time{}, {}, one.ip);
      ASSERT_TRUE(way.hop != nullptr && way.hop->resolved());
      Bytes frame(43);
      way.hop->write_headers(frame.data(), {.source_port = 1, .destination_port = 1}, 1);
      EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6),
                Bytes(one.mac.bytes.begin(), one.mac.bytes.end()));
      EXPECT_EQ(frame[33], one.ip.bytes[3]);
    }
  }
}

TEST(NextHop, ChoosesTheSourceByScopeAndPrefix) {
  NetOptions options = host_options(1);
  options.addresses.push_back(prefix("198.51.100.1/24"));
  options.addresses.push_back(prefix("2001:db8:1::1/64"));
  options.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
  options.static_neighbours = {{ip("198.51.100.9"), kPeer},
                               {ip("192.0.2.254"), kPeer},
                               {ip("2001:db8:1::9"), kPeer},
                               {ip("fe80::9"), kPeer},
                               {ip("fe80::fe"), kPeer}};
  NetHost host(options);
  const auto source = [&](const char* remote) {
    const NextHopResult way = host.layer().next_hop(Time{}, {}, ip(remote));
    if (way.hop == nullptr) return std::string("none");
    Bytes frame(way.hop->header_bytes() + 1);
    way.hop->write_headers(frame.data(), {}, 1);
    return way.hop->is_v6() ? load_ipv6(&frame[22]).to_string() : load_ipv4(&frame[26]).to_string();
  };
  EXPECT_EQ(source("198.51.100.9"), "198.51.100.1");
  EXPECT_EQ(source("203.0.113.5"), "192.0.2.1");
  EXPECT_EQ(source("2001:db8:1::9"), "2001:db8:1::1");
  EXPECT_EQ(source("2001:db8:ffff::5"), "2001:db8::1");
  EXPECT_EQ(source("fe80::9"), "fe80::ff:fe00:1");
}

TEST(NextHop, WhatIsNotOnLinkGoesToTheGateway) {
  NetOptions options = host_options(1);
  options.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
  options.static_neighbours = {{ip("192.0.2.254"), mac("02:00:00:00:00:0a")},
                               {ip("fe80::fe"), mac("02:00:00:00:00:0b")},
                               {ip("192.0.2.2"), kPeer}};
  NetHost host(options);
  EXPECT_EQ(sent(host, "192.0.2.1:9", "203.0.113.5:8", text_bytes("x"))[5], 0x0a);
  EXPECT_EQ(sent(host, "[2001:db8::1]:9", "[2001:db8:5::5]:8", text_bytes("x"))[5], 0x0b);
  EXPECT_EQ(sent(host, "192.0.2.1:9", "192.0.2.2:8", text_bytes("x"))[5], 0x02);
}

TEST(NextHop, NoWayLeadsToWhatIsNoHost) {
  NetOptions options = with_peer();
  options.gateways = {ip("192.0.2.254"), ip("fe80::fe")};
  NetHost host(options);
  const char* const kNowhere[] = {"0.0.0.0",
                                  "127.0.0.1",
                                  "224.0.0.1",
                                  "240.0.0.1",
                                  "255.255.255.255",
                                  "192.0.2.255",
                                  "192.0.2.1",
                                  "::",
                                  "::1",
                                  "::ffff:192.0.2.2",
                                  "ff02::1",
                                  "ff0e::1",
                                  "2001:db8::1",
                                  "fe80::ff:fe00:1"};
  for (const char* remote : kNowhere) {
    const NextHopResult way = host.layer().next_hop(Time{}, {}, ip(remote));
    EXPECT_EQ(way.hop, nullptr) << remote;
    EXPECT_EQ(way.refusal, NetDrop::kTxNoRoute) << remote;
  }
  // Without a gateway nor to what is elsewhere.
  NetHost alone(with_peer());
  for (const char* remote : {"203.0.113.5", "2001:db9::1"}) {
    EXPECT_EQ(alone.layer().next_hop(Time{}, {}, ip(remote)).refusal, NetDrop::kTxNoRoute);
  }
  // Nor from what is not ours, or of another family.
  EXPECT_EQ(host.layer().next_hop(Time{}, ip("192.0.2.3"), ip("192.0.2.2")).hop, nullptr);
  EXPECT_EQ(host.layer().next_hop(Time{}, ip("2001:db8::1"), ip("192.0.2.2")).hop, nullptr);
  EXPECT_EQ(host.layer().next_hop(Time{}, {}, IpAddress{}).hop, nullptr);
  EXPECT_EQ(host.layer().stats().tx_solicitations, 0u);
}

TEST(NextHop, ADeviceThatLoopsBackReachesItself) {
  NetOptions options = host_options(1);
  options.loops_back = true;
  NetHost host(options);
  const char* const kOwn[] = {"192.0.2.1:9", "[2001:db8::1]:9", "[fe80::ff:fe00:1]:9"};
  for (const char* own : kOwn) {
    const Bytes frame = sent(host, own, own, text_bytes("self"));
    EXPECT_EQ(host.receive(Time{}, frame), RxVerdict::kDatagram) << own;
    EXPECT_EQ(host.last.source, at(own));
  }
}

TEST(NextHop, AStaticNeighbourIsOnLinkWhereverItIs) {
  NetOptions options = host_options(1);
  options.static_neighbours = {{ip("203.0.113.5"), kPeer}};
  NetHost host(options);
  EXPECT_EQ(sent(host, "192.0.2.1:9", "203.0.113.5:8", text_bytes("x"))[5], 2);
}

}  // namespace
}  // namespace millrace::io
