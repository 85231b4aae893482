// SPDX-License-Identifier: Apache-2.0
//
// Frames that wait for one that was lost, more of them than a shard has receive buffers.
#include <string>

#include "engine/engine_test_support.h"
#include "engine/simulation_impl.h"
#include "test/support/sim_bridge.h"

namespace millrace {
namespace {

TEST(HeldFrames, NeverLeaveAShardWithoutBuffersToReceiveInto) {
  EngineOptions options;
  options.sctp.congestion_control = CongestionControl::kFixedRate;
  options.sctp.fixed_rate_bits = 4'000'000'000;
  options.sctp.send_buffer_bytes = options.sctp.channel_send_buffer_bytes = 16u << 20;
  // What comes is held for half a round trip, at least, and for less than views may be kept.
  test::SimPair pair({.delay = milliseconds(8)}, options);
  auto& network = static_cast<engine::SimulationImpl&>(*pair.simulation).network();
  Channel channel = pair.open();
  pair.pass(seconds(1));
  const std::uint64_t refused = test::SimBridge::refused;

  io::LinkOptions link;
  link.delay = milliseconds(8);
  link.loss = 1;
  network.set_default_link(link);
  ASSERT_EQ(channel.send("the first, and lost"), SendStatus::kOk);
  pair.pass(microseconds(10));
  link.loss = 0;
  network.set_default_link(link);
  constexpr int kMessages = 96;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(channel.send(std::string(64 << 10, 'x')), SendStatus::kOk);
  }
  ASSERT_TRUE(pair.run([&] { return pair.at_server->messages == kMessages + 1; }, seconds(10)));
  // The network never had to wait for the device, which gives way to it in every turn.
  EXPECT_EQ(test::SimBridge::refused, refused);
  pair.pass(milliseconds(300));  // Counters are posted.
  const ShardStats stats = pair.server->stats().shards.at(0);
  EXPECT_GT(stats.payload_copied_held, 1u << 20);
  EXPECT_EQ(stats.payload_copied_in_order, 0u);
}

}  // namespace
}  // namespace millrace
