// SPDX-License-Identifier: Apache-2.0
// RFC 7496 §3.2: who makes room in a full send buffer, for whom, and in what order.
#include <algorithm>
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/streamed_send.h"

namespace millrace::sctp {
namespace {

using namespace testing;

constexpr std::size_t kSize = 4000;

class PriorityPolicy : public StreamedSend {
 protected:
  void SetUp() override { bound(128 << 10, 0); }
  void bound(std::size_t buffer, std::size_t stream, bool forward_tsn = true) {
    buffer_bytes_ = buffer;
    stream_buffer_bytes_ = stream;
    make(GetParam(), forward_tsn);
    next_ = taken_ = 0;
  }
  static SendOptions of(std::uint32_t priority) { return {.priority = priority}; }
  // Each message is its number over and over.
  static Bytes message(std::size_t number, std::size_t bytes = kSize) {
    return Bytes(bytes, static_cast<std::uint8_t>(number));
  }
  SendStatus send(const SendOptions& options, std::uint16_t stream = 1, std::size_t bytes = kSize) {
    const SendStatus status =
        sender_->send(now_, StreamId(stream), kPpidBinary, message(next_, bytes), options);
    if (status == SendStatus::kOk) {
      ++next_;
      taken_ += MessageStore::cost(bytes);
    }
    return status;
  }
  // Each is of as low a priority as another, so none makes room.
  std::size_t fill(const SendOptions& options, std::uint16_t stream = 1) {
    const std::size_t before = next_;
    while (send(options, stream) == SendStatus::kOk) {
    }
    return next_ - before;
  }
  // With reliable ones, as far as they fit and nothing was given up before.
  void fill_up(std::uint16_t stream) {
    while (taken_ + MessageStore::cost(kSize) <= buffer_bytes_) {
      ASSERT_EQ(send({}, stream), SendStatus::kOk);
    }
    ASSERT_EQ(abandoned(), AbandonedMessages());
  }
  // The numbers of those that arrived on the stream.
  std::vector<std::size_t> arrived(std::uint16_t stream = 1) {
    std::vector<std::size_t> numbers;
    for (const Bytes& whole : messages(stream)) numbers.push_back(whole[0]);
    return numbers;
  }
  AbandonedMessages abandoned() const { return sender_->stats().messages_abandoned; }

  std::size_t next_ = 0;
  std::size_t taken_ = 0;  // What all of them cost.
};

INSTANTIATE_TEST_SUITE_P(, PriorityPolicy, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

// RFC 7496 §3.2, §4.2: those with a priority lower than the provided one.
TEST_P(PriorityPolicy, AMessageOfHigherPriorityTakesTheRoomOfALowerOne) {
  const std::size_t filled = fill(of(5));
  ASSERT_EQ(send(of(5)), SendStatus::kWouldBlock) << "no lower than its own";
  ASSERT_EQ(send(of(6)), SendStatus::kWouldBlock);
  EXPECT_EQ(abandoned(), AbandonedMessages());
  ASSERT_EQ(send(of(4)), SendStatus::kOk);
  EXPECT_EQ(abandoned(), (AbandonedMessages{.unsent = 1, .sent = 0}));
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), filled * kSize);
  drain();
  const auto numbers = arrived();
  ASSERT_EQ(numbers.size(), filled);
  EXPECT_EQ(numbers.front(), 1u) << "the oldest was given up";
  EXPECT_EQ(numbers.back(), filled);
  EXPECT_EQ(sender_->stats().forward_tsns_sent, 0u) << "it had no TSN";
}

// RFC 7496 §3.2: what is reliable ranks above all of them, and so, here, do the other limits.
TEST_P(PriorityPolicy, MessagesWithoutAPriorityTakeRoomAndNeverGiveIt) {
  for (const SendOptions& other : {SendOptions{}, SendOptions{.max_lifetime = seconds(60)},
                                   SendOptions{.max_retransmits = 3}}) {
    bound(128 << 10, 0);
    fill(of(0));
    ASSERT_EQ(send(other), SendStatus::kOk);
    EXPECT_EQ(abandoned().unsent, 1u);
    bound(128 << 10, 0);
    fill(other);
    ASSERT_EQ(send(of(0)), SendStatus::kWouldBlock);
    ASSERT_EQ(send(SendOptions{}), SendStatus::kWouldBlock);
    EXPECT_EQ(abandoned(), AbandonedMessages());
  }
}

// RFC 7496 §3.2: of the same stream or a different one.
TEST_P(PriorityPolicy, TheLowestGoFirstOnWhateverStreamAndOfEqualsTheOldest) {
  ASSERT_EQ(send(of(3), 1), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 2), SendStatus::kOk);
  ASSERT_EQ(send(of(7), 3), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 3), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 2), SendStatus::kOk);
  fill_up(4);
  const std::size_t first = next_;
  while (send(of(2), 4) == SendStatus::kOk) {
  }
  EXPECT_EQ(next_ - first, 5u);
  EXPECT_EQ(abandoned().unsent, 5u);
  drain();
  EXPECT_TRUE(arrived(1).empty() && arrived(2).empty() && arrived(3).empty());

  bound(128 << 10, 0);
  ASSERT_EQ(send(of(3), 1), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 2), SendStatus::kOk);
  ASSERT_EQ(send(of(7), 3), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 3), SendStatus::kOk);
  ASSERT_EQ(send(of(9), 2), SendStatus::kOk);
  fill_up(4);
  ASSERT_EQ(send(of(2), 4), SendStatus::kOk);
  ASSERT_EQ(send(of(2), 4), SendStatus::kOk);
  drain();
  EXPECT_EQ(arrived(1), std::vector<std::size_t>{0});
  EXPECT_EQ(arrived(2), std::vector<std::size_t>{4}) << "1, then 3, were the oldest of the lowest";
  EXPECT_EQ(arrived(3), std::vector<std::size_t>{2});
}

// RFC 7496 §3.2: what is given up makes room; where it would not, nothing is.
TEST_P(PriorityPolicy, NothingIsGivenUpInVain) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(send(of(9)), SendStatus::kOk);
  fill_up(1);
  ASSERT_EQ(send(of(1), 1, 5 * kSize), SendStatus::kWouldBlock);
  EXPECT_EQ(abandoned(), AbandonedMessages());
  ASSERT_EQ(send(of(1), 1, 2 * kSize), SendStatus::kOk);
  EXPECT_LE(abandoned().unsent, 3u);
  EXPECT_GE(abandoned().unsent, 2u);
  drain();
}

// RFC 7496 §3.2, RFC 3758 §3.5 (A): the peer is told to skip what was begun.
TEST_P(PriorityPolicy, WhatWasBegunIsSkippedByThePeerAndCountedAsSent) {
  ASSERT_EQ(send(of(9), 1, 500'000), SendStatus::kOk);
  ASSERT_FALSE(flush().empty());
  ASSERT_EQ(send(of(9), 2), SendStatus::kOk);
  ASSERT_EQ(send(SendOptions{}, 2, 100'000), SendStatus::kOk);
  EXPECT_EQ(abandoned(), (AbandonedMessages{.unsent = 1, .sent = 1}));
  EXPECT_EQ(sender_->buffered_amount(StreamId(1)), 0u);
  ASSERT_EQ(send(of(9), 1), SendStatus::kOk);
  drain();
  EXPECT_GE(sender_->stats().forward_tsns_sent, 1u);
  EXPECT_EQ(arrived(1), std::vector<std::size_t>{3});
  EXPECT_EQ(arrived(2), std::vector<std::size_t>{2});
}

// RFC 7496 §3.2: it has taken of the network's time already.
TEST_P(PriorityPolicy, OfEqualsOneThatWasBegunGoesLast) {
  ASSERT_EQ(send(of(9), 1, 60'000), SendStatus::kOk);
  ASSERT_FALSE(flush().empty());
  ASSERT_GT(sender_->buffered_amount(StreamId(1)), 0u);
  ASSERT_EQ(send(of(9), 1), SendStatus::kOk);
  fill_up(1);
  ASSERT_EQ(send(SendOptions{}, 1), SendStatus::kOk);
  EXPECT_EQ(abandoned(), (AbandonedMessages{.unsent = 1, .sent = 0}));
  drain();
  EXPECT_EQ(arrived(1).front(), 0u);
}

// RFC 7496 §3: RFC 3758 is required; RFC 3758 §3.3.3: a peer without it gets all.
TEST_P(PriorityPolicy, APeerThatDoesNotKnowForwardTsnGetsEverything) {
  bound(128 << 10, 0, false);
  const std::size_t filled = fill(of(9));
  ASSERT_EQ(send(SendOptions{}), SendStatus::kWouldBlock);
  drain();
  EXPECT_EQ(arrived().size(), filled);
}

TEST_P(PriorityPolicy, RoomOfAStreamsOwnIsMadeByItsOwnMessages) {
  bound(512 << 10, 64 << 10);
  const std::size_t filled = fill(of(9), 1);
  fill(of(10), 2);
  ASSERT_EQ(send(of(1), 1), SendStatus::kOk);
  EXPECT_EQ(sender_->abandoned(StreamId(1)), (AbandonedMessages{.unsent = 1, .sent = 0}));
  EXPECT_EQ(sender_->abandoned(StreamId(2)), AbandonedMessages());
  drain();
  EXPECT_EQ(arrived(1).size(), filled);
}

// RFC 7496 §3.1: as often as allowed, be it by a probe, by T3-rtx or for a SACK, and then no more.
TEST_P(PriorityPolicy, AMessageIsSentAgainAsOftenAsItsLimitSaysAndThenGivenUp) {
  for (const std::uint32_t limit : {0u, 1u, 2u, 3u}) {
    bound(128 << 10, 0);
    ASSERT_EQ(send({.max_retransmits = limit}, 1, 100), SendStatus::kOk);
    std::size_t transmissions = flush([] { return true; }).size();
    for (int i = 0; i < 20 && abandoned().sent == 0; ++i) {
      now_ = sender_->next_timeout();
      static_cast<void>(sender_->handle_timeout(now_));
      transmissions += flush([] { return true; }).size();
    }
    EXPECT_EQ(transmissions, limit + 1);
    EXPECT_EQ(abandoned(), (AbandonedMessages{.unsent = 0, .sent = 1}));
    EXPECT_EQ(sender_->stats().retransmitted_chunks, limit);
    drain();
  }
}

// RFC 7496 §4.3: each message is counted once, for its stream, and a new life begins at 0.
TEST_P(PriorityPolicy, EachStreamHasItsCount) {
  fill(of(9), 1);
  ASSERT_EQ(send(of(8), 2, 2 * kSize), SendStatus::kOk) << "the quarter that is kept";
  fill(of(9), 3);
  fill(of(1), 3);
  const AbandonedMessages all = abandoned();
  const AbandonedMessages first = sender_->abandoned(StreamId(1));
  EXPECT_GT(first.unsent, 10u);
  EXPECT_EQ(sender_->abandoned(StreamId(2)).unsent, 1u);
  EXPECT_EQ(all.unsent, first.unsent + 1 + sender_->abandoned(StreamId(3)).unsent);
  EXPECT_EQ(sender_->abandoned(StreamId(9)), AbandonedMessages());
  drain();
  sender_->reset_stream(StreamId(1));
  EXPECT_EQ(sender_->abandoned(StreamId(1)), AbandonedMessages());
  EXPECT_EQ(abandoned(), all);
}

// RFC 7496 §4.4: the other limits count alike.
TEST_P(PriorityPolicy, LifetimesAreCountedByWhetherAnyPartWasSent) {
  const SendOptions brief{.max_lifetime = milliseconds(5)};
  ASSERT_EQ(send(brief, 1, 300'000), SendStatus::kOk);
  ASSERT_FALSE(flush().empty());
  ASSERT_EQ(send(brief, 2), SendStatus::kOk);
  round();
  EXPECT_EQ(sender_->abandoned(StreamId(1)), (AbandonedMessages{.unsent = 0, .sent = 1}));
  EXPECT_EQ(sender_->abandoned(StreamId(2)), (AbandonedMessages{.unsent = 1, .sent = 0}));
  drain();
}

TEST_P(PriorityPolicy, WhatIsGivenUpIsNoLongerBuffered) {
  sender_->set_buffered_amount_low_threshold(StreamId(1), 12 * kSize);
  fill(of(9), 1);
  SendEvent event;
  while (sender_->poll_event(event)) FAIL() << "nothing has been sent";
  ASSERT_EQ(send(SendOptions{}, 2, 100'000), SendStatus::kOk);
  ASSERT_TRUE(sender_->poll_event(event));
  EXPECT_EQ(event.kind, SendEvent::Kind::kBufferedAmountLow);
  EXPECT_EQ(event.stream, StreamId(1));
  drain();
}

TEST_P(PriorityPolicy, AMessageInPartsGivesWayAndItsNextPartIsToldSo) {
  ASSERT_EQ(part(0, 0, 60'000, false, 1, of(9)), SendStatus::kOk);
  taken_ = MessageStore::open_cost(60'000);
  fill_up(2);
  ASSERT_EQ(send(of(3), 2), SendStatus::kOk);
  EXPECT_EQ(part(0, 60'000, 100, true, 1, of(9)), SendStatus::kAbandoned);
  ASSERT_EQ(part(1, 0, 100, true, 1, of(9)), SendStatus::kOk);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(1, 0, 100)});
}

TEST_P(PriorityPolicy, APartTakesTheRoomOfLowerMessagesAndNotOfItsOwn) {
  ASSERT_EQ(part(0, 0, 40'000, false, 1, of(3)), SendStatus::kOk);
  fill(of(3), 2);
  ASSERT_EQ(part(0, 40'000, 40'000, false, 1, of(3)), SendStatus::kWouldBlock);
  fill(of(9), 3);
  ASSERT_EQ(part(0, 40'000, 40'000, false, 1, of(3)), SendStatus::kWouldBlock) << "not enough";
  EXPECT_EQ(abandoned(), AbandonedMessages());
  bound(128 << 10, 0);
  ASSERT_EQ(part(0, 0, 40'000, false, 1, of(3)), SendStatus::kOk);
  fill(of(9), 3);
  ASSERT_EQ(part(0, 40'000, 40'000, true, 1, of(3)), SendStatus::kOk);
  EXPECT_GT(abandoned().unsent, 5u);
  drain();
  EXPECT_EQ(messages(1), Messages{part_of(0, 0, 80'000)});
}

// Whatever was given up, what arrives is whole, in order, and as much as was not given up; what is
// reliable arrives.
TEST_P(PriorityPolicy, WhateverIsGivenUpTheRestArrives) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    bound(64 << 10, seed % 2 == 0 ? 0 : 24 << 10);
    SeededRng rng(seed);
    const auto lost = [&] { return rng.below(20) == 0; };
    std::map<std::uint16_t, std::vector<std::size_t>> taken;
    std::map<std::uint16_t, std::size_t> reliable;
    std::size_t count = 0;
    while (next_ < 250) {
      const auto stream = static_cast<std::uint16_t>(rng.below(4));
      SendOptions options;
      if (rng.below(5) != 0) options.priority = stream < 2 ? stream : rng.below(5);
      const std::size_t bytes = 1 + rng.below(rng.below(3) == 0 ? 20'000 : 3000);
      const std::size_t number = next_;
      if (send(options, stream, bytes) == SendStatus::kOk) {
        taken[stream].push_back(number);
        reliable[stream] += !options.priority;
        ++count;
      } else if (rng.below(2) == 0) {
        round(lost);
      }
      ASSERT_LE(sender_->total_buffered_amount(), buffer_bytes_ * 5 / 4);
    }
    drain();
    std::size_t came = 0;
    for (const auto& [stream, numbers] : taken) {
      const auto got = arrived(stream);
      came += got.size();
      EXPECT_GE(got.size(), reliable[stream]);
      EXPECT_TRUE(std::includes(numbers.begin(), numbers.end(), got.begin(), got.end())) << seed;
    }
    // Of those begun the peer may have had all that it was to have.
    EXPECT_GT(abandoned().unsent, 0u) << seed;
    EXPECT_GE(came + abandoned().unsent + abandoned().sent, count) << seed;
    EXPECT_LE(came + abandoned().unsent, count) << seed;
  }
}

}  // namespace
}  // namespace millrace::sctp
