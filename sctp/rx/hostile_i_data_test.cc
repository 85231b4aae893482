// SPDX-License-Identifier: Apache-2.0
// What a hostile peer may do with I-DATA and I-FORWARD-TSN: memory stays within the window,
// and nothing is left behind.
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/receiver_fixture.h"

namespace millrace::sctp {
namespace {

using testing::IDataFragment;

class HostileIData : public testing::ReceiverTest {
 protected:
  static constexpr std::size_t kWindow = 256 * 1024;
  void SetUp() override {
    DataReceiverOptions options = defaults();
    options.i_data = true;
    options.window_bytes = kWindow;
    options.max_message_bytes = 1u << 30;
    make(options);
  }
  // Memory that the peer makes us hold, whatever the receiver says of it.
  void expect_bounded() {
    ASSERT_LE(pool_.used_bytes(), 2 * kWindow);
    ASSERT_LE(receiver_->held_bytes(), 3 * kWindow);
  }
};

// CONFORMANCE: one byte of data pins no buffer, and is charged what it holds.
TEST_F(HostileIData, AStormOfOneByteFragmentsWithGapsFillsTheWindowAndNoMore) {
  std::uint32_t tsn = 1001;  // 1000 never comes.
  std::uint32_t accepted = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i, ++tsn) {
    const DataResult result = give({.tsn = tsn,
                                    .stream = static_cast<std::uint16_t>(i % 7),
                                    .mid = i % 5,
                                    .fsn = 1 + 2 * (i / 35),
                                    .beginning = false,
                                    .ending = false},
                                   65536);
    ASSERT_NE(result, DataResult::kViolation);
    if (result == DataResult::kAccepted) ++accepted;
    receiver_->settle(now_);
    expect_bounded();
    ASSERT_EQ(home_.live(), 0u) << "64 KiB for a byte";
  }
  EXPECT_GT(accepted, 500u);
  EXPECT_LT(accepted, kWindow / ChunkStore::kPlaceBytes);
  EXPECT_EQ(receiver_->a_rwnd(), 0u);
  EXPECT_TRUE(take_parts().empty());
}

// Each message is an entry of its own besides its chunk.
TEST_F(HostileIData, AStormOfMessagesThatNeverEndFillsTheWindowAndNoMore) {
  std::uint32_t tsn = 1001;
  std::uint32_t accepted = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i, ++tsn) {
    if (give({.tsn = tsn, .mid = 1 + i, .beginning = true, .ending = false}) ==
        DataResult::kAccepted) {
      ++accepted;
    }
    receiver_->settle(now_);
    expect_bounded();
  }
  EXPECT_LT(accepted, 2000u);
  // All are over at once.
  EXPECT_TRUE(skip(1001 + 20'000, {{StreamId(1), false, Mid(30'000)}}));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(pool_.used_bytes(), 0u);
  EXPECT_EQ(give({.tsn = 1002 + 20'000, .mid = 30'001, .text = "on"}), DataResult::kAccepted);
  EXPECT_EQ(take(), std::vector<std::string>{"on"});
}

// RFC 8260 §2.3.1: as many entries as a packet holds, of streams known, unknown and invalid,
// forwards, backwards and twice.
TEST_F(HostileIData, IForwardTsnWith150EntriesOfAllSorts) {
  SeededRng rng(9);
  std::uint32_t tsn = 1000;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 40; ++i) {
      const auto result =
          give({.tsn = tsn + static_cast<std::uint32_t>(rng.below(60)),
                .stream = static_cast<std::uint16_t>(rng.below(4)),
                .mid = static_cast<std::uint32_t>(round * 3 + static_cast<int>(rng.below(9))),
                .fsn = 0,
                .ending = rng.below(2) == 0,
                .unordered = rng.below(2) == 0});
      if (result == DataResult::kViolation) SetUp();
    }
    std::vector<SkippedMessages> skipped;
    for (int i = 0; i < 150; ++i) {
      skipped.push_back({StreamId(static_cast<std::uint16_t>(rng.below(3000))), rng.below(2) == 0,
                         Mid(rng.next_u32())});
      if (i % 3 == 0) skipped.back().stream = StreamId(static_cast<std::uint16_t>(i % 4));
      if (i % 5 == 0) skipped.back().mid = Mid(static_cast<std::uint32_t>(round * 3 + 150 - i));
    }
    tsn += 30;
    skip(tsn, skipped);
    if (round % 3 == 0) take_parts();
    receiver_->settle(now_);
    expect_bounded();
  }
  // Whatever was held is let go by a reset of all streams.
  EXPECT_TRUE(receiver_->try_reset_streams({}, cumulative()));
  take_parts();
  EXPECT_TRUE(skip(tsn + 1000));
  EXPECT_TRUE(receiver_->try_reset_streams({}, cumulative()));
  take_parts();
  receiver_->settle(now_);
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(home_.live(), 0u);
}

// Every TSN, stream, MID, FSN and flag at random, read now and then: nothing breaks, every
// byte handed out lies within its message, and memory is bounded.
TEST_F(HostileIData, RandomChunksAreBoundedAndConsistent) {
  std::uint64_t violations = 0;
  std::uint64_t parts = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SetUp();
    SeededRng rng(seed);
    std::map<std::uint16_t, std::size_t> open;  // Offsets of messages begun, by stream.
    std::uint32_t tsn = 1000;
    for (int i = 0; i < 1500; ++i) {
      const std::uint32_t fsn = static_cast<std::uint32_t>(rng.below(4));
      IDataFragment f{
          .tsn = tsn + static_cast<std::uint32_t>(rng.below(8)),
          .stream = static_cast<std::uint16_t>(rng.below(3)),
          .mid = static_cast<std::uint32_t>(i / 12) + static_cast<std::uint32_t>(rng.below(4)),
          .fsn = fsn,
          .text = std::string(1 + rng.below(900), 'x'),
          .beginning = fsn == 0,
          .ending = rng.below(6) == 0,
          .unordered = rng.below(3) == 0};
      const DataResult result = give(f, 2048);
      if (result == DataResult::kViolation) {
        ++violations;
        break;
      }
      if (result == DataResult::kAccepted) tsn += static_cast<std::uint32_t>(rng.below(2));
      if (rng.below(40) == 0) {
        tsn = cumulative().value() + 2;
        skip(tsn - 1, {{StreamId(f.stream), f.unordered, Mid(f.mid)}});
      }
      if (rng.below(200) == 0) receiver_->try_reset_streams({}, cumulative());
      if (rng.below(4) == 0) {
        for (const testing::ReceivedPart& part : take_parts()) {
          ++parts;
          ASSERT_EQ(part.offset, open[part.stream]) << part << " seed " << seed;
          open[part.stream] = part.last || part.aborted ? 0 : part.offset + part.text.size();
        }
        receiver_->settle(now_);
      }
      expect_bounded();
    }
  }
  EXPECT_GT(violations, 10u);
  EXPECT_GT(parts, 60u);
}

}  // namespace
}  // namespace millrace::sctp
