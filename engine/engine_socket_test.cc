// SPDX-License-Identifier: Apache-2.0
//
// Engines in real time, each shard on its own thread: over real sockets on loopback, or whatever
// else the program links as networks.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine_test_network.h"
#include "millrace/engine.h"

namespace millrace {
namespace {

using test::TestNetwork;

constexpr auto kSocketPatience = std::chrono::seconds(30);

// Waits for what another thread brings about.
bool wait_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + kSocketPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class EchoHandler : public Handler {
 public:
  void on_message(Channel channel, const MessageView& message) override {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  }
};

struct Tally {
  std::atomic<int> opened{0};
  std::atomic<int> channels{0};  // That both ends have.
  std::atomic<int> closed{0};
  std::atomic<int> echoed{0};
  std::atomic<int> damaged{0};
};

// Opens a channel on each session and has every message come back.
class EchoClient : public Handler {
 public:
  EchoClient(ShardContext& context, Tally& tally, int messages, std::size_t bytes)
      : context_(context), tally_(tally), messages_(messages), text_(bytes, 'm') {}

  void on_session_open(SessionId session) override {
    ++tally_.opened;
    ChannelOptions options;
    options.label = "echo";
    EXPECT_TRUE(context_.open_channel(session, options).ok());
  }
  void on_session_close(SessionId, CloseReason) override { ++tally_.closed; }
  void on_channel_open(Channel channel) override {
    ++tally_.channels;
    channel.set_user_data(1);
    EXPECT_EQ(channel.send(text_), SendStatus::kOk);
  }
  void on_message(Channel channel, const MessageView& message) override {
    if (message.size() != text_.size() || message.kind != MessageKind::kString) ++tally_.damaged;
    ++tally_.echoed;
    const std::uint64_t count = channel.user_data();
    channel.set_user_data(count + 1);
    if (count < static_cast<std::uint64_t>(messages_)) {
      // An engine that stops in the middle still hands out what has come.
      const SendStatus status = channel.send(text_);
      EXPECT_TRUE(status == SendStatus::kOk || status == SendStatus::kClosed);
    }
  }

 private:
  ShardContext& context_;
  Tally& tally_;
  const int messages_;
  const std::string text_;
};

class EngineSocketTest : public testing::TestWithParam<test::NetworkCase> {
 protected:
  // Over IPv6 it listens, and is dialled, in `dial`'s way.
  std::unique_ptr<Engine> make_server(unsigned shards, bool v6 = false,
                                      std::size_t max_sessions = 1024) {
    EngineOptions options;
    options.shards = shards;
    options.max_sessions = max_sessions;
    return make(options, [&](const TestNetwork::Host& host) {
      options.listen = v6 ? "[" + host.v6 + "]:0" : host.v4 + ":0";
      return [](ShardContext&) { return std::make_unique<EchoHandler>(); };
    });
  }

  std::unique_ptr<Engine> make_client(Tally& tally, int messages, std::size_t bytes) {
    EngineOptions options;
    options.max_sessions = 1024;
    return make(options, [&, messages, bytes](const TestNetwork::Host&) {
      return [&tally, messages, bytes](ShardContext& context) {
        return std::make_unique<EchoClient>(context, tally, messages, bytes);
      };
    });
  }

  Engine::OfferOptions offer_from(const Engine& client, bool v6 = false) {
    Engine::OfferOptions options;
    options.local_ip = v6 ? hosts_[&client].v6 : hosts_[&client].v4;
    return options;
  }

  void dial(Engine& client, Engine& server, bool v6 = false) {
    client.create_offer(offer_from(client, v6), [&](Result<Description, SignalError> offer) {
      if (!offer.ok()) {
        ADD_FAILURE() << offer.error().reason;
        return;
      }
      auto answer = server.accept_offer(offer.value().sdp);
      if (!answer.ok()) {
        ADD_FAILURE() << answer.error().reason;
        return;
      }
      client.accept_answer(offer.value().session, answer.value().sdp,
                           [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
  }

  // `make_handler` is told the host that the engine is on, before it is made.
  std::unique_ptr<Engine> make(
      EngineOptions& options,
      const std::function<MakeHandler(const TestNetwork::Host&)>& make_handler) {
    const TestNetwork::Host host = network_->join(options);
    options.log = [](const std::string&) {};
    const MakeHandler handler = make_handler(host);
    auto engine = Engine::create(options, handler);
    if (!engine.ok()) {
      ADD_FAILURE() << engine.error().message;
      return nullptr;
    }
    hosts_[engine.value().get()] = host;
    engine.value()->start();
    return std::move(engine).value();
  }

 private:
  const std::unique_ptr<TestNetwork> network_ = GetParam().make();
  std::map<const Engine*, TestNetwork::Host> hosts_;
};

// RFC 8899 §5.3, over an interface that carries more than the largest size tried.
TEST_P(EngineSocketTest, FillsDatagramsOnLoopback) {
  Tally tally;
  auto server = make_server(1);
  auto client = make_client(tally, 400, 64000);
  ASSERT_TRUE(server && client);
  dial(*client, *server);
  ASSERT_TRUE(wait_until([&] { return tally.echoed == 400; }));
  EXPECT_EQ(tally.damaged, 0);
  // Statistics are a tenth of a second old at most; handshake and search are few datagrams.
  EXPECT_TRUE(wait_until([&] {
    const ShardStats sent = client->stats().shards[0];
    return sent.bytes_sent > 400u * 64000 && sent.bytes_sent / sent.datagrams_sent > 1000;
  }));
}

TEST_P(EngineSocketTest, EchoesSmallMessages) {
  Tally tally;
  auto server = make_server(1);
  auto client = make_client(tally, 200, 100);
  ASSERT_TRUE(server && client);
  dial(*client, *server);
  EXPECT_TRUE(wait_until([&] { return tally.echoed == 200; }));
  EXPECT_EQ(tally.damaged, 0);
}

// Sends messages with ids, the next whenever one is delivered.
class TrackingClient : public Handler {
 public:
  struct Seen {
    std::atomic<int> sent{0};
    std::atomic<int> delivered{0};
    std::atomic<int> others{0};
  };
  TrackingClient(ShardContext& context, Seen& seen, std::uint64_t messages)
      : context_(context), seen_(seen), messages_(messages) {}

  void on_session_open(SessionId session) override {
    EXPECT_TRUE(context_.open_channel(session, {.label = "sink"}).ok());
  }
  void on_channel_open(Channel channel) override {
    for (int i = 0; i < 4; ++i) send(channel);
  }
  void on_message_progress(Channel channel, const MessageProgress& progress) override {
    using Stage = MessageProgress::Stage;
    // Of each: sent, then delivered.
    const Stage expected = under_way_.insert(progress.id).second ? Stage::kSent : Stage::kDelivered;
    if (progress.stage != expected || progress.sent != MessageProgress::Extent::kWhole) {
      ++seen_.others;
    } else if (expected == Stage::kSent) {
      ++seen_.sent;
    } else {
      ++seen_.delivered;
      send(channel);
    }
  }

 private:
  void send(Channel channel) {
    if (next_ > messages_) return;
    const std::vector<std::uint8_t> bytes(next_ % 7 == 0 ? 30'000 : 200, 1);
    EXPECT_EQ(channel.send(bytes, {.id = next_++}), SendStatus::kOk);
  }

  ShardContext& context_;
  Seen& seen_;
  const std::uint64_t messages_;
  std::uint64_t next_ = 1;
  std::set<std::uint64_t> under_way_;
};

TEST_P(EngineSocketTest, TellsOfMessagesWithAnIdThatTheyWereSentAndDelivered) {
  TrackingClient::Seen seen;
  auto server = make_server(1);
  EngineOptions options;
  auto client = make(options, [&](const TestNetwork::Host&) {
    return
        [&](ShardContext& context) { return std::make_unique<TrackingClient>(context, seen, 500); };
  });
  ASSERT_TRUE(server && client);
  dial(*client, *server);
  EXPECT_TRUE(wait_until([&] { return seen.delivered == 500; }));
  EXPECT_EQ(seen.sent, 500);
  EXPECT_EQ(seen.others, 0);
}

TEST_P(EngineSocketTest, EchoesFragmentedMessagesOverIpv6) {
  Tally tally;
  auto server = make_server(1, true);
  auto client = make_client(tally, 20, 200'000);
  ASSERT_TRUE(server && client);
  dial(*client, *server, true);
  EXPECT_TRUE(wait_until([&] { return tally.echoed == 20; }));
  EXPECT_EQ(tally.damaged, 0);
}

// Another thread asks while the shards work; what is counted never falls.
TEST_P(EngineSocketTest, TellsOfSessionsWhileTheyCarryTraffic) {
  Tally tally;
  auto server = make_server(2);
  auto client = make_client(tally, 1 << 30, 1000);
  ASSERT_TRUE(server && client);
  for (int i = 0; i < 4; ++i) dial(*client, *server);
  ASSERT_TRUE(wait_until([&] { return tally.channels == 4 && tally.echoed > 100; }));
  std::vector<SessionId> sessions;
  for (std::optional<SessionCursor> at = SessionCursor::kBegin; at;) {
    std::promise<SessionPage> page;
    server->list_sessions(*at, 10, [&](Result<SessionPage, SignalError> got) {
      page.set_value(got.ok() ? std::move(got).value() : SessionPage());
    });
    const SessionPage listed = page.get_future().get();
    for (const SessionSummary& each : listed.sessions) sessions.push_back(each.session);
    at = listed.next;
  }
  ASSERT_EQ(sessions.size(), 4u);
  std::map<SessionId, std::uint64_t> before;
  for (std::size_t i = 0; i < 400; ++i) {
    const SessionId session = sessions[i % sessions.size()];
    std::promise<SessionStats> answer;
    server->session_stats(session, [&](Result<SessionStats, SignalError> got) {
      answer.set_value(got.ok() ? std::move(got).value() : SessionStats());
    });
    const SessionStats stats = answer.get_future().get();
    ASSERT_EQ(stats.session, session);
    ASSERT_EQ(stats.state, "open");
    ASSERT_EQ(stats.channels.size(), 1u);
    EXPECT_GE(stats.channels[0].messages_received, before[session]);
    EXPECT_GE(stats.channels[0].messages_sent, stats.channels[0].messages_received);
    before[session] = stats.channels[0].messages_received;
  }
}

// DESIGN: the kernel's hash decides the home of a session, and nothing is forwarded.
TEST_P(EngineSocketTest, PublicKeyWorkStaysOutOfTheTurnWhileThereIsTraffic) {
  auto server = make_server(1);
  Tally quiet;
  auto client = make_client(quiet, 1, 10);
  const auto in_turn = [&] { return server->stats().shards[0].flights_in_turn; };
  dial(*client, *server);
  ASSERT_TRUE(wait_until([&] { return quiet.echoed == 1; }));
  ASSERT_TRUE(wait_until([&] { return in_turn() > 0; }));
  // Echoes without end; then more sessions, one after the other.
  Tally busy;
  auto talker = make_client(busy, 1 << 30, 100);
  dial(*talker, *server);
  ASSERT_TRUE(wait_until([&] { return busy.echoed > 1000; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(250));  // Counters are posted.
  const std::uint64_t before = in_turn();
  for (int i = 0; i < 5; ++i) {
    dial(*client, *server);
    ASSERT_TRUE(wait_until([&] { return quiet.opened == 2 + i; }));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  // Ten flights, less those before which a busy machine kept the echoes from running.
  EXPECT_LT(in_turn() - before, 5u);
}

TEST_P(EngineSocketTest, SpreadsSessionsOverShardsWithoutForwarding) {
  constexpr int kSessions = 100;
  Tally tally;
  auto server = make_server(2);
  auto client = make_client(tally, 5, 100);
  ASSERT_TRUE(server && client);
  for (int i = 0; i < kSessions; ++i) dial(*client, *server);
  EXPECT_TRUE(wait_until([&] { return tally.echoed == kSessions * 5; }));
  EXPECT_TRUE(wait_until([&] {
    const EngineStats stats = server->stats();
    return stats.shards[0].sessions + stats.shards[1].sessions == kSessions;
  }));
  const EngineStats stats = server->stats();
  EXPECT_GE(stats.shards[0].sessions, kSessions / 5);
  EXPECT_GE(stats.shards[1].sessions, kSessions / 5);
  EXPECT_EQ(stats.shards[0].datagrams_forwarded + stats.shards[1].datagrams_forwarded, 0u);
  EXPECT_EQ(stats.shards[0].payload_copied_in_order, 0u);
}

// RFC 9260 §9.
TEST_P(EngineSocketTest, StoppingTheServerClosesItsPeers) {
  Tally tally;
  auto server = make_server(1);
  auto client = make_client(tally, 1, 10);
  ASSERT_TRUE(server && client);
  dial(*client, *server);
  ASSERT_TRUE(wait_until([&] { return tally.echoed == 1; }));
  server->stop();
  EXPECT_TRUE(wait_until([&] { return tally.closed == 1; }));
}

TEST_P(EngineSocketTest, RefusesOffersBeyondTheLimit) {
  auto server = make_server(1, false, 1);
  ASSERT_TRUE(server);
  Tally tally;
  auto client = make_client(tally, 1, 1);
  ASSERT_TRUE(client);
  std::atomic<int> full{0};
  std::atomic<int> accepted{0};
  for (int i = 0; i < 2; ++i) {
    client->create_offer(offer_from(*client), [&](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      auto answer = server->accept_offer(offer.value().sdp);
      if (answer.ok()) {
        ++accepted;
      } else if (answer.error().kind == SignalError::Kind::kFull) {
        ++full;
      }
    });
  }
  EXPECT_TRUE(wait_until([&] { return accepted + full == 2; }));
  EXPECT_EQ(full, 1);
}

INSTANTIATE_TEST_SUITE_P(Networks, EngineSocketTest, testing::ValuesIn(test::network_cases()),
                         test::network_name);

}  // namespace
}  // namespace millrace
