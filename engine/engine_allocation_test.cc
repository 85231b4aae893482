// SPDX-License-Identifier: Apache-2.0
//
// Once a session is up, a turn allocates nothing and copies nothing in order (DESIGN §Bytes).
#include <gtest/gtest.h>

#include <string>

#include "io/allocation_count.h"
#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace {
namespace {

class Echo : public Handler {
 public:
  void on_message(Channel channel, const MessageView& message) override {
    ASSERT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  }
};

// Keeps `window` messages in flight.
class Pinger : public Handler {
 public:
  Pinger(ShardContext& context, std::size_t bytes, int window)
      : context_(context), message_(bytes, 1), window_(window) {}

  void on_session_open(SessionId session) override {
    ASSERT_TRUE(context_.open_channel(session, {.label = "echo"}).ok());
  }
  void on_channel_open(Channel channel) override {
    for (int i = 0; i < window_; ++i) ASSERT_EQ(channel.send(message_), SendStatus::kOk);
  }
  void on_message(Channel channel, const MessageView& message) override {
    ASSERT_EQ(message.size(), message_.size());
    ++echoed;
    ASSERT_EQ(channel.send(message_), SendStatus::kOk);
  }

  std::uint64_t echoed = 0;

 private:
  ShardContext& context_;
  const std::vector<std::uint8_t> message_;
  const int window_;
};

class Allocation : public testing::TestWithParam<std::size_t> {};

TEST_P(Allocation, NoneOnceASessionIsUp) {
  auto simulation = Simulation::create({.seed = 7, .delay = microseconds(50), .rate_mbps = 1000});
  EngineOptions options;
  options.io = IoBackend::kSim;
  options.simulation = simulation;
  options.max_sessions = 64;
  // A probe that the path does not carry makes the network's own buffers larger.
  options.max_datagram_bytes = 1472;
  EngineOptions listening = options;
  listening.listen = "10.0.1.1:5000";
  auto server =
      Engine::create(std::move(listening), [](ShardContext&) { return std::make_unique<Echo>(); });
  Pinger* pinger = nullptr;
  auto client = Engine::create(std::move(options), [&](ShardContext& context) {
    auto made = std::make_unique<Pinger>(context, GetParam(), 16);
    pinger = made.get();
    return made;
  });
  ASSERT_TRUE(server.ok() && client.ok());
  client.value()->create_offer({}, [&](Result<Description, SignalError> offer) {
    auto answer = server.value()->accept_offer(offer.value().sdp);
    client.value()->accept_answer(offer.value().session, answer.value().sdp,
                                  [](std::optional<SignalError>) {});
  });
  // Pools and rings find their size first.
  ASSERT_TRUE(simulation->run_until([&] { return pinger->echoed >= 4000; },
                                    simulation->now() + seconds(60)));
  const std::uint64_t before = io::allocation_count();
  const std::uint64_t target = pinger->echoed + 4000;
  ASSERT_TRUE(simulation->run_until([&] { return pinger->echoed >= target; },
                                    simulation->now() + seconds(60)));
  EXPECT_EQ(io::allocation_count() - before, 0u);
  EXPECT_EQ(server.value()->stats().shards[0].payload_copied_in_order, 0u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Allocation, testing::Values(100, 1000, 16384));

}  // namespace
}  // namespace millrace
