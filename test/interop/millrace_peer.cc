// SPDX-License-Identifier: Apache-2.0
//
// The millrace peer of the interoperability suite, on the public API: it dials a server
// as README.md, "A client", says, and prints its verdict as one line of JSON.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <optional>
#include <string>
#include <utility>

#include "engine/http/http_client.h"
#ifdef MILLRACE_DPDK
#include "millrace/dpdk.h"
#endif
#include "millrace/engine.h"
#include "test/interop/millrace_ledger.h"

namespace millrace::interop {
namespace {

constexpr std::size_t kMaxMessage = 262'144;
constexpr std::size_t kUnreliableBytes = 327'680;
constexpr seconds kIdle{60};
constexpr seconds kExpiry{4};
constexpr seconds kAskAgain{1};
constexpr milliseconds kLinger{300};
constexpr milliseconds kTick{50};

struct Options {
  std::string target;
  std::string label = "echo";
  std::string mode = "reliable-ordered";
  std::size_t messages = 1000;
  std::size_t outstanding = 8;
  bool first_alone = false;  // Nothing follows the first message before its echo.
  std::size_t max_size = kMaxMessage;
  std::uint32_t seed = 1;
  bool empties = true;
  bool fixed = false;  // All messages are of the largest size.
  std::string dpdk_device;
  std::string dpdk_address;

  bool reliable() const { return mode.rfind("reliable", 0) == 0; }
  bool ordered() const { return mode.size() > 8 && mode.substr(mode.size() - 8) == "-ordered"; }
};

// Run is one session with a server: dial, echo, close, open again, close.
class Run final : public Handler {
 public:
  Run(ShardContext& context, const Options& options)
      : context_(context), options_(options), ledger_(options.ordered()) {}

  std::future<void> done() { return done_.get_future(); }
  // Begins the watch over progress. On the shard's thread, as are all others below.
  void begin() {
    started_ = progress_ = context_.now();
    context_.wake_at(started_ + kTick);
  }
  void fail(const std::string& error) {
    if (phase_ == Phase::kDone) return;
    error_ = error;
    finish();
  }

  void on_session_open(SessionId session) override {
    session_ = session;
    open(Phase::kOpening);
  }
  void on_session_close(SessionId, CloseReason reason) override {
    fail(std::string("the session ended: ") + to_string(reason));
  }
  void on_channel_open(Channel channel) override;
  void on_channel_close(Channel channel) override;
  void on_message(Channel channel, const MessageView& message) override;
  void on_writable(Channel) override { pump(); }
  void on_wakeup(Time now) override;

  // After `done`.
  bool print_verdict(const std::string& error) const;
  const std::string& error() const { return error_; }

 private:
  enum class Phase {
    kDialling,
    kOpening,
    kEchoing,
    kLingering,
    kClosing,
    kReopening,
    kAsking,
    kLeaving,
    kDone
  };

  void open(Phase phase);
  void pump();
  bool send(const Message& message);
  void ask(Time now);
  void finish();

  ShardContext& context_;
  const Options& options_;
  Ledger ledger_;
  std::optional<Traffic> traffic_;
  std::optional<Message> waiting_;  // Made, and not yet taken by the channel.
  Phase phase_ = Phase::kDialling;
  SessionId session_ = SessionId::kNone;
  Channel channel_;
  std::size_t max_size_ = 0;
  Time started_{};
  Time progress_{};
  Time since_{};  // Of lingering, or of the last question.
  bool closed_ = false;
  bool reopened_ = false;
  double seconds_ = 0;
  std::string error_;
  std::promise<void> done_;
};

void Run::open(Phase phase) {
  phase_ = phase;
  ChannelOptions options;
  options.label = options_.label;
  options.ordered = options_.ordered();
  if (!options_.reliable()) options.max_retransmits = 0;
  auto opened = context_.open_channel(session_, options);
  if (!opened.ok()) return fail(opened.error().message);
  channel_ = opened.value();
}

void Run::on_channel_open(Channel channel) {
  if (channel != channel_) return;
  progress_ = context_.now();
  if (phase_ == Phase::kOpening) {
    max_size_ = std::min({options_.max_size, kMaxMessage, channel.max_message_size()});
    traffic_.emplace(options_.seed, max_size_, options_.empties, options_.fixed);
    phase_ = Phase::kEchoing;
    return pump();
  }
  phase_ = Phase::kAsking;
  ask(progress_);
}

void Run::on_channel_close(Channel channel) {
  if (channel != channel_) return;
  progress_ = context_.now();
  if (phase_ == Phase::kClosing) {
    closed_ = true;
    return open(Phase::kReopening);
  }
  if (phase_ != Phase::kLeaving) return fail("the channel closed early");
  reopened_ = true;
  finish();
}

void Run::on_message(Channel channel, const MessageView& message) {
  if (channel != channel_) return;
  std::string data;
  data.reserve(message.size());
  for (const auto& piece : message.pieces) data.append(piece.begin(), piece.end());
  progress_ = context_.now();
  if (phase_ == Phase::kAsking) {
    if (data != "again") return fail("the second channel damaged a message");
    phase_ = Phase::kLeaving;
    return channel_.close();
  }
  if (phase_ != Phase::kEchoing && phase_ != Phase::kLingering) return;
  ledger_.accept(message.kind == MessageKind::kString, data);
  pump();
}

void Run::pump() {
  if (phase_ != Phase::kEchoing) return;
  while (ledger_.sent.messages < options_.messages &&
         ledger_.outstanding() < options_.outstanding) {
    if (options_.first_alone && ledger_.sent.messages == 1 && ledger_.outstanding() == 1) return;
    if (!waiting_) waiting_ = traffic_->message(ledger_.sent.messages);
    if (!options_.reliable() &&
        ledger_.outstanding_bytes() + waiting_->data.size() > kUnreliableBytes) {
      return;
    }
    if (!send(*waiting_)) return;
    ledger_.note(std::move(*waiting_), context_.now());
    waiting_.reset();
  }
  if (ledger_.sent.messages == options_.messages && ledger_.outstanding() == 0) {
    phase_ = Phase::kLingering;
    since_ = context_.now();
  }
}

bool Run::send(const Message& message) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(message.data.data()),
                        message.data.size());
  const SendStatus status =
      channel_.send(bytes, message.text ? MessageKind::kString : MessageKind::kBinary);
  if (status == SendStatus::kTooLarge) fail("a message is above the peer's limit");
  if (status == SendStatus::kClosed) fail("the channel closed early");
  return status == SendStatus::kOk;
}

void Run::ask(Time now) {
  since_ = now;
  if (channel_.send("again") == SendStatus::kClosed) fail("the second channel closed early");
}

void Run::on_wakeup(Time now) {
  if (phase_ == Phase::kDone) return;
  context_.wake_at(now + kTick);
  if (now - progress_ > kIdle) return fail("stalled");
  if (phase_ == Phase::kEchoing && !options_.reliable()) {
    ledger_.expire(now, kExpiry);
    pump();
  }
  if (phase_ == Phase::kLingering && now - since_ >= kLinger) {
    phase_ = Phase::kClosing;
    channel_.close();
  }
  if (phase_ == Phase::kAsking && !options_.reliable() && now - since_ >= kAskAgain) ask(now);
}

void Run::finish() {
  phase_ = Phase::kDone;
  seconds_ = std::chrono::duration<double>(context_.now() - started_).count();
  done_.set_value();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0 && c < ' ' ? ' ' : c;
  }
  return out + "\"";
}

bool Run::print_verdict(const std::string& error) const {
  const std::size_t missing = options_.messages - ledger_.received.messages;
  const std::size_t allowed = options_.reliable() ? 0 : options_.messages / 100;
  const bool ok = error.empty() && missing <= allowed && ledger_.damaged == 0 &&
                  ledger_.duplicated == 0 && ledger_.out_of_order == 0;
  std::printf(R"({"peer":"millrace","role":"client","mode":%s,"label":%s,"seed":%u,"max_size":%zu,)"
              R"("sent":{"messages":%zu,"bytes":%zu},"received":{"messages":%zu,"bytes":%zu},)"
              R"("missing":%zu,"damaged":%zu,"duplicated":%zu,"out_of_order":%zu,)"
              R"("closed":%s,"reopened":%s,"seconds":%.3f,"ok":%s,"error":%s})"
              "\n",
              quoted(options_.mode).c_str(), quoted(options_.label).c_str(), options_.seed,
              max_size_, ledger_.sent.messages, ledger_.sent.bytes, ledger_.received.messages,
              ledger_.received.bytes, missing, ledger_.damaged, ledger_.duplicated,
              ledger_.out_of_order, closed_ ? "true" : "false", reopened_ ? "true" : "false",
              seconds_, ok ? "true" : "false", quoted(error).c_str());
  return ok;
}

// The path of a Location, which may be a whole URL.
std::string path_of(const std::string& location) {
  const auto url = http::Url::parse(location);
  return url ? url->path : location;
}

// Dials; the path to DELETE goes to `location`.
void dial(Engine& engine, http::Client& client, const http::Url& target,
          const Engine::OfferOptions& offer_options, Run& run, std::string& location) {
  const auto fail = [&engine, &run](const std::string& error) {
    engine.post(0, [&run, error] { run.fail(error); });
  };
  engine.post(0, [&run] { run.begin(); });
  engine.create_offer(offer_options, [&, fail](Result<Description, SignalError> offer) {
    if (!offer.ok()) return fail(offer.error().reason);
    const SessionId session = offer.value().session;
    client.post(target.path, "application/sdp", offer.value().sdp,
                [&engine, &location, session, fail](http::Reply reply) {
                  if (!reply.error.empty()) return fail(reply.error);
                  if (reply.status != 201 || reply.content_type != "application/sdp") {
                    return fail("POST: " + std::to_string(reply.status) + " " + reply.content_type);
                  }
                  location = path_of(reply.location);
                  engine.accept_answer(session, reply.body,
                                       [fail](std::optional<SignalError> error) {
                                         if (error) fail(error->reason);
                                       });
                });
  });
}

std::string hang_up(http::Client& client, const std::string& location) {
  std::promise<std::string> result;
  client.remove(location, [&result](http::Reply reply) {
    const bool fine = reply.error.empty() && reply.status / 100 == 2;
    result.set_value(fine ? "" : "DELETE: " + std::to_string(reply.status) + " " + reply.error);
  });
  return result.get_future().get();
}

// Has the engine run over a device where one is stated.
std::optional<Error> attach_device(const Options& options, EngineOptions& engine) {
  if (options.dpdk_device.empty()) return std::nullopt;
#ifdef MILLRACE_DPDK
  DpdkOptions dpdk;
  dpdk.device = options.dpdk_device;
  dpdk.addresses = {options.dpdk_address};
  auto device = open_dpdk_device(dpdk);
  if (!device.ok()) return device.error();
  engine.io = IoBackend::kDpdk;
  engine.device = std::move(device).value();
  return std::nullopt;
#else
  (void)engine;
  return Error{"this build has no DPDK"};
#endif
}

int run_client(const Options& options, const http::Url& target) {
  Run* run = nullptr;
  EngineOptions engine_options;
  if (const auto error = attach_device(options, engine_options)) {
    std::fprintf(stderr, "millrace_peer: %s\n", error->message.c_str());
    return 1;
  }
  auto engine = Engine::create(engine_options, [&](ShardContext& context) {
    auto handler = std::make_unique<Run>(context, options);
    run = handler.get();
    return handler;
  });
  if (!engine.ok()) {
    std::fprintf(stderr, "millrace_peer: %s\n", engine.error().message.c_str());
    return 1;
  }
  std::string location;
  http::ClientOptions client_options;
  client_options.target = target;
  client_options.connections = 1;
  client_options.timeout = kIdle;
  const auto client = http::Client::create(client_options);
  std::future<void> done = run->done();
  engine.value()->start();
  Engine::OfferOptions offer_options;
  if (engine_options.device != nullptr) {
    offer_options.local_ip = engine_options.device->addresses().front();
  }
  dial(*engine.value(), *client, target, offer_options, *run, location);
  done.wait();
  std::string error = run->error();
  if (error.empty()) error = hang_up(*client, location);
  const bool ok = run->print_verdict(error);
  engine.value()->stop();
  return ok ? 0 : 1;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--json") continue;  // The verdict is always JSON.
    if (flag == "--first-alone") {
      options.first_alone = true;
      continue;
    }
    if (flag == "--no-empty") {
      options.empties = false;
      continue;
    }
    if (flag == "--fixed") {
      options.fixed = true;
      continue;
    }
    if (++i == argc) return std::nullopt;
    const std::string value = argv[i];
    const auto number = [&value] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (flag == "--target")
      options.target = value;
    else if (flag == "--label")
      options.label = value;
    else if (flag == "--dpdk-device")
      options.dpdk_device = value;
    else if (flag == "--dpdk-address")
      options.dpdk_address = value;
    else if (flag == "--mode")
      options.mode = value;
    else if (flag == "--messages")
      options.messages = number();
    else if (flag == "--outstanding")
      options.outstanding = number();
    else if (flag == "--max-size")
      options.max_size = number();
    else if (flag == "--seed")
      options.seed = static_cast<std::uint32_t>(number());
    else
      return std::nullopt;
  }
  const std::string& mode = options.mode;
  const bool known = mode == "reliable-ordered" || mode == "reliable-unordered" ||
                     mode == "unreliable-ordered" || mode == "unreliable-unordered";
  if (!known || options.max_size == 0 || options.outstanding == 0) return std::nullopt;
  return options;
}

}  // namespace
}  // namespace millrace::interop

int main(int argc, char** argv) {
  using namespace millrace;
  const auto options = interop::parse(argc, argv);
  const auto target = options ? http::Url::parse(options->target) : std::nullopt;
  if (!target) {
    std::fprintf(stderr,
                 "usage: millrace_peer --target URL [--label L] [--messages N] [--outstanding N] "
                 "[--max-size N] [--mode MODE] [--seed S] [--no-empty] [--fixed] [--first-alone] "
                 "[--dpdk-device DEVICE --dpdk-address PREFIX] [--json]\n");
    return 2;
  }
  return interop::run_client(*options, *target);
}
