// SPDX-License-Identifier: Apache-2.0
//
// Keys that wear out in traffic (crypto::KeyLimits).
#include <ctime>

#include "crypto/dtls_context.h"
#include "engine/engine_impl.h"
#include "engine/engine_test_support.h"

namespace millrace {
namespace {

using test::Script;
using test::SimPair;

// A client as Engine::create makes it, but for its keys' limits.
std::unique_ptr<Engine> make_limited(EngineOptions options, const crypto::KeyLimits& limits,
                                     Script*& script) {
  auto settings = engine::Settings::from(std::move(options)).value();
  auto certificate = crypto::Certificate::generate(std::time(nullptr)).value();
  settings.fingerprint = certificate.fingerprint(crypto::HashAlgorithm::kSha256).to_string();
  crypto::DtlsOptions dtls;
  dtls.key_limits = limits;
  auto context = crypto::DtlsContext::create(std::move(certificate), dtls).value();
  auto engine = std::make_unique<engine::EngineImpl>(std::move(settings),
                                                     engine::EngineImpl::KeyLogs{}, context);
  const auto error = engine->make_shards([&script](ShardContext& shard) {
    auto made = std::make_unique<Script>(shard);
    script = made.get();
    return made;
  });
  EXPECT_FALSE(error) << error->message;
  return engine;
}

class EngineKeyLimits : public testing::TestWithParam<std::size_t> {};

// Of a turn's packets those behind the last that was sealed stay: they are plaintext, or hold what
// the slot held before, where their payload was lent (SealJob::lent).
TEST_P(EngineKeyLimits, EndTheSessionAndSendNothingInTheClear) {
  const std::vector<std::uint8_t> payload(GetParam(), 0xa5);
  // One more each time, so that the last record stands everywhere in its run.
  for (std::uint64_t last = 60; last < 90; ++last) {
    SimPair pair;
    EngineOptions options;
    options.max_sessions = 16;
    test::place_on(pair.simulation, options);
    pair.client = make_limited(std::move(options), {.last_sequence = last}, pair.at_client);
    Channel channel = pair.open();
    std::uint64_t intact = 0;
    pair.at_server->message = [&](Channel, const MessageView& view) {
      std::vector<std::uint8_t> bytes;
      for (const auto& piece : view.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
      intact += bytes == payload;
    };
    while (channel.send(payload) == SendStatus::kOk && channel.buffered_amount() < 300'000) {
    }
    ASSERT_TRUE(pair.run([&] { return !pair.at_client->closed.empty(); }, seconds(5)));
    EXPECT_EQ(pair.at_client->closed.back().second, CloseReason::kResourceLimit);
    pair.pass(seconds(1));
    EXPECT_GT(intact, 0u);
    EXPECT_EQ(intact, static_cast<std::uint64_t>(pair.at_server->messages));
    for (const ShardStats& shard : pair.server->stats().shards) {
      for (const auto& [reason, count] : shard.drops) EXPECT_EQ(count, 0u) << reason << " " << last;
      EXPECT_LE(shard.datagrams_received, last + 20);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Payloads, EngineKeyLimits, testing::Values(100, 900, 16384));

}  // namespace
}  // namespace millrace
