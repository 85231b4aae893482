// SPDX-License-Identifier: Apache-2.0
#include "io/sim_network.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "io/datapath_fixture.h"
#include "io/sim_datapath.h"

namespace millrace::io {
namespace {

// Two hosts with a socket each, and a sender of numbered datagrams.
class Bench {
 public:
  explicit Bench(std::uint64_t seed = 1)
      : net(seed), a(net, {ip("10.0.0.1")}), b(net, {ip("10.0.0.2")}) {
    from = a.open_socket({ip("10.0.0.1"), 1000}, {}).value();
    to = b.open_socket({ip("10.0.0.2"), 2000}, {}).value();
  }
  void send(std::size_t count, std::size_t bytes = 100, bool may_fragment = false) {
    send_to(b.local_address(to), count, bytes, may_fragment);
  }
  void send_to(const Address& target, std::size_t count, std::size_t bytes = 100,
               bool may_fragment = false) {
    for (std::size_t i = 0; i < count; ++i) {
      TxRun run = a.reserve({from, target, {}}, bytes, 1);
      std::fill(run.next().begin(), run.next().end(), std::uint8_t{0});
      store_be32(run.next().data(), next++);
      run.push(bytes);
      if (may_fragment) run.allow_fragments();
      a.commit(run);
    }
    a.flush();
  }
  // The numbers received by `host`, in order.
  std::vector<std::uint32_t> numbers(SimDatapath& host) {
    std::vector<std::uint32_t> out;
    std::vector<RxView> views(64);
    while (const std::size_t n = host.rx_burst(views)) {
      for (std::size_t i = 0; i < n; ++i) {
        out.push_back(load_be32(views[i].data));
        source = views[i].buffer->source;
      }
      host.rx_done();
    }
    return out;
  }
  std::vector<std::uint32_t> numbers() { return numbers(b); }

  SimNetwork net;
  SimDatapath a;
  SimDatapath b;
  SocketId from = kNoSocket;
  SocketId to = kNoSocket;
  std::uint32_t next = 0;
  Address source;
};

TEST(SimNetwork, NothingMovesBeforeTheClockDoes) {
  Bench bench;
  bench.net.set_default_link({.delay = milliseconds(10)});
  EXPECT_EQ(bench.net.next_event(), kNever);
  bench.send(3);
  EXPECT_EQ(bench.net.next_event(), Time{milliseconds(10)});
  bench.net.advance_to(Time{milliseconds(10) - nanoseconds(1)});
  EXPECT_TRUE(bench.numbers().empty());
  bench.net.advance_to(bench.net.next_event());
  EXPECT_EQ(bench.numbers(), (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(SimNetwork, AHostHasAllItsPorts) {
  SimNetwork net(1);
  SimDatapath host(net, {ip("10.0.0.1")});
  constexpr std::size_t kPorts = 65536 - 1024;
  std::set<std::uint16_t> ports;
  std::vector<SocketId> sockets;
  for (std::size_t i = 0; i < kPorts; ++i) {
    sockets.push_back(host.open_socket({ip("10.0.0.1"), 0}, {}).value());
    const std::uint16_t port = host.local_address(sockets.back()).port;
    EXPECT_GE(port, i <= 65535 - 49152 ? 49152 : 1024);
    ports.insert(port);
  }
  EXPECT_EQ(ports.size(), kPorts);
  const auto none = host.open_socket({ip("10.0.0.1"), 0}, {});
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("all ports"), std::string::npos) << none.error().message;
  const std::uint16_t port = host.local_address(sockets[7]).port;
  host.close_socket(sockets[7]);
  const auto again = host.open_socket({ip("10.0.0.1"), 0}, {});
  EXPECT_EQ(host.local_address(again.value()).port, port);
}

TEST(SimNetwork, CommittedDatagramsWaitForFlush) {
  Bench bench;
  TxRun run = bench.a.reserve({bench.from, bench.b.local_address(bench.to), {}}, 10, 1);
  run.push(10);
  bench.a.commit(run);
  EXPECT_EQ(bench.net.next_event(), kNever);
  bench.a.flush();
  EXPECT_NE(bench.net.next_event(), kNever);
}

TEST(SimNetwork, LossTakesItsShare) {
  Bench bench;
  bench.net.set_default_link({.loss = 0.2});
  for (int i = 0; i < 100; ++i) {
    bench.send(100);
    bench.net.advance_to(bench.net.now() + milliseconds(1));
    bench.numbers();
  }
  EXPECT_NEAR(static_cast<double>(bench.net.stats().lost), 2000, 150);
  EXPECT_EQ(bench.net.stats().lost + bench.net.stats().delivered, 10000u);
}

TEST(SimNetwork, DuplicatesAndReordersAndCorrupts) {
  Bench bench;
  bench.net.set_default_link(
      {.duplicate = 0.1, .corrupt = 0.1, .reorder = 0.1, .reorder_delay = milliseconds(1)});
  std::vector<std::uint32_t> got;
  for (int i = 0; i < 1000; ++i) {
    bench.send(1);
    bench.net.advance_to(bench.net.now() + microseconds(100));
    for (const std::uint32_t n : bench.numbers()) got.push_back(n);
  }
  const SimStats& stats = bench.net.stats();
  EXPECT_NEAR(static_cast<double>(stats.duplicated), 100, 50);
  EXPECT_NEAR(static_cast<double>(stats.corrupted), 110, 50);
  EXPECT_FALSE(std::is_sorted(got.begin(), got.end()));
  EXPECT_GT(got.size(), 1000u);
}

TEST(SimNetwork, RateSpacesDatagramsAndTheQueueDropsItsTail) {
  Bench bench;
  // 1000 + 28 bytes take 1028 us at 8 Mbit/s; ten fit into the queue.
  bench.net.set_default_link({.bits_per_second = 8'000'000, .queue_bytes = 10280});
  bench.send(25, 1000);
  EXPECT_EQ(bench.net.stats().queue_drops, 15u);
  EXPECT_EQ(bench.net.next_event(), Time{microseconds(1028)});
  bench.net.advance_to(Time{microseconds(1028 * 5)});
  EXPECT_EQ(bench.numbers().size(), 5u);
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_EQ(bench.numbers().size(), 5u);
}

TEST(SimNetwork, DatagramAboveTheMtuVanishes) {
  Bench bench;
  bench.net.set_default_link({.mtu = 1228});
  bench.send(1, 1200);
  bench.send(1, 1201);
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_EQ(bench.numbers(), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(bench.net.stats().mtu_drops, 1u);
}

TEST(SimNetwork, DatagramAboveTheMtuArrivesWhereItMayBeFragmented) {
  Bench bench;
  bench.net.set_default_link({.mtu = 1228});
  bench.send(1, 1201, true);
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_EQ(bench.numbers().size(), 1u);
  EXPECT_EQ(bench.net.stats().fragmented, 1u);
  EXPECT_EQ(bench.net.stats().mtu_drops, 0u);
}

TEST(SimNetwork, LinkOptionsAreOfOneDirection) {
  Bench bench;
  bench.net.set_link(ip("10.0.0.1"), ip("10.0.0.2"), {.loss = 1});
  bench.send(5);
  TxRun run = bench.b.reserve({bench.to, bench.a.local_address(bench.from), {}}, 10, 1);
  run.push(10);
  bench.b.commit(run);
  bench.b.flush();
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_TRUE(bench.numbers().empty());
  EXPECT_EQ(bench.numbers(bench.a).size(), 1u);
}

TEST(SimNetwork, PartitionCutsBothWaysUntilItIsHealed) {
  Bench bench;
  bench.net.set_partition(ip("10.0.0.2"), ip("10.0.0.1"), true);
  bench.send(2);
  bench.net.set_partition(ip("10.0.0.1"), ip("10.0.0.2"), false);
  bench.send(1);
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_EQ(bench.numbers(), (std::vector<std::uint32_t>{2}));
  EXPECT_EQ(bench.net.stats().partition_drops, 2u);
}

TEST(SimNetwork, NatShowsTheOutsideAddressAndRebindingEndsTheOld) {
  Bench bench;
  const Address inside = bench.a.local_address(bench.from);
  const Address first{ip("203.0.113.1"), 4001};
  const Address second{ip("203.0.113.1"), 4002};
  const auto answer = [&](const Address& target) {
    TxRun run = bench.b.reserve({bench.to, target, {}}, 10, 1);
    run.push(10);
    bench.b.commit(run);
    bench.b.flush();
    bench.net.advance_to(bench.net.now() + milliseconds(1));
    return bench.numbers(bench.a).size();
  };
  bench.net.map_address(inside, first);
  bench.send(1);
  bench.net.advance_to(bench.net.now() + milliseconds(1));
  EXPECT_EQ(bench.numbers().size(), 1u);
  EXPECT_EQ(bench.source, first);
  EXPECT_EQ(answer(first), 1u);
  EXPECT_EQ(answer(inside), 0u);
  bench.net.map_address(inside, second);
  EXPECT_EQ(answer(first), 0u);
  EXPECT_EQ(answer(second), 1u);
  bench.send(1);
  bench.net.advance_to(bench.net.now() + milliseconds(1));
  EXPECT_EQ(bench.numbers().size(), 1u);
  EXPECT_EQ(bench.source, second);
  bench.net.unmap_address(inside);
  EXPECT_EQ(answer(inside), 1u);
}

TEST(SimNetwork, UnknownAddressIsNoRouteAndFullQueueIsCounted) {
  Bench bench;
  bench.send_to(*Address::parse("10.0.0.9:1"), 2);
  bench.send_to(*Address::parse("10.0.0.2:1"), 1);
  for (int i = 0; i < 10; ++i) bench.send(10, 60000);
  bench.net.advance_to(Time{seconds(1)});
  EXPECT_EQ(bench.net.stats().no_route, 3u);
  EXPECT_EQ(bench.net.stats().socket_queue_drops, 100u - (4u << 20) / 60000);
  EXPECT_EQ(bench.b.stats().dropped(IoDrop::kRxKernelQueue), bench.net.stats().socket_queue_drops);
}

std::uint64_t trace_of(std::uint64_t seed) {
  Bench bench(seed);
  bench.net.set_default_link({.loss = 0.1,
                              .duplicate = 0.05,
                              .corrupt = 0.05,
                              .reorder = 0.1,
                              .delay = milliseconds(3),
                              .jitter = milliseconds(2),
                              .bits_per_second = 10'000'000});
  for (int i = 0; i < 300; ++i) {
    bench.send(3, 400);
    bench.net.advance_to(bench.net.now() + microseconds(700));
    bench.numbers();
  }
  return bench.net.trace_hash();
}

TEST(SimNetwork, RunIsAFunctionOfItsSeed) {
  EXPECT_EQ(trace_of(7), trace_of(7));
  EXPECT_NE(trace_of(7), trace_of(8));
}

}  // namespace
}  // namespace millrace::io
