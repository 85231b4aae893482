// SPDX-License-Identifier: Apache-2.0
//
// Statistics of sessions, over a simulated network.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine_test_support.h"

namespace millrace::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

class StatsTest : public testing::Test {
 protected:
  void start(const SimulationOptions& network = {.delay = milliseconds(5)}) {
    pair_ = std::make_unique<SimPair>(network);
  }
  // Asks and turns the engines until the answer is there.
  std::optional<SessionStats> ask(Engine& engine, SessionId session) {
    std::optional<SessionStats> got;
    bool answered = false;
    engine.session_stats(session, [&](Result<SessionStats, SignalError> stats) {
      answered = true;
      if (stats.ok()) got = std::move(stats).value();
    });
    EXPECT_TRUE(pair_->run([&] { return answered; }));
    return got;
  }
  SessionStats at_client() { return *ask(*pair_->client, pair_->at_client->opened.back()); }
  SessionStats at_server() { return *ask(*pair_->server, pair_->at_server->opened.back()); }

  std::unique_ptr<SimPair> pair_;
};

TEST_F(StatsTest, CountMessagesAndBytesPerChannelAtBothEnds) {
  start();
  ChannelOptions options;
  options.label = "bulk \"1\"";
  options.protocol = "p";
  Channel bulk = pair_->open(options);
  options.label = "quiet";
  auto quiet = pair_->at_client->context.open_channel(pair_->at_client->opened.back(), options);
  ASSERT_TRUE(quiet.ok());
  std::size_t bytes = 0;
  for (std::size_t i = 1; i <= 20; ++i) {
    ASSERT_EQ(bulk.send(Bytes(i * 1000, 1)), SendStatus::kOk);
    bytes += i * 1000;
  }
  ASSERT_TRUE(pair_->run([&] { return pair_->at_server->messages == 20; }));
  pair_->pass(seconds(1));
  const SessionStats client = at_client();
  const SessionStats server = at_server();
  ASSERT_EQ(client.channels.size(), 2u);
  ASSERT_EQ(server.channels.size(), 2u);
  const DataChannelStats& sent = client.channels[0];
  EXPECT_EQ(sent.label, "bulk \"1\"");
  EXPECT_EQ(sent.protocol, "p");
  EXPECT_EQ(sent.state, "open");
  EXPECT_EQ(sent.data_channel_identifier, bulk.id());
  EXPECT_EQ(sent.messages_sent, 20u);
  EXPECT_EQ(sent.bytes_sent, bytes);
  EXPECT_EQ(sent.messages_received, 0u);
  EXPECT_EQ(sent.buffered_amount, 0u);
  EXPECT_EQ(client.channels[1].messages_sent, 0u);
  EXPECT_NE(client.channels[1].key, sent.key);
  EXPECT_EQ(server.channels[0].messages_received, 20u);
  EXPECT_EQ(server.channels[0].bytes_received, bytes);
  EXPECT_EQ(server.channels[0].data_channel_identifier, sent.data_channel_identifier);

  bulk.close();
  ASSERT_TRUE(pair_->run([&] { return pair_->at_client->channels_closed == 1; }));
  EXPECT_EQ(at_client().channels.size(), 1u);
}

TEST_F(StatsTest, AgreeOnWhatWentOverAPathWithoutLoss) {
  start();
  Channel channel = pair_->open();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(channel.send(Bytes(10'000, 1)), SendStatus::kOk);
  ASSERT_TRUE(pair_->run([&] { return pair_->at_server->messages == 50; }));
  pair_->pass(seconds(1));
  const SessionStats client = at_client();
  const SessionStats server = at_server();
  EXPECT_EQ(client.state, "open");
  EXPECT_EQ(client.shard, 0u);

  EXPECT_EQ(client.transport.packets_sent, server.transport.packets_received);
  EXPECT_EQ(client.transport.packets_received, server.transport.packets_sent);
  EXPECT_EQ(client.transport.bytes_sent, server.transport.bytes_received);
  EXPECT_EQ(client.transport.bytes_received, server.transport.bytes_sent);
  EXPECT_GT(client.transport.bytes_sent, 500'000u);
  EXPECT_EQ(client.transport.dtls_state, "connected");
  EXPECT_EQ(client.transport.dtls_cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  EXPECT_EQ(client.transport.tls_version, "FEFD");
  // Who answers begins: decision 0013.
  EXPECT_EQ(client.transport.dtls_role, "server");
  EXPECT_EQ(server.transport.dtls_role, "client");
  EXPECT_EQ(client.transport.ice_role, "controlling");
  EXPECT_EQ(server.transport.ice_role, "controlled");
  EXPECT_EQ(client.transport.ice_state, "completed");
  EXPECT_EQ(server.transport.ice_state, "completed");

  ASSERT_TRUE(client.sctp && server.sctp);
  EXPECT_EQ(client.sctp->state, "established");
  EXPECT_EQ(client.sctp->packets_sent, server.sctp->packets_received);
  EXPECT_EQ(client.sctp->bytes_sent, server.sctp->bytes_received);
  EXPECT_EQ(client.sctp->data_chunks_sent, server.sctp->data_chunks_received);
  EXPECT_EQ(client.sctp->retransmitted_chunks, 0u);
  EXPECT_EQ(client.sctp->unacked_data, 0u);
  EXPECT_EQ(client.sctp->flight, 0u);
  EXPECT_GT(client.sctp->congestion_window, 12'000u);
  EXPECT_EQ(client.sctp->receiver_window, server.sctp->a_rwnd);
  EXPECT_TRUE(client.sctp->drops.empty());
  ASSERT_TRUE(client.sctp->smoothed_round_trip_time);
  EXPECT_GE(*client.sctp->smoothed_round_trip_time, milliseconds(10));
  EXPECT_LE(*client.sctp->smoothed_round_trip_time, milliseconds(20));
}

TEST_F(StatsTest, TellOfThePairInUseAndItsConsent) {
  start();
  pair_->open();
  pair_->pass(seconds(30));
  const SessionStats client = at_client();
  const SessionStats server = at_server();
  ASSERT_TRUE(client.pair && server.pair);
  EXPECT_EQ(client.pair->remote.address, "10.0.1.1");
  EXPECT_EQ(client.pair->remote.port, 5000);
  EXPECT_EQ(client.pair->remote.candidate_type, "host") << "as the answer has it";
  EXPECT_EQ(server.pair->local.address, client.pair->remote.address);
  EXPECT_EQ(server.pair->local.port, client.pair->remote.port);
  EXPECT_EQ(server.pair->local.candidate_type, "host");
  EXPECT_EQ(server.pair->remote.address, client.pair->local.address);
  EXPECT_EQ(server.pair->remote.port, client.pair->local.port);
  EXPECT_EQ(server.pair->remote.candidate_type, "prflx") << "a lite agent learns it from checks";
  EXPECT_TRUE(client.pair->nominated);
  EXPECT_TRUE(server.pair->nominated);
  EXPECT_EQ(client.pair->state, "succeeded");
  EXPECT_EQ(client.pair->current_round_trip_time, milliseconds(10));
  EXPECT_EQ(client.pair->total_round_trip_time,
            static_cast<int>(client.pair->responses_received) * milliseconds(10));
  EXPECT_FALSE(server.pair->current_round_trip_time);
  EXPECT_GE(client.pair->consent_requests_sent, 4u);
  EXPECT_GE(client.pair->requests_sent, 1u);
  EXPECT_EQ(client.pair->responses_received,
            client.pair->requests_sent + client.pair->consent_requests_sent);
  EXPECT_EQ(server.pair->responses_sent, server.pair->requests_received);
  // The first checks were answered before a shard had the session.
  EXPECT_GE(server.pair->responses_sent, client.pair->consent_requests_sent);
  EXPECT_LE(server.pair->responses_sent, client.pair->responses_received);
}

TEST_F(StatsTest, CountRetransmissionsPerSessionAndInAll) {
  start({.loss = 0.05, .delay = milliseconds(5)});
  Channel channel = pair_->open();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(channel.send(Bytes(10'000, 1)), SendStatus::kOk);
  ASSERT_TRUE(pair_->run([&] { return pair_->at_server->messages == 50; }));
  pair_->pass(seconds(5));
  const SessionStats client = at_client();
  EXPECT_GT(client.sctp->retransmitted_chunks, 0u);
  EXPECT_GT(client.sctp->fast_retransmits + client.sctp->t3_expiries, 0u);
  EXPECT_LT(client.sctp->ssthresh, at_server().sctp->ssthresh) << "that end has lost nothing";
  const ShardStats totals = pair_->client->stats().shards[0];
  EXPECT_EQ(totals.retransmitted_chunks, client.sctp->retransmitted_chunks);
  EXPECT_EQ(totals.fast_retransmits, client.sctp->fast_retransmits);
  EXPECT_EQ(totals.t3_expiries, client.sctp->t3_expiries);
  EXPECT_EQ(totals.data_chunks_sent, client.sctp->data_chunks_sent);
  const SessionStats server = at_server();
  const auto duplicates = std::ranges::find(server.sctp->drops, "duplicate_data",
                                            [](const auto& d) { return d.first; });
  const std::uint64_t dropped = duplicates == server.sctp->drops.end() ? 0 : duplicates->second;
  EXPECT_EQ(drops(*pair_->server, "sctp.duplicate_data"), dropped);
}

TEST_F(StatsTest, SeeWhatIsInFlightWhileItIs) {
  start({.delay = milliseconds(50), .rate_mbps = 20, .queue_bytes = 1u << 20});
  Channel channel = pair_->open();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(channel.send(Bytes(20'000, 1)), SendStatus::kOk);
  pair_->pass(milliseconds(150));
  const SessionStats client = at_client();
  EXPECT_GT(client.sctp->flight, 0u);
  EXPECT_GT(client.sctp->unacked_data, 0u);
  EXPECT_GT(client.sctp->buffered, 0u);
  EXPECT_EQ(client.sctp->buffered, client.channels.at(0).buffered_amount);
  EXPECT_LE(client.sctp->flight, client.sctp->congestion_window + client.sctp->mtu);
}

TEST_F(StatsTest, KnowASessionThatNoShardHasYet) {
  start();
  EXPECT_FALSE(ask(*pair_->server, SessionId{42}));
  SessionId pending = SessionId::kNone;
  pair_->client->create_offer({}, [&](Result<Description, SignalError> offer) {
    ASSERT_TRUE(offer.ok());
    auto answer = pair_->server->accept_offer(offer.value().sdp);
    ASSERT_TRUE(answer.ok());
    pending = answer.value().session;
    const auto dialled = ask(*pair_->client, offer.value().session);
    ASSERT_TRUE(dialled);
    EXPECT_EQ(dialled->state, "offered");
    EXPECT_EQ(dialled->transport.dtls_role, "unknown");
    EXPECT_FALSE(dialled->pair);
    EXPECT_FALSE(dialled->sctp);
  });
  ASSERT_TRUE(pair_->run([&] { return pending != SessionId::kNone; }));
  const auto stats = ask(*pair_->server, pending);
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->state, "pending");
  EXPECT_FALSE(stats->shard);
}

TEST_F(StatsTest, ListEverySessionOncePageByPage) {
  start();
  constexpr std::size_t kSessions = 7;
  for (std::size_t i = 0; i < kSessions; ++i) pair_->dial();
  ASSERT_TRUE(pair_->run([&] { return pair_->at_server->opened.size() == kSessions; }));
  std::multiset<SessionId> listed;
  std::optional<SessionCursor> at = SessionCursor::kBegin;
  int pages = 0;
  while (at) {
    bool answered = false;
    pair_->server->list_sessions(*at, 3, [&](Result<SessionPage, SignalError> page) {
      answered = true;
      ASSERT_TRUE(page.ok());
      EXPECT_LE(page.value().sessions.size(), 3u);
      for (const SessionSummary& each : page.value().sessions) {
        listed.insert(each.session);
        EXPECT_EQ(each.state, "open");
        EXPECT_GT(each.bytes_received, 0u);
        EXPECT_EQ(each.remote.substr(0, 8), "10.0.0.1");
      }
      at = page.value().next;
    });
    ASSERT_TRUE(pair_->run([&] { return answered; }));
    ++pages;
  }
  EXPECT_EQ(pages, 3);
  const auto& opened = pair_->at_server->opened;
  EXPECT_EQ(listed, std::multiset<SessionId>(opened.begin(), opened.end()));
}

TEST_F(StatsTest, RefuseACursorThatIsNone) {
  start();
  for (const std::uint64_t cursor : {std::uint64_t{1} << 32, std::uint64_t{0xffffffff}}) {
    std::optional<SignalError::Kind> refused;
    pair_->server->list_sessions(SessionCursor{cursor}, 3,
                                 [&](Result<SessionPage, SignalError> page) {
                                   if (!page.ok()) refused = page.error().kind;
                                 });
    EXPECT_EQ(refused, SignalError::Kind::kMalformed);
  }
}

}  // namespace
}  // namespace millrace::test
