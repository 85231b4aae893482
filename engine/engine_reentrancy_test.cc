// SPDX-License-Identifier: Apache-2.0
//
// Handlers that do anything from within any event, and engines that end in any phase.
#include "engine/engine_test_support.h"

namespace millrace {
namespace {

using test::Script;
using test::SimPair;

using Act = std::function<void(Script&, SessionId, Channel)>;

// Runs `act` in every event of `script`.
void act_in_every_event(Script& script, const Act& act) {
  script.session_open = [&script, act](SessionId id) { act(script, id, Channel()); };
  script.session_close = [&script, act](SessionId id, CloseReason) { act(script, id, Channel()); };
  const auto on_channel = [&script, act](Channel channel) {
    act(script, channel.session(), channel);
  };
  script.channel_open = script.channel_close = script.writable = script.low = on_channel;
  script.message = [on_channel](Channel channel, const MessageView&) { on_channel(channel); };
}

// A session with traffic that brings about every event, and its end.
void run_all_events(SimPair& pair) {
  pair.dial();
  if (!pair.run([&] { return !pair.at_client->opened.empty(); }, seconds(2))) return;
  const SessionId id = pair.at_client->opened.back();
  auto opened = pair.at_client->context.open_channel(id, {.label = "one"});
  if (opened.ok()) {
    Channel channel = opened.value();
    pair.run([&] { return channel.open(); }, seconds(1));
    channel.set_buffered_amount_low_threshold(100);
    const std::vector<std::uint8_t> bytes(60'000, 7);
    for (int i = 0; i < 10'000 && channel.send(bytes) == SendStatus::kOk; ++i) {
    }
    pair.pass(seconds(1));
    channel.close();
    pair.pass(seconds(1));
  }
  pair.at_client->context.close_session(id);
  pair.pass(seconds(7));
}

void expect_every_session_ended(const SimPair& pair) {
  EXPECT_EQ(pair.at_client->closed.size(), 1u);
  EXPECT_LE(pair.at_server->closed.size(), 1u);
  EXPECT_EQ(pair.server->stats().shards[0].sessions, 0u);
  EXPECT_EQ(pair.client->stats().shards[0].channels, 0u);
  EXPECT_EQ(pair.server->stats().shards[0].channels, 0u);
}

TEST(Reentrancy, AnyEventMayCloseItsSession) {
  for (const bool at_server : {false, true}) {
    SimPair pair;
    act_in_every_event(
        at_server ? *pair.at_server : *pair.at_client,
        [](Script& script, SessionId id, Channel) { script.context.close_session(id); });
    run_all_events(pair);
    expect_every_session_ended(pair);
  }
}

TEST(Reentrancy, AnyEventButTheFirstMayCloseItsSession) {
  SimPair pair;
  act_in_every_event(*pair.at_server, [](Script& script, SessionId id, Channel channel) {
    if (channel != Channel()) script.context.close_session(id);
  });
  run_all_events(pair);
  expect_every_session_ended(pair);
}

TEST(Reentrancy, AnyEventMayCloseItsChannel) {
  for (const bool at_server : {false, true}) {
    SimPair pair;
    act_in_every_event(at_server ? *pair.at_server : *pair.at_client,
                       [](Script&, SessionId, Channel channel) { channel.close(); });
    run_all_events(pair);
    expect_every_session_ended(pair);
  }
}

TEST(Reentrancy, AnyEventMayOpenSendAndClose) {
  SimPair pair;
  int budget = 200;
  const Act act = [&](Script& script, SessionId id, Channel channel) {
    if (--budget < 0) return;
    static_cast<void>(channel.send("before"));
    auto opened = script.context.open_channel(id, {.label = "more"});
    if (opened.ok()) static_cast<void>(opened.value().send("first"));
    if (opened.ok() && budget % 2 == 0) opened.value().close();
    channel.close();
    static_cast<void>(channel.send("after"));
  };
  act_in_every_event(*pair.at_client, act);
  act_in_every_event(*pair.at_server, act);
  run_all_events(pair);
  expect_every_session_ended(pair);
}

TEST(Reentrancy, ASessionsEventMayCloseAllTheOthers) {
  SimPair pair;
  for (int i = 0; i < 8; ++i) pair.dial();
  ASSERT_TRUE(pair.run(
      [&] { return pair.at_server->opened.size() == 8 && pair.at_client->opened.size() == 8; }));
  pair.at_server->message = [&](Channel, const MessageView&) {
    for (const SessionId id : pair.at_server->opened) pair.at_server->context.close_session(id);
  };
  auto opened = pair.at_client->context.open_channel(pair.at_client->opened[3], {});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(pair.run([&] { return opened.value().open(); }));
  ASSERT_EQ(opened.value().send("all"), SendStatus::kOk);
  EXPECT_TRUE(pair.run(
      [&] { return pair.at_client->closed.size() == 8 && pair.at_server->closed.size() == 8; }));
  for (const auto& [id, reason] : pair.at_server->closed) EXPECT_EQ(reason, CloseReason::kLocal);
  for (const auto& [id, reason] : pair.at_client->closed) EXPECT_EQ(reason, CloseReason::kPeer);
}

TEST(Reentrancy, AStaleHandleNeverReachesTheChannelThatTookItsPlace) {
  SimPair pair;
  Channel old = pair.open({.label = "old"});
  old.set_user_data(1);
  EXPECT_EQ(old.user_data(), 1u);
  std::uint64_t at_close = 0;
  pair.at_client->channel_close = [&](Channel channel) { at_close = channel.user_data(); };
  old.close();
  ASSERT_TRUE(pair.run([&] { return pair.at_client->channels_closed == 1; }));
  EXPECT_EQ(at_close, 1u);
  EXPECT_EQ(old.user_data(), 0u);

  auto opened = pair.at_client->context.open_channel(old.session(), {.label = "new"});
  ASSERT_TRUE(opened.ok());
  Channel fresh = opened.value();
  EXPECT_EQ(fresh.user_data(), 0u);
  fresh.set_user_data(2);
  old.set_user_data(3);
  EXPECT_EQ(fresh.user_data(), 2u);
  EXPECT_EQ(old.send("x"), SendStatus::kClosed);
  EXPECT_EQ(old.label(), "");
  old.close();
  ASSERT_TRUE(pair.run([&] { return fresh.open(); }));

  pair.at_client->context.close_session(old.session());
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }));
  EXPECT_EQ(fresh.send("x"), SendStatus::kClosed);
  EXPECT_EQ(fresh.user_data(), 0u);
  EXPECT_EQ(fresh.max_message_size(), 0u);
  EXPECT_FALSE(pair.at_client->context.open_channel(old.session(), {}).ok());
}

TEST(Reentrancy, AWriterThatIsToldFillsTheBufferAgain) {
  EngineOptions options;
  options.sctp.send_buffer_bytes = 64 << 10;
  SimPair pair({.delay = microseconds(500), .rate_mbps = 100}, options);
  Channel channel = pair.open();
  const std::vector<std::uint8_t> bytes(10'000, 1);
  int sent = 0;
  const auto fill = [&](Channel to) {
    while (sent < 2000 && to.send(bytes) == SendStatus::kOk) ++sent;
  };
  pair.at_client->writable = fill;
  fill(channel);
  EXPECT_TRUE(pair.run([&] { return pair.at_server->messages == 2000; }));
  EXPECT_GT(pair.at_client->writables, 10);
}

// A channel at its own bound is told of its own room alone, and leaves the buffer to others.
TEST(Reentrancy, AChannelAtItsBoundIsToldWhenItHasRoomAgainAndTheOthersGoOn) {
  EngineOptions options;
  options.sctp.send_buffer_bytes = 1 << 20;
  options.sctp.channel_send_buffer_bytes = 64 << 10;
  SimPair pair({.delay = microseconds(500), .rate_mbps = 100}, options);
  Channel bulk = pair.open();
  Channel other = pair.at_client->context.open_channel(bulk.session(), {}).value();
  ASSERT_TRUE(pair.run([&] { return other.open(); }));
  const std::vector<std::uint8_t> bytes(10'000, 1);
  int sent = 0;
  int told = 0;
  const auto fill = [&] {
    while (bulk.send(bytes) == SendStatus::kOk) ++sent;
    EXPECT_LE(bulk.buffered_amount(), 64u << 10);
  };
  pair.at_client->writable = [&](Channel channel) {
    ASSERT_EQ(channel, bulk);
    ++told;
    EXPECT_LE(bulk.buffered_amount(), 32u << 10);
    if (sent < 2000) fill();
  };
  fill();
  EXPECT_LE(sent, 6);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(other.send(bytes), SendStatus::kOk);
  EXPECT_TRUE(pair.run([&] { return pair.at_server->messages >= 2005; }));
  EXPECT_GT(told, 200);
}

// Some wait for room of their own, others for the session's: whoever is told has room.
TEST(Reentrancy, WhoeverIsToldHasRoomWhicheverBoundItWasThatRefused) {
  EngineOptions options;
  options.sctp.send_buffer_bytes = 256 << 10;
  options.sctp.channel_send_buffer_bytes = 64 << 10;
  SimPair pair({.delay = microseconds(500), .rate_mbps = 100}, options);
  std::vector<Channel> channels{pair.open()};
  while (channels.size() < 12) {
    const auto session = channels.front().session();
    channels.push_back(pair.at_client->context.open_channel(session, {}).value());
  }
  ASSERT_TRUE(pair.run([&] { return channels.back().open(); }));
  const std::vector<std::uint8_t> bytes(4000, 1);
  int sent = 0;
  std::vector<Channel> told = channels;
  pair.at_client->writable = [&](Channel channel) {
    ASSERT_EQ(channel.send(bytes), SendStatus::kOk);
    ++sent;
    told.push_back(channel);
  };
  while (sent < 3000) {
    for (Channel channel : told) {
      while (channel.send(bytes) == SendStatus::kOk) ++sent;
    }
    told.clear();
    ASSERT_TRUE(pair.run([&] { return !told.empty(); }));
  }
  EXPECT_TRUE(pair.run([&] { return pair.at_server->messages >= sent; }));
}

// The engine goes, with sessions in whatever phase they are then.
TEST(Reentrancy, AnEngineMayEndInAnyPhase) {
  for (int step = 0; step < 60; ++step) {
    SimPair pair({.delay = microseconds(300)});
    pair.dial();
    if (step % 3 == 0) pair.client->create_offer({}, [](Result<Description, SignalError>) {});
    pair.at_client->session_open = [&](SessionId id) {
      auto opened = pair.at_client->context.open_channel(id, {});
      ASSERT_TRUE(opened.ok());
    };
    pair.at_client->channel_open = [](Channel channel) {
      EXPECT_EQ(channel.send(std::string(100'000, 'x')), SendStatus::kOk);
    };
    pair.pass(microseconds(200) * step);
    if (step % 2 == 0) pair.server->stop();
    if (step % 4 == 0) pair.pass(microseconds(500));
    (step % 5 < 2 ? pair.server : pair.client).reset();
    pair.pass(seconds(1));
  }
}

TEST(Reentrancy, AnOfferThatNobodyAnswersEnds) {
  SimPair pair;
  SessionId id{};
  pair.client->create_offer({}, [&](Result<Description, SignalError> offer) {
    ASSERT_TRUE(offer.ok());
    id = offer.value().session;
    ASSERT_TRUE(pair.server->accept_offer(offer.value().sdp).ok());
  });
  pair.pass(milliseconds(1));
  EXPECT_EQ(pair.server->stats().sessions_pending, 1u);
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }));
  EXPECT_EQ(pair.at_client->closed[0], std::pair(id, CloseReason::kHandshakeTimeout));
  pair.pass(seconds(3));
  EXPECT_EQ(pair.server->stats().sessions_pending, 0u);
  EXPECT_FALSE(pair.client->close_session(id));
}

}  // namespace
}  // namespace millrace
