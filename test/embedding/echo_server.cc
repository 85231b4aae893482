// SPDX-License-Identifier: Apache-2.0
#include <millrace/engine.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

// One handler per shard, called on that shard's thread.
struct Echo : millrace::Handler {
  void on_message(millrace::Channel channel, const millrace::MessageView& message) override {
    // `message` lies in the receive buffers; `send` copies it once, or says kWouldBlock.
    if (channel.send(message.pieces, message.kind) != millrace::SendStatus::kOk) channel.close();
  }
};

int main(int argc, char** argv) {
  millrace::EngineOptions options;
  options.listen = "127.0.0.1:5000";
  options.shards = 2;
  auto engine = millrace::Engine::create(
      options, [](millrace::ShardContext&) { return std::make_unique<Echo>(); });
  if (!engine.ok()) return std::fprintf(stderr, "%s\n", engine.error().message.c_str()), 1;
  engine.value()->start();

  // Signalling is yours: bring the peer's offer, take the answer back.
  std::ifstream offer(argc > 1 ? argv[1] : "offer.sdp");
  auto answer = engine.value()->accept_offer({std::istreambuf_iterator<char>(offer), {}});
  if (!answer.ok()) return std::fprintf(stderr, "%s\n", answer.error().reason.c_str()), 1;
  std::puts(answer.value().sdp.c_str());
  std::getchar();  // Serves until a key is pressed.
}
