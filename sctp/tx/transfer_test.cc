// SPDX-License-Identifier: Apache-2.0
// Both halves of an association against each other, over a network that loses, doubles and
// reorders packets: what is reliable comes exactly once and in order, nothing is damaged,
// and memory stays bounded.
#include "sctp/testing/transfer.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace millrace::sctp {
namespace {

using testing::Bytes;
using testing::NetworkOptions;
using testing::ReceivedMessage;
using testing::Transfer;

constexpr std::uint16_t kStreams = 8;

Bytes payload_of(std::uint32_t number, std::size_t size) {
  Bytes bytes(std::max<std::size_t>(size, 8));
  store_be32(bytes.data(), number);
  store_be32(bytes.data() + 4, static_cast<std::uint32_t>(bytes.size()));
  for (std::size_t i = 8; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(number * 31 + i);
  }
  return bytes;
}

struct Mode {
  const char* name;
  SendOptions options;
};
const std::vector<Mode> kModes = {
    {"reliable_ordered", {}},
    {"reliable_unordered", {.unordered = true}},
    {"no_retransmit_ordered", {.max_retransmits = 0}},
    {"no_retransmit_unordered", {.unordered = true, .max_retransmits = 0}},
    {"two_retransmits_ordered", {.max_retransmits = 2}},
    {"lifetime_ordered", {.max_lifetime = milliseconds(60)}},
    {"lifetime_unordered", {.unordered = true, .max_lifetime = milliseconds(15)}},
};

// Messages of all modes may be mixed: stream i uses mode i % modes.
class Model {
 public:
  Model(std::uint64_t seed, const Mode* only) : rng_(seed), only_(only) {
    DataSenderOptions sender;
    sender.initial_tsn = Tsn(0xFFFFFF00u + static_cast<std::uint32_t>(rng_.below(0x200)));
    sender.send_buffer_bytes = 256 * 1024;
    DataReceiverOptions receiver;
    receiver.peer_initial_tsn = sender.initial_tsn;
    receiver.streams = kStreams;
    receiver.window_bytes = std::size_t{64 * 1024} << rng_.below(4);
    receiver.max_message_bytes = 32 * 1024;
    NetworkOptions network;
    network.loss = static_cast<double>(rng_.below(20)) / 100;
    network.duplication = static_cast<double>(rng_.below(10)) / 100;
    network.jitter = milliseconds(rng_.below(2) * 3);
    transfer_.emplace(sender, receiver, network, seed + 1);
  }
  const Mode& mode_of(std::uint16_t stream) const {
    return only_ != nullptr ? *only_ : kModes[stream % kModes.size()];
  }
  static bool reliable(const Mode& mode) {
    return !mode.options.max_retransmits && !mode.options.max_lifetime;
  }

  void run(int messages) {
    int sent = 0;
    for (int round = 0; sent < messages; ++round) {
      ASSERT_LT(round, 100000) << "no progress";
      const std::uint64_t batch = 1 + rng_.below(20);
      for (std::uint64_t i = 0; i < batch && sent < messages; ++i) {
        if (!send_one(static_cast<std::uint32_t>(sent))) break;
        ++sent;
      }
      // A queued message may exceed the bound when it was alone; so may one in flight.
      ASSERT_LE(transfer_->sender_memory(), 2u * 1024 * 1024);
      ASSERT_LE(transfer_->receiver().held_bytes(), 2u * 512 * 1024 + 70000);
      transfer_->run(transfer_->now() + milliseconds(static_cast<int>(rng_.below(30))));
    }
    ASSERT_TRUE(transfer_->run(transfer_->now() + seconds(3600))) << "never comes to rest";
    EXPECT_TRUE(transfer_->sender().all_acknowledged());
    EXPECT_EQ(transfer_->sender_memory(), 0u);
    transfer_->receiver().settle(transfer_->now());
    EXPECT_EQ(transfer_->receiver().held_bytes(), 0u);
    EXPECT_EQ(transfer_->buffers().live(), 0u);
    check();
  }

 private:
  struct Sent {
    std::uint16_t stream;
    Bytes bytes;
  };
  bool send_one(std::uint32_t number) {
    const auto stream = static_cast<std::uint16_t>(rng_.below(kStreams));
    const std::size_t size = rng_.below(4) == 0 ? rng_.below(20000) : rng_.below(300);
    Bytes bytes = payload_of(number, size);
    const SendStatus status = transfer_->sender().send(
        transfer_->now(), StreamId(stream), Ppid(number), bytes, mode_of(stream).options);
    if (status == SendStatus::kWouldBlock) return false;
    EXPECT_EQ(status, SendStatus::kOk);
    sent_.push_back({stream, std::move(bytes)});
    return true;
  }
  void check() {
    std::set<std::uint32_t> seen;
    std::vector<std::int64_t> last(kStreams, -1);
    for (const ReceivedMessage& message : transfer_->received()) {
      const std::uint32_t number = message.ppid.value();
      ASSERT_LT(number, sent_.size());
      const Sent& sent = sent_[number];
      ASSERT_EQ(message.bytes, sent.bytes) << "damaged";
      ASSERT_EQ(message.stream.value(), sent.stream);
      ASSERT_TRUE(seen.insert(number).second) << "twice: " << number;
      if (!mode_of(sent.stream).options.unordered) {
        ASSERT_GT(std::int64_t{number}, last[sent.stream]) << "out of order";
        last[sent.stream] = number;
      }
    }
    for (std::uint32_t number = 0; number < sent_.size(); ++number) {
      if (reliable(mode_of(sent_[number].stream))) {
        EXPECT_EQ(seen.count(number), 1u) << "lost: " << number;
      }
    }
  }

  SeededRng rng_;
  const Mode* only_;
  std::optional<Transfer> transfer_;
  std::vector<Sent> sent_;
};

// RFC 9260 §6.1, §6.2.
// RFC 3758 §3.6.
TEST(Transfer, EveryModeSurvivesABadNetwork) {
  for (const Mode& mode : kModes) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(std::string(mode.name) + " seed " + std::to_string(seed));
      Model(seed, &mode).run(150);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Transfer, MixedModesSurviveABadNetwork) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model(seed, nullptr).run(200);
    if (HasFatalFailure()) return;
  }
}

DataReceiverOptions receiver_for(const DataSenderOptions& sender, std::size_t window) {
  DataReceiverOptions options;
  options.peer_initial_tsn = sender.initial_tsn;
  options.window_bytes = window;
  return options;
}

// RFC 9260 §6.1 (A).
TEST(Transfer, SlowReaderStopsTheSenderAndIsProbedUntilItReads) {
  DataSenderOptions options;
  Transfer transfer(options, receiver_for(options, 64 * 1024), {}, 1);
  const Bytes bytes = payload_of(1, 16 * 1024);
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(transfer.sender().send(transfer.now(), StreamId(1), kPpidBinary, bytes, {}),
              SendStatus::kOk);
  }
  transfer.set_reading(false);
  EXPECT_FALSE(transfer.run(transfer.now() + seconds(30)));
  EXPECT_LE(transfer.receiver().held_bytes(), 2u * 64 * 1024);
  EXPECT_GT(transfer.sender().total_buffered_amount(), 0u);
  const std::size_t packets = transfer.packets_sent();
  EXPECT_FALSE(transfer.run(transfer.now() + seconds(60)));
  EXPECT_LE(transfer.packets_sent() - packets, 200u) << "probes are spaced by the RTO";
  transfer.set_reading(true);
  EXPECT_TRUE(transfer.run(transfer.now() + seconds(300)));
  EXPECT_EQ(transfer.received().size(), 12u);
}

// RFC 9260 §7.2.1 with L in bytes: one SACK per flight must double the window.
TEST(Transfer, SlowStartIsNotSlowedByOneSackPerBurst) {
  DataSenderOptions options;
  options.send_buffer_bytes = 8 << 20;
  Transfer transfer(options, receiver_for(options, 8 << 20), {.delay = milliseconds(10)}, 1);
  const Bytes bytes = payload_of(1, 200'000);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(transfer.sender().send(transfer.now(), StreamId(1), kPpidBinary, bytes, {}),
              SendStatus::kOk);
  }
  const std::size_t before = transfer.sender().cwnd();
  // Packets sent at one instant arrive at one instant: one SACK a flight, of up to 55.
  transfer.run(transfer.now() + milliseconds(90));
  EXPECT_GE(transfer.sender().cwnd(), 8 * before);
  // The receiver's memory goes back once it has been idle for a while.
  EXPECT_TRUE(transfer.run(transfer.now() + seconds(30)));
  EXPECT_EQ(transfer.received().size(), 10u);
}

// RFC 9260 §6.3.3: an outage ends in T3-rtx, and everything still arrives.
TEST(Transfer, OutageIsSurvived) {
  DataSenderOptions options;
  Transfer transfer(options, receiver_for(options, 1 << 20), {}, 7);
  const Bytes bytes = payload_of(1, 100'000);
  ASSERT_EQ(transfer.sender().send(transfer.now(), StreamId(1), kPpidBinary, bytes, {}),
            SendStatus::kOk);
  transfer.run(transfer.now() + milliseconds(12));
  transfer.set_network({.loss = 1.0});
  transfer.run(transfer.now() + seconds(2));
  EXPECT_GE(transfer.sender().stats().t3_expiries, 3u);
  transfer.set_network({});
  EXPECT_TRUE(transfer.run(transfer.now() + seconds(30)));
  ASSERT_EQ(transfer.received().size(), 1u);
  EXPECT_EQ(transfer.received()[0].bytes, bytes);
}

}  // namespace
}  // namespace millrace::sctp
