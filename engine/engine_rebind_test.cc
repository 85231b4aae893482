// SPDX-License-Identifier: Apache-2.0
//
// A peer behind a NAT that gives it a new address: its datagrams may reach another shard
// than the one that owns its session, which hands them over (DESIGN, association table).
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "engine/engine_test_network.h"
#include "millrace/engine.h"

namespace millrace {
namespace {

// Nat relays between one peer and a server; `rebind` changes the address that the server
// sees, and what is sent to the old one is lost.
class Nat {
 public:
  Nat(std::unique_ptr<test::TestHost> host, const Address& server)
      : host_(std::move(host)),
        server_(server),
        inside_(host_->open()),
        outside_(host_->open()),
        address_(host_->address(inside_)),
        thread_([this] { run(); }) {}
  ~Nat() {
    stop_ = true;
    thread_.join();
  }
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;

  // Where the peer finds the server.
  const Address& address() const { return address_; }
  void rebind() { rebind_ = true; }

 private:
  void run() {
    while (!stop_) {
      if (rebind_.exchange(false)) {
        const io::SocketId fresh = host_->open();
        host_->close(outside_);
        outside_ = fresh;
      }
      host_->receive([this](io::SocketId at, const Address& from, ByteSpan bytes) {
        if (at == inside_) {
          peer_ = from;
          host_->send(outside_, server_, bytes);
        } else if (at == outside_ && peer_.port != 0) {
          host_->send(inside_, peer_, bytes);
        }
      });
    }
  }

  const std::unique_ptr<test::TestHost> host_;
  const Address server_;
  const io::SocketId inside_;
  io::SocketId outside_;
  const Address address_;
  Address peer_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> rebind_{false};
  std::thread thread_;
};

class Echo : public Handler {
 public:
  void on_message(Channel channel, const MessageView& message) override {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  }
};

class Pinger : public Handler {
 public:
  Pinger(ShardContext& context, std::atomic<std::uint64_t>& echoed)
      : context_(context), echoed_(echoed) {}
  void on_session_open(SessionId session) override {
    ChannelOptions options;
    options.label = "echo";
    EXPECT_TRUE(context_.open_channel(session, options).ok());
  }
  void on_channel_open(Channel channel) override {
    EXPECT_EQ(channel.send("ping"), SendStatus::kOk);
  }
  void on_message(Channel channel, const MessageView&) override {
    ++echoed_;
    EXPECT_EQ(channel.send("ping"), SendStatus::kOk);
  }

 private:
  ShardContext& context_;
  std::atomic<std::uint64_t>& echoed_;
};

bool wait_until(const std::function<bool()>& done, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return done();
}

std::uint64_t forwarded(const Engine& engine) {
  std::uint64_t sum = 0;
  for (const ShardStats& shard : engine.stats().shards) sum += shard.datagrams_forwarded;
  return sum;
}

class Rebinding : public testing::TestWithParam<test::NetworkCase> {
 protected:
  const std::unique_ptr<test::TestNetwork> network_ = GetParam().make();
};

TEST_P(Rebinding, TheSessionGoesOnWhicheverShardItsPeerReaches) {
  EngineOptions options;
  options.shards = 2;
  options.max_sessions = 16;
  options.listen = network_->join(options).v4 + ":0";
  auto server = Engine::create(options, [](ShardContext&) { return std::make_unique<Echo>(); });
  ASSERT_TRUE(server.ok());
  std::atomic<std::uint64_t> echoed{0};
  EngineOptions dialling;
  dialling.max_sessions = 16;
  Engine::OfferOptions offering;
  offering.local_ip = network_->join(dialling).v4;
  auto client = Engine::create(
      dialling, [&](ShardContext& context) { return std::make_unique<Pinger>(context, echoed); });
  ASSERT_TRUE(client.ok());
  server.value()->start();
  client.value()->start();
  const Address address = *Address::parse(server.value()->listen_address());
  Nat nat(network_->make_host(), address);

  client.value()->create_offer(offering, [&](Result<Description, SignalError> offer) {
    ASSERT_TRUE(offer.ok());
    auto answer = server.value()->accept_offer(offer.value().sdp);
    ASSERT_TRUE(answer.ok());
    // The candidate leads through the NAT.
    const auto candidate = [](const Address& to) {
      return to.ip.to_string() + " " + std::to_string(to.port) + " typ";
    };
    std::string sdp = answer.value().sdp;
    const std::string from = candidate(address);
    const std::size_t at = sdp.find(from);
    ASSERT_NE(at, std::string::npos);
    sdp.replace(at, from.size(), candidate(nat.address()));
    client.value()->accept_answer(offer.value().session, sdp,
                                  [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
  });
  ASSERT_TRUE(wait_until([&] { return echoed > 100; }, std::chrono::seconds(30)));
  EXPECT_EQ(forwarded(*server.value()), 0u);

  // Every other address, on average, hashes to the other shard.
  for (int i = 0; i < 12 && forwarded(*server.value()) == 0; ++i) {
    const std::uint64_t before = echoed;
    nat.rebind();
    // A consent check brings the new address within 6 s (RFC 7675 §5.1).
    ASSERT_TRUE(wait_until([&] { return echoed > before + 50; }, std::chrono::seconds(25)));
    std::this_thread::sleep_for(std::chrono::milliseconds(250));  // Counters are posted.
  }
  EXPECT_GT(forwarded(*server.value()), 0u);
  EXPECT_EQ(server.value()->stats().shards[0].sessions + server.value()->stats().shards[1].sessions,
            1u);
}

INSTANTIATE_TEST_SUITE_P(Networks, Rebinding, testing::ValuesIn(test::network_cases()),
                         test::network_name);

}  // namespace
}  // namespace millrace
