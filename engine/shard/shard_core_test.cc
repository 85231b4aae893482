// SPDX-License-Identifier: Apache-2.0
#include "engine/shard/shard_core.h"

#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <utility>
#include <vector>

#include "crypto/mac.h"
#include "engine/ice/stun_writer.h"

namespace millrace::engine {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr io::SocketId kListening = 1;
const Address kPeer = *Address::parse("192.0.2.7:7007");
const IpAddress kHost = *IpAddress::parse("192.0.2.1");

// NoSockets is the control plane of a datapath that has no sockets, at a time of the test's.
class NoSockets final : public SocketPort {
 public:
  Result<io::SocketId, io::IoError> open_socket(const Address&, const io::SocketOptions&) override {
    return Failure(io::IoError{});
  }
  void close_socket(io::SocketId) override {}
  Address local_address(io::SocketId) const override { return {kHost, 5000}; }
  bool is_home(io::SocketId, const Address&) const override { return true; }
  Time read_clock() const override { return now; }
  const io::IoStats& io_stats() const override { return stats_; }

  Time now = Time{} + seconds(1);

 private:
  io::IoStats stats_;
};

class CloseWatch final : public Handler {
 public:
  explicit CloseWatch(std::vector<CloseReason>& closed) : closed_(closed) {}
  void on_session_close(SessionId, CloseReason reason) override { closed_.push_back(reason); }

 private:
  std::vector<CloseReason>& closed_;
};

Settings make_settings() {
  EngineOptions options;
  options.max_sessions = 64;
  options.consent_timeout = seconds(5);
  // A shard that sleeps does the flight of its only session within the turn.
  options.wait = WaitPolicy::kSpin;
  return Settings::from(options).value();
}

std::shared_ptr<const crypto::DtlsContext> make_dtls() {
  return crypto::DtlsContext::create(crypto::Certificate::generate(std::time(nullptr)).value())
      .value();
}

TableOptions table_options() {
  TableOptions options;
  options.max_sessions = 64;
  return options;
}

// StuffedWorkers is a shard whose workers have a full queue, and nobody empties it.
class StuffedWorkers : public testing::Test {
 protected:
  StuffedWorkers() {
    workers_.stop();
    std::unique_ptr<crypto::HandshakeFlight> flight;
    do {
      flight = std::make_unique<crypto::HandshakeFlight>(dtls_, crypto::Role::kServer,
                                                         std::vector<crypto::Fingerprint>{});
    } while (workers_.submit(SessionId{1}, flight, *mailboxes_[0]));
    core_.set_handler(std::make_unique<CloseWatch>(closed_));
    core_.set_listening_socket(kListening);
    core_.after_sleep();
  }

  // One turn, as Shard makes it, in which at most one datagram comes.
  void turn(ByteSpan datagram = {}) {
    const Time now = sockets_.now;
    core_.begin_turn(now);
    Bytes bytes(datagram.begin(), datagram.end());
    RxBuffer buffer;
    buffer.socket = kListening;
    buffer.source = kPeer;
    buffer.local = kHost;
    io::RxView view{bytes.data(), static_cast<std::uint32_t>(bytes.size()), &buffer};
    if (!bytes.empty()) core_.classify(now, std::span(&view, 1));
    if (!bytes.empty()) core_.open_and_deliver(now);
    core_.drain_inbox(now);
    core_.expire_timers(now, false);
    core_.advance(now);
    core_.settle(now);
    while (!core_.control().empty()) core_.control().pop();
    core_.reap();
  }

  Bytes client_hello() {
    crypto::DtlsShard shard;
    crypto::DtlsSession client(dtls_, shard, crypto::Role::kClient, {});
    client.start(sockets_.now);
    auto flight = client.take_flight(sockets_.now);
    flight->run();
    client.return_flight(sockets_.now, std::move(flight));
    Bytes out(2048);
    out.resize(client.poll_datagram(sockets_.now, out));
    return out;
  }

  SessionId add_pending(const ice::Credentials& local, std::optional<Address> static_peer) {
    const SessionId id = directory_.make_id();
    auto pending = std::make_unique<PendingSession>(id, local, "peer", RemoteTerms{}, sockets_.now);
    pending->static_peer = static_peer;
    EXPECT_EQ(directory_.add_pending(std::move(pending)), TableStatus::kOk);
    return id;
  }

  // A session whose first flight the workers had no room for.
  SessionId add_waiting() {
    const SessionId id = add_pending({}, kPeer);
    turn(client_hello());
    turn();
    EXPECT_EQ(core_.session_count(), 1u);
    EXPECT_TRUE(core_.busy());
    return id;
  }

  void expect_gone(CloseReason reason) {
    turn();
    turn();
    EXPECT_EQ(closed_, std::vector<CloseReason>{reason});
    EXPECT_EQ(core_.session_count(), 0u);
    EXPECT_FALSE(core_.busy());
  }

  const Settings settings_ = make_settings();
  const std::shared_ptr<const crypto::DtlsContext> dtls_ = make_dtls();
  crypto::BoringMac mac_;
  SessionDirectory directory_{table_options()};
  HandshakeWorkers workers_{1};
  std::vector<std::unique_ptr<Mailbox>> mailboxes_ = [] {
    std::vector<std::unique_ptr<Mailbox>> one;
    one.push_back(std::make_unique<Mailbox>(16));
    return one;
  }();
  NoSockets sockets_;
  std::vector<CloseReason> closed_;
  ShardCore core_{
      0, ShardWorld{settings_, dtls_, mac_, directory_, workers_, mailboxes_, [](const auto&) {}},
      sockets_};
};

TEST_F(StuffedWorkers, LetASessionEndThatIsClosedWhileItsFlightWaits) {
  core_.close_session(add_waiting());
  expect_gone(CloseReason::kLocal);
}

TEST_F(StuffedWorkers, LetASessionEndWhoseSetUpTakesTooLong) {
  add_waiting();
  sockets_.now += settings_.options.handshake_timeout;
  expect_gone(CloseReason::kHandshakeTimeout);
}

TEST_F(StuffedWorkers, LetASessionEndWithItsEngine) {
  add_waiting();
  core_.close_all(true);
  expect_gone(CloseReason::kLocal);
}

// Consent has run out when the first record comes: the turn that makes the session ends it, and
// it has a flight ready then.
TEST_F(StuffedWorkers, LetASessionEndThatLosesConsentWithAFlightReady) {
  SystemRng rng;
  const ice::Credentials local = ice::make_credentials(rng);
  add_pending(local, std::nullopt);
  ice::BindingRequest check;
  check.remote_ufrag = local.ufrag;
  check.local_ufrag = "peer";
  Bytes stun(ice::kMaxStunBytes);
  stun.resize(ice::build_binding_request(check, local.pwd, mac_, stun));
  turn(stun);
  sockets_.now += settings_.options.consent_timeout;
  turn(client_hello());
  expect_gone(CloseReason::kConsentLost);
}

}  // namespace
}  // namespace millrace::engine
