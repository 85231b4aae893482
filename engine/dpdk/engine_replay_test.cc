// SPDX-License-Identifier: Apache-2.0
//
// A recorded stream, with damage of every kind done to it, played into a device by net_pcap:
// every frame is a datagram or a counted drop, and nothing else comes of it.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "engine/engine_test_support.h"
#include "io/net/checksum.h"
#include "millrace/dpdk.h"
#include "test/support/sim_bridge.h"

namespace millrace {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Frames = std::vector<Bytes>;

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kHeaderBytes = kEthernetBytes + 20 + 8;  // And IPv4's, and UDP's.

Time monotonic_now() { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

// What a server's device is given in a session's life, over a path that loses, repeats and
// reorders.
Frames record_session() {
  Frames frames;
  test::SimPair pair(
      {.seed = 5, .loss = 0.1, .duplicate = 0.1, .reorder = 0.2, .delay = milliseconds(2)});
  test::SimBridge::recorder = [&](ByteSpan frame) {
    // To the server alone.
    if (load_be32(frame.data() + 30) == 0x0a000101) frames.emplace_back(frame.begin(), frame.end());
  };
  Channel channel = pair.open();
  int sent = 0;
  for (; sent < 200 && !testing::Test::HasFailure(); ++sent) {
    EXPECT_EQ(channel.send(std::string(sent % 10 == 0 ? 60'000 : 700, 'x')), SendStatus::kOk);
    EXPECT_TRUE(pair.run([&] { return pair.at_server->messages > sent; }));
  }
  pair.client->close_session(pair.at_client->opened.at(0));
  EXPECT_TRUE(pair.run([&] { return !pair.at_server->closed.empty(); }));
  test::SimBridge::recorder = {};
  return frames;
}

Bytes damaged(const Bytes& frame, Rng& rng) {
  Bytes out = frame;
  switch (rng.below(6)) {
    case 0:  // A bit of the headers,
      out[rng.below(kHeaderBytes)] ^= static_cast<std::uint8_t>(1u << rng.below(8));
      break;
    case 1:  // or of any byte,
      out[rng.below(out.size())] ^= static_cast<std::uint8_t>(1u << rng.below(8));
      break;
    case 2:  // cut short,
      out.resize(1 + rng.below(out.size()));
      break;
    case 3:  // with more behind it than it says, or than fits a buffer,
      out.resize(out.size() + 1 + rng.below(4000), 0xee);
      break;
    case 4: {  // a piece of a datagram, sound in itself,
      std::uint8_t* const ip = out.data() + kEthernetBytes;
      store_be16(ip + 6, static_cast<std::uint16_t>(1 + rng.below(8191)));
      store_be16(ip + 10, 0);
      store_be16(ip + 10, io::checksum_finish(io::checksum_add({}, ByteSpan(ip, 20))));
      break;
    }
    default:  // or noise.
      rng.fill(MutableByteSpan(out).subspan(rng.below(2) == 0 ? 0 : 6));
  }
  return out;
}

// Frames in the classic format of libpcap.
std::string write_pcap(const Frames& frames) {
  std::string path = "/tmp/millrace-replay-XXXXXX";
  const int fd = mkstemp(path.data());
  std::FILE* const file = fdopen(fd, "w");
  const std::array<std::uint32_t, 6> header = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
  std::fwrite(header.data(), sizeof(header), 1, file);
  for (const Bytes& frame : frames) {
    const auto length = static_cast<std::uint32_t>(frame.size());
    const std::array<std::uint32_t, 4> record = {0, 0, length, length};
    std::fwrite(record.data(), sizeof(record), 1, file);
    std::fwrite(frame.data(), frame.size(), 1, file);
  }
  std::fclose(file);
  return path;
}

class ReplayTest : public testing::Test {
 protected:
  // A server as the recorded one was, on a device that plays `frames`.
  void play(const Frames& frames) {
    static int devices = 0;
    path_ = write_pcap(frames);
    DpdkOptions device;
    device.device = "net_pcap" + std::to_string(devices++) + ",rx_pcap=" + path_;
    device.addresses = {"10.0.1.1/16"};
    device.mac = test::SimBridge::kDeviceMac;
    device.rx_buffers = device.tx_buffers = 2048;
    device.descriptors = 64;
    auto opened = open_dpdk_device(device);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    device_ = opened.value();
    EngineOptions options;
    options.io = IoBackend::kDpdk;
    options.device = device_;
    options.own_threads = false;
    options.max_sessions = 16;
    options.listen = "10.0.1.1:5000";
    options.log = [](const std::string&) {};
    server_ = test::make_engine(std::move(options), &at_server_);
    ASSERT_TRUE(server_);
    for (const Time end = monotonic_now() + seconds(60); played() < frames.size();) {
      ASSERT_LT(monotonic_now(), end) << played() << " of " << frames.size();
      server_->poll(0);
    }
    // Counters are a quarter of a second old at most.
    for (const Time end = monotonic_now() + milliseconds(600); monotonic_now() < end;) {
      server_->poll(0);
    }
  }
  void TearDown() override { unlink(path_.c_str()); }

  std::uint64_t played() const { return count(device_->stats().device, "rx_good_packets"); }
  static std::uint64_t count(const PacketDeviceStats::Counters& counters, std::string_view name) {
    for (const auto& [each, value] : counters) {
      if (each == name) return value;
    }
    return 0;
  }
  // Dropped between the device and the sockets.
  std::uint64_t dropped_frames() const {
    std::uint64_t sum = 0;
    for (const auto& [name, value] : device_->stats().drops) sum += value;
    return sum;
  }
  // Dropped by the shard, for reasons that begin so: "io.", "shard.".
  std::uint64_t dropped_for(std::string_view prefix) const {
    std::uint64_t sum = 0;
    for (const auto& [name, value] : shard().drops) sum += name.starts_with(prefix) ? value : 0;
    return sum;
  }
  ShardStats shard() const { return server_->stats().shards.at(0); }

  std::string path_;
  std::shared_ptr<PacketDevice> device_;
  test::Script* at_server_ = nullptr;
  std::unique_ptr<Engine> server_;
};

TEST_F(ReplayTest, ASessionOfAnotherLifeIsCountedAndLeavesNothingBehind) {
  const Frames frames = record_session();
  ASSERT_GT(frames.size(), 1000u);
  ASSERT_NO_FATAL_FAILURE(play(frames));
  // All of it was sound, and of nobody who is known here.
  EXPECT_EQ(dropped_frames(), 0u);
  EXPECT_EQ(shard().datagrams_received, frames.size());
  EXPECT_EQ(
      test::drops(*server_, "shard.unknown_source") + test::drops(*server_, "shard.unknown_ufrag"),
      frames.size());
  EXPECT_EQ(shard().sessions, 0u);
  EXPECT_TRUE(at_server_->opened.empty());
}

TEST_F(ReplayTest, EveryDamagedFrameIsADatagramOrACountedDrop) {
  const Frames recorded = record_session();
  Frames frames;
  SeededRng rng(11);
  for (int i = 0; i < 40'000; ++i) {
    const Bytes& frame = recorded[rng.below(recorded.size())];
    frames.push_back(rng.below(8) == 0 ? frame : damaged(frame, rng));
  }
  const std::size_t buffers = 2048;
  ASSERT_NO_FATAL_FAILURE(play(frames));
  const ShardStats stats = shard();
  EXPECT_EQ(stats.datagrams_received + dropped_frames() + dropped_for("io."), frames.size());
  for (const char* reason : {"rx_fragment", "rx_ip_checksum", "rx_udp_checksum", "rx_truncated",
                             "rx_not_our_mac", "rx_ether_type", "rx_martian"}) {
    EXPECT_GT(count(device_->stats().drops, reason), 100u) << reason;
  }
  EXPECT_EQ(dropped_for("shard."), stats.datagrams_received);
  EXPECT_EQ(stats.sessions, 0u);
  // And every buffer has come home.
  EXPECT_GE(device_->stats().rx_buffers_free, buffers);
}

}  // namespace
}  // namespace millrace
