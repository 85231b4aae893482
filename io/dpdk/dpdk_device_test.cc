// SPDX-License-Identifier: Apache-2.0
//
// What a driver is asked and what it says: of checksums, of frames that it cannot send, of
// interrupts, and of the pools that it shares with every shard.
#include <gtest/gtest.h>
#include <poll.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <barrier>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "io/dpdk/dpdk_fixture.h"
#include "io/dpdk/pool_sizes.h"
#include "io/monotonic_clock.h"
#include "io/net/rss_hash.h"

namespace millrace::io {
namespace {

void send(DpdkDatapath& path, SocketId from, const char* to, std::size_t length) {
  TxRun run = path.reserve({from, *Address::parse(to), {}}, length, 1);
  ASSERT_FALSE(run.empty());
  std::fill_n(run.next().begin(), length, std::uint8_t{7});
  run.push(length);
  path.commit(run);
}

// A driver's part of sending that no virtual device has: it counts, and refuses what has
// `refused` bytes.
struct Preparation {
  std::size_t frames = 0;
  std::size_t refused = 0;
};
Preparation g_preparation;

std::uint16_t prepare(void*, rte_mbuf** frames, std::uint16_t n) {
  for (std::uint16_t i = 0; i < n; ++i) {
    if (frames[i]->pkt_len == g_preparation.refused) return i;
    ++g_preparation.frames;
  }
  return n;
}

TEST(DpdkDevice, TheDriverPreparesWhatItIsToSendAndAFrameThatItRefusesIsACountedDrop) {
  RingDevices pair;
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  rte_eth_fp_ops[pair.port(0).id()].tx_pkt_prepare = &prepare;
  g_preparation = {.refused = kEthernetBytes + kIpv4Bytes + kUdpBytes + 200};
  for (const std::size_t length : {100u, 200u, 101u, 200u, 200u, 102u, 200u}) {
    send(pair.a(), from, "10.0.0.2:5000", length);
  }
  pair.a().flush();
  rte_eth_fp_ops[pair.port(0).id()].tx_pkt_prepare = nullptr;
  EXPECT_EQ(turn(pair.b()), 3u);
  EXPECT_EQ(g_preparation.frames, 3u);
  EXPECT_EQ(pair.a().stats().dropped(IoDrop::kTxError), 4u);
  EXPECT_EQ(pair.a().stats().dropped(IoDrop::kTxNoBuffer), 0u);
  EXPECT_EQ(pair.a().stats().tx_datagrams, 3u);
}

// What a device says of the frames that come, and one byte of them that is not as it was sent.
struct Damage {
  std::uint64_t flags = 0;
  std::size_t at = 0;
};
Damage g_damage;

std::uint16_t damage(std::uint16_t, std::uint16_t, rte_mbuf** frames, std::uint16_t n,
                     std::uint16_t, void*) {
  for (std::uint16_t i = 0; i < n; ++i) {
    frames[i]->ol_flags |= g_damage.flags;
    if (g_damage.at != 0) rte_pktmbuf_mtod(frames[i], std::uint8_t*)[g_damage.at] ^= 1;
  }
  return n;
}

TEST(DpdkDevice, AChecksumThatTheDeviceDoesNotVouchForIsVerified) {
  RingDevices pair({}, true);
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  const auto* const hook = rte_eth_add_rx_callback(pair.port(1).id(), 0, &damage, nullptr);
  ASSERT_NE(hook, nullptr);
  const auto passes = [&](std::uint64_t flags, std::size_t at) {
    g_damage = {flags, at};
    send(pair.a(), from, "10.0.0.2:5000", 100);
    pair.a().flush();
    return turn(pair.b()) == 1;
  };
  constexpr std::size_t kPayload = 60;
  constexpr std::size_t kHopLimit = 22;
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, 0));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, kPayload));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_L4_CKSUM_NONE, 0));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_L4_CKSUM_NONE, kPayload));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_L4_CKSUM_GOOD, kPayload));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_L4_CKSUM_BAD, 0));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_IP_CKSUM_NONE, 0));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_NONE, kHopLimit));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, kHopLimit));
  EXPECT_TRUE(passes(RTE_MBUF_F_RX_IP_CKSUM_GOOD, kHopLimit));
  EXPECT_FALSE(passes(RTE_MBUF_F_RX_IP_CKSUM_BAD, 0));
  EXPECT_EQ(rte_eth_remove_rx_callback(pair.port(1).id(), 0, hook), 0);
}

std::uint16_t g_udp_checksum = 0;

std::uint16_t note_checksum(std::uint16_t, std::uint16_t, rte_mbuf** frames, std::uint16_t n,
                            std::uint16_t, void*) {
  for (std::uint16_t i = 0; i < n; ++i) {
    const std::uint8_t* const frame = rte_pktmbuf_mtod(frames[i], const std::uint8_t*);
    const bool v4 = load_be16(frame + 12) == static_cast<std::uint16_t>(EtherType::kIpv4);
    g_udp_checksum = load_be16(frame + (v4 ? 40 : 60));
  }
  return n;
}

// RFC 768; RFC 8200 §8.1
template <class Devices>
void expect_checksums(std::optional<bool> wish, bool over_ipv4) {
  Devices pair({}, wish);
  ASSERT_TRUE(pair.available());
  EXPECT_EQ(pair.port(0).describe().find("no UDP checksum over IPv4") == std::string::npos,
            over_ipv4);
  const SocketId from = bind(pair.a(), "[::]:4000");
  bind(pair.b(), "[::]:5000");
  const auto* const hook = rte_eth_add_rx_callback(pair.port(1).id(), 0, &note_checksum, nullptr);
  ASSERT_NE(hook, nullptr);
  for (const bool v4 : {true, false}) {
    g_udp_checksum = v4 == over_ipv4 ? 0 : 1;
    send(pair.a(), from, v4 ? "10.0.0.2:5000" : "[fd00::2]:5000", 100);
    pair.a().flush();
    std::size_t came = 0;
    for (int turns = 0; turns < 1000 && came == 0; ++turns) came = turn(pair.b());
    EXPECT_EQ(came, 1u);
    EXPECT_EQ(g_udp_checksum != 0, !v4 || over_ipv4) << v4;
  }
  EXPECT_EQ(rte_eth_remove_rx_callback(pair.port(1).id(), 0, hook), 0);
}

TEST(DpdkDevice, WhatStaysInMemoryHasNoUdpChecksumOverIpv4) {
  expect_checksums<RingDevices>(std::nullopt, false);
  expect_checksums<DpdkPair<memif_devices>>(std::nullopt, false);
}

TEST(DpdkDevice, AUdpChecksumIsHadByWish) {
  expect_checksums<RingDevices>(true, true);
  expect_checksums<DpdkPair<memif_devices>>(true, true);
  expect_checksums<RingDevices>(false, false);
}

// Such as a kernel sends to a guest of its own: the device takes the rest of the sum as done.
std::uint16_t unfinish(std::uint16_t, std::uint16_t, rte_mbuf** frames, std::uint16_t n,
                       std::uint16_t, void*) {
  for (std::uint16_t i = 0; i < n; ++i) {
    // 10.0.0.1, 10.0.0.2, 17 and the length, word by word.
    const auto sum = static_cast<std::uint16_t>(0x0a00 + 1 + 0x0a00 + 2 + 17 + 108);
    store_be16(rte_pktmbuf_mtod(frames[i], std::uint8_t*) + 40, sum);
    frames[i]->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  }
  return n;
}

TEST(DpdkDevice, AChecksumThatTheSenderLeftToADeviceIsNoDamage) {
  RingDevices pair({}, true);
  ASSERT_TRUE(pair.available());
  const SocketId from = bind(pair.a(), "10.0.0.1:4000");
  bind(pair.b(), "10.0.0.2:5000");
  const auto* const hook = rte_eth_add_rx_callback(pair.port(1).id(), 0, &unfinish, nullptr);
  ASSERT_NE(hook, nullptr);
  send(pair.a(), from, "10.0.0.2:5000", 100);
  pair.a().flush();
  EXPECT_EQ(turn(pair.b()), 1u);
  EXPECT_EQ(rte_eth_remove_rx_callback(pair.port(1).id(), 0, hook), 0);
}

// The embedder's loop has nothing but the descriptor to go by, and no virtual device that is
// there for everybody raises interrupts: one that is never looked at stands in for those.
TEST(DpdkDevice, NeighboursTimersWakeAnEmbedderWhomNoFrameWakes) {
  ASSERT_FALSE(start_eal(test_eal()));
  DpdkPortOptions options = test_port(ring_devices().first, "10.0.0.1/24", nullptr, nullptr, {});
  options.net.neighbours.retransmit_time = milliseconds(5);
  options.idle = seconds(3600);
  const auto port = DpdkPort::create(options);
  ASSERT_TRUE(port.ok());
  auto made = DpdkDatapath::create(port.value(), 0);
  ASSERT_TRUE(made.ok());
  DpdkDatapath& path = *made.value();
  const SocketId from = bind(path, "10.0.0.1:4000");
  pollfd handle{.fd = path.native_handle(), .events = POLLIN, .revents = 0};
  send(path, from, "10.0.0.9:5000", 100);
  // Three questions, and the verdict; a look at the link may come in between.
  for (int turns = 0; turns < 100 && path.stats().dropped(IoDrop::kTxUnreachable) == 0; ++turns) {
    turn(path);
    if (path.begin_wait()) {
      ASSERT_EQ(poll(&handle, 1, 10'000), 1) << "turn " << turns;
    }
    path.end_wait();
  }
  EXPECT_EQ(path.stats().dropped(IoDrop::kTxUnreachable), 1u);
}

// net_null tells how it would spread what it makes up.
TEST(DpdkDevice, ADeviceWithRssTellsWhichQueueADatagramComesTo) {
  ASSERT_FALSE(start_eal(test_eal()));
  constexpr std::uint16_t kQueues = 3;
  DpdkPortOptions options = test_port("net_null0", "10.0.0.1/24", nullptr, "fd00::1/64", {});
  options.queues = kQueues;
  const auto made = DpdkPort::create(options);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const DpdkPort& port = *made.value();
  const RssMap* const spread = port.spread();
  ASSERT_NE(spread, nullptr);
  std::array<std::uint8_t, kRssKeyBytes> key{};
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = key.size();
  ASSERT_EQ(rte_eth_dev_rss_hash_conf_get(port.id(), &conf), 0);
  std::array<rte_eth_rss_reta_entry64, 8> groups{};
  rte_eth_dev_info info{};
  ASSERT_EQ(rte_eth_dev_info_get(port.id(), &info), 0);
  for (auto& group : groups) group.mask = UINT64_MAX;
  ASSERT_EQ(rte_eth_dev_rss_reta_query(port.id(), groups.data(), info.reta_size), 0);
  std::set<std::uint16_t> seen;
  for (std::uint16_t i = 0; i < 200; ++i) {
    const Address peer{ip("10.0.0.9"), static_cast<std::uint16_t>(1000 + i)};
    const Address own{ip("10.0.0.1"), 4000};
    const std::uint32_t at = rss_hash(key, peer, own) & (info.reta_size - 1u);
    const auto queue = spread->queue_of(peer, own);
    ASSERT_EQ(queue, groups[at / RTE_ETH_RETA_GROUP_SIZE].reta[at % RTE_ETH_RETA_GROUP_SIZE]);
    seen.insert(*queue);
  }
  EXPECT_EQ(seen, (std::set<std::uint16_t>{0, 1, 2}));
}

// By a table that the device does not tell; `second` is the second queue's place in it.
std::shared_ptr<DpdkPort> open_spread_port(std::uint16_t second) {
  const auto devices = make_ring_pair(2);
  EXPECT_TRUE(devices.ok());
  if (!devices.ok()) return nullptr;
  DpdkPortOptions options =
      test_port(devices.value().first, "10.0.0.1/24", nullptr, "fd00::1/64", {});
  options.queues = 2;
  RssSetUp set_up;
  const auto key = symmetric_rss_key();
  set_up.key.assign(key.begin(), key.end());
  set_up.table = {0, second, second, 0};
  set_up.udp_v4 = true;  // Where IPv6 comes to is unknown.
  options.spread = RssMap::make(std::move(set_up));
  const auto port = DpdkPort::create(std::move(options));
  EXPECT_TRUE(port.ok());
  return port.ok() ? port.value() : nullptr;
}

TEST(DpdkDevice, ASocketForOnePeerHasAPortThatLeadsToItsQueueIfThereIsOne) {
  ASSERT_FALSE(start_eal(test_eal()));
  for (const std::uint16_t second : {std::uint16_t{1}, std::uint16_t{0}}) {
    const auto port = open_spread_port(second);
    ASSERT_TRUE(port);
    for (std::uint16_t queue = 0; queue < 2; ++queue) {
      auto made = DpdkDatapath::create(port, queue);
      ASSERT_TRUE(made.ok());
      DpdkDatapath& path = *made.value();
      for (std::uint16_t i = 0; i < 20; ++i) {
        const Address peer{ip("10.0.0.2"), static_cast<std::uint16_t>(5000 + i)};
        const auto socket = path.open_socket(*Address::parse("10.0.0.1:0"), {.peer = peer});
        ASSERT_TRUE(socket.ok());
        EXPECT_EQ(path.is_home(socket.value(), peer), queue == 0 || second == 1);
      }
    }
  }
}

TEST(DpdkDevice, WhatCannotBeForetoldIsTakenForHome) {
  ASSERT_FALSE(start_eal(test_eal()));
  const auto port = open_spread_port(1);
  ASSERT_TRUE(port);
  auto made = DpdkDatapath::create(port, 1);
  ASSERT_TRUE(made.ok());
  DpdkDatapath& path = *made.value();
  const Address six = *Address::parse("[fd00::2]:5000");
  for (const char* local : {"[fd00::1]:0", "0.0.0.0:0", "[::]:0"}) {
    const auto socket = path.open_socket(*Address::parse(local), {.peer = six});
    ASSERT_TRUE(socket.ok()) << local;
    EXPECT_TRUE(path.is_home(socket.value(), six)) << local;
  }
  EXPECT_TRUE(path.is_home(kNoSocket, *Address::parse("10.0.0.2:5000")));
}

TEST(PoolSizes, AreSumsOfWhatIsHeldWithEveryCacheFull) {
  const PoolSizes lone = pool_sizes({1024, 512, 8192, 4096, 1});
  EXPECT_EQ(lone.cache, 512u);
  EXPECT_GE(lone.rx, 1024u + 8192u + 768u);
  EXPECT_GE(lone.tx, 512u + 4096u + 768u);
  const PoolSizes many = pool_sizes({1024, 1024, 8192, 4096, 64});
  EXPECT_GE(many.rx, 1024 + 8192 + 64 * (many.cache + many.cache / 2));
  EXPECT_GT(many.cache, 0u);
  EXPECT_LE(many.rx, 1024u + 8192u + 4096u);
  EXPECT_EQ(pool_sizes({64, 64, 64, 64, 8}).cache, 0u);
}

// Each shard frees frames that another's queue has received.
TEST(DpdkDevice, WhatOtherShardsCachesHoldIsNotAQueuesLoss) {
  ASSERT_FALSE(start_eal(test_eal()));
  constexpr std::uint16_t kQueues = 8;
  const auto devices = make_ring_pair(kQueues);
  ASSERT_TRUE(devices.ok());
  DpdkPortOptions options = test_port(devices.value().first, "10.0.0.1/24", nullptr, nullptr, {});
  options.queues = kQueues;
  options.rx_buffers = 512;
  options.tx_buffers = 512;
  const auto port = DpdkPort::create(options);
  ASSERT_TRUE(port.ok());
  rte_mempool* const pool = port.value()->queue(0).rx_pool;
  // This thread has no cache: what it takes is the pool's own.
  const auto take = [pool](std::size_t most) {
    std::vector<rte_mbuf*> frames(most);
    std::size_t n = 0;
    while (n < most && (frames[n] = rte_pktmbuf_alloc(pool)) != nullptr) ++n;
    frames.resize(n);
    return frames;
  };
  std::barrier freed(2);
  std::barrier done(kQueues);
  std::vector<std::thread> shards;
  for (std::uint16_t i = 1; i < kQueues; ++i) {
    shards.emplace_back([&, frames = take(384)] {
      EXPECT_TRUE(register_eal_thread());
      for (rte_mbuf* const frame : frames) rte_pktmbuf_free(frame);
      freed.arrive_and_wait();
      done.arrive_and_wait();
    });
    freed.arrive_and_wait();
  }
  const std::vector<rte_mbuf*> frames = take(options.rx_buffers + options.rx_descriptors);
  EXPECT_EQ(frames.size(), options.rx_buffers + options.rx_descriptors);
  for (rte_mbuf* const frame : frames) rte_pktmbuf_free(frame);
  done.arrive_and_wait();
  for (std::thread& shard : shards) shard.join();
}

}  // namespace
}  // namespace millrace::io
