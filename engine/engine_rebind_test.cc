// SPDX-License-Identifier: Apache-2.0
//
// A peer behind a NAT that gives it a new address: its datagrams may reach another shard
// than the one that owns its session, which hands them over (DESIGN, association table).
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "millrace/engine.h"

namespace millrace {
namespace {

int bound_socket(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port = ntohs(address.sin_port);
  return fd;
}

// Nat relays between one peer and a server; `rebind` changes the address that the server
// sees, and what is sent to the old one is lost.
class Nat {
 public:
  explicit Nat(std::uint16_t server_port) {
    server_.sin_family = AF_INET;
    server_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_.sin_port = htons(server_port);
    inside_ = bound_socket(port_);
    std::uint16_t ignored = 0;
    outside_ = bound_socket(ignored);
    thread_ = std::thread([this] { run(); });
  }
  ~Nat() {
    stop_ = true;
    thread_.join();
    ::close(inside_);
    ::close(outside_);
  }
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;

  std::uint16_t port() const { return port_; }
  void rebind() { rebind_ = true; }

 private:
  void run() {
    std::array<char, 65536> bytes;
    while (!stop_) {
      if (rebind_.exchange(false)) {
        std::uint16_t ignored = 0;
        const int fresh = bound_socket(ignored);
        ::close(outside_);
        outside_ = fresh;
      }
      std::array<pollfd, 2> ready{pollfd{inside_, POLLIN, 0}, pollfd{outside_, POLLIN, 0}};
      if (::poll(ready.data(), ready.size(), 5) <= 0) continue;
      if ((ready[0].revents & POLLIN) != 0) {
        socklen_t size = sizeof(peer_);
        const ssize_t n = ::recvfrom(inside_, bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&peer_), &size);
        if (n > 0) send(outside_, bytes.data(), n, server_);
      }
      if ((ready[1].revents & POLLIN) != 0) {
        const ssize_t n = ::recv(outside_, bytes.data(), bytes.size(), 0);
        if (n > 0) send(inside_, bytes.data(), n, peer_);
      }
    }
  }
  static void send(int fd, const char* bytes, ssize_t n, const sockaddr_in& to) {
    [[maybe_unused]] const ssize_t sent =
        ::sendto(fd, bytes, static_cast<std::size_t>(n), 0, reinterpret_cast<const sockaddr*>(&to),
                 sizeof(to));
  }

  std::uint16_t port_ = 0;
  int inside_ = -1;
  int outside_ = -1;
  sockaddr_in peer_{};
  sockaddr_in server_{};
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

TEST(Rebinding, TheSessionGoesOnWhicheverShardItsPeerReaches) {
  EngineOptions options;
  options.listen = "127.0.0.1:0";
  options.shards = 2;
  options.max_sessions = 16;
  auto server = Engine::create(options, [](ShardContext&) { return std::make_unique<Echo>(); });
  ASSERT_TRUE(server.ok());
  std::atomic<std::uint64_t> echoed{0};
  auto client = Engine::create(EngineOptions{}, [&](ShardContext& context) {
    return std::make_unique<Pinger>(context, echoed);
  });
  ASSERT_TRUE(client.ok());
  server.value()->start();
  client.value()->start();
  const std::string address = server.value()->listen_address();
  const std::string server_port = address.substr(address.rfind(':') + 1);
  Nat nat(static_cast<std::uint16_t>(std::stoi(server_port)));

  client.value()->create_offer({}, [&](Result<Description, SignalError> offer) {
    ASSERT_TRUE(offer.ok());
    auto answer = server.value()->accept_offer(offer.value().sdp);
    ASSERT_TRUE(answer.ok());
    // The candidate leads through the NAT.
    std::string sdp = answer.value().sdp;
    const std::string from = "127.0.0.1 " + server_port + " typ";
    const std::size_t at = sdp.find(from);
    ASSERT_NE(at, std::string::npos);
    sdp.replace(at, from.size(), "127.0.0.1 " + std::to_string(nat.port()) + " typ");
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

}  // namespace
}  // namespace millrace
