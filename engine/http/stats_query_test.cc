// SPDX-License-Identifier: Apache-2.0
#include "engine/http/stats_query.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/http/hex_id.h"
#include "engine/http/stats_json.h"

namespace millrace::http {
namespace {

TEST(StatsQuery, ReadsWhatItKnows) {
  EXPECT_EQ(StatsQuery::parse("").value().kind, StatsQuery::Kind::kTotals);
  const StatsQuery session = StatsQuery::parse("session=00000000000000ff").value();
  EXPECT_EQ(session.kind, StatsQuery::Kind::kSession);
  EXPECT_EQ(session.session, SessionId{255});
  const StatsQuery list = StatsQuery::parse("sessions=7&after=0000000100000002").value();
  EXPECT_EQ(list.kind, StatsQuery::Kind::kList);
  EXPECT_EQ(list.limit, 7u);
  EXPECT_EQ(list.after, SessionCursor{(std::uint64_t{1} << 32) + 2});
  EXPECT_EQ(StatsQuery::parse("sessions=256").value().limit, 256u);
}

TEST(StatsQuery, RefusesAllElseAndQuotesIt) {
  const std::string id = "0123456789abcdef";
  const std::pair<std::string, std::string> cases[] = {
      {"session=", "session: ''"},
      {"session", "session: ''"},
      {"session=1", "session: '1'"},
      {"session=0123456789abcdeg", "'0123456789abcdeg'"},
      {"session=+123456789abcdef", "'+123456789abcdef'"},
      {"session=-123456789abcdef", "'-123456789abcdef'"},
      {"session=" + id + "0", "'" + id + "0'"},
      {"session=" + id + "&session=" + id, "given twice"},
      {"session=" + id + "&sessions=1", "session: goes with no other key"},
      {"session=" + id + "&after=" + id, "session: goes with no other key"},
      {"session=" + id + "&", "''"},
      {"sessions=0", "sessions: '0'"},
      {"sessions=257", "sessions: '257'"},
      {"sessions=-1", "sessions: '-1'"},
      {"sessions=1e2", "sessions: '1e2'"},
      {"sessions=99999999999999999999999", "sessions: '999"},
      {"sessions", "sessions: ''"},
      {"sessions=5&after=zz", "after: 'zz'"},
      {"after=" + id, "after: goes with sessions"},
      {"x=1", "'x'"},
      {"&", "''"},
      {"=", "''"},
      {"%73ession=" + id, "'%73ession'"},
      {"sessions=\xff\x01", "sessions: '\xff\x01'"},
  };
  for (const auto& [query, fault] : cases) {
    const auto parsed = StatsQuery::parse(query);
    ASSERT_FALSE(parsed.ok()) << query;
    EXPECT_NE(parsed.error().find(fault), std::string::npos) << query << ": " << parsed.error();
  }
}

TEST(StatsQuery, DoesNotGiveBackAllOfALongValue) {
  const auto parsed = StatsQuery::parse("session=" + std::string(8000, 'f'));
  ASSERT_FALSE(parsed.ok());
  EXPECT_LT(parsed.error().size(), 200u);
}

TEST(HexId, RoundTrips) {
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
    EXPECT_EQ(parse_hex_id(hex_id(id)), id);
  }
  EXPECT_EQ(hex_id(0xABCDEF), "0000000000abcdef");
}

TEST(StatsJson, WritesW3cNamesAndUnits) {
  SessionStats stats;
  stats.session = SessionId{0xAB};
  stats.state = "open";
  stats.shard = 3;
  stats.transport.packets_sent = 5;
  stats.transport.dtls_state = "connected";
  stats.transport.dtls_cipher = "TLS_X";
  stats.transport.tls_version = "FEFD";
  stats.transport.ice_role = "controlled";
  stats.transport.ice_state = "completed";
  stats.pair.emplace();
  stats.pair->current_round_trip_time = milliseconds(25);
  stats.pair->total_round_trip_time = milliseconds(75);
  stats.pair->nominated = true;
  stats.pair->local = {.address = "192.0.2.1", .port = 5000, .candidate_type = "host"};
  stats.pair->remote = {.address = "2001:db8::1", .port = 6000, .candidate_type = "prflx"};
  stats.sctp.emplace();
  stats.sctp->smoothed_round_trip_time = milliseconds(50);
  stats.sctp->congestion_window = 9000;
  stats.sctp->unacked_data = 4;
  stats.sctp->rto = milliseconds(200);
  stats.sctp->drops = {{"wrong_checksum", 2}};
  DataChannelStats& channel = stats.channels.emplace_back();
  channel.label = "a\"\xff";
  channel.data_channel_identifier = 6;
  channel.state = "open";
  channel.messages_sent = 8;
  channel.messages_abandoned_unsent = 3;
  channel.messages_abandoned_sent = 2;

  const auto json = nlohmann::json::parse(session_stats_json(stats, 1234.5));
  EXPECT_EQ(json["session"], "00000000000000ab");
  EXPECT_EQ(json["shard"], 3);
  ASSERT_EQ(json["stats"].size(), 6u);
  const auto& transport = json["stats"][0];
  EXPECT_EQ(transport["type"], "transport");
  EXPECT_EQ(transport["timestamp"], 1234.5);
  EXPECT_EQ(transport["packetsSent"], 5);
  EXPECT_EQ(transport["dtlsCipher"], "TLS_X");
  EXPECT_EQ(transport["tlsVersion"], "FEFD");
  EXPECT_EQ(transport["iceRole"], "controlled");
  EXPECT_EQ(transport["iceState"], "completed");
  const auto& pair = json["stats"][1];
  EXPECT_EQ(pair["type"], "candidate-pair");
  EXPECT_EQ(transport["selectedCandidatePairId"], pair["id"]);
  EXPECT_EQ(pair["transportId"], transport["id"]);
  EXPECT_EQ(pair["currentRoundTripTime"], 0.025);
  EXPECT_EQ(pair["totalRoundTripTime"], 0.075);
  EXPECT_EQ(pair["nominated"], true);
  const auto& local = json["stats"][2];
  EXPECT_EQ(local["type"], "local-candidate");
  EXPECT_EQ(local["id"], pair["localCandidateId"]);
  EXPECT_EQ(local["address"], "192.0.2.1");
  EXPECT_EQ(local["port"], 5000);
  EXPECT_EQ(local["protocol"], "udp");
  EXPECT_EQ(local["candidateType"], "host");
  const auto& remote = json["stats"][3];
  EXPECT_EQ(remote["type"], "remote-candidate");
  EXPECT_EQ(remote["id"], pair["remoteCandidateId"]);
  EXPECT_EQ(remote["address"], "2001:db8::1");
  EXPECT_EQ(remote["candidateType"], "prflx");
  const auto& sctp = json["stats"][4];
  EXPECT_EQ(sctp["type"], "sctp-transport");
  EXPECT_EQ(sctp["smoothedRoundTripTime"], 0.05);
  EXPECT_EQ(sctp["congestionWindow"], 9000);
  EXPECT_EQ(sctp["unackData"], 4);
  const auto& data = json["stats"][5];
  EXPECT_EQ(data["type"], "data-channel");
  EXPECT_EQ(data["label"], "a\"\xef\xbf\xbd") << "what is not UTF-8 is replaced";
  EXPECT_EQ(data["dataChannelIdentifier"], 6);
  EXPECT_EQ(data["messagesSent"], 8);
  EXPECT_EQ(data["messagesAbandonedUnsent"], 3);
  EXPECT_EQ(data["messagesAbandonedSent"], 2);
  EXPECT_EQ(json["association"]["rto"], 0.2);
  EXPECT_EQ(json["association"]["drops"]["wrong_checksum"], 2);
}

TEST(StatsJson, LeavesOutWhatIsNotKnown) {
  SessionStats stats;
  stats.state = "pending";
  const auto json = nlohmann::json::parse(session_stats_json(stats, 0));
  EXPECT_FALSE(json.contains("shard"));
  EXPECT_FALSE(json.contains("association"));
  ASSERT_EQ(json["stats"].size(), 1u);
  EXPECT_FALSE(json["stats"][0].contains("dtlsCipher"));
  EXPECT_FALSE(json["stats"][0].contains("selectedCandidatePairId"));
}

}  // namespace
}  // namespace millrace::http
