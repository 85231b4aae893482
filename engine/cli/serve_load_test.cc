// SPDX-License-Identifier: Apache-2.0
//
// The behaviours of `serve` and the accounts of `load`, over a simulated network.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/cli/load_run.h"
#include "engine/cli/part_pattern.h"
#include "engine/cli/serve_command.h"
#include "engine/cli/setting.h"
#include "engine/cli/signaller.h"

namespace millrace::cli {
namespace {

// Caller is a peer that notes what it hears, by the label of the channel.
class Caller : public Handler {
 public:
  explicit Caller(ShardContext& shard) : context(shard) {}

  void on_session_open(SessionId session) override { sessions.push_back(session); }
  void on_channel_close(Channel channel) override {
    for (const auto& [label, known] : channels) closed[label] |= known == channel;
  }
  void on_message(Channel channel, const MessageView& message) override {
    std::string text;
    for (const auto& piece : message.pieces) text.append(piece.begin(), piece.end());
    heard[std::string(channel.label())].push_back(text);
  }
  Channel open(std::size_t session, const std::string& label, const std::string& protocol = "") {
    ChannelOptions options;
    options.label = label;
    options.protocol = protocol;
    auto opened = context.open_channel(sessions.at(session), options);
    EXPECT_TRUE(opened.ok());
    return channels[label] = opened.value();
  }

  ShardContext& context;
  std::vector<SessionId> sessions;
  std::map<std::string, Channel> channels;
  std::map<std::string, bool> closed;
  std::map<std::string, std::vector<std::string>> heard;
};

class ServeTest : public testing::Test {
 protected:
  void start(const SimulationOptions& network = {.delay = microseconds(100)}) {
    simulation_ = Simulation::create(network);
    EngineOptions options;
    options.io = IoBackend::kSim;
    options.simulation = simulation_;
    options.listen = "10.0.1.1:5000";
    options.sctp.send_buffer_bytes = server_send_buffer_;
    auto server = Engine::create(options, [this](ShardContext& context) {
      auto handler = std::make_unique<ServeHandler>(context, serve_, relays_, counters_);
      handler_ = handler.get();
      return handler;
    });
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    options.listen.clear();
    auto client = Engine::create(options, [this](ShardContext& context) {
      auto caller = std::make_unique<Caller>(context);
      caller_ = caller.get();
      return caller;
    });
    ASSERT_TRUE(client.ok());
    client_ = std::move(client).value();
  }

  void dial() {
    const std::size_t before = caller_->sessions.size();
    client_->create_offer({}, [this](Result<Description, SignalError> offer) {
      ASSERT_TRUE(offer.ok());
      auto answer = server_->accept_offer(offer.value().sdp);
      ASSERT_TRUE(answer.ok());
      client_->accept_answer(offer.value().session, answer.value().sdp,
                             [](std::optional<SignalError> error) { EXPECT_FALSE(error); });
    });
    ASSERT_TRUE(run([&] { return caller_->sessions.size() > before; }));
  }

  Channel open(const std::string& label, const std::string& protocol = "",
               std::size_t session = 0) {
    const Channel channel = caller_->open(session, label, protocol);
    EXPECT_TRUE(run([&] { return channel.open(); }));
    return channel;
  }
  // A channel, and so many others that what it sends is relayed to.
  Channel open_room(int others) {
    const Channel talker = open("relay:room");
    for (int i = 0; i < others; ++i) open("relay:room");
    return talker;
  }

  bool run(const std::function<bool()>& done, Duration limit = seconds(30)) {
    return simulation_->run_until(done, simulation_->now() + limit);
  }
  void pass(Duration span) {
    run([] { return false; }, span);
  }

  std::size_t server_send_buffer_ = 8u << 20;
  ServeOptions serve_;
  RelayHub relays_;
  ServeCounters counters_;
  std::shared_ptr<Simulation> simulation_;
  std::unique_ptr<Engine> server_;
  std::unique_ptr<Engine> client_;
  ServeHandler* handler_ = nullptr;
  Caller* caller_ = nullptr;
};

TEST_F(ServeTest, EchoesInOrderThroughBackpressure) {
  // The way back is slow: the server's send buffer fills and its backlog is used.
  start({.delay = microseconds(100), .rate_mbps = 20});
  dial();
  Channel echo = open("echo-x");
  std::vector<std::string> sent;
  for (int i = 0; i < 120; ++i) {
    sent.push_back(std::string(60'000, static_cast<char>('a' + i % 26)) + std::to_string(i));
    while (echo.send(sent.back()) != SendStatus::kOk) pass(milliseconds(10));
  }
  ASSERT_TRUE(run([&] { return caller_->heard["echo-x"].size() == sent.size(); }));
  EXPECT_EQ(caller_->heard["echo-x"], sent);
}

TEST_F(ServeTest, SinkCountsAndReports) {
  start();
  dial();
  Channel sink = open("sink");
  EXPECT_EQ(sink.send(std::string_view("four")), SendStatus::kOk);
  EXPECT_EQ(sink.send(std::span<const std::uint8_t>()), SendStatus::kOk);
  EXPECT_EQ(sink.send(std::string_view("report")), SendStatus::kOk);
  ASSERT_TRUE(run([&] { return caller_->heard["sink"].size() == 1; }));
  const auto report = SinkReport::parse(caller_->heard["sink"][0]);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->messages, 2u);
  EXPECT_EQ(report->bytes, 4u);
}

TEST_F(ServeTest, SourceSendsWhatItsProtocolAsks) {
  start();
  dial();
  open("source", "size=70&count=25&rate=100");
  pass(milliseconds(110));
  EXPECT_NEAR(static_cast<double>(caller_->heard["source"].size()), 11, 2);
  ASSERT_TRUE(run([&] { return caller_->heard["source"].size() == 25; }));
  EXPECT_EQ(caller_->heard["source"][0].size(), 70u);
  pass(seconds(1));
  EXPECT_EQ(caller_->heard["source"].size(), 25u);
}

TEST_F(ServeTest, SourceAtFullRateSendsAllThereIs) {
  start({.delay = microseconds(100), .rate_mbps = 100});
  dial();
  open("source", "size=1000&count=20000&rate=max");
  ASSERT_TRUE(run([&] { return caller_->heard["source"].size() == 20'000; }));
}

TEST_F(ServeTest, ClosesASourceWhoseOrderMakesNoSense) {
  start();
  dial();
  for (const char* order : {"size=x", "size=-1", "count=1e3", "rate=-5", "size=99999999999"}) {
    const std::string label = std::string("source ") + order;
    caller_->open(0, label, order);
    EXPECT_TRUE(run([&] { return caller_->closed[label]; })) << order;
    EXPECT_TRUE(caller_->heard[label].empty());
  }
  EXPECT_EQ(counters_.channels_closed_refused.load(), 5u);
}

TEST_F(ServeTest, RelaysToEveryOtherChannelOfTheLabel) {
  start();
  dial();
  dial();
  Channel first = open("relay:room");
  open("relay:room", "", 1);
  open("relay:other", "", 1);
  pass(milliseconds(5));  // Until the server has heard of all of them.
  EXPECT_EQ(caller_->channels["relay:room"].send(std::string_view("x")), SendStatus::kOk);
  EXPECT_EQ(first.send(std::string_view("hello")), SendStatus::kOk);
  pass(milliseconds(50));
  // "x" went to the first channel and "hello" to the second: none came back to its sender.
  EXPECT_EQ(caller_->heard["relay:room"].size(), 2u);
  EXPECT_TRUE(caller_->heard["relay:other"].empty());
}

TEST_F(ServeTest, ClosesAReliableChannelWhoseBacklogIsFull) {
  serve_.backlog_bytes = 100'000;
  server_send_buffer_ = 128u << 10;
  start({.delay = microseconds(100), .rate_mbps = 10});
  dial();
  // Every message comes in once and goes out three times over the same rate.
  Channel talker = open_room(3);
  const std::string message(20'000, 'x');
  EXPECT_TRUE(run([&] {
    (void)talker.send(message);
    return counters_.channels_closed_slow.load() == 3;
  }));
  EXPECT_TRUE(talker.open());
}

TEST_F(ServeTest, ChargesEmptyMessagesForWhatTheyTake) {
  serve_.backlog_bytes = 1'000'000;
  server_send_buffer_ = 128u << 10;
  start({.delay = microseconds(100), .rate_mbps = 10});
  dial();
  Channel talker = open_room(3);
  // Fills the way back, and far from the backlog; what comes behind it waits, and is empty.
  const std::string message(20'000, 'x');
  int sent = 0;
  EXPECT_TRUE(run([&] {
    while (sent < 20 && talker.send(message) == SendStatus::kOk) ++sent;
    for (int i = 0; sent == 20 && i < 100; ++i) (void)talker.send(std::string_view());
    return counters_.channels_closed_slow.load() == 3;
  }));
  EXPECT_TRUE(talker.open());
}

TEST_F(ServeTest, ClosesChannelsOfASessionOrAShardThatKeepsTooMuch) {
  for (std::size_t ServeOptions::*bound :
       {&ServeOptions::session_backlog_bytes, &ServeOptions::shard_backlog_bytes}) {
    serve_ = {};
    serve_.*bound = 300'000;
    counters_.channels_closed_slow = 0;
    server_send_buffer_ = 128u << 10;
    start({.delay = microseconds(100), .rate_mbps = 10});
    dial();
    Channel talker = open_room(5);
    // Not one of the five comes near to the bound of its own.
    const std::string message(20'000, 'x');
    int sent = 0;
    EXPECT_TRUE(run([&] {
      while (sent < 20 && talker.send(message) == SendStatus::kOk) ++sent;
      return counters_.channels_closed_slow.load() > 0;
    }));
    EXPECT_TRUE(talker.open());
    client_.reset();
    server_.reset();
  }
}

TEST_F(ServeTest, ForgetsWhatClosedSourcesWereToSend) {
  start();
  dial();
  open("source", "rate=1e-9");
  for (int i = 0; i < 20; ++i) {
    const std::string label = "source " + std::to_string(i);
    Channel source = open(label, "rate=1e-9");  // The second message is due in 31 years.
    source.close();
    ASSERT_TRUE(run([&] { return caller_->closed[label]; }));
  }
  // One is open, another may be about to close; what is left of others is no more than that.
  EXPECT_LE(handler_->noted_sources(), 4u);
}

TEST_F(ServeTest, SourceOfTheSlowestRateSendsOnce) {
  start();
  dial();
  open("source", "rate=1e-300");
  pass(seconds(1));
  EXPECT_EQ(caller_->heard["source"].size(), 1u);
}

TEST_F(ServeTest, UsesAChannelAgainAfterItWasClosed) {
  start();
  dial();
  for (int round = 0; round < 5; ++round) {
    caller_->heard.clear();
    caller_->closed.clear();
    Channel echo = open("echo");
    EXPECT_EQ(echo.send(std::string_view("again")), SendStatus::kOk);
    ASSERT_TRUE(run([&] { return caller_->heard["echo"].size() == 1; })) << round;
    echo.close();
    ASSERT_TRUE(run([&] { return caller_->closed["echo"]; })) << round;
  }
}

TEST(Behaviour, GoesByTheBeginningOfTheLabel) {
  EXPECT_EQ(behaviour_of("echo"), Behaviour::kEcho);
  EXPECT_EQ(behaviour_of("echo-2"), Behaviour::kEcho);
  EXPECT_EQ(behaviour_of("sink"), Behaviour::kSink);
  EXPECT_EQ(behaviour_of("sources"), Behaviour::kSource);
  EXPECT_EQ(behaviour_of("relay:a"), Behaviour::kRelay);
  EXPECT_EQ(behaviour_of("relay:"), Behaviour::kIgnore);
  EXPECT_EQ(behaviour_of("ech"), Behaviour::kIgnore);
  EXPECT_EQ(behaviour_of(""), Behaviour::kIgnore);
}

TEST(SinkReport, ParsesWhatOtherServersWrite) {
  const auto report =
      SinkReport::parse(R"({"messages": 12, "bytes": 3456, "seconds": 0.5, "cpu_seconds": 1.25,)"
                        R"("cpu_waited_seconds": 0.75})");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->messages, 12u);
  EXPECT_EQ(report->bytes, 3456u);
  EXPECT_EQ(report->seconds, 0.5);
  EXPECT_EQ(report->cpu.used, 1.25);
  EXPECT_EQ(report->cpu.waited, 0.75);
  for (const char* bad : {"", "{}", R"({"messages":1})", R"({"messages":x,"bytes":1,"seconds":1})",
                          R"({"messages":-1,"bytes":1,"seconds":1})", R"("messages":)"}) {
    EXPECT_FALSE(SinkReport::parse(bad)) << bad;
  }
}

// Liar echoes as its fault says: every 50th message is lost, comes twice or late.
class Liar : public Handler {
 public:
  enum class Fault { kDrop, kDuplicate, kDelay, kShorten, kCorrupt, kSwapParts };
  explicit Liar(Fault fault) : fault_(fault) {}

  void on_message(Channel channel, const MessageView& message) override {
    if (fault_ == Fault::kCorrupt || fault_ == Fault::kSwapParts) return spoil(channel, message);
    const bool now = ++count_ % 50 == 0;
    if (now && fault_ == Fault::kDrop) return;
    if (now && fault_ == Fault::kDuplicate) (void)channel.send(message.pieces, message.kind);
    if (now && fault_ == Fault::kDelay) return message.append_to(held_);
    if (now && fault_ == Fault::kShorten) {
      (void)channel.send(message.bytes().first(message.size() - 1));
      return;
    }
    (void)channel.send(message.pieces, message.kind);
    if (!held_.empty()) (void)channel.send(std::span<const std::uint8_t>(std::exchange(held_, {})));
  }

 private:
  // Echoes large messages whole, but for one byte, or two stretches that change places.
  void spoil(Channel channel, const MessageView& message) {
    message.append_to(held_);
    if (!message.last) return;
    if (message.offset == 0) return held_.clear();  // It is no large one.
    std::vector<std::uint8_t> bytes = std::exchange(held_, {});
    const auto middle = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2);
    if (fault_ == Fault::kCorrupt) *middle ^= 1;
    if (fault_ == Fault::kSwapParts) std::swap_ranges(middle, middle + 1000, middle + 32'768);
    (void)channel.send(std::span<const std::uint8_t>(bytes));
  }

  Fault fault_;
  int count_ = 0;
  std::vector<std::uint8_t> held_;
};

report::LoadReport run_load(const LoadPlan& plan, const SimulationOptions& network,
                            std::optional<Liar::Fault> fault = std::nullopt,
                            std::uint64_t* most_sessions = nullptr) {
  auto simulation = Simulation::create(network);
  EngineOptions options;
  options.io = IoBackend::kSim;
  options.simulation = simulation;
  options.listen = "10.0.1.1:5000";
  options.sctp.max_message_bytes = std::max(options.sctp.max_message_bytes, plan.config.size);
  ServeOptions serve;
  RelayHub relays;
  ServeCounters counters;
  auto server =
      fault ? Engine::create(options, [&](ShardContext&) { return std::make_unique<Liar>(*fault); })
            : make_serve_engine(options, serve, relays, counters);
  EXPECT_TRUE(server.ok());
  SimPacer pacer(simulation);
  LoadRun run(plan, pacer, [&server, most_sessions] {
    if (most_sessions == nullptr) return false;
    *most_sessions = std::max(*most_sessions, server.value()->stats().shards[0].sessions);
    return false;
  });
  options.listen.clear();
  EXPECT_FALSE(run.create(options));
  LocalSignaller signaller(*server.value());
  return run.run(signaller);
}

LoadPlan plan_of(report::Pattern pattern) {
  LoadPlan plan;
  plan.config.pattern = pattern;
  plan.config.connections = 2;
  plan.config.channels = 2;
  plan.config.size = 300;
  plan.config.rate = 1000;
  plan.config.duration = seconds(1);
  plan.config.warmup = milliseconds(300);
  plan.patience = milliseconds(2000);
  return plan;
}

const SimulationOptions kQuiet{.delay = microseconds(500)};

TEST(LoadRun, CountsEchoesExactlyByTheRate) {
  const auto report = run_load(plan_of(report::Pattern::kEcho), kQuiet);
  EXPECT_TRUE(report.good());
  EXPECT_EQ(report.sent.messages, 1000u);
  EXPECT_EQ(report.latency.count(), 1000u);
  EXPECT_GE(report.latency.min(), 1'000'000u);
  EXPECT_LT(report.latency.max(), 1'200'000u);
}

TEST(LoadRun, CountsUploadsAndDownloads) {
  for (const auto pattern : {report::Pattern::kUpload, report::Pattern::kDownload}) {
    const auto report = run_load(plan_of(pattern), kQuiet);
    EXPECT_TRUE(report.good());
    EXPECT_NEAR(report.messages_per_second, 1000, 30) << to_string(pattern);
    EXPECT_NEAR(report.goodput_mbps, 2.4, 0.1) << to_string(pattern);
  }
}

TEST(LoadRun, KeepsIdleConnectionsOpenWithoutTraffic) {
  const auto report = run_load(plan_of(report::Pattern::kIdle), kQuiet);
  EXPECT_TRUE(report.good()) << report::to_text(report);
  EXPECT_EQ(report.opened, 2u);
  EXPECT_EQ(report.sent.messages, 0u);
}

TEST(LoadRun, DialsByTheRateAndClosesWhatItHeld) {
  LoadPlan plan = plan_of(report::Pattern::kIdle);
  plan.config.connections = 60;
  plan.dial_rate = 100;  // The last is dialled after 0.59 s, when the first is long closed.
  plan.hold = milliseconds(200);
  std::uint64_t most = 0;
  const auto report = run_load(plan, kQuiet, std::nullopt, &most);
  EXPECT_TRUE(report.good()) << report::to_text(report);
  EXPECT_EQ(report.opened, 60u);
  EXPECT_GE(most, 15u);
  EXPECT_LE(most, 30u);
}

TEST(LoadRun, LosesNothingReliableOnABadPath) {
  SimulationOptions bad{.seed = 5, .loss = 0.03, .duplicate = 0.02, .reorder = 0.05};
  bad.delay = microseconds(500);
  for (const bool ordered : {true, false}) {
    for (const auto pattern : {report::Pattern::kEcho, report::Pattern::kUpload}) {
      LoadPlan plan = plan_of(pattern);
      plan.config.ordered = ordered;
      plan.patience = milliseconds(20'000);
      const auto report = run_load(plan, bad);
      EXPECT_TRUE(report.good()) << report::to_text(report);
      EXPECT_EQ(report.lost, 0u);
    }
  }
}

TEST(LoadRun, ForgivesLossWhereItIsAllowed) {
  SimulationOptions lossy{.seed = 6, .loss = 0.1};
  lossy.delay = microseconds(500);
  LoadPlan plan = plan_of(report::Pattern::kEcho);
  plan.config.max_retransmits = 0;
  plan.config.rate = 0;  // A window that losses must not close.
  const auto report = run_load(plan, lossy);
  EXPECT_TRUE(report.good()) << report::to_text(report);
  EXPECT_GT(report.lost, 0u);
  EXPECT_GT(report.delivered.messages, 300u);
}

// Larger than every buffer on the way, and than `serve` would keep.
LoadPlan plan_of_large(report::Pattern pattern) {
  LoadPlan plan = plan_of(pattern);
  plan.config.connections = plan.config.channels = 1;
  plan.config.size = 12u << 20;
  plan.config.duration = milliseconds(300);
  plan.config.warmup = milliseconds(50);
  plan.config.rate = 0;
  plan.config.outstanding = 2;
  plan.patience = milliseconds(20'000);
  return plan;
}

TEST(LoadRun, MovesMessagesThatAreLargerThanTheSendBuffer) {
  SimulationOptions fast{.delay = microseconds(200), .rate_mbps = 2000};
  for (const auto pattern :
       {report::Pattern::kEcho, report::Pattern::kUpload, report::Pattern::kDownload}) {
    const auto report = run_load(plan_of_large(pattern), fast);
    EXPECT_TRUE(report.good()) << report::to_text(report);
    EXPECT_GT(report.delivered.messages, 0u) << to_string(pattern);
    EXPECT_EQ(report.damaged + report.lost + report.duplicated, 0u);
  }
}

TEST(LoadRun, MovesThemSideBySideOnABadPath) {
  SimulationOptions bad{.seed = 7, .loss = 0.01, .duplicate = 0.01, .reorder = 0.01};
  bad.delay = microseconds(200);
  LoadPlan plan = plan_of_large(report::Pattern::kEcho);
  plan.config.size = 3u << 20;
  plan.config.channels = 3;
  plan.config.ordered = false;
  const auto report = run_load(plan, bad);
  EXPECT_TRUE(report.good()) << report::to_text(report);
  EXPECT_EQ(report.lost, 0u);
}

TEST(LoadRun, GoesOnWhereLargeMessagesAreGivenUp) {
  SimulationOptions lossy{.seed = 8, .loss = 0.0002};
  lossy.delay = microseconds(200);
  LoadPlan plan = plan_of_large(report::Pattern::kEcho);
  plan.config.size = 1500u << 10;
  plan.config.duration = seconds(3);
  plan.config.max_retransmits = 0;
  const auto report = run_load(plan, lossy);
  EXPECT_TRUE(report.good()) << report::to_text(report);
  EXPECT_GT(report.lost, 0u);
  EXPECT_GT(report.delivered.messages, 0u);
}

TEST(LoadRun, SeesWhatIsWrongWithALargeEcho) {
  LoadPlan plan = plan_of_large(report::Pattern::kEcho);
  plan.config.size = 2u << 20;
  plan.config.outstanding = 1;
  EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kCorrupt).damaged, 0u);
  EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kSwapParts).damaged, 0u);
}

TEST(PartPattern, TellsEveryPlaceAndMessageApart) {
  PartPattern pattern;
  const auto copy = [&](std::uint64_t sequence, std::uint64_t offset, std::size_t size) {
    const auto part = pattern.part(sequence, Time(), offset, size);
    return std::vector<std::uint8_t>(part.begin(), part.end());
  };
  constexpr std::size_t kPart = PartPattern::kPartBytes;
  for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{5}, UINT64_MAX}) {
    const auto head = copy(sequence, 0, kPart);
    EXPECT_TRUE(pattern.matches(sequence, 0, head));
    EXPECT_FALSE(pattern.matches(sequence + 1, 0, head));
    EXPECT_TRUE(pattern.matches(sequence, 10, std::span(head).subspan(10, 3)));
    auto later = copy(sequence, 7 * kPart, kPart);
    EXPECT_TRUE(pattern.matches(sequence, 7 * kPart, later));
    EXPECT_TRUE(pattern.matches(sequence, 7 * kPart + 999, std::span(later).subspan(999)));
    for (const std::uint64_t offset : {kPart, 6 * kPart, 7 * kPart + 1, 8 * kPart}) {
      EXPECT_FALSE(pattern.matches(sequence, offset, later)) << offset;
    }
    later.back() ^= 1;
    EXPECT_FALSE(pattern.matches(sequence, 7 * kPart, later));
  }
}

TEST(ParseBytes, TakesUnits) {
  EXPECT_EQ(parse_bytes("64M"), 64u << 20);
  EXPECT_EQ(parse_bytes("1K"), 1024u);
  EXPECT_EQ(parse_bytes("1G"), 1u << 30);
  EXPECT_EQ(parse_bytes("77"), 77u);
  for (const char* bad : {"", "M", "1.5M", "1MB", "-1K", "1m", "99999999999G", " 1"}) {
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  }
}

TEST(LoadRun, SeesEveryFaultOfAnEcho) {
  LoadPlan plan = plan_of(report::Pattern::kEcho);
  plan.config.connections = plan.config.channels = 1;
  for (const std::size_t size : {std::size_t{300}, std::size_t{12}}) {
    plan.config.size = size;
    EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kDrop).lost, 0u);
    EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kDuplicate).duplicated, 0u);
    EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kDelay).reordered, 0u);
    EXPECT_GT(run_load(plan, kQuiet, Liar::Fault::kShorten).damaged, 0u);
    for (const auto fault : {Liar::Fault::kDrop, Liar::Fault::kDuplicate, Liar::Fault::kDelay,
                             Liar::Fault::kShorten}) {
      EXPECT_FALSE(run_load(plan, kQuiet, fault).good());
    }
  }
}

TEST(LoadRun, CountsLatencyFromTheIntendedTime) {
  // 1000 messages of 300 bytes a second need 2.4 Mbit/s, and the path has less: they wait
  // in line, and the waiting counts although nothing is slow once it is sent.
  SimulationOptions narrow{.delay = microseconds(500), .rate_mbps = 2};
  LoadPlan plan = plan_of(report::Pattern::kEcho);
  plan.patience = milliseconds(10'000);
  const auto report = run_load(plan, narrow);
  EXPECT_EQ(report.latency.count() + report.unsent, report.sent.messages + report.unsent);
  EXPECT_GT(report.latency.max(), 300'000'000u);
}

}  // namespace
}  // namespace millrace::cli
