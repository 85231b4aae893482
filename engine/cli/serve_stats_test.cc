// SPDX-License-Identifier: Apache-2.0
//
// What `serve` shows of its sessions over HTTP, while they carry traffic.
#include "engine/cli/serve_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/cli/serve_command.h"
#include "engine/engine_test_support.h"
#include "engine/http/hex_id.h"
#include "engine/http/signalling_api.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

// ServeStatsTest is a server in virtual time, asked as its HTTP server would ask.
class ServeStatsTest : public testing::Test {
 protected:
  void start(const SimulationOptions& network = {.delay = milliseconds(5)}) {
    simulation_ = Simulation::create(network);
    EngineOptions options;
    options.io = IoBackend::kSim;
    options.simulation = simulation_;
    options.listen = "10.0.1.1:5000";
    options.max_sessions = 1024;
    auto server = make_serve_engine(options, serve_, relays_, counters_);
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    stats_ = std::make_unique<ServeStats>(*server_, counters_, simulation_->now());
    api_ = std::make_unique<http::SignallingApi>(
        *server_,
        http::SignallingApi::Sources{[this] { return stats_->json(simulation_->now()); },
                                     [this] { return stats_->prometheus(simulation_->now()); }});
    options.listen.clear();
    client_ = test::make_engine(options, &script_);
  }
  // Dials by HTTP; returns the session's id as the server's Location has it.
  std::string dial() {
    std::string id;
    const std::size_t before = script_->opened.size();
    client_->create_offer({}, [&](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      const http::Response answer =
          ask({"POST", "/offer", "", "application/sdp", offer.value().sdp});
      ASSERT_EQ(answer.status, 201u) << answer.body;
      id = answer.location.substr(std::string("/session/").size());
      client_->accept_answer(offer.value().session, answer.body,
                             [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
    EXPECT_TRUE(run([&] { return script_->opened.size() > before; }));
    return id;
  }
  bool run(const std::function<bool()>& done) {
    return simulation_->run_until(done, simulation_->now() + seconds(60));
  }
  http::Response ask(const http::Request& request) {
    std::optional<http::Response> got;
    api_->handle(request, [&](const http::MakeResponse& make) { got = make(); });
    EXPECT_TRUE(run([&] { return got.has_value(); }));
    return *got;
  }
  http::Response get(const std::string& path, const std::string& query = "") {
    return ask({"GET", path, query, "", ""});
  }
  static json entry(const json& report, const std::string& type) {
    for (const json& each : report["stats"]) {
      if (each["type"] == type) return each;
    }
    return {};
  }

  ServeOptions serve_;
  RelayHub relays_;
  ServeCounters counters_;
  std::shared_ptr<Simulation> simulation_;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
  test::Script* script_ = nullptr;
  std::unique_ptr<ServeStats> stats_;
  std::unique_ptr<http::SignallingApi> api_;
};

TEST_F(ServeStatsTest, ShowASessionByItsIdAsItWas) {
  start();
  const std::string id = dial();
  ChannelOptions options;
  options.label = "echo";
  auto channel = script_->context.open_channel(script_->opened.back(), options);
  ASSERT_TRUE(channel.ok());
  ASSERT_TRUE(run([&] { return channel.value().open(); }));
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(channel.value().send(Bytes(5000, 1)), SendStatus::kOk);
  }
  ASSERT_TRUE(run([&] { return script_->messages == 30; }));

  const http::Response reply = get("/stats", "session=" + id);
  ASSERT_EQ(reply.status, 200u) << reply.body;
  EXPECT_EQ(reply.content_type, "application/json");
  const json report = json::parse(reply.body);
  EXPECT_EQ(report["session"], id);
  EXPECT_EQ(report["state"], "open");
  const json data = entry(report, "data-channel");
  EXPECT_EQ(data["label"], "echo");
  EXPECT_EQ(data["messagesReceived"], 30);
  EXPECT_EQ(data["bytesReceived"], 150'000);
  EXPECT_EQ(data["messagesSent"], 30);
  EXPECT_EQ(data["bytesSent"], 150'000);
  const json transport = entry(report, "transport");
  EXPECT_EQ(transport["dtlsState"], "connected");
  EXPECT_EQ(transport["iceRole"], "controlled");
  EXPECT_GT(transport["bytesReceived"], 150'000);
  const json pair = entry(report, "candidate-pair");
  EXPECT_EQ(pair["id"], transport["selectedCandidatePairId"]);
  EXPECT_EQ(pair["nominated"], true);
  const json sctp = entry(report, "sctp-transport");
  EXPECT_NEAR(sctp["smoothedRoundTripTime"].get<double>(), 0.010, 0.005);
  EXPECT_EQ(report["association"]["state"], "established");
  EXPECT_EQ(report["association"]["cwnd"], sctp["congestionWindow"]);
}

TEST_F(ServeStatsTest, ListSessionsPageByPage) {
  start();
  std::vector<std::string> dialled;
  for (int i = 0; i < 5; ++i) dialled.push_back(dial());
  std::vector<std::string> listed;
  std::string query = "sessions=2";
  while (!query.empty()) {
    const json page = json::parse(get("/stats", query).body);
    EXPECT_LE(page["sessions"].size(), 2u);
    for (const json& each : page["sessions"]) listed.push_back(each["session"]);
    query = page.contains("next") ? "sessions=2&after=" + page["next"].get<std::string>() : "";
  }
  std::ranges::sort(dialled);
  std::ranges::sort(listed);
  EXPECT_EQ(listed, dialled);
}

TEST_F(ServeStatsTest, AnswerAHostileQueryWith400AndTheValueAtFault) {
  start();
  for (const std::string value : {"", "1", "'; DROP", "0123456789abcdex", "../../etc/passwd"}) {
    const http::Response reply = get("/stats", "session=" + value);
    EXPECT_EQ(reply.status, 400u) << value;
    const std::string reason = json::parse(reply.body)["error"];
    EXPECT_NE(reason.find("session: '" + value + "'"), std::string::npos) << reason;
  }
  EXPECT_EQ(get("/stats", "sessions=100000").status, 400u);
  EXPECT_EQ(get("/stats", "nothing=1").status, 400u);
  const http::Response cursor = get("/stats", "sessions=1&after=ffffffffffffffff");
  EXPECT_EQ(cursor.status, 400u);
  EXPECT_NE(cursor.body.find("ffffffffffffffff"), std::string::npos) << cursor.body;
  EXPECT_EQ(get("/stats", "session=0123456789abcdef").status, 404u);
}

TEST_F(ServeStatsTest, ShowTotalsAsBefore) {
  start({.loss = 0.05, .delay = milliseconds(5)});
  dial();
  ChannelOptions options;
  options.label = "source";
  options.protocol = "size=10000&count=100&rate=0";
  ASSERT_TRUE(script_->context.open_channel(script_->opened.back(), options).ok());
  ASSERT_TRUE(run([&] { return script_->messages == 100; }));
  run([] { return false; });
  const json totals = json::parse(get("/stats").body);
  EXPECT_EQ(totals["sessions"], 1);
  EXPECT_GT(totals["retransmitted_chunks"], 0);
  // A megabyte, in packets of whatever the path was found to take.
  EXPECT_GE(totals["data_chunks_sent"], 1'000'000 / 1500);
  const std::string metrics = get("/metrics").body;
  const std::string line = "millrace_retransmitted_chunks_total{shard=\"0\"} " +
                           std::to_string(totals["retransmitted_chunks"].get<std::uint64_t>());
  EXPECT_NE(metrics.find(line), std::string::npos) << metrics;
  EXPECT_GT(totals["cpu_seconds"], 0);
  EXPECT_GE(totals["cpu_waited_seconds"], 0);
  for (const char* name :
       {"t3_expiries_total", "fast_retransmits_total", "drops_total", "cpu_waited_seconds_total"}) {
    EXPECT_NE(metrics.find("# TYPE millrace_" + std::string(name) + " counter"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::cli
