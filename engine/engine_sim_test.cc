// SPDX-License-Identifier: Apache-2.0
//
// Two engines over a simulated network, through the public API alone.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>

#include "engine/engine_test_hosts.h"
#include "millrace/engine.h"
#include "millrace/simulation.h"

namespace millrace {
namespace {

struct Message {
  std::string text;
  MessageKind kind;
};

// Recorder notes what a side hears; the server side may echo.
class Recorder : public Handler {
 public:
  Recorder(ShardContext& context, bool echo) : context_(context), echo_(echo) {}

  void on_session_open(SessionId session) override { opened.push_back(session); }
  void on_session_close(SessionId session, CloseReason reason) override {
    closed[session] = reason;
  }
  void on_channel_open(Channel channel) override { channels.push_back(channel); }
  void on_channel_close(Channel) override { ++channels_closed; }
  void on_message(Channel channel, const MessageView& message) override {
    std::vector<std::uint8_t> bytes;
    message.append_to(bytes);
    received.push_back({std::string(bytes.begin(), bytes.end()), message.kind});
    if (echo_) {
      EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
    }
  }

  ShardContext& context() { return context_; }

  std::vector<SessionId> opened;
  std::map<SessionId, CloseReason> closed;
  std::vector<Channel> channels;
  int channels_closed = 0;
  std::vector<Message> received;

 private:
  ShardContext& context_;
  bool echo_;
};

class EngineSimTest : public testing::Test {
 protected:
  void make(const SimulationOptions& options) {
    simulation_ = Simulation::create(options);
    EngineOptions server;
    server.listen = "10.0.1.1:5000";
    test::place_on(simulation_, server);
    server_ = create(std::move(server), true, server_side_);
    EngineOptions client;
    test::place_on(simulation_, client);
    client_ = create(std::move(client), false, client_side_);
  }

  static std::unique_ptr<Engine> create(EngineOptions options, bool echo, Recorder*& side) {
    auto engine = Engine::create(std::move(options), [&](ShardContext& context) {
      auto recorder = std::make_unique<Recorder>(context, echo);
      side = recorder.get();
      return recorder;
    });
    EXPECT_TRUE(engine.ok()) << (engine.ok() ? "" : engine.error().message);
    return std::move(engine).value();
  }

  // Dials, tampering with the answer where `tamper` is given.
  void dial(const std::function<void(std::string&)>& tamper = {}) {
    client_->create_offer({}, [this, tamper](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      auto answer = server_->accept_offer(offer.value().sdp);
      ASSERT_TRUE(answer.ok()) << answer.error().reason;
      std::string sdp = answer.value().sdp;
      if (tamper) tamper(sdp);
      client_->accept_answer(offer.value().session, sdp,
                             [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
  }

  // Dials, and opens a channel that the server echoes.
  void dial_and_open(Channel& channel) {
    dial();
    ASSERT_TRUE(run([&] { return client_side_->opened.size() == 1; }));
    auto opened = client_side_->context().open_channel(client_side_->opened[0], {.label = "echo"});
    ASSERT_TRUE(opened.ok());
    channel = opened.value();
    ASSERT_TRUE(run([&] { return channel.open(); }));
  }

  bool run(const std::function<bool()>& done, Duration limit = seconds(60)) {
    return simulation_->run_until(done, simulation_->now() + limit);
  }

  std::shared_ptr<Simulation> simulation_;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
  Recorder* server_side_ = nullptr;
  Recorder* client_side_ = nullptr;
};

TEST_F(EngineSimTest, OpensASessionAndEchoesMessages) {
  make({.delay = microseconds(100)});
  Channel channel;
  ASSERT_NO_FATAL_FAILURE(dial_and_open(channel));
  EXPECT_EQ(channel.send("hello"), SendStatus::kOk);
  EXPECT_EQ(channel.send(std::span<const std::uint8_t>{}), SendStatus::kOk);
  const std::string large(100'000, 'x');
  EXPECT_EQ(channel.send(large), SendStatus::kOk);
  ASSERT_TRUE(run([&] { return client_side_->received.size() == 3; }));
  EXPECT_EQ(client_side_->received[0].text, "hello");
  EXPECT_EQ(client_side_->received[0].kind, MessageKind::kString);
  EXPECT_EQ(client_side_->received[1].text, "");
  EXPECT_EQ(client_side_->received[1].kind, MessageKind::kBinary);
  EXPECT_EQ(client_side_->received[2].text, large);
  EXPECT_EQ(server_side_->channels.at(0).label(), "echo");
}

TEST_F(EngineSimTest, OwnedMemoryIsSentUncopiedAndReleasedOnce) {
  make({.delay = microseconds(100)});
  Channel channel;
  ASSERT_NO_FATAL_FAILURE(dial_and_open(channel));
  std::vector<std::uint8_t> memory(50'000);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::uint8_t>(i * 31);
  int released = 0;
  const auto owned = [&] {
    return OwnedBytes(
        memory,
        [](void* count, std::span<const std::uint8_t>) noexcept { ++*static_cast<int*>(count); },
        &released);
  };
  // Where it is refused it stays with the caller.
  OwnedBytes kept = owned();
  EXPECT_EQ(Channel().send(std::move(kept)), SendStatus::kClosed);
  EXPECT_EQ(released, 0);
  EXPECT_EQ(channel.send(std::move(kept)), SendStatus::kOk);
  EXPECT_EQ(released, 0);
  ASSERT_TRUE(run([&] { return client_side_->received.size() == 1; }));
  EXPECT_EQ(client_side_->received[0].text, std::string(memory.begin(), memory.end()));
  ASSERT_TRUE(run([&] { return released == 1; }));
  // What the peer has not acknowledged is released with the session.
  EXPECT_EQ(channel.send(owned()), SendStatus::kOk);
  client_.reset();
  EXPECT_EQ(released, 2);
}

TEST_F(EngineSimTest, ClosesBothSidesWhenOneCloses) {
  make({.delay = microseconds(100)});
  dial();
  ASSERT_TRUE(run([&] { return client_side_->opened.size() == 1; }));
  client_side_->context().close_session(client_side_->opened[0]);
  ASSERT_TRUE(run([&] { return !client_side_->closed.empty() && !server_side_->closed.empty(); }));
  EXPECT_EQ(client_side_->closed.begin()->second, CloseReason::kLocal);
  EXPECT_EQ(server_side_->closed.begin()->second, CloseReason::kPeer);
}

TEST_F(EngineSimTest, WrongFingerprintEndsTheSessionBeforeAnythingOpens) {
  make({.delay = microseconds(100)});
  dial([](std::string& sdp) {
    const std::size_t at = sdp.find("sha-256 ") + 8;
    sdp[at] = sdp[at] == '0' ? '1' : '0';
  });
  ASSERT_TRUE(run([&] { return !client_side_->closed.empty(); }));
  EXPECT_EQ(client_side_->closed.begin()->second, CloseReason::kFingerprintMismatch);
  EXPECT_TRUE(client_side_->opened.empty());
  EXPECT_TRUE(server_side_->opened.empty());
}

TEST_F(EngineSimTest, AVanishedPeerIsGoneWithinTheConsentTimeout) {
  make({.delay = microseconds(100)});
  dial();
  ASSERT_TRUE(run([&] { return server_side_->opened.size() == 1; }));
  client_.reset();
  ASSERT_TRUE(run([&] { return !server_side_->closed.empty(); }, seconds(40)));
  EXPECT_EQ(server_side_->closed.begin()->second, CloseReason::kConsentLost);
}

}  // namespace
}  // namespace millrace
