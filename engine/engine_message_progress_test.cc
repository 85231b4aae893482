// SPDX-License-Identifier: Apache-2.0
// What an application learns of messages that it sent with an id.
#include <gtest/gtest.h>

#include <map>

#include "engine/engine_test_support.h"

namespace millrace::test {
namespace {

using Stage = MessageProgress::Stage;
using Extent = MessageProgress::Extent;

std::vector<MessageProgress> told_of(const Script& script, const Channel& channel) {
  std::vector<MessageProgress> all;
  for (const auto& [of, progress] : script.progress) {
    EXPECT_EQ(of, channel);
    all.push_back(progress);
  }
  return all;
}

// How each ended; kSent where nothing but that is known.
std::map<std::uint64_t, Stage> ends(const Script& script) {
  std::map<std::uint64_t, Stage> last;
  for (const auto& [channel, progress] : script.progress) {
    const auto [at, is_new] = last.try_emplace(progress.id, progress.stage);
    EXPECT_TRUE(is_new || at->second == Stage::kSent) << progress.id << " ended before";
    at->second = progress.stage;
  }
  return last;
}

TEST(MessageProgress, IsToldInTheTurnThatSentTheMessageAndWhenItIsAcknowledged) {
  SimPair pair({.delay = milliseconds(50)});
  Channel channel = pair.open();
  pair.pass(seconds(1));
  ASSERT_EQ(channel.send(std::string_view("no id")), SendStatus::kOk);
  ASSERT_EQ(channel.send(std::vector<std::uint8_t>(3000), {.id = 1}), SendStatus::kOk);
  pair.pass(milliseconds(40));
  EXPECT_EQ(told_of(*pair.at_client, channel),
            (std::vector{MessageProgress{1, Stage::kSent, Extent::kWhole}}));
  ASSERT_TRUE(pair.run([&] { return pair.at_client->progress.size() == 2; }));
  EXPECT_EQ(told_of(*pair.at_client, channel).back(),
            (MessageProgress{1, Stage::kDelivered, Extent::kWhole}));
  EXPECT_TRUE(pair.at_server->progress.empty());
}

TEST(MessageProgress, IsToldOfEveryWayToSend) {
  SimPair pair;
  Channel channel = pair.open();
  const std::vector<std::uint8_t> bytes(100, 1);
  const std::span<const std::uint8_t> pieces[] = {bytes, bytes};
  ASSERT_EQ(channel.send(bytes, {.kind = MessageKind::kString, .id = 1}), SendStatus::kOk);
  ASSERT_EQ(channel.send(pieces, {.id = 2}), SendStatus::kOk);
  ASSERT_EQ(channel.send(OwnedBytes(bytes, nullptr, nullptr), {.id = 3}), SendStatus::kOk);
  ASSERT_EQ(channel.send(std::span<const std::uint8_t>(), {.id = 4}), SendStatus::kOk);
  ASSERT_EQ(channel.send_part(bytes, {}, {.id = 5}), SendStatus::kOk);
  ASSERT_EQ(channel.send_part(bytes, {.last = true}), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->progress.size() == 10; }));
  for (const auto& [id, end] : ends(*pair.at_client)) EXPECT_EQ(end, Stage::kDelivered) << id;
}

// RFC 3758 §3.5
TEST(MessageProgress, OfWhatExpiresSaysThatItNeverLeft) {
  SimPair pair({.delay = milliseconds(1), .rate_mbps = 2});
  Channel channel = pair.open({.ordered = false, .max_packet_life_time = milliseconds(50)});
  const std::vector<std::uint8_t> bytes(10'000, 1);
  for (std::uint64_t id = 1; id <= 100; ++id) {
    ASSERT_EQ(channel.send(bytes, {.id = id}), SendStatus::kOk);
  }
  pair.pass(seconds(10));
  std::map<Stage, int> count;
  for (const auto& [id, end] : ends(*pair.at_client)) ++count[end];
  EXPECT_EQ(count[Stage::kDelivered] + count[Stage::kAbandoned], 100);
  EXPECT_LE(count[Stage::kDelivered], pair.at_server->messages);
  EXPECT_GT(count[Stage::kDelivered], 0);
  int unsent = 0;
  for (const auto& [of, progress] : pair.at_client->progress) {
    unsent += progress.stage == Stage::kAbandoned && progress.sent == Extent::kNone;
  }
  EXPECT_GT(unsent, 50);
}

// RFC 8831 §6.7
TEST(MessageProgress, ComesBeforeTheCloseOfTheChannel) {
  SimPair pair({.delay = milliseconds(20)});
  Channel channel = pair.open();
  const std::vector<std::uint8_t> bytes(50'000, 1);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    ASSERT_EQ(channel.send(bytes, {.id = id}), SendStatus::kOk);
  }
  ASSERT_EQ(channel.send_part(bytes, {}, {.id = 6}), SendStatus::kOk);
  std::size_t told_at_close = 0;
  pair.at_client->channel_close = [&](Channel) { told_at_close = ends(*pair.at_client).size(); };
  channel.close();
  ASSERT_TRUE(pair.run([&] { return pair.at_client->channels_closed == 1; }));
  EXPECT_EQ(told_at_close, 6u);
  for (const auto& [id, end] : ends(*pair.at_client)) {
    EXPECT_EQ(end, id == 6 ? Stage::kAbandoned : Stage::kDelivered) << id;
  }
}

TEST(MessageProgress, ComesBeforeTheEndOfTheSession) {
  SimPair pair({.delay = milliseconds(50), .rate_mbps = 10});
  Channel channel = pair.open();
  const std::vector<std::uint8_t> bytes(100'000, 1);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    ASSERT_EQ(channel.send(bytes, {.id = id}), SendStatus::kOk);
  }
  std::map<std::uint64_t, Stage> at_close;
  pair.at_client->channel_close = [&](Channel) { at_close = ends(*pair.at_client); };
  ASSERT_TRUE(pair.run([&] { return pair.at_server->messages == 3; }));
  pair.server.reset();  // It vanishes.
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }, seconds(120)));
  ASSERT_EQ(at_close.size(), 10u);
  EXPECT_EQ(at_close, ends(*pair.at_client));
  EXPECT_EQ(at_close[1], Stage::kDelivered);
  EXPECT_EQ(at_close[10], Stage::kEnded);
}

// Each piece of news may bring about the next message.
TEST(MessageProgress, AHandlerMaySendFromWithinIt) {
  SimPair pair;
  Channel channel = pair.open();
  const std::vector<std::uint8_t> bytes(100, 1);
  pair.at_client->message_progress = [&](Channel of, const MessageProgress& progress) {
    if (progress.stage == Stage::kDelivered && progress.id < 50) {
      ASSERT_EQ(of.send(bytes, {.id = progress.id + 1}), SendStatus::kOk);
    }
  };
  ASSERT_EQ(channel.send(bytes, {.id = 1}), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->progress.size() == 100; }));
  EXPECT_EQ(pair.at_server->messages, 50);
}

}  // namespace
}  // namespace millrace::test
