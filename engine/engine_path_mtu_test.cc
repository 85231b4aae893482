// SPDX-License-Identifier: Apache-2.0
//
// Path MTU discovery (RFC 8899) by engines over a simulated network.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/engine_test_support.h"
#include "engine/simulation_impl.h"

namespace millrace {
namespace {

using test::SimPair;

constexpr std::size_t kMessageBytes = 64 * 1024;

class PathMtuTest : public ::testing::Test {
 protected:
  static EngineOptions with_jumbo() {
    EngineOptions options;
    options.path_mtu_discovery = true;
    options.max_datagram_bytes = 8972;
    return options;
  }
  void use(std::size_t mtu_bytes, EngineOptions options = with_jumbo()) {
    pair_ = std::make_unique<SimPair>(
        SimulationOptions{.delay = milliseconds(5), .mtu_bytes = mtu_bytes}, std::move(options));
    channel_ = pair_->open();
  }
  // Sends `count` messages from the client, one after the other, and waits until they are
  // there; false if they are not within `limit`.
  bool transfer(int count, Duration limit = seconds(30)) {
    const std::string text(kMessageBytes, 'x');
    for (int i = 0; i < count; ++i) {
      const int before = pair_->at_server->messages;
      if (channel_.send(text) != SendStatus::kOk) return false;
      if (!pair_->run([&] { return pair_->at_server->messages > before; }, limit)) return false;
    }
    return true;
  }
  // Bytes of a datagram of the client's, on the average of ten more messages.
  std::size_t datagram_bytes() {
    // The search goes on above what was found, by probes that would count.
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(transfer(1));
      pair_->pass(seconds(1));
    }
    const ShardStats before = pair_->client->stats().shards[0];
    EXPECT_TRUE(transfer(10));
    pair_->pass(seconds(1));
    const ShardStats after = pair_->client->stats().shards[0];
    return (after.bytes_sent - before.bytes_sent) / (after.datagrams_sent - before.datagrams_sent);
  }
  // A router tells, where one is too narrow.
  void narrow_to(std::size_t bytes) {
    io::LinkOptions link;
    link.delay = milliseconds(5);
    link.mtu = bytes;
    link.router_tells = true;
    network().set_default_link(link);
  }
  // The client's end of its path.
  Address client_address() {
    CandidateStats local;
    pair_->client->session_stats(pair_->at_client->opened.back(),
                                 [&local](Result<SessionStats, SignalError> stats) {
                                   if (stats.ok() && stats.value().pair)
                                     local = stats.value().pair->local;
                                 });
    EXPECT_TRUE(pair_->run([&] { return !local.address.empty(); }));
    return {*IpAddress::parse(local.address), local.port};
  }
  void set_mtu(std::size_t bytes, bool sender_refuses = false) {
    io::LinkOptions link;
    link.delay = milliseconds(5);
    link.mtu = bytes;
    link.sender_refuses = sender_refuses;
    network().set_default_link(link);
  }
  io::SimNetwork& network() {
    return static_cast<engine::SimulationImpl&>(*pair_->simulation).network();
  }

  std::unique_ptr<SimPair> pair_;
  Channel channel_;
};

TEST_F(PathMtuTest, FillsThePacketsOfThePath) {
  for (const auto& [mtu, least] : {std::pair{1500u, 1400u}, {1400u, 1300u}, {9000u, 7000u}}) {
    use(mtu);
    ASSERT_TRUE(transfer(20));
    const std::size_t bytes = datagram_bytes();
    EXPECT_GE(bytes, least) << mtu;
    EXPECT_LE(bytes + 28, mtu);
  }
}

// RFC 8899, RFC 4820: two ends as they come list PAD, and find what Ethernet carries; no more,
// whatever the path would.
TEST_F(PathMtuTest, EndsOfDefaultSettingsFillEthernet) {
  for (const std::size_t mtu : {1500u, 9000u}) {
    use(mtu, {});
    ASSERT_TRUE(transfer(20));
    const std::size_t bytes = datagram_bytes();
    EXPECT_GE(bytes, 1400u) << mtu;
    EXPECT_LE(bytes, 1472u) << mtu;
    EXPECT_EQ(network().stats().mtu_drops, 0u);
  }
}

TEST_F(PathMtuTest, KeepsToASizeThatIsStated) {
  EngineOptions options;
  options.path_mtu_discovery = false;
  use(9000, options);
  ASSERT_TRUE(transfer(20));
  EXPECT_LE(datagram_bytes(), 1200u);
}

TEST_F(PathMtuTest, KeepsToItsBounds) {
  EngineOptions options;
  options.path_mtu_discovery = true;
  options.max_datagram_bytes = 1300;
  use(9000, options);
  ASSERT_TRUE(transfer(20));
  EXPECT_LE(datagram_bytes(), 1300u);
  EXPECT_GE(datagram_bytes(), 1220u);
  EXPECT_EQ(network().stats().mtu_drops, 0u);
}

// RFC 8899 §4.3, RFC 9260 §6.9.
TEST_F(PathMtuTest, OutlivesAPathThatShrinks) {
  use(9000);
  ASSERT_TRUE(transfer(20));
  ASSERT_GE(datagram_bytes(), 7000u);
  ASSERT_EQ(channel_.send(std::string(kMessageBytes, 'y')), SendStatus::kOk);
  const int before = pair_->at_server->messages;
  pair_->pass(milliseconds(1));
  set_mtu(1400);
  const Time begun = pair_->simulation->now();
  // What was in flight still arrives; the next message is lost and comes again.
  ASSERT_TRUE(pair_->run([&] { return pair_->at_server->messages > before; }));
  ASSERT_TRUE(transfer(1));
  EXPECT_LE(pair_->simulation->now() - begun, seconds(1));
  EXPECT_GT(network().stats().fragmented, 0u);
  ASSERT_TRUE(transfer(20));
  EXPECT_LE(datagram_bytes() + 28, 1400u);
  EXPECT_TRUE(pair_->at_client->closed.empty());
}

// What this host's own interface refuses (EMSGSIZE) is no black hole to be found out: the size is
// lowered in the next turn.
TEST_F(PathMtuTest, AnInterfaceThatShrinksCostsOneRetransmission) {
  use(9000);
  ASSERT_TRUE(transfer(20));
  ASSERT_GE(datagram_bytes(), 7000u);
  set_mtu(1400, true);
  const Time begun = pair_->simulation->now();
  ASSERT_TRUE(transfer(1));
  EXPECT_LE(pair_->simulation->now() - begun, milliseconds(500));
  EXPECT_EQ(network().stats().mtu_drops, 0u);
  ASSERT_TRUE(transfer(20));
  const std::size_t bytes = datagram_bytes();
  EXPECT_LE(bytes + 28, 1400u);
  EXPECT_GE(bytes, 1300u);
  EXPECT_TRUE(pair_->at_client->closed.empty());
}

// RFC 8899 §4.6.2: nobody waits for a packet to be lost twice where a router says why, and the
// size that it names is what is found.
TEST_F(PathMtuTest, ARouterThatTellsCostsNoWait) {
  for (const std::size_t mtu : {1400u, 1307u, 900u}) {
    use(9000);
    ASSERT_TRUE(transfer(20));
    ASSERT_GE(datagram_bytes(), 7000u);
    narrow_to(mtu);
    const Time begun = pair_->simulation->now();
    ASSERT_TRUE(transfer(1));
    EXPECT_LE(pair_->simulation->now() - begun, milliseconds(150)) << mtu;
    ASSERT_TRUE(transfer(20));
    const std::size_t bytes = datagram_bytes();
    EXPECT_LE(bytes + 28, mtu);
    EXPECT_GE(bytes + 28, mtu - mtu / 12);
    EXPECT_EQ(test::drops(*pair_->client, "shard.unknown_too_big"), 0u);
    EXPECT_TRUE(pair_->at_client->closed.empty());
  }
}

// RFC 8899 §4.6.1: who is not on the path may know addresses and ports, and guesses the rest.
TEST_F(PathMtuTest, NoForgedWordOfARouterChangesAnything) {
  use(9000);
  ASSERT_TRUE(transfer(20));
  const std::size_t honest = datagram_bytes();
  ASSERT_GE(honest, 7000u);
  const Address client = client_address();
  const Address server = *Address::parse("10.0.1.1:5000");
  SeededRng rng(1);
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::uint8_t> datagram(1 + rng.below(8972));
    // A record of the session's, but for its number, which is too low by much or yet to come.
    const std::array<std::uint8_t, 5> head{23, 0xfe, 0xfd, 0, 1};
    std::copy_n(head.begin(), std::min(datagram.size(), head.size()), datagram.begin());
    if (datagram.size() > 13) {
      store_be48(datagram.data() + 5, (std::uint64_t{1} << 22) + rng.below(std::uint64_t{1} << 40));
      store_be16(datagram.data() + 11, static_cast<std::uint16_t>(datagram.size() - 13));
    }
    network().tell_too_big(client, server, datagram, rng.below(2) == 0 ? 1228 : 0);
    network().tell_too_big(client, *Address::parse("10.0.1.9:5000"), datagram, 1228);
    network().tell_too_big(server, client, ByteSpan(datagram).first(1), 1228);
    if (i % 8 == 0) pair_->pass(milliseconds(1));
    if (i % 200 == 0) {
      ASSERT_TRUE(transfer(1));
    }
  }
  EXPECT_GE(datagram_bytes() + 200, honest);
  EXPECT_GT(test::drops(*pair_->client, "shard.unknown_too_big"), 300u);
  EXPECT_GT(test::drops(*pair_->server, "shard.unknown_too_big"), 300u);
  EXPECT_TRUE(pair_->at_client->closed.empty());
}

TEST_F(PathMtuTest, RefusesBoundsThatMakeNoSense) {
  EngineOptions options;
  options.path_mtu_discovery = true;
  options.min_datagram_bytes = 1300;
  auto engine = Engine::create(options, [](ShardContext&) { return std::make_unique<Handler>(); });
  ASSERT_FALSE(engine.ok());
  EXPECT_NE(engine.error().message.find("min_datagram_bytes: 1300"), std::string::npos);
  options.min_datagram_bytes = 508;
  options.max_datagram_bytes = 1100;
  engine = Engine::create(options, [](ShardContext&) { return std::make_unique<Handler>(); });
  ASSERT_FALSE(engine.ok());
  EXPECT_NE(engine.error().message.find("max_datagram_bytes: 1100"), std::string::npos);
}

// RFC 6347 §4.1.1.1: a flight that is not answered is repeated in smaller datagrams.
TEST_F(PathMtuTest, ASessionComesUpOverTheSmallestPath) {
  for (const std::size_t pinned : {508u, 1200u}) {
    EngineOptions options;
    options.datagram_bytes = pinned;
    use(576, options);
    const Time begun = pair_->simulation->now();
    const Channel channel = pair_->open();
    ASSERT_TRUE(pair_->run([&] { return channel.open(); }, seconds(3))) << pinned;
    // Who states what the path carries has nothing to repeat.
    const Duration took = pair_->simulation->now() - begun;
    EXPECT_LT(took, pinned == 508 ? milliseconds(50) : milliseconds(800));
  }
}

}  // namespace
}  // namespace millrace
