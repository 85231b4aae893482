// SPDX-License-Identifier: Apache-2.0
//
// Engines that cannot be made, or not at once, over the kernel's sockets.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "millrace/engine.h"

namespace millrace {
namespace {

TEST(EngineCreate, TakesSocketsByItselfWhereItNeverSleeps) {
  EngineOptions options;
  options.listen = "127.0.0.1:0";
  options.wait = WaitPolicy::kSpin;
  const auto engine =
      Engine::create(options, [](ShardContext&) { return std::make_unique<Handler>(); });
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  EXPECT_EQ(engine.value()->io(), IoBackend::kSockets);
}

TEST(EngineCreate, NamesThePortThatIsInUse) {
  const auto handler = [](ShardContext&) { return std::make_unique<Handler>(); };
  // With two, the shards share the port, but no other engine has a part in it.
  for (const unsigned shards : {1u, 2u}) {
    EngineOptions options;
    options.shards = shards;
    options.listen = "127.0.0.1:0";
    auto first = Engine::create(options, handler);
    ASSERT_TRUE(first.ok());
    options.listen = first.value()->listen_address();
    const auto second = Engine::create(options, handler);
    ASSERT_FALSE(second.ok()) << shards;
    EXPECT_NE(second.error().message.find(options.listen), std::string::npos);
    EXPECT_NE(second.error().message.find("in use"), std::string::npos);
  }
}

// A server's successor comes while the kernel still ends its io_uring.
TEST(EngineCreate, WaitsALittleForAPortThatIsGivenUp) {
  const auto handler = [](ShardContext&) { return std::make_unique<Handler>(); };
  EngineOptions options;
  options.listen = "127.0.0.1:0";
  auto first = Engine::create(options, handler);
  ASSERT_TRUE(first.ok());
  options.listen = first.value()->listen_address();
  std::thread leaving([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first.value().reset();
  });
  const auto second = Engine::create(options, handler);
  leaving.join();
  EXPECT_TRUE(second.ok());
}

TEST(EngineCreate, NamesTheCertificateFileThatIsMissing) {
  EngineOptions options;
  options.certificate_file = "/nonexistent/cert.pem";
  options.key_file = "/nonexistent/key.pem";
  const auto engine =
      Engine::create(options, [](ShardContext&) { return std::make_unique<Handler>(); });
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().message,
            "certificate_file: cannot read '/nonexistent/cert.pem': No such file or directory");
}

}  // namespace
}  // namespace millrace
