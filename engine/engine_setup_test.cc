// SPDX-License-Identifier: Apache-2.0
//
// draft-hancke-tsvwg-snap: SCTP's INIT by way of the SDP, between whole engines.
#include <gtest/gtest.h>

#include <string>

#include "engine/engine_test_support.h"

namespace millrace {
namespace {

constexpr Duration kDelay = milliseconds(10);
constexpr std::string_view kAttribute = "a=sctp-init:";

EngineOptions with_init_in(bool sdp) {
  EngineOptions options;
  options.sctp.init_in_sdp = sdp;
  return options;
}

SimulationOptions network() { return {.delay = duration_cast<microseconds>(kDelay)}; }

bool states_init(const std::string& sdp) { return sdp.find(kAttribute) != std::string::npos; }

void remove_init(std::string& sdp) {
  const std::size_t at = sdp.find(kAttribute);
  if (at != std::string::npos) sdp.erase(at, sdp.find("\r\n", at) + 2 - at);
}

// The time from dialling until both ends are open.
Duration time_to_open(test::SimPair& pair) {
  const Time begin = pair.simulation->now();
  pair.dial();
  EXPECT_TRUE(pair.run(
      [&] { return pair.at_client->opened.size() == 1 && pair.at_server->opened.size() == 1; }));
  return pair.simulation->now() - begin;
}

TEST(EngineSetup, IsTwoRoundTripsShorterWithInitInTheSdp) {
  test::SimPair by_sdp(network(), with_init_in(true));
  test::SimPair by_packet(network(), with_init_in(false));
  EXPECT_GE(time_to_open(by_packet) - time_to_open(by_sdp), 3 * kDelay);
}

// The answerer begins DTLS with the first check, and the other end, whose flight is the last, has
// the first word (decision 0013): the check, two flights each way, and the channel is open to the
// dialler after three round trips.
TEST(EngineSetup, HasAChannelThreeRoundTripsAfterTheAnswer) {
  test::SimPair pair(network(), with_init_in(true));
  const Time begin = pair.simulation->now();
  std::string answer;
  pair.dial([&](std::string& sdp) { answer = sdp; });
  ASSERT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 1; }));
  EXPECT_NE(answer.find("a=setup:active"), std::string::npos);
  ASSERT_TRUE(pair.at_client->context.open_channel(pair.at_client->opened[0], {}).ok());
  ASSERT_TRUE(pair.run([&] { return pair.at_client->channels.size() == 1; }));
  EXPECT_LE(pair.simulation->now() - begin, 6 * kDelay + milliseconds(1));
}

// Who has the first word says it in the datagram of its Finished, and its only pair is nominated
// by the first check (decision 0015): check, DTLS flight, Finished and DCEP OPEN, SACK.
TEST(EngineSetup, IsFourDatagramsOfTheDialler) {
  test::SimPair pair(network(), with_init_in(true));
  pair.at_client->session_open = [&](SessionId session) {
    ASSERT_TRUE(pair.at_client->context.open_channel(session, {}).ok());
  };
  pair.dial();
  ASSERT_TRUE(pair.run([&] { return pair.at_client->channels.size() == 1; }));
  pair.pass(seconds(3));  // Until the shard has posted its counts, and before consent checks.
  EXPECT_EQ(pair.client->stats().shards[0].datagrams_sent, 4u);
}

// A last flight that was lost is sent again, and one with nothing to follow it leaves alone.
TEST(EngineSetup, SurvivesTheLossOfEveryFifthDatagram) {
  for (std::uint64_t seed = 1; seed <= 32; ++seed) {
    SimulationOptions lossy = network();
    lossy.loss = 0.2;
    lossy.seed = seed;
    for (const bool speaks : {true, false}) {
      test::SimPair pair(lossy, with_init_in(true));
      pair.at_client->session_open = [&](SessionId session) {
        if (!speaks) return;
        ASSERT_TRUE(pair.at_client->context.open_channel(session, {}).ok());
      };
      pair.dial();
      EXPECT_TRUE(pair.run([&] {
        return pair.at_client->opened.size() == 1 && pair.at_server->opened.size() == 1 &&
               pair.at_client->channels.size() == (speaks ? 1 : 0);
      })) << "MILLRACE_SIM_SEED="
          << seed;
    }
  }
}

// With several shards the first DTLS record tells which of them has the session.
TEST(EngineSetup, LeavesTheBeginToTheDiallerWhereThereAreSeveralShards) {
  test::SimPair pair(network(), with_init_in(true));
  EngineOptions options = with_init_in(true);
  options.io = IoBackend::kSim;
  options.simulation = pair.simulation;
  options.listen = "10.0.1.2:5000";
  options.max_sessions = 16;
  options.shards = 2;
  const std::unique_ptr<Engine> server = test::make_engine(options);
  ASSERT_NE(server, nullptr);
  std::string answer;
  pair.client->create_offer({}, [&](Result<Description, SignalError> offer) {
    answer = server->accept_offer(offer.value().sdp).value().sdp;
  });
  ASSERT_TRUE(pair.run([&] { return !answer.empty(); }));
  EXPECT_NE(answer.find("a=setup:passive"), std::string::npos);
}

TEST(EngineSetup, CarriesMessagesBothWaysAfterInitInTheSdp) {
  test::SimPair pair(network(), with_init_in(true));
  Channel channel = pair.open();
  EXPECT_EQ(channel.send("there"), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_server->messages == 1; }));
  EXPECT_EQ(pair.at_server->channels.front().send("and back"), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->messages == 1; }));
  EXPECT_EQ(test::drops(*pair.server, "sctp.wrong_verification_tag"), 0u);
  EXPECT_EQ(test::drops(*pair.client, "sctp.wrong_verification_tag"), 0u);
}

TEST(EngineSetup, AnswersInKindAndOnlyInKind) {
  test::SimPair pair(network(), with_init_in(true));
  std::string first, second;
  pair.dial([&](std::string& sdp) { first = sdp; });
  pair.dial([&](std::string& sdp) { second = sdp; }, remove_init);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 2; }));
  EXPECT_TRUE(states_init(first));
  EXPECT_FALSE(states_init(second));
}

TEST(EngineSetup, SaysNothingOfInitWhereItIsToGoByPacket) {
  test::SimPair pair(network(), with_init_in(false));
  std::string offer, answer;
  pair.dial([&](std::string& sdp) { answer = sdp; },
            [&](std::string& sdp) {
              offer = sdp;
              sdp += "a=sctp-init:not an INIT, and nobody's concern\r\n";
            });
  ASSERT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 1; }));
  EXPECT_FALSE(states_init(offer));
  EXPECT_FALSE(states_init(answer));
}

// Between the ends somebody may drop an attribute that he does not know.
TEST(EngineSetup, OpensThoughTheAnswersInitWasLostOnTheWay) {
  test::SimPair pair(network(), with_init_in(true));
  pair.dial(remove_init);
  ASSERT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 1; }));
  auto opened = pair.at_client->context.open_channel(pair.at_client->opened[0], {});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(pair.run([&] { return pair.at_server->channels.size() == 1; }));
  EXPECT_EQ(opened.value().send("there"), SendStatus::kOk);
  ASSERT_TRUE(pair.run([&] { return pair.at_server->messages == 1; }));
}

// An answerer may repeat attributes of the offer that mean nothing to it.
TEST(EngineSetup, OpensThoughTheAnswerRepeatsOurOwnInit) {
  test::SimPair pair(network(), with_init_in(true));
  std::string line;
  pair.dial(
      [&](std::string& sdp) {
        remove_init(sdp);
        sdp += line;
      },
      [&](std::string& sdp) {
        const std::size_t at = sdp.find(kAttribute);
        line = sdp.substr(at, sdp.find("\r\n", at) + 2 - at);
        remove_init(sdp);
      });
  ASSERT_TRUE(pair.run([&] { return pair.at_client->opened.size() == 1; }));
  auto opened = pair.at_client->context.open_channel(pair.at_client->opened[0], {});
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(pair.run([&] { return pair.at_server->channels.size() == 1; }));
}

TEST(EngineSetup, RefusesAnInitThatIsNone) {
  test::SimPair pair(network(), with_init_in(true));
  for (const std::string value : {"AQAAHols3R0AUAAA*", "AQAA", ""}) {
    std::string reason = "none";
    pair.client->create_offer({}, [&](Result<Description, SignalError> offer) {
      std::string sdp = offer.value().sdp;
      const std::size_t at = sdp.find(kAttribute) + kAttribute.size();
      sdp.replace(at, sdp.find("\r\n", at) - at, value);
      const auto answer = pair.server->accept_offer(sdp);
      if (!answer.ok()) reason = answer.error().reason;
    });
    pair.pass(milliseconds(1));
    EXPECT_EQ(reason, "a=sctp-init: '" + value + "' is not an SCTP INIT in base 64");
  }
}

}  // namespace
}  // namespace millrace
