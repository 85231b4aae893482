// SPDX-License-Identifier: Apache-2.0
#include "engine/reference/reference.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/reference/hello.h"
#include "engine/reference/open_loop.h"

namespace millrace::reference {
namespace {

const Address kAnyPort = *Address::parse("127.0.0.1:0");
constexpr std::uint32_t kBuffer = 4u << 20;

class Reference : public testing::TestWithParam<std::pair<bool, bool>> {
 protected:
  void SetUp() override {
    options_.uring = GetParam().first;
    options_.spin = GetParam().second;
    options_.thread_time = true;
    options_.warmup = milliseconds(50);
    options_.duration = milliseconds(200);
    if (options_.uring && !uring_available()) GTEST_SKIP() << "no io_uring here";
  }
  Options options_;
};

TEST_P(Reference, ReceiverCountsNoMoreThanWasSentAndMissesWhatWasLost) {
  auto listener = RawSocket::listen(kAnyPort, kBuffer);
  ASSERT_TRUE(listener.ok());
  auto dialler = RawSocket::connect(listener->local_address(), kBuffer);
  ASSERT_TRUE(dialler.ok());
  std::optional<Result<ReceiverReport, io::IoError>> received;
  std::thread thread([&] { received.emplace(run_receiver(*listener, options_)); });
  const auto sent = run_sender(*dialler, options_);
  thread.join();
  ASSERT_TRUE(sent.ok()) << sent.error().message;
  ASSERT_TRUE(received->ok()) << received->error().message;
  const ReceiverReport& report = received->value();
  EXPECT_GT(report.datagrams, 100u);
  EXPECT_EQ(report.bytes, report.datagrams * options_.datagram_bytes);
  EXPECT_LE(report.receives, report.datagrams);
  EXPECT_GE(report.seconds, 0.2);
  EXPECT_GT(report.goodput_mbps(), 0);
  EXPECT_GT(sent.value().datagrams, 100u);
}

TEST_P(Reference, PingComesBackAndIsMeasured) {
  options_.datagram_bytes = 100;
  auto listener = RawSocket::listen(kAnyPort, kBuffer);
  ASSERT_TRUE(listener.ok());
  auto dialler = RawSocket::connect(listener->local_address(), kBuffer);
  ASSERT_TRUE(dialler.ok());
  std::optional<Result<PongReport, io::IoError>> echoed;
  std::thread thread([&] { echoed.emplace(run_pong(*listener, options_)); });
  const auto pinged = run_ping(*dialler, options_);
  thread.join();
  ASSERT_TRUE(pinged.ok()) << pinged.error().message;
  ASSERT_TRUE(echoed->ok()) << echoed->error().message;
  EXPECT_GT(pinged.value().round_trip.count(), 0u);
  EXPECT_GE(echoed->value().datagrams, pinged.value().round_trip.count());
  EXPECT_GT(pinged.value().round_trip.min(), 500u);  // Half a microsecond: no echo is faster.
  EXPECT_EQ(pinged.value().lost, 0u);
}

TEST(ReferenceOpenLoop, SendsByTheClockAndMeasuresFromWhenEachWasDue) {
  Options options;
  options.spin = false;
  options.thread_time = true;
  options.datagram_bytes = 100;
  options.rate = 2000;
  options.warmup = milliseconds(50);
  options.duration = milliseconds(250);
  auto listener = RawSocket::listen(kAnyPort, kBuffer);
  ASSERT_TRUE(listener.ok());
  auto dialler = RawSocket::connect(listener->local_address(), kBuffer);
  ASSERT_TRUE(dialler.ok());
  std::optional<Result<PongReport, io::IoError>> echoed;
  std::thread thread([&] { echoed.emplace(run_pong(*listener, options)); });
  const auto pinged = run_ping(*dialler, options);
  thread.join();
  ASSERT_TRUE(pinged.ok()) << pinged.error().message;
  ASSERT_TRUE(echoed->ok()) << echoed->error().message;
  const PingReport& report = pinged.value();
  EXPECT_EQ(report.round_trip.count() + report.lost, 500u);
  EXPECT_EQ(report.lost, 0u);
  EXPECT_EQ(echoed->value().datagrams, 600u);  // Those of the warm-up, too.
  EXPECT_GE(report.seconds, 0.249);
  EXPECT_GT(report.round_trip.min(), 500u);
  EXPECT_GE(echoed->value().seconds, 0.299);
}

TEST(ReferenceOpenLoop, WhatDoesNotComeBackIsLost) {
  Options options;
  options.spin = false;
  options.datagram_bytes = 100;
  options.rate = 1000;
  options.warmup = milliseconds(0);
  options.duration = milliseconds(20);
  auto listener = RawSocket::listen(kAnyPort, kBuffer);
  ASSERT_TRUE(listener.ok());
  auto dialler = RawSocket::connect(listener->local_address(), kBuffer);
  ASSERT_TRUE(dialler.ok());
  const PingReport report = run_open_loop(*dialler, options);
  EXPECT_EQ(report.lost, 20u);
  EXPECT_EQ(report.round_trip.count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ports, Reference,
                         testing::Values(std::pair{false, true}, std::pair{false, false},
                                         std::pair{true, true}, std::pair{true, false}),
                         [](const auto& instance) {
                           return std::string(instance.param.first ? "Uring" : "Sockets") +
                                  (instance.param.second ? "Spin" : "Block");
                         });

TEST(ReferenceEnds, WithoutAPeerEachSideFailsAfterItsPatience) {
  Options options;
  options.patience = milliseconds(150);
  auto listener = RawSocket::listen(kAnyPort, kBuffer);
  ASSERT_TRUE(listener.ok());
  EXPECT_FALSE(run_receiver(*listener, options).ok());
  auto dialler = RawSocket::connect(listener->local_address(), kBuffer);
  ASSERT_TRUE(dialler.ok());
  EXPECT_FALSE(run_sender(*dialler, options).ok());
}

TEST(ReferenceControl, RejectsEveryTruncationAndForeignBytes) {
  std::array<std::uint8_t, kControlBytes> hello{};
  store_be64(hello.data(), kMark);
  store_be64(hello.data() + 8, 1);
  ASSERT_TRUE(parse_control(hello).has_value());
  for (std::size_t n = 0; n < hello.size(); ++n) {
    EXPECT_FALSE(parse_control(ByteSpan(hello).first(n)).has_value()) << n;
  }
  store_be64(hello.data() + 8, 9);
  EXPECT_FALSE(parse_control(hello).has_value());
}

}  // namespace
}  // namespace millrace::reference
