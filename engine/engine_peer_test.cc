// SPDX-License-Identifier: Apache-2.0
//
// Sessions made from an address and a fingerprint, without ICE and SDP.
#include "engine/engine_test_support.h"

namespace millrace {
namespace {

using test::SimPair;

// The listening side states where the dialling side's own socket is.
class PeerTest : public testing::Test {
 protected:
  void connect(SimPair& pair, const std::string& fingerprint_at_server = {}) {
    const std::string fingerprint =
        fingerprint_at_server.empty() ? pair.client->fingerprint() : fingerprint_at_server;
    auto at_server = pair.server->add_peer({.remote = "10.0.0.1:6000", .fingerprint = fingerprint});
    ASSERT_TRUE(at_server.ok()) << at_server.error().message;
    server_id = at_server.value();
    auto at_client = pair.client->add_peer({.remote = "10.0.1.1:5000",
                                            .local = "10.0.0.1:6000",
                                            .fingerprint = pair.server->fingerprint(),
                                            .dtls_client = true,
                                            .use_listening_socket = false});
    ASSERT_TRUE(at_client.ok()) << at_client.error().message;
    client_id = at_client.value();
  }

  SessionId server_id{};
  SessionId client_id{};
};

TEST_F(PeerTest, CarriesMessagesBothWaysAndClosesInOrder) {
  SimPair pair;
  connect(pair);
  pair.at_server->message = [](Channel channel, const MessageView& message) {
    EXPECT_EQ(channel.send(message.pieces, message.kind), SendStatus::kOk);
  };
  ASSERT_TRUE(
      pair.run([&] { return !pair.at_client->opened.empty() && !pair.at_server->opened.empty(); }));
  EXPECT_EQ(pair.at_client->opened[0], client_id);
  EXPECT_EQ(pair.at_server->opened.at(0), server_id);
  auto opened = pair.at_client->context.open_channel(client_id, {});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(pair.run([&] { return opened.value().open(); }));
  EXPECT_EQ(opened.value().send(std::string(200'000, 'x')), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->messages == 1; }));
  pair.client->close_session(client_id);
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->closed.empty(); }));
  EXPECT_EQ(pair.at_server->closed[0], std::pair(server_id, CloseReason::kPeer));
  EXPECT_EQ(pair.at_client->closed.at(0), std::pair(client_id, CloseReason::kLocal));

  // The address is free again.
  connect(pair);
  EXPECT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 2; }));
}

// RFC 7675 §5.1: a check every 4 to 6 seconds and its answer; HEARTBEAT would come on top.
TEST(IdleSession, WithIceSendsConsentChecksAndNothingElse) {
  SimPair pair;
  ASSERT_TRUE(pair.open().open() || pair.run([&] { return !pair.at_server->channels.empty(); }));
  const auto sent = [](const Engine& engine) { return engine.stats().shards.at(0).datagrams_sent; };
  pair.pass(seconds(10));
  const std::uint64_t client = sent(*pair.client);
  const std::uint64_t server = sent(*pair.server);
  pair.pass(seconds(240));
  EXPECT_GE(sent(*pair.client) - client, 39u);
  EXPECT_LE(sent(*pair.client) - client, 61u);
  EXPECT_NEAR(static_cast<double>(sent(*pair.server) - server),
              static_cast<double>(sent(*pair.client) - client), 1);
}

TEST_F(PeerTest, LivesByHeartbeatAndNoticesAVanishedPeer) {
  EngineOptions options;
  options.sctp.heartbeat_interval = milliseconds(500);
  options.sctp.max_retransmissions = 4;
  options.sctp.rto_max = milliseconds(1000);
  SimPair pair({.delay = microseconds(100)}, options);
  connect(pair);
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->opened.empty(); }));
  // Far beyond any consent time-out, with nothing to say.
  pair.pass(seconds(120));
  EXPECT_TRUE(pair.at_server->closed.empty());
  EXPECT_TRUE(pair.at_client->closed.empty());
  pair.client.reset();
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->closed.empty(); }, seconds(20)));
  EXPECT_EQ(pair.at_server->closed[0].second, CloseReason::kPeerTimeout);
}

TEST_F(PeerTest, TakesDtlsFromTheStatedAddressAlone) {
  SimPair pair;
  auto at_server =
      pair.server->add_peer({.remote = "10.0.0.1:6001", .fingerprint = pair.client->fingerprint()});
  ASSERT_TRUE(at_server.ok());
  // All is right but the port.
  ASSERT_TRUE(pair.client
                  ->add_peer({.remote = "10.0.1.1:5000",
                              .local = "10.0.0.1:6000",
                              .fingerprint = pair.server->fingerprint(),
                              .dtls_client = true,
                              .use_listening_socket = false})
                  .ok());
  pair.pass(seconds(5));
  EXPECT_TRUE(pair.at_server->opened.empty());
  EXPECT_GT(test::drops(*pair.server, "shard.unknown_source"), 0u);
  EXPECT_EQ(pair.server->stats().sessions_pending, 1u);
  // It ends as any other that never opened.
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }));
  EXPECT_EQ(pair.at_client->closed[0].second, CloseReason::kHandshakeTimeout);
  pair.pass(seconds(5));
  EXPECT_EQ(pair.server->stats().sessions_pending, 0u);
}

TEST_F(PeerTest, RefusesAnotherCertificate) {
  SimPair pair;
  connect(pair, pair.server->fingerprint());
  ASSERT_TRUE(pair.run([&] { return !pair.at_server->closed.empty(); }));
  EXPECT_EQ(pair.at_server->closed[0].second, CloseReason::kFingerprintMismatch);
  EXPECT_TRUE(pair.at_server->opened.empty());
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }));
  EXPECT_TRUE(pair.at_client->opened.empty());
}

TEST_F(PeerTest, NamesTheOptionThatIsWrong) {
  SimPair pair;
  const std::string fingerprint = pair.client->fingerprint();
  const auto refusal = [](Engine& engine, const PeerOptions& options) {
    const auto added = engine.add_peer(options);
    return added.ok() ? std::string() : added.error().message.substr(0, 12);
  };
  EXPECT_EQ(refusal(*pair.server, {.remote = "nowhere", .fingerprint = fingerprint}),
            "remote: 'now");
  EXPECT_EQ(refusal(*pair.server, {.remote = "10.0.0.1:1", .fingerprint = "sha-1 00"}),
            "fingerprint:");
  EXPECT_EQ(refusal(*pair.client, {.remote = "10.0.0.1:1", .fingerprint = fingerprint}),
            "use_listenin");
  EXPECT_EQ(refusal(*pair.server,
                    {.remote = "10.0.0.1:1", .fingerprint = fingerprint, .dtls_client = true}),
            "dtls_client:");
  EXPECT_EQ(refusal(*pair.server, {.remote = "10.0.0.1:1",
                                   .local = "10.0.0.1",
                                   .fingerprint = fingerprint,
                                   .use_listening_socket = false}),
            "local: '10.0");
  ASSERT_TRUE(pair.server->add_peer({.remote = "10.0.0.1:1", .fingerprint = fingerprint}).ok());
  EXPECT_EQ(refusal(*pair.server, {.remote = "10.0.0.1:1", .fingerprint = fingerprint}),
            "remote: '10.");
}

TEST_F(PeerTest, ASocketThatCannotBeHadEndsTheSession) {
  SimPair pair;
  auto added = pair.client->add_peer({.remote = "10.0.1.1:5000",
                                      .local = "192.0.2.99:1",
                                      .fingerprint = pair.server->fingerprint(),
                                      .dtls_client = true,
                                      .use_listening_socket = false});
  ASSERT_TRUE(added.ok());
  ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }));
  EXPECT_EQ(pair.at_client->closed[0], std::pair(added.value(), CloseReason::kResourceLimit));
  EXPECT_FALSE(pair.client->close_session(added.value()));
}

// DTLS roles the other way round: the server begins once the peer has nominated a pair.
TEST(Roles, TheAnsweringSideMayBeTheDtlsClient) {
  SimPair pair;
  pair.dial({}, [](std::string& offer) {
    const std::string actpass = "a=setup:actpass";
    const std::size_t at = offer.find(actpass);
    ASSERT_NE(at, std::string::npos);
    offer.replace(at, actpass.size(), "a=setup:passive");
  });
  ASSERT_TRUE(pair.run(
      [&] { return pair.at_client->opened.size() == 1 && pair.at_server->opened.size() == 1; }));
  auto from_server = pair.at_server->context.open_channel(pair.at_server->opened[0], {});
  auto from_client = pair.at_client->context.open_channel(pair.at_client->opened[0], {});
  ASSERT_TRUE(from_server.ok() && from_client.ok());
  ASSERT_TRUE(pair.run([&] {
    return pair.at_client->channels.size() == 2 && pair.at_server->channels.size() == 2;
  }));
  // RFC 8832 §6: even ids are the DTLS client's.
  EXPECT_EQ(from_server.value().id().value() % 2, 0);
  EXPECT_EQ(from_client.value().id().value() % 2, 1);
}

}  // namespace
}  // namespace millrace
