// SPDX-License-Identifier: Apache-2.0
//
// Engines over DPDK: a pair of connected devices in one process.
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/dpdk/dpdk_device.h"
#include "io/allocation_count.h"
#include "io/dpdk/dpdk_port.h"
#include "io/dpdk/ring_pair.h"
#include "io/net/rss_hash.h"
#include "millrace/dpdk.h"
#include "millrace/engine.h"

namespace millrace {
namespace {

Time monotonic_now() { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

class Echo : public Handler {
 public:
  void on_message(Channel channel, const MessageView& message) override {
    // One that is closing takes no more.
    const SendStatus sent = channel.send(message.pieces, message.kind);
    ASSERT_TRUE(sent == SendStatus::kOk || sent == SendStatus::kClosed);
  }
};

struct Tally {
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<std::uint64_t> echoed{0};
  std::atomic<int> damaged{0};
};

// Keeps `window` messages of a session on their way.
class Pinger : public Handler {
 public:
  Pinger(ShardContext& context, Tally& tally, std::size_t bytes, int window)
      : context_(context), tally_(tally), message_(bytes, 1), window_(window) {}

  void on_session_open(SessionId session) override {
    ++tally_.opened;
    ASSERT_TRUE(context_.open_channel(session, {.label = "echo"}).ok());
  }
  void on_session_close(SessionId, CloseReason) override { ++tally_.closed; }
  void on_channel_open(Channel channel) override {
    for (int i = 0; i < window_; ++i) ASSERT_EQ(channel.send(message_), SendStatus::kOk);
  }
  void on_message(Channel channel, const MessageView& message) override {
    if (message.size() != message_.size()) ++tally_.damaged;
    ++tally_.echoed;
    const SendStatus sent = channel.send(message_);
    ASSERT_TRUE(sent == SendStatus::kOk || sent == SendStatus::kClosed);
  }

 private:
  ShardContext& context_;
  Tally& tally_;
  const std::vector<std::uint8_t> message_;
  const int window_;
};

class EngineDpdkTest : public testing::Test {
 protected:
  void make(unsigned shards, std::size_t bytes, int window, bool threads,
            const std::string& listen = "198.18.0.1:0") {
    DpdkOptions device;
    device.memory_mb = 320;
    device.rx_buffers = 2048;
    device.tx_buffers = 2048;
    device.log = [](const std::string& line) { ADD_FAILURE() << line; };
    auto pair = open_dpdk_pair(device, shards);
    ASSERT_TRUE(pair.ok()) << pair.error().message;
    make(std::move(pair).value(), shards, bytes, window, threads, listen);
  }

  void make(std::pair<std::shared_ptr<PacketDevice>, std::shared_ptr<PacketDevice>> devices,
            unsigned shards, std::size_t bytes, int window, bool threads,
            const std::string& listen) {
    client_device_ = devices.second;
    EngineOptions options;
    options.io = IoBackend::kDpdk;
    options.shards = shards;
    options.own_threads = threads;
    options.max_sessions = 256;
    options.log = [](const std::string&) {};
    EngineOptions listening = options;
    listening.listen = listen;
    listening.device = devices.first;
    options.device = devices.second;
    auto at_server =
        Engine::create(listening, [](ShardContext&) { return std::make_unique<Echo>(); });
    ASSERT_TRUE(at_server.ok()) << at_server.error().message;
    auto at_client = Engine::create(options, [&, bytes, window](ShardContext& context) {
      return std::make_unique<Pinger>(context, tally_, bytes, window);
    });
    ASSERT_TRUE(at_client.ok()) << at_client.error().message;
    server_ = std::move(at_server).value();
    client_ = std::move(at_client).value();
    if (!threads) return;
    server_->start();
    client_->start();
  }

  void dial(unsigned shard = 0, const std::string& local_ip = "198.18.0.2") {
    Engine::OfferOptions options;
    options.shard = shard;
    options.local_ip = local_ip;
    client_->create_offer(options, [&](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok()) << offer.error().reason;
      auto answer = server_->accept_offer(offer.value().sdp);
      ASSERT_TRUE(answer.ok()) << answer.error().reason;
      client_->accept_answer(offer.value().session, answer.value().sdp,
                             [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
  }

  // With threads waits for them, else turns both engines.
  bool run(bool threads, const std::function<bool()>& done) {
    for (const Time end = monotonic_now() + seconds(30); !done();) {
      if (monotonic_now() > end) return false;
      if (threads) {
        std::this_thread::sleep_for(milliseconds(1));
      } else {
        server_->poll(0);
        client_->poll(0);
      }
    }
    return true;
  }

  Tally tally_;
  std::shared_ptr<PacketDevice> client_device_;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
};

TEST_F(EngineDpdkTest, EchoesMessagesOfManyFragmentsOverIpv6) {
  make(1, 200'000, 1, true, "[fd00:6d72::1]:0");
  ASSERT_TRUE(server_ && client_);
  dial(0, "fd00:6d72::2");
  EXPECT_TRUE(run(true, [&] { return tally_.echoed >= 30; }));
  EXPECT_EQ(tally_.damaged, 0);
}

// A session's home is the queue that receives it: nothing is handed from shard to shard.
TEST_F(EngineDpdkTest, SessionsOfEachQueueStayOnItsShard) {
  make(2, 1000, 1, true, "0.0.0.0:0");
  ASSERT_TRUE(server_ && client_);
  for (unsigned i = 0; i < 10; ++i) dial(i % 2);
  ASSERT_TRUE(run(true, [&] { return tally_.opened == 10 && tally_.echoed > 500; }));
  // Counters are a tenth of a second old at most.
  EXPECT_TRUE(run(true, [&] {
    const EngineStats stats = server_->stats();
    return stats.shards[0].sessions == 5 && stats.shards[1].sessions == 5;
  }));
  for (const ShardStats& shard : server_->stats().shards) {
    EXPECT_EQ(shard.datagrams_forwarded, 0u);
  }
}

// FakeCard is what stands between two connected devices: it puts what the server sends on the
// client's queue that receive side scaling chooses, as a card does, by a key and a table of its
// own.
class FakeCard {
 public:
  static io::RssMap spread(std::uint16_t queues) {
    io::RssSetUp set_up;
    const auto key = io::symmetric_rss_key();
    set_up.key.assign(key.begin(), key.end());
    for (std::uint16_t i = 0; i < 128; ++i) {
      set_up.table.push_back(static_cast<std::uint16_t>((i / 3) % queues));
    }
    set_up.udp_v4 = set_up.udp_v6 = true;
    return *io::RssMap::make(std::move(set_up));
  }
  static void put_before(std::uint16_t server_port, std::uint16_t queues) {
    spread_ = spread(queues);
    burst_ = rte_eth_fp_ops[server_port].tx_pkt_burst;
    queues_ = rte_eth_fp_ops[server_port].txq.data;
    rte_eth_fp_ops[server_port].tx_pkt_burst = &FakeCard::send;
  }

 private:
  static std::uint16_t queue_of(const rte_mbuf& frame) {
    const auto* const bytes = rte_pktmbuf_mtod(&frame, const std::uint8_t*);
    constexpr std::uint8_t kUdp = 17;
    if (load_be16(bytes + 12) != 0x0800 || bytes[23] != kUdp) return 0;
    const auto address = [&](std::size_t ip, std::size_t port) {
      return Address{IpAddress::v4(bytes[ip], bytes[ip + 1], bytes[ip + 2], bytes[ip + 3]),
                     load_be16(bytes + port)};
    };
    return spread_->queue_of(address(26, 34), address(30, 36)).value();
  }
  static std::uint16_t send(void*, rte_mbuf** frames, std::uint16_t n) {
    for (std::uint16_t i = 0; i < n; ++i) {
      if (burst_(queues_[queue_of(*frames[i])], frames + i, 1) == 0) return i;
    }
    return n;
  }

  // Of the process, for the driver's function knows nothing of who made it.
  static inline std::optional<io::RssMap> spread_;
  static inline eth_tx_burst_t burst_ = nullptr;
  static inline void** queues_ = nullptr;
};

class EngineDpdkHome : public EngineDpdkTest, public testing::WithParamInterface<bool> {
 protected:
  static constexpr std::uint16_t kQueues = 2;
  static std::shared_ptr<io::DpdkPort> open_port(const std::string& device, const char* address,
                                                 std::optional<io::RssMap> spread) {
    io::DpdkPortOptions options;
    options.device = device;
    options.queues = kQueues;
    options.net.mtu = 0;
    options.net.addresses.push_back(*io::IpPrefix::parse(address));
    options.rx_buffers = options.tx_buffers = 2048;
    options.spread = std::move(spread);
    auto port = io::DpdkPort::create(std::move(options));
    EXPECT_TRUE(port.ok()) << (port.ok() ? "" : port.error().message);
    return port.ok() ? port.value() : nullptr;
  }
};

// Where the device tells how it spreads, a dialled session takes a port that leads to its home;
// where it does not, what comes to another shard's queue is handed over, and nothing is lost.
TEST_P(EngineDpdkHome, ADialledSessionIsHeardOnItsOwnQueue) {
  const bool known = GetParam();
  io::EalOptions eal;
  eal.memory_mb = 320;
  ASSERT_FALSE(io::start_eal(eal));
  const auto names = io::make_ring_pair(kQueues);
  ASSERT_TRUE(names.ok());
  auto at_server = open_port(names.value().first, "198.18.0.1/24", std::nullopt);
  auto at_client = open_port(names.value().second, "198.18.0.2/24",
                             known ? std::optional(FakeCard::spread(kQueues)) : std::nullopt);
  ASSERT_TRUE(at_server && at_client);
  FakeCard::put_before(at_server->id(), kQueues);
  make({engine::make_packet_device(std::move(at_server)),
        engine::make_packet_device(std::move(at_client))},
       kQueues, 1000, 1, true, "198.18.0.1:0");
  ASSERT_TRUE(server_ && client_);
  constexpr unsigned kSessions = 16;
  for (unsigned i = 0; i < kSessions; ++i) dial(i % kQueues);
  ASSERT_TRUE(run(true, [&] { return tally_.opened == kSessions && tally_.echoed > 2000; }));
  // Noted four times a second, by each shard.
  const std::uint64_t seen = tally_.echoed;
  std::this_thread::sleep_for(milliseconds(600));
  ASSERT_TRUE(run(true, [&] { return tally_.echoed > seen + 100; }));
  if (known) {
    EXPECT_EQ(client_device_->stats().frames_handed_over, 0u);
  } else {
    EXPECT_GT(client_device_->stats().frames_handed_over, 100u);
  }
  EXPECT_EQ(tally_.damaged, 0);
  EXPECT_EQ(tally_.closed, 0);
  server_.reset();
  client_.reset();
}

INSTANTIATE_TEST_SUITE_P(Spread, EngineDpdkHome, testing::Bool(), [](const auto& about) {
  return std::string(about.param ? "Known" : "Unknown");
});

TEST_F(EngineDpdkTest, StoppingTheServerClosesItsPeers) {
  make(1, 10, 1, true);
  ASSERT_TRUE(server_ && client_);
  dial();
  ASSERT_TRUE(run(true, [&] { return tally_.echoed > 0; }));
  server_->stop();
  EXPECT_TRUE(run(true, [&] { return tally_.closed == 1; }));
}

class EngineDpdkAllocation : public EngineDpdkTest,
                             public testing::WithParamInterface<std::size_t> {};

TEST_P(EngineDpdkAllocation, NoneAndNoCopyOnceASessionIsUp) {
  make(1, GetParam(), 16, false);
  ASSERT_TRUE(server_ && client_);
  dial();
  // Pools and rings find their size first.
  ASSERT_TRUE(run(false, [&] { return tally_.echoed >= 20'000; }));
  // A pause of this thread may be taken for a loss, whose first needs memory; what each packet
  // needs shows every time.
  std::uint64_t allocations = 1;
  for (int i = 0; i < 5 && allocations != 0; ++i) {
    const std::uint64_t target = tally_.echoed + 4000;
    const std::function<bool()> enough = [&] { return tally_.echoed >= target; };
    const std::uint64_t before = io::allocation_count();
    ASSERT_TRUE(run(false, enough));
    allocations = io::allocation_count() - before;
  }
  EXPECT_EQ(allocations, 0u);
  const ShardStats stats = server_->stats().shards[0];
  EXPECT_EQ(stats.payload_copied_in_order, 0u);
  for (const auto& [reason, count] : stats.drops) EXPECT_EQ(count, 0u) << reason;
}

INSTANTIATE_TEST_SUITE_P(Sizes, EngineDpdkAllocation, testing::Values(100, 1000, 16384));

TEST(EngineDpdk, ADeviceServesAsManyShardsAsItHasQueues) {
  DpdkOptions device;
  device.memory_mb = 320;
  auto pair = open_dpdk_pair(device, 2);
  ASSERT_TRUE(pair.ok()) << pair.error().message;
  const auto handler = [](ShardContext&) { return std::make_unique<Echo>(); };
  EngineOptions options;
  options.io = IoBackend::kDpdk;
  const auto without = Engine::create(options, handler);
  ASSERT_FALSE(without.ok());
  EXPECT_EQ(without.error().message, "io: kDpdk and `device` go together");
  options.device = pair.value().first;
  const auto one = Engine::create(options, handler);
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().message, "device: it has 2 queue pairs, and there are 1 shards");
  options.shards = 2;
  options.listen = "192.0.2.1:5000";
  const auto foreign = Engine::create(options, handler);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().message, "bind udp 192.0.2.1:5000: cannot assign requested address");
}

}  // namespace
}  // namespace millrace
