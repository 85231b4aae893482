// SPDX-License-Identifier: Apache-2.0
// Recovery from loss, and what a bottleneck lets through: both halves of an association over
// a path in virtual time.
#include <gtest/gtest.h>

#include <cmath>

#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;
using testing::NetworkOptions;
using testing::Transfer;

constexpr NetworkOptions kFatPath{.delay = milliseconds(10),
                                  .bytes_per_second = 125'000'000,  // 1 Gbit/s.
                                  .queue_bytes = 1 << 20};

DataSenderOptions sender_options(CongestionAlgorithm algorithm = CongestionAlgorithm::kCubic) {
  DataSenderOptions options;
  options.send_buffer_bytes = 8 << 20;
  options.congestion.algorithm = algorithm;
  return options;
}

DataReceiverOptions receiver_options() {
  DataReceiverOptions options;
  options.window_bytes = 8 << 20;
  return options;
}

// Load sends 16 KiB messages, as much as is taken, for as long as it is run.
class Load {
 public:
  Load(const NetworkOptions& network, std::uint64_t seed,
       CongestionAlgorithm algorithm = CongestionAlgorithm::kCubic)
      : transfer_(sender_options(algorithm), receiver_options(), network, seed) {
    transfer_.set_keeping(false);
  }
  Transfer& transfer() { return transfer_; }

  void run(Duration time) {
    for (const Time end = transfer_.now() + time; transfer_.now() < end;) {
      while (transfer_.sender().send(transfer_.now(), StreamId(1), kPpidBinary, message_, {}) ==
             SendStatus::kOk) {
      }
      transfer_.run(std::min(end, transfer_.now() + milliseconds(2)));
    }
  }
  // Megabits a second of payload that arrived within `time`.
  double goodput(Duration time) {
    const std::uint64_t before = transfer_.payload_received();
    run(time);
    const auto bytes = static_cast<double>(transfer_.payload_received() - before);
    return bytes * 8e-6 / std::chrono::duration<double>(time).count();
  }

 private:
  Transfer transfer_;
  const Bytes message_ = Bytes(16384, 7);
};

// RFC 9438 §5.2: start included.
TEST(Recovery, CubicFillsAFatPath) {
  Load load(kFatPath, 1);
  EXPECT_GE(load.goodput(seconds(20)), 700.0);
  EXPECT_EQ(load.transfer().sender().stats().t3_expiries, 0u);
}

// RFC 8985 §3.1, RFC 6937: what is lost of one window is resent once, without T3.
TEST(Recovery, HundredsOfLossesInAWindowTakeThreeRoundTrips) {
  Load load({.delay = milliseconds(10)}, 1);
  load.run(milliseconds(130));
  Transfer& transfer = load.transfer();
  const std::size_t first = transfer.data_packets_sent();
  transfer.drop_if([=](std::size_t n) { return n >= first && n < first + 500 && n % 2 == 0; });
  load.run(milliseconds(20));
  ASSERT_GE(transfer.data_packets_sent(), first + 500);
  const Tsn last = transfer.sender().next_tsn();
  load.run(milliseconds(60));
  EXPECT_TRUE(last.precedes(transfer.sender().cumulative_acked()));
  EXPECT_GE(transfer.sender().stats().retransmitted_chunks, 250u);
  EXPECT_LE(transfer.sender().stats().retransmitted_chunks, 275u);
  EXPECT_EQ(transfer.sender().stats().t3_expiries, 0u);
}

// RFC 8985 §3.1 (3): a lost retransmission shows by what left after it.
TEST(Recovery, ARetransmissionLostTwiceIsFoundWithoutT3) {
  Load load({.delay = milliseconds(10)}, 1);
  load.run(milliseconds(130));
  Transfer& transfer = load.transfer();
  const DataSender& sender = transfer.sender();
  // The first packet after now, and of what is resent the first two.
  const std::size_t first = transfer.data_packets_sent();
  std::uint64_t dropped = 0;
  transfer.drop_if([&](std::size_t n) {
    const bool again = n == first || (dropped < 3 && dropped > 0 &&
                                      sender.stats().retransmitted_chunks >= dropped);
    dropped += again ? 1 : 0;
    return again;
  });
  load.run(milliseconds(180));
  EXPECT_EQ(dropped, 3u);
  EXPECT_EQ(sender.stats().retransmitted_chunks, 3u);
  EXPECT_EQ(sender.stats().fast_retransmits, 3u) << "a reduction each round trip";
  EXPECT_EQ(sender.stats().t3_expiries, 0u);
}

constexpr CongestionAlgorithm kByLoss[] = {CongestionAlgorithm::kCubic,
                                           CongestionAlgorithm::kNewReno};

// RFC 8985 §6.2: once reordering was seen, what is late is waited for; what was taken for lost
// before is given back (RFC 4015).
TEST(Recovery, ReorderingCostsNoGoodput) {
  for (const CongestionAlgorithm algorithm : kByLoss) {
    NetworkOptions network = kFatPath;
    network.bytes_per_second = 25'000'000;
    network.queue_bytes = 500'000;
    const double in_order = Load(network, 1, algorithm).goodput(seconds(5));
    network.reordering = 0.05;
    network.reordering_delay = milliseconds(2);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      Load load(network, seed, algorithm);
      EXPECT_GE(load.goodput(seconds(5)), 0.9 * in_order) << "seed " << seed;
      EXPECT_EQ(load.transfer().sender().stats().t3_expiries, 0u);
    }
  }
}

// Mathis, Semke, Mahdavi and Ott 1997: what halving for each loss leaves of a path, and RFC
// 9438 §4.3 promises no less. Random loss must cost nothing besides.
TEST(Recovery, RandomLossLeavesWhatTheResponseFunctionSays) {
  for (const CongestionAlgorithm algorithm : kByLoss) {
    for (const double loss : {0.001, 0.01}) {
      NetworkOptions network = kFatPath;
      network.queue_bytes = 2'500'000;
      network.loss = loss;
      double sum = 0;
      constexpr int kSeeds = 3;
      for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Load load(network, seed, algorithm);
        load.run(seconds(5));
        sum += load.goodput(seconds(30));
        EXPECT_EQ(load.transfer().sender().stats().t3_expiries, 0u);
      }
      const double mathis = 1132 * 8e-6 / 0.02 * std::sqrt(1.5 / loss);
      EXPECT_GE(sum / kSeeds, 0.9 * mathis) << "loss " << loss;
    }
  }
}

// A queue that fills within a round trip is no reason to time out (RFC 6298 §2.3), and a flow
// that lost much of a window comes back.
TEST(Recovery, ALongPathIsFilled) {
  for (const CongestionAlgorithm algorithm : kByLoss) {
    Load load({.delay = milliseconds(50), .bytes_per_second = 25'000'000, .queue_bytes = 2'500'000},
              1, algorithm);
    EXPECT_GE(load.goodput(seconds(15)), 160.0);
    EXPECT_EQ(load.transfer().sender().stats().t3_expiries, 0u);
  }
}

// A peer's socket of 208 KiB holds 90 datagrams of 1200 bytes, at 2304 bytes each, and it reads
// every 250 µs: on a clean path nothing is lost there, whoever controls congestion.
TEST(Recovery, ASmallSocketBufferLosesNothing) {
  for (const CongestionAlgorithm algorithm :
       {CongestionAlgorithm::kCubic, CongestionAlgorithm::kNewReno, CongestionAlgorithm::kBbr,
        CongestionAlgorithm::kTfrc}) {
    SCOPED_TRACE(to_string(algorithm));
    for (const Duration delay : {Duration(microseconds(50)), Duration(milliseconds(5))}) {
      NetworkOptions network{.delay = delay,
                             .bytes_per_second = 125'000'000,
                             .queue_bytes = 8 << 20,
                             .turn = microseconds(250),
                             .socket_packets = 90};
      Load load(network, 1, algorithm);
      EXPECT_GE(load.goodput(seconds(2)), 800.0);
      EXPECT_EQ(load.transfer().socket_drops(), 0u);
    }
  }
}

}  // namespace
}  // namespace millrace::sctp
