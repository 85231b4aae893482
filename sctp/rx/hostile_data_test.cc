// SPDX-License-Identifier: Apache-2.0
// What a hostile peer may make the receiver do: what it looks at is in proportion to the chunks
// that come, whatever they say.
#include <utility>

#include "sctp/testing/receiver_fixture.h"

namespace millrace::sctp {
namespace {

using testing::IDataFragment;

class HostileData : public testing::ReceiverTest {
 protected:
  static constexpr std::uint32_t kFar = 65'000;

  void set_up(bool i_data) {
    DataReceiverOptions options = defaults();
    options.i_data = i_data;
    options.streams = 65535;
    options.window_bytes = 8 << 20;
    make(options);
    walked_ = 0;
  }
  DataResult give_data(std::uint32_t tsn, std::uint16_t stream, std::uint16_t ssn,
                       bool ending = true, bool unordered = false) {
    return give({.tsn = Tsn(tsn),
                 .stream = StreamId(stream),
                 .ssn = Ssn(ssn),
                 .ppid = kPpidString,
                 .flags = {.immediate = false,
                           .unordered = unordered,
                           .beginning = true,
                           .ending = ending}},
                "x");
  }
  // Since it was asked last.
  std::uint64_t walked() {
    const std::uint64_t before = std::exchange(walked_, receiver_->walked());
    return walked_ - before;
  }

 private:
  std::uint64_t walked_ = 0;
};

TEST_F(HostileData, StaleMessagesOnThisSideOfALongGapDoNotWalkOverIt) {
  set_up(false);
  give_data(1000, 0, 0);
  EXPECT_EQ(take().size(), 1u);
  ASSERT_EQ(give_data(1000 + kFar, 1, 0, false), DataResult::kAccepted);
  for (std::uint32_t i = 2; i < 1002; ++i) {
    ASSERT_EQ(give_data(1000 + i, 0, 0), DataResult::kAccepted);
  }
  EXPECT_EQ(receiver_->stats().stale_messages, 1000u);
  EXPECT_LE(walked(), 20u * 1000);
  EXPECT_EQ(receiver_->held_bytes(), ChunkStore::kPlaceBytes + 256);
}

TEST_F(HostileData, StaleMessagesOnTheFarSideOfALongGapDoNotWalkOverIt) {
  set_up(false);
  give_data(1000, 0, 0);
  EXPECT_EQ(take().size(), 1u);
  ASSERT_EQ(give_data(1002, 1, 0, false), DataResult::kAccepted);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(give_data(1000 + kFar - i, 0, 0), DataResult::kAccepted);
  }
  EXPECT_EQ(receiver_->stats().stale_messages, 1000u);
  EXPECT_LE(walked(), 20u * 1000);
  EXPECT_EQ(receiver_->held_bytes(), ChunkStore::kPlaceBytes + 256);
}

TEST_F(HostileData, StaleIDataBesideALongGapDoesNotWalkOverIt) {
  set_up(true);
  give(IDataFragment{.tsn = 1000, .stream = 0});
  EXPECT_EQ(take().size(), 1u);
  ASSERT_EQ(give(IDataFragment{.tsn = 1000 + kFar, .ending = false}), DataResult::kAccepted);
  for (std::uint32_t i = 2; i < 1002; ++i) {
    ASSERT_EQ(give(IDataFragment{.tsn = 1000 + i, .stream = 0}), DataResult::kAccepted);
  }
  EXPECT_EQ(receiver_->stats().stale_messages, 1000u);
  EXPECT_LE(walked(), 20u * 1000);
}

// RFC 3758 §3.6: what lies between is skipped without a look.
TEST_F(HostileData, AForwardTsnBeyondALongGapDoesNotWalkOverIt) {
  set_up(false);
  std::uint32_t tsn = 999;
  for (int i = 0; i < 30; ++i) {
    tsn += kFar;
    ASSERT_EQ(give_data(tsn, 1, 0, false), DataResult::kAccepted);
    ASSERT_TRUE(forward(tsn - 1));
    ASSERT_EQ(cumulative(), Tsn(tsn));
  }
  EXPECT_LE(walked(), 30u * 40);
  EXPECT_TRUE(forward(tsn + 1));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
}

// RFC 6525 §5.2.2 (E4): one request of 16 bytes names every stream.
TEST_F(HostileData, AResetOfAllStreamsDoesNotVisitThem) {
  for (const bool i_data : {false, true}) {
    set_up(i_data);
    std::uint32_t tsn = 1000;
    for (std::uint16_t stream = 0; stream < 65535; ++stream, ++tsn) {
      const DataResult result =
          i_data ? give(IDataFragment{.tsn = tsn, .stream = stream, .unordered = true})
                 : give_data(tsn, stream, 0, true, true);
      ASSERT_EQ(result, DataResult::kAccepted);
      ASSERT_EQ(take().size(), 1u);
    }
    walked();
    for (int i = 0; i < 32; ++i) EXPECT_TRUE(receiver_->try_reset_streams({}, cumulative()));
    EXPECT_LE(walked(), 32u) << i_data;
    take();
  }
}

// RFC 8260 §2.3.1: each entry names a message further on, none of them one that is here.
TEST_F(HostileData, IForwardTsnsShortOfManyUnorderedMessagesDoNotWalkOverThem) {
  constexpr std::uint32_t kMessages = 20'000;
  constexpr std::uint32_t kFirst = 0x7FFFFFFF - kMessages;
  for (const std::uint32_t from : {0u, kFirst - (1u << 17), kFirst - (1u << 16)}) {
    set_up(true);
    std::uint32_t tsn = 1000;
    for (std::uint32_t i = 0; i < kMessages; ++i, ++tsn) {
      ASSERT_EQ(give(IDataFragment{.tsn = tsn,
                                   .mid = kFirst + i,
                                   .fsn = 1,
                                   .beginning = false,
                                   .ending = false,
                                   .unordered = true}),
                DataResult::kAccepted);
    }
    walked();
    std::uint32_t mid = from;
    for (int chunk = 0; chunk < 10; ++chunk, ++tsn) {
      std::vector<SkippedMessages> skipped;
      for (int i = 0; i < 142 && mid < kFirst; ++i) {
        skipped.push_back({StreamId(1), true, Mid(mid)});
        mid += from == 0 ? kMessages : 500;
      }
      EXPECT_TRUE(skip(tsn, skipped));
    }
    EXPECT_LE(walked(), 3 * InterleavedMessages::kMaxMidsAhead) << from;
    // All are still known, and let go.
    EXPECT_GT(receiver_->held_bytes(), kMessages * std::size_t{100});
    EXPECT_TRUE(skip(tsn, {{StreamId(1), true, Mid(kFirst + kMessages)}}));
    EXPECT_EQ(receiver_->held_bytes(), 0u);
  }
}

// What a message outdates is forgotten with it, so that nothing is left to be walked over.
TEST_F(HostileData, AMessageFarAheadLeavesNoUnorderedOnesBehindTheFloor) {
  constexpr std::uint32_t kMessages = 20'000;
  constexpr std::uint32_t kMid = (1u << 30) + 1;
  set_up(true);
  std::uint32_t tsn = 1000;
  for (std::uint32_t i = 0; i < kMessages; ++i, ++tsn) {
    give(IDataFragment{.tsn = tsn, .mid = i, .ending = false, .unordered = true});
  }
  give(IDataFragment{.tsn = tsn++, .mid = kMid, .unordered = true});
  EXPECT_EQ(take().size(), 1u);
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  walked();
  std::uint32_t mid = kMid;
  for (int chunk = 0; chunk < 10; ++chunk, ++tsn) {
    std::vector<SkippedMessages> skipped;
    for (int i = 0; i < 142; ++i) {
      skipped.push_back({StreamId(1), true, Mid(mid += kMessages)});
    }
    EXPECT_TRUE(skip(tsn, skipped));
  }
  EXPECT_EQ(walked(), 0u);
}

}  // namespace
}  // namespace millrace::sctp
