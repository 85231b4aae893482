// SPDX-License-Identifier: Apache-2.0
//
// What tests of whole engines share: a handler made of functions, and two engines over a
// simulated network.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine_test_hosts.h"
#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace::test {

// Script is a handler whose events run what a test puts there, after they were noted.
class Script : public Handler {
 public:
  explicit Script(ShardContext& shard) : context(shard) {}

  void on_session_open(SessionId session) override {
    opened.push_back(session);
    if (session_open) session_open(session);
  }
  void on_session_close(SessionId session, CloseReason reason) override {
    closed.emplace_back(session, reason);
    if (session_close) session_close(session, reason);
  }
  void on_channel_open(Channel channel) override {
    channels.push_back(channel);
    if (channel_open) channel_open(channel);
  }
  void on_channel_close(Channel channel) override {
    ++channels_closed;
    if (channel_close) channel_close(channel);
  }
  void on_message(Channel channel, const MessageView& view) override {
    ++messages;
    if (message) message(channel, view);
  }
  void on_writable(Channel channel) override {
    ++writables;
    if (writable) writable(channel);
  }
  void on_buffered_amount_low(Channel channel) override {
    if (low) low(channel);
  }
  void on_message_progress(Channel channel, const MessageProgress& news) override {
    progress.emplace_back(channel, news);
    if (message_progress) message_progress(channel, news);
  }

  ShardContext& context;
  std::function<void(SessionId)> session_open;
  std::function<void(SessionId, CloseReason)> session_close;
  std::function<void(Channel)> channel_open;
  std::function<void(Channel)> channel_close;
  std::function<void(Channel, const MessageView&)> message;
  std::function<void(Channel)> writable;
  std::function<void(Channel)> low;
  std::function<void(Channel, const MessageProgress&)> message_progress;

  std::vector<SessionId> opened;
  std::vector<std::pair<SessionId, CloseReason>> closed;
  std::vector<Channel> channels;
  std::vector<std::pair<Channel, MessageProgress>> progress;
  int channels_closed = 0;
  int messages = 0;
  int writables = 0;
};

inline std::unique_ptr<Engine> make_engine(EngineOptions options, Script** script = nullptr) {
  auto engine = Engine::create(std::move(options), [&](ShardContext& context) {
    auto made = std::make_unique<Script>(context);
    if (script != nullptr) *script = made.get();
    return made;
  });
  EXPECT_TRUE(engine.ok()) << (engine.ok() ? "" : engine.error().message);
  return engine.ok() ? std::move(engine).value() : nullptr;
}

// The count of one drop reason over all shards, as "layer.reason".
inline std::uint64_t drops(const Engine& engine, std::string_view reason) {
  std::uint64_t sum = 0;
  for (const ShardStats& shard : engine.stats().shards) {
    for (const auto& [name, count] : shard.drops) sum += name == reason ? count : 0;
  }
  return sum;
}

// SimPair is a server at 10.0.1.1:5000 and a client at 10.0.0.1 in virtual time.
class SimPair {
 public:
  using Tamper = std::function<void(std::string& sdp)>;

  explicit SimPair(const SimulationOptions& network = {.delay = microseconds(100)},
                   EngineOptions options = {})
      : simulation(Simulation::create(network)) {
    if (options.max_sessions > 1024) options.max_sessions = 1024;
    EngineOptions listening = options;
    listening.listen = "10.0.1.1:5000";
    place_on(simulation, listening);
    place_on(simulation, options);
    server = make_engine(std::move(listening), &at_server);
    client = make_engine(std::move(options), &at_client);
  }

  void dial(const Tamper& tamper_answer = {}, const Tamper& tamper_offer = {}) {
    client->create_offer({}, [=, this](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      std::string sdp = offer.value().sdp;
      if (tamper_offer) tamper_offer(sdp);
      auto answer = server->accept_offer(sdp);
      ASSERT_TRUE(answer.ok()) << answer.error().reason;
      sdp = answer.value().sdp;
      if (tamper_answer) tamper_answer(sdp);
      client->accept_answer(offer.value().session, sdp,
                            [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
  }
  bool run(const std::function<bool()>& done, Duration limit = seconds(60)) {
    return simulation->run_until(done, simulation->now() + limit);
  }
  // Lets time pass.
  void pass(Duration time) {
    simulation->run_until([] { return false; }, simulation->now() + time);
  }

  // Dials and opens a channel from the client.
  Channel open(const ChannelOptions& options = {}) {
    dial();
    const std::size_t before = at_client->opened.size();
    if (!run([&] { return at_client->opened.size() > before; })) return {};
    auto opened = at_client->context.open_channel(at_client->opened.back(), options);
    EXPECT_TRUE(opened.ok());
    const std::size_t heard = at_server->channels.size();
    EXPECT_TRUE(run([&] { return at_server->channels.size() > heard; }));
    return opened.value();
  }

  std::shared_ptr<Simulation> simulation;
  Script* at_server = nullptr;
  Script* at_client = nullptr;
  std::unique_ptr<Engine> server;
  std::unique_ptr<Engine> client;
};

}  // namespace millrace::test
