// SPDX-License-Identifier: Apache-2.0
//
// Traces and captures of whole engines, over a simulated network.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/engine_test_support.h"

namespace millrace::test {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<json> events_of(const std::string& path) {
  const std::string text = read_all(path);
  std::vector<json> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    EXPECT_EQ(text[at], '\x1e') << at;
    out.push_back(json::parse(text.substr(at + 1, end - at - 1)));
    at = end + 1;
  }
  return out;
}

class RecordTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/millrace-record-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    pair_.reset();
    if (std::system(("rm -r '" + directory_ + "'").c_str()) != 0) ADD_FAILURE();
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  void start(const SimulationOptions& network) { pair_ = std::make_unique<SimPair>(network); }
  // Puts an end with `options` in the place of one: two would write into one file.
  void replace(std::unique_ptr<Engine>& end, Script*& script, EngineOptions options) {
    options.listen = end->listen_address();
    if (&end == &pair_->client) options.listen.clear();
    end.reset();
    test::place_on(pair_->simulation, options);
    options.max_sessions = 1024;
    end = make_engine(std::move(options), &script);
  }
  void replace_server(EngineOptions options) {
    replace(pair_->server, pair_->at_server, std::move(options));
  }
  void replace_client(EngineOptions options) {
    replace(pair_->client, pair_->at_client, std::move(options));
  }
  // Both ends exchange messages, then part.
  void talk(Channel channel, int messages) {
    const int before = pair_->at_server->messages;
    for (int i = 0; i < messages; ++i) ASSERT_EQ(channel.send(Bytes(5000, 1)), SendStatus::kOk);
    ASSERT_TRUE(pair_->run([&] { return pair_->at_server->messages == before + messages; }));
    pair_->pass(seconds(1));
  }
  SessionStats stats_of(Engine& engine, SessionId session) {
    std::optional<SessionStats> stats;
    engine.session_stats(session, [&](Result<SessionStats, SignalError> got) {
      if (got.ok()) stats = std::move(got).value();
    });
    EXPECT_TRUE(pair_->run([&] { return stats.has_value(); }));
    return stats.value_or(SessionStats());
  }
  // What tshark says of a file, a line a packet; the test is skipped where there is none.
  std::vector<std::string> tshark(const std::string& arguments) {
    std::vector<std::string> lines;
    std::FILE* const pipe = ::popen(("tshark " + arguments + " 2>/dev/null").c_str(), "r");
    char line[4096];
    while (pipe != nullptr && std::fgets(line, sizeof(line), pipe) != nullptr) {
      lines.emplace_back(line);
    }
    if (pipe != nullptr) ::pclose(pipe);
    return lines;
  }

  std::string directory_;
  std::unique_ptr<SimPair> pair_;
};

TEST_F(RecordTest, ATraceTellsTheLifeOfAnAssociation) {
  EngineOptions options;
  options.trace_file = path("t");
  options.sctp.init_in_sdp = false;
  start({.loss = 0.03, .delay = milliseconds(5)});
  replace_client(options);
  Channel channel = pair_->open();
  talk(channel, 50);
  const SessionStats stats = stats_of(*pair_->client, pair_->at_client->opened[0]);
  pair_->server.reset();
  pair_->client->close_session(pair_->at_client->opened[0]);
  ASSERT_TRUE(pair_->run([&] { return !pair_->at_client->closed.empty(); }, seconds(120)));
  pair_->pass(seconds(1));
  pair_->client.reset();

  const std::vector<json> events = events_of(path("t"));
  ASSERT_GT(events.size(), 100u);
  EXPECT_EQ(events[0]["qlog_format"], "JSON-SEQ");
  EXPECT_EQ(events[0]["trace"]["vantage_point"]["type"], "client");
  std::map<std::string, std::uint64_t> count;
  std::vector<std::string> states;
  std::uint64_t data_sent = 0;
  std::uint64_t sent_again = 0;
  std::uint64_t t3 = 0;
  double last = 0;
  for (std::size_t i = 1; i < events.size(); ++i) {
    const json& event = events[i];
    const std::string name = event["name"];
    ++count[name];
    EXPECT_GE(event["time"].get<double>(), last);
    last = event["time"];
    if (name == "sctp:association_state_updated") states.push_back(event["data"]["new"]);
    if (name == "recovery:loss_timer_updated") t3 += event["data"]["count"].get<std::uint64_t>();
    if (name != "sctp:packet_sent") continue;
    for (const json& chunk : event["data"]["chunks"]) {
      if (chunk["type"] != "data" && chunk["type"] != "i_data") continue;
      ++data_sent;
      if (chunk.contains("retransmission")) ++sent_again;
    }
  }
  EXPECT_EQ(states.front(), "cookie_wait");
  EXPECT_NE(std::ranges::find(states, "established"), states.end());
  EXPECT_EQ(states.back(), "closed");
  EXPECT_GE(data_sent, stats.sctp->data_chunks_sent);
  EXPECT_GE(sent_again, stats.sctp->retransmitted_chunks);
  EXPECT_GT(sent_again, 0u);
  EXPECT_GE(t3, stats.sctp->t3_expiries);
  EXPECT_GT(count["recovery:metrics_updated"], 10u);
  EXPECT_GE(count["sctp:packet_received"], stats.sctp->packets_received);
  EXPECT_EQ(count["trace:events_lost"], 0u);
  EXPECT_EQ(events.back()["name"], "trace:ended");
}

TEST_F(RecordTest, ASessionIsTracedFromWhenItIsAskedFor) {
  start({.delay = milliseconds(5)});
  Channel channel = pair_->open();
  talk(channel, 5);
  EXPECT_TRUE(pair_->client->trace_session(SessionId{1}, path("none")));
  const SessionId session = pair_->at_client->opened[0];
  const auto refused = pair_->client->trace_session(session, directory_ + "/no/such");
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->message.find("/no/such"), std::string::npos) << refused->message;
  EXPECT_FALSE(pair_->client->trace_session(session, path("late")));
  pair_->pass(milliseconds(1));
  const std::uint64_t before = stats_of(*pair_->client, session).sctp->data_chunks_sent;
  talk(channel, 5);
  const std::uint64_t after = stats_of(*pair_->client, session).sctp->data_chunks_sent;
  pair_->client.reset();
  const std::vector<json> events = events_of(path("late"));
  std::set<std::uint64_t> tsns;
  for (const json& event : events) {
    if (event.value("name", "") != "sctp:packet_sent") continue;
    for (const json& chunk : event["data"]["chunks"]) {
      if (chunk.contains("tsn")) tsns.insert(chunk["tsn"].get<std::uint64_t>());
    }
  }
  EXPECT_EQ(tsns.size(), after - before) << "all of these, and none of those before";
  struct ::stat status {};
  ASSERT_EQ(::stat(path("late").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RecordTest, AsManySessionsAreTracedAsWereAskedFor) {
  EngineOptions options;
  options.trace_file = path("t");
  options.trace_sessions = 2;
  start({.delay = milliseconds(5)});
  replace_client(options);
  options.trace_file = path("s");
  replace_server(options);
  for (int i = 0; i < 3; ++i) pair_->dial();
  ASSERT_TRUE(pair_->run([&] {
    return pair_->at_client->opened.size() == 3 && pair_->at_server->opened.size() == 3;
  }));
  pair_->client.reset();
  pair_->server.reset();
  for (const char* name : {"t", "t.2", "s", "s.2"}) {
    // The header, the first state and its figures: INIT went by SDP.
    EXPECT_GE(events_of(path(name)).size(), 3u) << name;
  }
  EXPECT_EQ(::access(path("t.3").c_str(), F_OK), -1);
  // Of the DTLS connection.
  EXPECT_EQ(events_of(path("s"))[0]["trace"]["vantage_point"]["type"], "client");
  EXPECT_EQ(events_of(path("t"))[0]["trace"]["vantage_point"]["type"], "server");
}

// The chunks that Wireshark finds in a capture are those that were sent.
TEST_F(RecordTest, WiresharkReadsTheSctpOfACapture) {
  if (tshark("--version").empty()) GTEST_SKIP() << "no tshark";
  EngineOptions options;
  options.pcap_file = path("p");
  options.sctp.init_in_sdp = false;
  start({.delay = milliseconds(5)});
  // The server alone captures: it learns its keys after the packets that they are made from.
  replace_server(options);
  Channel channel = pair_->open();
  talk(channel, 20);
  const SessionStats stats = stats_of(*pair_->server, pair_->at_server->opened[0]);
  pair_->server.reset();

  // Wireshark carries no SCTP over DTLS of its own accord.
  std::ofstream(path("lua")) << "DissectorTable.get('dtls.port'):add(5000, Dissector.get('sctp'))";
  const std::string read = "-X 'lua_script:" + path("lua") + "' -r '" + path("p") + "' ";
  const auto packets = tshark(read + "-T fields -e frame.number");
  ASSERT_GT(packets.size(), 100u);
  const auto bad = tshark(read + "-o ip.check_checksum:TRUE -o udp.check_checksum:TRUE " +
                          "-Y 'ip.checksum.status==Bad || udp.checksum.status==Bad'");
  EXPECT_TRUE(bad.empty()) << bad.front();
  const auto received = tshark(read + "-Y 'sctp && ip.dst==10.0.1.1' -T fields -e frame.number");
  EXPECT_EQ(received.size(), stats.sctp->packets_received);
  const auto sent = tshark(read + "-Y 'sctp && ip.src==10.0.1.1' -T fields -e frame.number");
  EXPECT_EQ(sent.size(), stats.sctp->packets_sent);
  EXPECT_FALSE(tshark(read + "-Y 'sctp.chunk_type==1'").empty()) << "INIT";
  EXPECT_FALSE(tshark(read + "-Y 'sctp.chunk_type==3'").empty()) << "SACK";
  EXPECT_FALSE(tshark(read + "-Y stun").empty());
}

TEST_F(RecordTest, ACaptureEndsAtItsSizeAndSaysWhatItLeftOut) {
  EngineOptions options;
  options.pcap_file = path("p");
  options.pcap_bytes = 20'000;
  start({.delay = milliseconds(5)});
  replace_server(options);
  Channel channel = pair_->open();
  talk(channel, 50);
  pair_->server.reset();
  const std::string bytes = read_all(path("p"));
  EXPECT_LE(bytes.size(), 20'000u);
  EXPECT_GT(bytes.size(), 18'000u);
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    return value;
  };
  // The file is whole blocks, the last of them the statistics.
  std::uint32_t type = 0;
  std::size_t last = 0;
  for (std::size_t at = 0; at < bytes.size(); at += word(at + 4)) {
    ASSERT_GE(word(at + 4), 12u);
    type = word(at);
    last = at;
  }
  EXPECT_EQ(type, 5u);
  // isb_ifdrop.
  EXPECT_GT(word(last + 36), 0u);
}

TEST_F(RecordTest, NamesTheFileThatCannotBeWritten) {
  for (const bool pcap : {true, false}) {
    EngineOptions options;
    test::place_on(Simulation::create({}), options);
    options.max_sessions = 16;
    (pcap ? options.pcap_file : options.trace_file) = directory_ + "/no/such";
    const auto made = Engine::create(
        options, [](ShardContext& context) { return std::make_unique<Script>(context); });
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find(pcap ? "pcap_file: " : "trace_file: "), std::string::npos);
    EXPECT_NE(made.error().message.find("/no/such"), std::string::npos);
  }
}

std::string make_error(EngineOptions options) {
  test::place_on(Simulation::create({}), options);
  options.max_sessions = 16;
  const auto made = Engine::create(
      options, [](ShardContext& context) { return std::make_unique<Script>(context); });
  return made.ok() ? "" : made.error().message;
}

TEST_F(RecordTest, AnEngineThatDoesNotRunLeavesFilesAsTheyWere) {
  EngineOptions options;
  options.pcap_file = path("p");
  options.trace_file = path("t");
  options.key_log_file = path("k");
  for (const char* const name : {"p", "t", "k"}) std::ofstream(path(name)) << "earlier";
  EXPECT_EQ(make_error(options), "");
  for (const char* const name : {"p", "t", "k"}) EXPECT_EQ(read_all(path(name)), "earlier");
}

TEST_F(RecordTest, AFileThatIsBeingWrittenIsNoOthers) {
  EngineOptions options;
  options.pcap_file = path("p");
  options.trace_file = path("t");
  start({});
  replace_server(options);
  Channel channel = pair_->open();
  talk(channel, 10);
  for (const char* const name : {"p", "t"}) {
    EngineOptions other;
    (name[0] == 'p' ? other.trace_file : other.pcap_file) = path(name);
    EXPECT_NE(make_error(other).find("'" + path(name) + "' is being written already"),
              std::string::npos);
  }
  EngineOptions twice;
  twice.pcap_file = twice.trace_file = path("both");
  EXPECT_NE(make_error(twice).find("is being written already"), std::string::npos);
  pair_->server.reset();
  EXPECT_EQ(read_all(path("p")).substr(0, 4), "\x0a\x0d\x0d\x0a");
  EXPECT_FALSE(events_of(path("t")).empty());
}

TEST_F(RecordTest, TellsOnceOfWhatCannotBeWrittenToItsEnd) {
  for (auto EngineOptions::*const file :
       {&EngineOptions::pcap_file, &EngineOptions::trace_file, &EngineOptions::key_log_file}) {
    EngineOptions options;
    options.*file = "/dev/full";
    std::mutex mutex;  // The record thread may tell.
    std::vector<std::string> told;
    options.recording_failed = [&](const Error& error) {
      const std::lock_guard lock(mutex);
      told.push_back(error.message);
    };
    start({});
    replace_server(options);
    Channel channel = pair_->open();
    talk(channel, 10);
    pair_.reset();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find("_file: cannot write '/dev/full': "), std::string::npos) << told[0];
  }
}

TEST_F(RecordTest, SecretsAreTheirOwnersAlone) {
  EngineOptions options;
  options.key_log_file = path("k");
  std::ofstream(path("k")) << "earlier\n";
  ASSERT_EQ(::chmod(path("k").c_str(), 0644), 0);
  start({});
  replace_server(options);
  pair_->open();
  struct ::stat status {};
  ASSERT_EQ(::stat(path("k").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  // Others' lines stay: a key log is appended to.
  EXPECT_EQ(read_all(path("k")).find("earlier\nCLIENT_RANDOM "), 0u);
}

}  // namespace
}  // namespace millrace::test
