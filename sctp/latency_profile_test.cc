// SPDX-License-Identifier: Apache-2.0
// What the latency profile promises, over a path in virtual time: both halves of an association
// with its timers, and a message each millisecond.
#include <gtest/gtest.h>

#include <algorithm>

#include "sctp/options.h"
#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;
using testing::NetworkOptions;
using testing::ReceivedMessage;
using testing::Transfer;

// Messages sends one of 100 bytes each millisecond and takes down how long each was under way.
class Messages {
 public:
  Messages(const NetworkOptions& network, const SendOptions& how, std::uint64_t seed)
      : transfer_(sender_of(profile()), receiver_of(profile()), network, seed), how_(how) {}
  Transfer& transfer() { return transfer_; }

  void run(Duration time) {
    for (const Time end = transfer_.now() + time; transfer_.now() < end;) {
      Bytes bytes(100, 7);
      store_be64(bytes.data(),
                 static_cast<std::uint64_t>(transfer_.now().time_since_epoch().count()));
      EXPECT_EQ(transfer_.sender().send(transfer_.now(), StreamId(1), kPpidBinary, bytes, how_),
                SendStatus::kOk);
      // In steps that are short beside what is measured.
      const Time next = transfer_.now() + milliseconds(1);
      for (Time at = transfer_.now(); at < next;) {
        at += microseconds(50);
        transfer_.advance(at);
        take();
      }
    }
  }
  // Of those that have arrived; they are forgotten.
  Duration percentile(double share) {
    std::sort(times_.begin(), times_.end());
    const auto at = static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1));
    return times_[at];
  }
  std::size_t arrived() const { return times_.size(); }
  void forget() { times_.clear(); }

 private:
  static Options profile() {
    Options options;
    apply_profile(Profile::kLatency, options);
    return options;
  }
  static DataSenderOptions sender_of(const Options& options) {
    DataSenderOptions sender;
    sender.rto = {.rto_initial = options.rto_initial,
                  .rto_min = options.rto_min,
                  .rto_max = options.rto_max,
                  .linear_timeouts = options.linear_timeouts};
    sender.always_ask_for_sack = options.always_ask_for_sack;
    return sender;
  }
  static DataReceiverOptions receiver_of(const Options& options) {
    DataReceiverOptions receiver;
    receiver.sack_delay = options.sack_delay;
    return receiver;
  }
  void take() {
    for (const ReceivedMessage& message : transfer_.received()) {
      const Time sent(Duration(static_cast<std::int64_t>(load_be64(message.bytes.data()))));
      times_.push_back(transfer_.now() - sent);
    }
    transfer_.received().clear();
  }

  Transfer transfer_;
  SendOptions how_;
  std::vector<Duration> times_;
};

constexpr NetworkOptions kLossyPath{.loss = 0.01, .delay = milliseconds(10)};

// RFC 8985: three packets after the lost one, which leave within 3 ms, and the way there and
// back tell of it; then it takes one more way.
TEST(LatencyProfile, AMessageThatWasLostIsLateByARoundTripAndLittleMore) {
  Messages messages(kLossyPath, {}, 1);
  messages.run(seconds(30));
  EXPECT_GE(messages.arrived(), 29'000u);
  EXPECT_LE(messages.percentile(0.99), milliseconds(36));
}

// RFC 3758: what is never sent again holds nothing up, nor does recovery what is new.
TEST(LatencyProfile, LossesDoNotDelayUnreliableMessages) {
  Messages messages(kLossyPath, {.unordered = true, .max_retransmits = 0}, 1);
  messages.run(seconds(30));
  EXPECT_GE(messages.arrived(), 29'000u);
  EXPECT_LE(messages.percentile(0.99), milliseconds(11));
}

// RFC 9260 §6.3.3: time-outs while nothing gets through must not outlast it.
TEST(LatencyProfile, AnOutageIsOverAHundredMillisecondsAfterItsEnd) {
  for (const Duration delay : {Duration(milliseconds(1)), Duration(milliseconds(10))}) {
    Messages messages({.delay = delay}, {}, 1);
    messages.run(seconds(1));
    messages.transfer().set_network({.loss = 1.0, .delay = delay});
    messages.run(milliseconds(50));
    messages.transfer().set_network({.delay = delay});
    messages.run(milliseconds(100));
    messages.forget();
    messages.run(milliseconds(100));
    EXPECT_GE(messages.arrived(), 95u);
    EXPECT_LE(messages.percentile(1.0), delay + milliseconds(1)) << "as if nothing had been";
  }
}

// The same where the application had fallen silent: only timers can tell.
TEST(LatencyProfile, WhatAnOutageSwallowedIsSentAgainSoonAfterIt) {
  for (const Duration delay : {Duration(milliseconds(1)), Duration(milliseconds(10))}) {
    Messages messages({.delay = delay}, {}, 1);
    messages.run(seconds(1));
    messages.transfer().set_network({.loss = 1.0, .delay = delay});
    messages.run(milliseconds(20));
    messages.transfer().run(messages.transfer().now() + milliseconds(30));
    messages.transfer().set_network({.delay = delay});
    messages.transfer().run(messages.transfer().now() + milliseconds(100));
    EXPECT_TRUE(messages.transfer().sender().all_acknowledged());
  }
}

}  // namespace
}  // namespace millrace::sctp
