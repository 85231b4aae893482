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

}  // namespace
}  // namespace millrace::sctp
