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
  // From here on what the peer sends is lost; another one may come to its place.
  void mute() { mute_ = true; }

 private:
  void run() {
    while (!stop_) {
      if (rebind_.exchange(false)) {
        const io::SocketId fresh = host_->open();
        host_->close(outside_);
        outside_ = fresh;
      }
      if (mute_.exchange(false)) muted_ = peer_;
      host_->receive([this](io::SocketId at, const Address& from, ByteSpan bytes) {
        if (at == inside_) {
          if (from == muted_) return;
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
  Address muted_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> rebind_{false};
  std::atomic<bool> mute_{false};
  std::thread thread_;
};

class Echo : public Handler {
 public:
  explicit Echo(std::atomic<int>& closed) : closed_(closed) {}
  void on_session_close(SessionId, CloseReason) override { ++closed_; }
  void on_message(Channel channel, const MessageView& message) override {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  }

 private:
  std::atomic<int>& closed_;
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

// A server of two shards, and an engine that dials it through a NAT.
class Rebinding : public testing::TestWithParam<test::NetworkCase> {
 protected:
  Rebinding() {
    EngineOptions options;
    options.shards = 2;
    options.max_sessions = 16;
    options.listen = network_->join(options).v4 + ":0";
    auto server =
        Engine::create(options, [&](ShardContext&) { return std::make_unique<Echo>(closed_); });
    EXPECT_TRUE(server.ok());
    server_ = std::move(server).value();
    EngineOptions dialling;
    dialling.max_sessions = 16;
    offering_.local_ip = network_->join(dialling).v4;
    auto client = Engine::create(dialling, [&](ShardContext& context) {
      return std::make_unique<Pinger>(context, echoed_);
    });
    EXPECT_TRUE(client.ok());
    client_ = std::move(client).value();
    server_->start();
    client_->start();
    address_ = *Address::parse(server_->listen_address());
    nat_ = std::make_unique<Nat>(network_->make_host(), address_);
  }

  void dial() {
    client_->create_offer(offering_, [this](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      auto answer = server_->accept_offer(offer.value().sdp);
      ASSERT_TRUE(answer.ok());
      // The candidate leads through the NAT.
      const auto candidate = [](const Address& to) {
        return to.ip.to_string() + " " + std::to_string(to.port) + " typ";
      };
      std::string sdp = answer.value().sdp;
      const std::string from = candidate(address_);
      const std::size_t at = sdp.find(from);
      ASSERT_NE(at, std::string::npos);
      sdp.replace(at, from.size(), candidate(nat_->address()));
      client_->accept_answer(offer.value().session, sdp,
                             [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
  }

  // Every other address, on average, hashes to the other shard.
  void rebind_to_the_other_shard() {
    for (int i = 0; i < 12 && forwarded(*server_) == 0; ++i) {
      const std::uint64_t before = echoed_;
      nat_->rebind();
      // A consent check brings the new address within 6 s (RFC 7675 §5.1).
      ASSERT_TRUE(wait_until([&] { return echoed_ > before + 50; }, std::chrono::seconds(25)));
      let_counters_be_posted();
    }
    ASSERT_GT(forwarded(*server_), 0u);
  }
  std::uint64_t sessions() const {
    const EngineStats stats = server_->stats();
    return stats.shards[0].sessions + stats.shards[1].sessions;
  }
  static void let_counters_be_posted() {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }

  const std::unique_ptr<test::TestNetwork> network_ = GetParam().make();
  std::atomic<std::uint64_t> echoed_{0};
  std::atomic<int> closed_{0};
  Engine::OfferOptions offering_;
  Address address_;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
  std::unique_ptr<Nat> nat_;
};

TEST_P(Rebinding, TheSessionGoesOnWhicheverShardItsPeerReaches) {
  dial();
  ASSERT_TRUE(wait_until([&] { return echoed_ > 100; }, std::chrono::seconds(30)));
  EXPECT_EQ(forwarded(*server_), 0u);
  rebind_to_the_other_shard();
  EXPECT_EQ(sessions(), 1u);
}

// The address that it has led to a session of the other shard, which lives on for want of a word
// that it is over.
TEST_P(Rebinding, APeerThatBeginsAnewIsNotLockedOutByAnotherShardsSession) {
  dial();
  ASSERT_TRUE(wait_until([&] { return echoed_ > 100; }, std::chrono::seconds(30)));
  rebind_to_the_other_shard();
  nat_->mute();
  std::uint64_t before = echoed_;
  do {
    before = echoed_;
    let_counters_be_posted();
  } while (echoed_ != before);
  dial();
  ASSERT_TRUE(
      wait_until([&] { return echoed_ > before + 50 || closed_ > 0; }, std::chrono::seconds(60)));
  EXPECT_EQ(closed_, 0);
  let_counters_be_posted();
  EXPECT_EQ(sessions(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Networks, Rebinding, testing::ValuesIn(test::network_cases()),
                         test::network_name);

}  // namespace
}  // namespace millrace
