// SPDX-License-Identifier: Apache-2.0
//
// Shards in an embedder's own loop, in real time.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "engine/engine_test_network.h"
#include "engine/engine_test_support.h"

namespace millrace {
namespace {

using test::Script;

Time monotonic_now() { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

// One shard as an embedder's loop turns it, until `done` or for 20 s.
class Loop {
 public:
  explicit Loop(Engine& engine) : engine_(engine) {}

  bool run(const std::function<bool()>& done) {
    const Time end = monotonic_now() + seconds(20);
    while (!done()) {
      if (monotonic_now() > end) return false;
      if (engine_.poll(0)) continue;
      const Time due = std::min(engine_.poll_deadline(0), end);
      const auto left = std::chrono::ceil<milliseconds>(due - monotonic_now()).count();
      pollfd readable{engine_.poll_handle(0), POLLIN, 0};
      ++waits;
      woken += ::poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
    }
    return true;
  }

  int waits = 0;
  int woken = 0;  // By the descriptor, not the deadline.

 private:
  Engine& engine_;
};

class EnginePollTest : public testing::TestWithParam<test::NetworkCase> {
 protected:
  EngineOptions options() {
    EngineOptions options;
    options.own_threads = false;
    options.max_sessions = 64;
    options.log = [](const std::string&) {};
    return options;
  }

  const std::unique_ptr<test::TestNetwork> network_ = GetParam().make();
};

TEST_P(EnginePollTest, OneThreadCarriesEachEnd) {
  EngineOptions listening = options();
  listening.listen = network_->join(listening).v4 + ":0";
  EngineOptions dialling = options();
  Engine::OfferOptions offering;
  offering.local_ip = network_->join(dialling).v4;
  Script* at_server = nullptr;
  Script* at_client = nullptr;
  auto server = test::make_engine(std::move(listening), &at_server);
  auto client = test::make_engine(std::move(dialling), &at_client);
  ASSERT_TRUE(server && client);
  at_server->message = [](Channel channel, const MessageView& message) {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  };
  at_client->session_open = [&](SessionId id) {
    EXPECT_TRUE(at_client->context.open_channel(id, {}).ok());
  };
  int echoed = 0;
  at_client->channel_open = [](Channel channel) { EXPECT_EQ(channel.send("x"), SendStatus::kOk); };
  at_client->message = [&](Channel channel, const MessageView& message) {
    if (++echoed < 500) {
      EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
    }
  };
  client->create_offer(offering, [&](Result<Description, SignalError> offer) {
    ASSERT_TRUE(offer.ok());
    auto answer = server->accept_offer(offer.value().sdp);
    ASSERT_TRUE(answer.ok());
    client->accept_answer(offer.value().session, answer.value().sdp,
                          [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
  });
  std::atomic<bool> server_done{false};
  std::thread other([&] {
    Loop loop(*server);
    EXPECT_TRUE(loop.run([&] { return !at_server->closed.empty(); }));
    server_done = true;
  });
  Loop loop(*client);
  EXPECT_TRUE(loop.run([&] { return echoed == 500; }));
  // It slept, and datagrams ended its sleep.
  EXPECT_GT(loop.woken, 100);
  client->stop();
  EXPECT_TRUE(loop.run([&] { return !at_client->closed.empty(); }));
  EXPECT_TRUE(loop.run([&] { return server_done.load(); }));
  other.join();
  ASSERT_FALSE(at_server->closed.empty());
  EXPECT_EQ(at_client->closed.at(0).second, CloseReason::kLocal);
  EXPECT_EQ(at_server->closed[0].second, CloseReason::kPeer);
}

// A post from another thread ends the embedder's sleep at once, whenever it comes.
TEST_P(EnginePollTest, NoPostIsSleptOver) {
  EngineOptions wanted = options();
  network_->join(wanted);
  auto engine = test::make_engine(std::move(wanted));
  ASSERT_TRUE(engine);
  std::atomic<int> seen{0};
  std::atomic<bool> stop{false};
  std::thread shard([&] {
    Loop loop(*engine);
    EXPECT_TRUE(loop.run([&] { return stop.load(); }));
  });
  Duration worst{};
  for (int i = 1; i <= 300; ++i) {
    const Time posted = monotonic_now();
    ASSERT_TRUE(engine->post(0, [&] { ++seen; }));
    while (seen < i && monotonic_now() - posted < seconds(5)) std::this_thread::yield();
    worst = std::max(worst, monotonic_now() - posted);
    // Sometimes it is in the middle of a turn, sometimes fast asleep.
    if (i % 3 == 0) std::this_thread::sleep_for(microseconds(i * 10));
  }
  // A wake-up that is lost costs a timer's second or more.
  EXPECT_LT(worst, milliseconds(800));
  ASSERT_TRUE(engine->post(0, [&] { stop = true; }));
  shard.join();
  EXPECT_FALSE(engine->post(1, [] {}));
}

INSTANTIATE_TEST_SUITE_P(Networks, EnginePollTest, testing::ValuesIn(test::network_cases()),
                         test::network_name);

}  // namespace
}  // namespace millrace
