// SPDX-License-Identifier: Apache-2.0
//
// Two engines of an embedder's own over DPDK, on devices that are connected to each other: one
// dials the other, and a message goes there and back.
#include <millrace/dpdk.h>
#include <millrace/engine.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace {

struct Echo : millrace::Handler {
  void on_message(millrace::Channel channel, const millrace::MessageView& message) override {
    if (channel.send(message.pieces, message.kind) != millrace::SendStatus::kOk) channel.close();
  }
};

struct Caller : millrace::Handler {
  Caller(millrace::ShardContext& shard, std::promise<std::string>& end)
      : context(shard), told(end) {}
  void on_session_open(millrace::SessionId session) override {
    if (!context.open_channel(session, {}).ok()) tell("no channel");
  }
  void on_session_close(millrace::SessionId, millrace::CloseReason) override {
    tell("the session ended");
  }
  void on_channel_open(millrace::Channel channel) override {
    if (channel.send("hello") != millrace::SendStatus::kOk) tell("nothing sent");
  }
  void on_message(millrace::Channel, const millrace::MessageView& message) override {
    tell(std::to_string(message.size()) + " bytes");
  }
  void tell(const std::string& what) {
    if (!std::exchange(over, true)) told.set_value(what);
  }
  millrace::ShardContext& context;
  std::promise<std::string>& told;
  bool over = false;
};

int fail(const std::string& reason) {
  std::fprintf(stderr, "%s\n", reason.c_str());
  return 1;
}

}  // namespace

int main() {
  millrace::DpdkOptions memory;
  memory.rx_buffers = memory.tx_buffers = 1024;
  memory.memory_mb = 256;
  auto devices = millrace::open_dpdk_pair(memory);
  if (!devices.ok()) return fail(devices.error().message);

  std::promise<std::string> told;
  millrace::EngineOptions serving;
  serving.io = millrace::IoBackend::kDpdk;
  serving.device = devices.value().first;
  serving.listen = serving.device->addresses().front() + ":5000";
  auto server = millrace::Engine::create(
      serving, [](millrace::ShardContext&) { return std::make_unique<Echo>(); });
  if (!server.ok()) return fail(server.error().message);
  millrace::EngineOptions dialling;
  dialling.io = millrace::IoBackend::kDpdk;
  dialling.device = devices.value().second;
  auto client = millrace::Engine::create(dialling, [&](millrace::ShardContext& shard) {
    return std::make_unique<Caller>(shard, told);
  });
  if (!client.ok()) return fail(client.error().message);
  server.value()->start();
  client.value()->start();

  millrace::Engine::OfferOptions from;
  from.local_ip = dialling.device->addresses().front();
  client.value()->create_offer(from, [&](auto offer) {
    if (!offer.ok()) return told.set_value(offer.error().reason);
    auto answer = server.value()->accept_offer(offer.value().sdp);
    if (!answer.ok()) return told.set_value(answer.error().reason);
    client.value()->accept_answer(offer.value().session, answer.value().sdp, [](auto) {});
  });
  auto heard = told.get_future();
  if (heard.wait_for(std::chrono::seconds(60)) != std::future_status::ready) return fail("silence");
  const std::string what = heard.get();
  std::puts(what.c_str());
  client.value()->stop();
  server.value()->stop();
  return what == "5 bytes" ? 0 : 1;
}
