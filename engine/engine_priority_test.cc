// SPDX-License-Identifier: Apache-2.0
// Channels whose messages give way to others in a full send buffer (RFC 7496).
#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace millrace::test {
namespace {

const std::vector<std::uint8_t> kBytes(10'000, 1);

EngineOptions small_buffer() {
  EngineOptions options;
  options.sctp.send_buffer_bytes = 256 << 10;
  return options;
}

SessionStats stats_of(SimPair& pair, SessionId session) {
  SessionStats stats;
  bool told = false;
  pair.client->session_stats(session, [&](Result<SessionStats, SignalError> result) {
    ASSERT_TRUE(result.ok());
    stats = result.value();
    told = true;
  });
  EXPECT_TRUE(pair.run([&] { return told; }));
  return stats;
}

// RFC 7496 §3.2, §4.3, §4.4
TEST(BufferPriority, GivesWayToWhatIsReliable) {
  SimPair pair({.delay = microseconds(500), .rate_mbps = 10}, small_buffer());
  Channel pictures = pair.open({.buffer_priority = 5});
  Channel orders = pair.at_client->context.open_channel(pictures.session(), {}).value();
  ASSERT_TRUE(pair.run([&] { return orders.open(); }));
  EXPECT_FALSE(pictures.reliable());
  EXPECT_TRUE(orders.reliable());
  int sent = 0;
  while (pictures.send(kBytes) == SendStatus::kOk) ++sent;
  EXPECT_GT(sent, 20);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(orders.send(kBytes), SendStatus::kOk) << i;

  const SessionStats stats = stats_of(pair, pictures.session());
  ASSERT_EQ(stats.channels.size(), 2u);
  const DataChannelStats& own =
      stats.channels[stats.channels[0].data_channel_identifier == pictures.id() ? 0 : 1];
  EXPECT_GT(own.messages_abandoned_unsent, 10u);
  EXPECT_EQ(own.messages_abandoned_unsent, stats.sctp->messages_abandoned_unsent);
  EXPECT_EQ(own.messages_abandoned_sent, stats.sctp->messages_abandoned_sent);
  EXPECT_LE(own.messages_abandoned_sent, 1u);
  const auto abandoned =
      static_cast<int>(own.messages_abandoned_unsent + own.messages_abandoned_sent);
  EXPECT_TRUE(pair.run([&] { return pair.at_server->messages == sent + 20 - abandoned; }));
  pair.pass(seconds(2));
  EXPECT_EQ(pair.at_server->messages, sent + 20 - abandoned);
}

TEST(BufferPriority, IsOneLimitOfThree) {
  SimPair pair;
  Channel first = pair.open({.max_retransmits = 1});
  EXPECT_FALSE(first.set_buffer_priority(1));
  for (const ChannelOptions& options :
       {ChannelOptions{.max_retransmits = 1, .buffer_priority = 1},
        ChannelOptions{.max_packet_life_time = milliseconds(5), .buffer_priority = 1},
        ChannelOptions{.max_retransmits = 1, .max_packet_life_time = milliseconds(5)}}) {
    const auto refused = pair.at_client->context.open_channel(first.session(), options);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("more than one limit"), std::string::npos);
  }
}

TEST(BufferPriority, MayBeSetByEitherEndAndTakenBack) {
  SimPair pair({.delay = microseconds(500), .rate_mbps = 10}, small_buffer());
  Channel opened = pair.open();
  Channel accepted = pair.at_server->channels.front();
  EXPECT_TRUE(accepted.reliable());
  EXPECT_TRUE(accepted.set_buffer_priority(7));
  EXPECT_FALSE(accepted.reliable());
  EXPECT_TRUE(opened.reliable()) << "the peer knows nothing of it";
  while (accepted.send(kBytes) == SendStatus::kOk) {
  }
  EXPECT_TRUE(accepted.set_buffer_priority(3));
  EXPECT_EQ(accepted.send(kBytes), SendStatus::kOk) << "higher than what is queued";
  EXPECT_TRUE(accepted.set_buffer_priority(std::nullopt));
  EXPECT_TRUE(accepted.reliable());
  EXPECT_FALSE(Channel().set_buffer_priority(1));
}

}  // namespace
}  // namespace millrace::test
