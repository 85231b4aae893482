// SPDX-License-Identifier: Apache-2.0
// RFC 8260 as the receiving half sees it.
#include "sctp/rx/interleaved_messages.h"

#include <algorithm>
#include <array>
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/receiver_fixture.h"

namespace millrace::sctp {
namespace {

using testing::IDataFragment;
using testing::ReceivedPart;
using Texts = std::vector<std::string>;
using Parts = std::vector<ReceivedPart>;

class IDataTest : public testing::ReceiverTest {
 protected:
  void SetUp() override { make(i_data()); }
  static DataReceiverOptions i_data(std::size_t window = 1 << 20) {
    DataReceiverOptions options = defaults();
    options.i_data = true;
    options.window_bytes = window;
    return options;
  }
  // One fragment of a message of `of` fragments.
  static IDataFragment part(std::uint32_t tsn, std::uint16_t stream, std::uint32_t mid,
                            std::uint32_t fsn, std::uint32_t of, const std::string& text,
                            bool unordered = false) {
    return {.tsn = tsn,
            .stream = stream,
            .mid = mid,
            .fsn = fsn,
            .text = text,
            .beginning = fsn == 0,
            .ending = fsn + 1 == of,
            .unordered = unordered};
  }
  void expect_empty() {
    EXPECT_EQ(receiver_->held_bytes(), 0u);
    EXPECT_EQ(home_.live(), 0u);
  }
};

// RFC 8260 §2.2.3: by stream, kind and MID, in the order of FSNs; TSNs say nothing.
TEST_F(IDataTest, MessagesOfSeveralStreamsInterleaveAndTsnsDoNotOrderFragments) {
  EXPECT_EQ(give(part(1000, 1, 0, 0, 3, "a")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1001, 2, 0, 1, 2, "z")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1002, 1, 0, 2, 3, "c")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1003, 1, 0, 0, 2, "u", true)), DataResult::kAccepted);
  EXPECT_TRUE(take().empty());
  EXPECT_EQ(give(part(1004, 2, 0, 0, 2, "y")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1005, 1, 0, 1, 2, "v", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1006, 1, 0, 1, 3, "b")), DataResult::kAccepted);
  EXPECT_EQ(take(), (Texts{"yz", "uv", "abc"}));
  EXPECT_EQ(ppids_, std::vector<Ppid>(3, kPpidString)) << "the beginning's PPID";
  expect_empty();
}

// RFC 8260 §2.1, §2.2.3.
TEST_F(IDataTest, EveryOrderOfArrivalGivesTheSameMessages) {
  std::array<std::uint32_t, 6> order{0, 1, 2, 3, 4, 5};
  std::uint32_t tsn = 1000;
  std::uint32_t mid = 0;
  do {
    for (const std::uint32_t i : order) {
      const std::uint16_t stream = i < 4 ? 1 : 2;
      const IDataFragment f = i < 4 ? part(tsn + i, stream, mid, i, 4, std::string(1, "abcd"[i]))
                                    : part(tsn + i, stream, mid, i - 4, 2, i == 4 ? "e" : "f");
      ASSERT_EQ(give(f), DataResult::kAccepted);
    }
    Texts texts = take();
    std::ranges::sort(texts);
    ASSERT_EQ(texts, (Texts{"abcd", "ef"}));
    tsn += 6;
    ++mid;
  } while (std::ranges::next_permutation(order).found);
  expect_empty();
}

// RFC 8260 §2.1: serial-number arithmetic of 32 bits.
TEST_F(IDataTest, OrderedMessagesComeInTheOrderOfMidsAndUnorderedDoNotWait) {
  EXPECT_EQ(give({.tsn = 1001, .mid = 1, .text = "b"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1002, .mid = 2, .text = "c"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1003, .mid = 9, .text = "u", .unordered = true}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1004, .stream = 2, .text = "other"}), DataResult::kAccepted);
  EXPECT_EQ(take(), (Texts{"u", "other"}));
  EXPECT_EQ(give({.tsn = 1000, .mid = 0, .text = "a"}), DataResult::kAccepted);
  EXPECT_EQ(take(), (Texts{"a", "b", "c"}));
  expect_empty();
}

TEST_F(IDataTest, MidsWrap) {
  std::uint32_t tsn = 1000;
  // RFC 8260 §2.3.1 gets there quicker than 2^32 messages.
  for (const std::uint32_t mid : {0x7FFFFFF0u, 0xFFFFFFE0u, 0xFFFFFFFDu}) {
    EXPECT_TRUE(skip(tsn++, {{StreamId(1), false, Mid(mid)}, {StreamId(1), true, Mid(mid)}}));
  }
  for (const bool unordered : {false, true}) {
    EXPECT_EQ(give({.tsn = tsn + 1, .mid = 0xFFFFFFFF, .text = "b", .unordered = unordered}),
              DataResult::kAccepted);
    EXPECT_EQ(give({.tsn = tsn + 2, .mid = 0, .text = "c", .unordered = unordered}),
              DataResult::kAccepted);
    EXPECT_EQ(give({.tsn = tsn, .mid = 0xFFFFFFFE, .text = "a", .unordered = unordered}),
              DataResult::kAccepted);
    tsn += 3;
  }
  EXPECT_EQ(take(), (Texts{"a", "b", "c", "b", "c", "a"}));
  expect_empty();
}

// RFC 8260 §2.1: MIDs of unordered messages go round as often as they like.
TEST_F(IDataTest, UnorderedMidsNeverGrowTooOldToBeTold) {
  std::uint32_t mid = 0;
  std::uint32_t tsn = 1000;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(give({.tsn = tsn++, .mid = mid, .text = "m", .unordered = true}),
              DataResult::kAccepted);
    EXPECT_EQ(take(), Texts{"m"}) << mid;
    mid += 0x5FFFFFFF;
  }
}

// RFC 8260 §2.1: nor where each begins before the last has ended.
TEST_F(IDataTest, UnorderedMessagesOfTwoFragmentsNeverGrowTooOldToBeTold) {
  std::uint32_t tsn = 1000;
  std::uint32_t mid = 0;
  std::size_t whole = 0;
  for (std::uint32_t i = 0; i < 4 * InterleavedMessages::kMaxMidsAhead; ++i, ++mid) {
    ASSERT_EQ(give(part(tsn++, 1, mid, 0, 2, "a", true)), DataResult::kAccepted);
    if (i == 0) continue;
    ASSERT_EQ(give(part(tsn++, 1, mid - 1, 1, 2, "b", true)), DataResult::kAccepted);
    whole += take().size();
  }
  EXPECT_EQ(whole, 4 * InterleavedMessages::kMaxMidsAhead - 1);
  EXPECT_EQ(receiver_->stats().stale_messages, 0u);
  EXPECT_TRUE(skip(tsn, {{StreamId(1), true, Mid(mid - 1)}}));
  expect_empty();
}

TEST_F(IDataTest, FragmentsThatContradictEachOtherAreAViolation) {
  const std::vector<std::pair<IDataFragment, IDataFragment>> pairs{
      // The same FSN twice, under another TSN: without a gap, beyond one, and as a whole.
      {part(1000, 1, 0, 0, 3, "a"), part(1001, 1, 0, 0, 3, "a")},
      {part(1000, 1, 0, 1, 3, "a"), part(1001, 1, 0, 1, 3, "a")},
      {part(1000, 1, 0, 0, 3, "a"), part(1001, 1, 0, 0, 1, "a")},
      {part(1000, 1, 1, 0, 1, "a"), part(1001, 1, 1, 0, 1, "a")},
      // Two ends, an end before a later fragment, a fragment behind the end.
      {part(1000, 1, 0, 2, 3, "c"), part(1001, 1, 0, 3, 4, "d")},
      {part(1000, 1, 0, 2, 4, "c"), part(1001, 1, 0, 1, 2, "b")},
      {part(1000, 1, 0, 1, 2, "b"), part(1001, 1, 0, 2, 4, "c")},
      {part(1000, 1, 0, 1, 3, "b"), part(1001, 1, 0, 0, 1, "a")},
      // FSN 0 without a beginning.
      {part(1000, 1, 0, 1, 3, "b"),
       {.tsn = 1001, .stream = 1, .fsn = 0, .beginning = false, .ending = false}},
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    make(i_data());
    EXPECT_EQ(give(pairs[i].first), DataResult::kAccepted) << i;
    EXPECT_EQ(give(pairs[i].second), DataResult::kViolation) << i;
  }
}

TEST_F(IDataTest, AMessageAboveTheLimitIsAViolation) {
  EXPECT_EQ(give(part(1000, 1, 0, 0, 9, std::string(40'000, 'a'))), DataResult::kAccepted);
  EXPECT_EQ(give(part(1001, 1, 0, 1, 9, std::string(25'536, 'a'))), DataResult::kAccepted);
  EXPECT_EQ(give(part(1002, 1, 0, 2, 9, "a")), DataResult::kViolation);
  make(i_data());
  EXPECT_EQ(give(part(1000, 1, 0, 65'536, 70'000, "a")), DataResult::kViolation)
      << "so many fragments have more bytes than that";
}

// RFC 8260 §2.2.3, RFC 9260 §6.2: a hostile MID costs no memory and no work.
TEST_F(IDataTest, MidsFartherAheadThanTsnsReachAreAViolation) {
  EXPECT_EQ(give({.tsn = 1001, .mid = 65'535}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1002, .mid = 65'536}), DataResult::kViolation);
  make(i_data());
  EXPECT_EQ(give(part(1001, 1, 7, 0, 2, "a", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1002, 1, 65'542, 0, 2, "a", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1003, 1, 65'543, 0, 2, "a", true)), DataResult::kViolation);
  make(i_data());
  EXPECT_EQ(give({.tsn = 1001, .mid = 0x80000000}), DataResult::kViolation);
}

TEST_F(IDataTest, MessagesOfMidsAlreadyPassedAreAcknowledgedAndForgotten) {
  EXPECT_EQ(give({.tsn = 1000, .mid = 0, .text = "a"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1001, .mid = 0, .text = "again"}), DataResult::kAccepted);
  EXPECT_EQ(give(part(1002, 1, 0, 1, 2, "again")), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"a"});
  EXPECT_EQ(cumulative(), Tsn(1002));
  EXPECT_EQ(receiver_->stats().stale_messages, 2u);
  expect_empty();
}

// RFC 8260 §2.3.1: messages up to the MID of each kind are over.
TEST_F(IDataTest, IForwardTsnDropsIncompleteMessagesOfBothKindsAndReleasesThoseThatWaited) {
  EXPECT_EQ(give(part(1000, 1, 0, 0, 2, "a")), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1002, .mid = 1, .text = "b"}), DataResult::kAccepted);
  EXPECT_EQ(give(part(1003, 1, 2, 0, 2, "c")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1004, 1, 0, 1, 3, "u", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1005, 1, 1, 1, 3, "v", true)), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1006, .mid = 4, .text = "e"}), DataResult::kAccepted);
  EXPECT_TRUE(skip(1001, {{StreamId(1), false, Mid(0)}, {StreamId(1), true, Mid(0)}}));
  EXPECT_EQ(take(), Texts{"b"});
  EXPECT_EQ(cumulative(), Tsn(1006));
  // What is late of those skipped is acknowledged and forgotten.
  EXPECT_EQ(give(part(1007, 1, 0, 0, 3, "u", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1008, 1, 0, 1, 2, "a")), DataResult::kAccepted);
  EXPECT_TRUE(take().empty());
  // The other unordered one goes on.
  EXPECT_EQ(give(part(1009, 1, 1, 0, 3, "_", true)), DataResult::kAccepted);
  EXPECT_EQ(give(part(1010, 1, 1, 2, 3, "w", true)), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"_vw"});
  EXPECT_TRUE(skip(1011, {{StreamId(1), false, Mid(3)}}));
  EXPECT_EQ(take(), Texts{"e"}) << "2 and 3 are skipped";
  EXPECT_FALSE(skip(1011)) << "out of date";
  EXPECT_TRUE(receiver_->sack_due(now_));
  expect_empty();
}

TEST_F(IDataTest, IForwardTsnFarAheadDeliversWhatWaitedInOrder) {
  EXPECT_EQ(give({.tsn = 1005, .mid = 5, .text = "f"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1003, .mid = 3, .text = "d"}), DataResult::kAccepted);
  EXPECT_EQ(give(part(1004, 1, 4, 0, 2, "e")), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1001, .mid = 1, .text = "b"}), DataResult::kAccepted);
  // By the number of messages, which are fewer than the MIDs.
  EXPECT_TRUE(skip(2000, {{StreamId(1), false, Mid(60'000)}, {StreamId(3000), false, Mid(1)}}));
  EXPECT_EQ(take(), (Texts{"b", "d", "f"}));
  EXPECT_EQ(cumulative(), Tsn(2000));
  EXPECT_EQ(give({.tsn = 2001, .mid = 60'001, .text = "on"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"on"});
  expect_empty();
}

// RFC 8260 §2.3.2: both counters start at 0 again.
TEST_F(IDataTest, AStreamResetStartsBothMidsAtZeroAndKeepsTheLivesApart) {
  const std::array streams{StreamId(1)};
  EXPECT_EQ(give({.tsn = 1000, .mid = 0, .text = "a"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1002, .mid = 2, .text = "c"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"a"});
  EXPECT_FALSE(receiver_->try_reset_streams(streams, Tsn(1002)));
  // Beyond the last TSN: of the next life, whatever the MIDs.
  EXPECT_EQ(give({.tsn = 1003, .mid = 0, .text = "A"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1004, .mid = 2, .text = "C"}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1005, .mid = 0, .text = "U", .unordered = true}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1006, .stream = 2, .text = "other"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"other"});
  EXPECT_EQ(give({.tsn = 1001, .mid = 1, .text = "b"}), DataResult::kAccepted);
  EXPECT_EQ(take(), (Texts{"b", "c"}));
  EXPECT_TRUE(receiver_->try_reset_streams(streams, Tsn(1002)));
  Texts texts = take();
  std::ranges::sort(texts);
  EXPECT_EQ(texts, (Texts{"A", "U"}));
  EXPECT_EQ(give({.tsn = 1007, .mid = 1, .text = "B"}), DataResult::kAccepted);
  EXPECT_EQ(take(), (Texts{"B", "C"}));
  // An I-FORWARD-TSN of the former life that comes late skips nothing of the new one.
  EXPECT_TRUE(skip(1008, {{StreamId(1), false, Mid(100)}}));
  EXPECT_EQ(give({.tsn = 1009, .mid = 3, .text = "D"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"D"});
  expect_empty();
}

TEST_F(IDataTest, AStreamResetDropsWhatCanNeverBeWholeAndResetsAllWhereNoneIsNamed) {
  EXPECT_EQ(give(part(1000, 1, 0, 0, 2, "a")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1001, 2, 0, 1, 2, "u", true)), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 1002, .stream = 3, .mid = 4, .text = "waits"}), DataResult::kAccepted);
  EXPECT_TRUE(receiver_->try_reset_streams({}, Tsn(1002)));
  EXPECT_TRUE(take().empty());
  expect_empty();
  for (std::uint16_t stream = 1; stream <= 3; ++stream) {
    EXPECT_EQ(give({.tsn = 1002u + stream, .stream = stream, .text = "new"}),
              DataResult::kAccepted);
  }
  EXPECT_EQ(take(), Texts(3, "new"));
}

// RFC 6525 §5.2.2 (E4): of streams that were used before, of those that had messages then, that
// are used by the next life alone, and that are reset by name in between.
TEST_F(IDataTest, AResetOfAllStreamsReachesThoseThatHoldNothingToo) {
  std::uint32_t tsn = 1000;
  for (std::uint16_t stream = 1; stream <= 4; ++stream) {
    give(part(tsn++, stream, 0, 0, 1, "old"));
    give(part(tsn++, stream, 0, 0, 1, "old", true));
  }
  EXPECT_EQ(take().size(), 8u);
  give(part(tsn++, 2, 1, 0, 2, "never whole"));
  // Beyond what is missing the next lives begin.
  EXPECT_FALSE(receiver_->try_reset_streams({}, Tsn(tsn)));
  give(part(tsn + 1, 3, 0, 0, 2, "ne"));
  give(part(tsn + 2, 3, 0, 1, 2, "xt"));
  give(part(tsn + 3, 5, 0, 0, 2, "fi"));
  EXPECT_TRUE(take().empty());
  give(part(tsn, 1, 1, 0, 1, "last"));
  EXPECT_EQ(take(), Texts{"last"});
  EXPECT_TRUE(receiver_->try_reset_streams({}, Tsn(tsn)));
  EXPECT_EQ(take(), Texts{"next"});
  tsn += 4;
  give(part(tsn++, 5, 0, 1, 2, "fth"));
  give(part(tsn++, 1, 0, 0, 1, "one"));
  give(part(tsn++, 2, 0, 0, 1, "two"));
  give(part(tsn++, 4, 0, 0, 1, "four", true));
  EXPECT_EQ(take(), (Texts{"fifth", "one", "two", "four"}));
  EXPECT_TRUE(receiver_->try_reset_streams({}, cumulative()));
  EXPECT_TRUE(receiver_->try_reset_streams(std::array{StreamId(1)}, cumulative()));
  EXPECT_TRUE(receiver_->try_reset_streams({}, cumulative()));
  // One of a life before that, which the resets overtook, skips nothing.
  EXPECT_TRUE(skip(tsn++, {{StreamId(2), false, Mid(5)}, {StreamId(6), false, Mid(5)}}));
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 2, 6}) {
    give(part(tsn++, stream, 0, 0, 1, "again"));
  }
  EXPECT_EQ(take(), Texts(3, "again"));
  EXPECT_EQ(receiver_->stats().stale_messages, 0u);
  expect_empty();
}

TEST_F(IDataTest, PiecesLieInTheReceiveBuffer) {
  const std::uint64_t copied = copy_counters().in_order;
  EXPECT_EQ(give(part(1000, 1, 0, 1, 2, "b")), DataResult::kAccepted);
  EXPECT_EQ(give(part(1001, 1, 0, 0, 2, "a")), DataResult::kAccepted);
  MessageView view;
  ASSERT_TRUE(receiver_->poll_message(view));
  EXPECT_EQ(view.pieces.size(), 2u);
  EXPECT_EQ(home_.live(), 2u);
  receiver_->settle(now_);
  EXPECT_EQ(home_.live(), 0u);
  EXPECT_EQ(copy_counters().in_order, copied);
}

// RFC 9260 §6.9, §6.2: what the store spans is bounded, so what grows old is handed out.
TEST_F(IDataTest, ABegunMessageThatOthersOvertakeForLongIsHandedOutInParts) {
  DataReceiverOptions options = i_data(8 << 20);
  make(options);
  EXPECT_EQ(give(part(1000, 1, 0, 0, 3, "a")), DataResult::kAccepted);
  Parts parts;
  std::uint32_t mid = 0;
  for (std::uint32_t tsn = 1001; tsn < 200'000; ++tsn) {
    ASSERT_EQ(give({.tsn = tsn, .stream = 2, .mid = mid++}), DataResult::kAccepted) << tsn;
    for (ReceivedPart& part : take_parts()) {
      if (part.stream == 1) parts.push_back(std::move(part));
    }
    receiver_->settle(now_);
  }
  EXPECT_EQ(parts, (Parts{{1, "a", 0, false, false}}));
  EXPECT_EQ(give(part(200'000, 1, 0, 1, 3, "b")), DataResult::kAccepted);
  EXPECT_EQ(give(part(200'001, 1, 0, 2, 3, "c")), DataResult::kAccepted);
  EXPECT_EQ(take_parts(), (Parts{{1, "bc", 1, true, false}}));
  expect_empty();
}

}  // namespace
}  // namespace millrace::sctp
