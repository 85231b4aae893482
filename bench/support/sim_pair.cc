// SPDX-License-Identifier: Apache-2.0
#include "bench/support/sim_pair.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/simulation_impl.h"

namespace millrace::bench {

class SimPair::Server : public Handler {
 public:
  explicit Server(bool echoing) : echoing_(echoing) {}

  void on_message(Channel channel, const MessageView& message) override {
    ++messages;
    bytes += message.size();
    if (echoing_) CHECK(channel.send(message.pieces, message.kind) == SendStatus::kOk);
  }

  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;

 private:
  const bool echoing_;
};

class SimPair::Client : public Handler {
 public:
  Client(ShardContext& context, const Traffic& traffic)
      : context_(context), traffic_(traffic), message_(traffic.message_bytes, 0x5a) {}

  void on_session_open(SessionId session) override {
    ChannelOptions options;
    options.label = "bench";
    options.ordered = traffic_.ordered;
    options.max_retransmits = traffic_.max_retransmits;
    CHECK(context_.open_channel(session, options).ok());
  }
  void on_channel_open(Channel channel) override {
    channels_.push_back(channel);
    if (channels_.size() < traffic_.sessions) return;
    // All at once, so that they stay in step and arrive in bursts, as on a machine that is busy.
    for (Channel& each : channels_) begin(each);
  }
  void on_writable(Channel channel) override { fill(channel); }
  void on_message(Channel channel, const MessageView& message) override {
    ++messages;
    bytes += message.size();
    CHECK(channel.send(message_) == SendStatus::kOk);
  }
  void on_session_close(SessionId, CloseReason) override { closed = true; }

  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  bool closed = false;

 private:
  void begin(Channel channel) {
    if (traffic_.echoes == 0) return fill(channel);
    for (int i = 0; i < traffic_.echoes; ++i) CHECK(channel.send(message_) == SendStatus::kOk);
  }
  void fill(Channel channel) {
    while (channel.send(message_) == SendStatus::kOk) {
    }
  }

  ShardContext& context_;
  const Traffic traffic_;
  const std::vector<std::uint8_t> message_;
  std::vector<Channel> channels_;
};

SimPair::SimPair(const SimulationOptions& network, const Traffic& traffic)
    : simulation_(Simulation::create(network)), echoing_(traffic.echoes != 0) {
  EngineOptions options;
  options.io = IoBackend::kSim;
  options.simulation = simulation_;
  options.max_sessions = std::max<std::size_t>(64, traffic.sessions);
  // Costs are per packet of one size; a search for another would be part of them.
  options.path_mtu_discovery = false;
  if (traffic.send_buffer_bytes != 0) options.sctp.send_buffer_bytes = traffic.send_buffer_bytes;
  options.log = [](const std::string&) {};
  EngineOptions listening = options;
  listening.listen = "10.0.1.1:5000";
  auto server = Engine::create(std::move(listening), [&](ShardContext&) {
    auto made = std::make_unique<Server>(echoing_);
    at_server_ = made.get();
    return made;
  });
  CHECK(server.ok());
  server_ = std::move(server).value();
  auto client = Engine::create(std::move(options), [&](ShardContext& context) {
    auto made = std::make_unique<Client>(context, traffic);
    at_client_ = made.get();
    return made;
  });
  CHECK(client.ok());
  client_ = std::move(client).value();
  for (std::size_t i = 0; i < traffic.sessions; ++i) connect();
  CHECK(run_messages(1));
}

SimPair::~SimPair() = default;

void SimPair::connect() {
  client_->create_offer({}, [this](Result<Description, SignalError> offer) {
    CHECK(offer.ok());
    auto answer = server_->accept_offer(offer.value().sdp);
    CHECK(answer.ok());
    client_->accept_answer(offer.value().session, answer.value().sdp,
                           [](std::optional<SignalError> error) { CHECK(!error); });
  });
}

void SimPair::run_for(Duration time) {
  simulation_->run_until([] { return false; }, now() + time);
  CHECK(!at_client_->closed);
}

bool SimPair::run_messages(std::uint64_t n) {
  const std::uint64_t goal = messages() + n;
  return simulation_->run_until([&] { return messages() >= goal; }, now() + seconds(60));
}

Time SimPair::now() const { return simulation_->now(); }

std::uint64_t SimPair::messages() const {
  return echoing_ ? at_client_->messages : at_server_->messages;
}

std::uint64_t SimPair::payload_bytes() const {
  return echoing_ ? at_client_->bytes : at_server_->bytes;
}

std::uint64_t SimPair::datagrams() const {
  // The engines' own statistics are as of their last report; the network's are exact.
  return static_cast<engine::SimulationImpl&>(*simulation_).network().stats().sent;
}

}  // namespace millrace::bench
