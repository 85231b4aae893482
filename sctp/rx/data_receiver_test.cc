// SPDX-License-Identifier: Apache-2.0
#include "sctp/rx/data_receiver.h"

#include <gtest/gtest.h>

#include <numeric>

#include "sctp/testing/transfer.h"

namespace millrace::sctp {
namespace {

using testing::Bytes;
using testing::copy_of;
using testing::ReceivedMessage;

constexpr Time kStart{seconds(1)};

class DataReceiverTest : public ::testing::Test {
 protected:
  void make(std::uint32_t initial_tsn = 1000, std::size_t window = 1 << 20) {
    DataReceiverOptions options;
    options.peer_initial_tsn = Tsn(initial_tsn);
    options.streams = 16;
    options.window_bytes = window;
    options.max_message_bytes = 64 * 1024;
    receiver_.emplace(options, pool_);
  }
  void SetUp() override { make(); }
  void TearDown() override { receiver_.reset(); }

  struct Fragment {
    std::uint32_t tsn;
    std::uint16_t stream = 1;
    std::uint16_t ssn = 0;
    std::string text = "x";
    bool beginning = true;
    bool ending = true;
    bool unordered = false;
    bool immediate = false;
  };
  DataResult give(const Fragment& f, std::size_t capacity = 256) {
    const ByteSpan bytes{reinterpret_cast<const std::uint8_t*>(f.text.data()), f.text.size()};
    const BufferRef buffer = home_.make(bytes, capacity);
    const DataChunkView view{{Tsn(f.tsn),
                              StreamId(f.stream),
                              Ssn(f.ssn),
                              kPpidString,
                              {f.immediate, f.unordered, f.beginning, f.ending}},
                             {buffer->data, f.text.size()}};
    return receiver_->handle_data(kStart, view, buffer);
  }
  std::vector<std::string> take() {
    std::vector<std::string> texts;
    MessageView view;
    do {
      while (receiver_->poll_message(view)) {
        const ReceivedMessage message = copy_of(view);
        texts.emplace_back(message.bytes.begin(), message.bytes.end());
      }
    } while (receiver_->poll_reset());
    return texts;
  }
  bool forward(std::uint32_t tsn, std::vector<SkippedStream> skipped = {}) {
    const ForwardTsnChunk chunk{Tsn(tsn), skipped};
    Bytes bytes(chunk.size());
    chunk.write(bytes);
    return receiver_->handle_forward_tsn(*ForwardTsnChunkView::parse(bytes));
  }
  struct Sack {
    std::uint32_t cumulative;
    std::uint32_t a_rwnd;
    std::vector<std::pair<int, int>> gaps;
    std::vector<std::uint32_t> duplicates;
  };
  Sack sack(std::size_t space = 1160) {
    Bytes bytes(space);
    PacketWriter writer(bytes, CommonHeader{});
    EXPECT_TRUE(receiver_->append_sack(writer));
    const auto view = SackChunkView::parse(
        ByteSpan(bytes).subspan(CommonHeader::kBytes, writer.size() - CommonHeader::kBytes));
    Sack result{view->cumulative_tsn_ack().value(), view->a_rwnd(), {}, {}};
    for (std::size_t i = 0; i < view->gap_block_count(); ++i) {
      result.gaps.emplace_back(view->gap_block(i).start, view->gap_block(i).end);
    }
    for (std::size_t i = 0; i < view->duplicate_count(); ++i) {
      result.duplicates.push_back(view->duplicate(i).value());
    }
    return result;
  }

  testing::BufferHome home_;
  BlockPool pool_;
  std::optional<DataReceiver> receiver_;
};
using Texts = std::vector<std::string>;
using Gaps = std::vector<std::pair<int, int>>;

// RFC 9260 §5.1, §6.2: the first at once, then every second packet or after the delay.
TEST_F(DataReceiverTest, AcknowledgesTheFirstAtOnceThenEverySecondOrAfterTheDelay) {
  give({1000, 1, 0});
  EXPECT_FALSE(receiver_->sack_due(kStart));
  receiver_->end_packet(kStart);
  EXPECT_TRUE(receiver_->sack_due(kStart));
  EXPECT_EQ(sack().cumulative, 1000u);
  give({1001, 1, 1});
  receiver_->end_packet(kStart);
  EXPECT_FALSE(receiver_->sack_due(kStart));
  EXPECT_TRUE(receiver_->sack_pending());
  EXPECT_TRUE(receiver_->sack_due(kStart + milliseconds(20)));
  give({1002, 1, 2});
  give({1003, 1, 3});  // Bundled: one packet.
  receiver_->end_packet(kStart);
  EXPECT_TRUE(receiver_->sack_due(kStart));
  EXPECT_EQ(sack().cumulative, 1003u);
  EXPECT_FALSE(receiver_->sack_pending());
}

// RFC 7053 §5.1.
// RFC 9260 §6.2.
TEST_F(DataReceiverTest, AcknowledgesTheImmediateBitAtOnce) {
  give({1000});
  receiver_->end_packet(kStart);
  sack();
  give({.tsn = 1001, .ssn = 1, .immediate = true});
  receiver_->end_packet(kStart);
  EXPECT_TRUE(receiver_->sack_due(kStart));
}

// RFC 9260 §6.2, §6.7.
TEST_F(DataReceiverTest, ReportsGapsSortedAndMergedAndDuplicatesAtOnce) {
  give({1000});
  receiver_->end_packet(kStart);
  sack();
  for (const std::uint32_t tsn : {1008u, 1003u, 1006u, 1004u}) {
    EXPECT_EQ(give({.tsn = tsn, .unordered = true}), DataResult::kAccepted);
  }
  EXPECT_EQ(give({.tsn = 1004, .unordered = true}), DataResult::kDuplicate);
  EXPECT_EQ(give({.tsn = 1000, .unordered = true}), DataResult::kDuplicate);
  EXPECT_TRUE(receiver_->sack_due(kStart));
  const Sack first = sack();
  EXPECT_EQ(first.cumulative, 1000u);
  EXPECT_EQ(first.gaps, (Gaps{{3, 4}, {6, 6}, {8, 8}}));
  EXPECT_EQ(first.duplicates, (std::vector<std::uint32_t>{1004, 1000}));
  give({.tsn = 1005, .unordered = true});
  give({.tsn = 1007, .unordered = true});
  const Sack second = sack();
  EXPECT_EQ(second.gaps, (Gaps{{3, 8}}));
  EXPECT_TRUE(second.duplicates.empty());
  give({.tsn = 1002, .unordered = true});
  give({.tsn = 1001, .unordered = true});
  EXPECT_EQ(sack().cumulative, 1008u);
}

// RFC 9260 §6.2.
TEST_F(DataReceiverTest, LeavesOutGapsThatThePacketHasNoRoomFor) {
  for (std::uint32_t i = 0; i < 400; ++i) give({.tsn = 1001 + 2 * i, .unordered = true});
  EXPECT_EQ(sack(1160).gaps.size(), 283u);
  Bytes tiny(24);
  PacketWriter writer(tiny, CommonHeader{});
  EXPECT_FALSE(receiver_->append_sack(writer));
}

// RFC 9260 §3.3.4: offsets have 16 bits; TSNs wrap.
TEST_F(DataReceiverTest, AcceptsTheFurthestOffsetAndNoneBeyondAcrossTheWrap) {
  make(0xFFFFFFF0u, 8 << 20);
  EXPECT_EQ(give({.tsn = 0xFFFFFFEFu + 65535u, .unordered = true}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 0xFFFFFFEFu + 65536u, .unordered = true}), DataResult::kOutsideWindow);
  EXPECT_EQ(sack().gaps, (Gaps{{65535, 65535}}));
  for (std::uint32_t i = 0; i < 40; ++i) {
    EXPECT_EQ(give({.tsn = 0xFFFFFFF0u + i, .unordered = true}), DataResult::kAccepted);
  }
  EXPECT_EQ(sack().cumulative, 0xFFFFFFF0u + 39);
  EXPECT_EQ(take().size(), 41u);
}

// RFC 9260 §6.6, §6.5, with the SSN's own wrap.
TEST_F(DataReceiverTest, DeliversInOrderOfSsnAcrossItsWrap) {
  for (std::uint32_t i = 0; i < 65530; ++i) {
    ASSERT_EQ(give({1000 + i, 1, static_cast<std::uint16_t>(i)}), DataResult::kAccepted);
    ASSERT_EQ(take().size(), 1u);
  }
  const std::uint32_t next = 1000 + 65530;
  for (std::uint32_t i = 11; i > 0; --i) {
    give({next + i, 1, static_cast<std::uint16_t>(65530 + i), std::to_string(i)});
  }
  EXPECT_TRUE(take().empty());
  give({next, 1, 65530, "0"});
  EXPECT_EQ(take(), (Texts{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}));
}

// RFC 9260 §6.6.
TEST_F(DataReceiverTest, UnorderedOvertakesAndOtherStreamsDoNotWait) {
  give({1001, 1, 1, "b"});
  give({.tsn = 1002, .text = "u", .unordered = true});
  give({1003, 2, 0, "other"});
  EXPECT_EQ(take(), (Texts{"u", "other"}));
  give({1000, 1, 0, "a"});
  EXPECT_EQ(take(), (Texts{"a", "b"}));
}

// RFC 9260 §6.9, §6.
TEST_F(DataReceiverTest, ReassemblesFragmentsInEveryOrderOfArrival) {
  std::vector<std::uint32_t> order{0, 1, 2, 3, 4};
  std::uint32_t base = 1000;
  std::uint16_t ssn = 0;
  do {
    for (const std::uint32_t i : order) {
      EXPECT_EQ(
          give({base + i, 1, ssn, std::string(1, static_cast<char>('a' + i)), i == 0, i == 4}),
          DataResult::kAccepted);
    }
    ASSERT_EQ(take(), Texts{"abcde"});
    base += 5;
    ++ssn;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(home_.live(), 0u);
}

TEST_F(DataReceiverTest, PiecesLieInTheReceiveBuffer) {
  const std::uint64_t copied = copy_counters().in_order + copy_counters().held;
  Bytes bytes(3000);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  const BufferRef buffer = home_.make(bytes, 65536);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const DataChunkView view{
        {Tsn(1000 + i), StreamId(1), Ssn(0), kPpidBinary, {.beginning = i == 0, .ending = i == 2}},
        {buffer->data + 1000 * i, 1000}};
    receiver_->handle_data(kStart, view, buffer);
  }
  MessageView message;
  ASSERT_TRUE(receiver_->poll_message(message));
  ASSERT_EQ(message.pieces.size(), 3u);
  EXPECT_EQ(message.size, 3000u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(message.pieces[i].data(), buffer->data + 1000 * i);
  }
  EXPECT_EQ(buffer->refs, 2u);
  receiver_->settle(kStart);
  EXPECT_EQ(buffer->refs, 1u);
  EXPECT_EQ(copy_counters().in_order + copy_counters().held, copied);
}

// RFC 9260 §6.2 (no user data), §6.5 (stream out of range).
TEST_F(DataReceiverTest, RefusesEmptyDataAndAcknowledgesUnknownStreams) {
  EXPECT_EQ(give({.tsn = 1000, .text = ""}), DataResult::kNoUserData);
  EXPECT_EQ(give({1000, 16}), DataResult::kInvalidStream);
  EXPECT_EQ(sack().cumulative, 1000u);
  EXPECT_TRUE(take().empty());
}

// RFC 9260 §6.9.
TEST_F(DataReceiverTest, FragmentsThatContradictEachOtherAreAViolation) {
  give({1000, 1, 0, "a", true, false});
  EXPECT_EQ(give({1001, 2, 0, "b", false, true}), DataResult::kViolation);
  make();
  give({1000, 1, 0, "a", true, false});
  EXPECT_EQ(give({1001, 1, 0, "b", true, true}), DataResult::kViolation);
  make();
  give({1001, 1, 0, "b", false, true});
  EXPECT_EQ(give({1000, 1, 1, "a", true, false}), DataResult::kViolation);
  make();
  give({1000, 1, 0, "a", true, false});
  EXPECT_EQ(give({1001, 1, 0, "b", false, false}), DataResult::kAccepted);
  EXPECT_EQ(give({1002, 1, 0, std::string(65000, 'c'), false, false}), DataResult::kAccepted);
  EXPECT_EQ(give({1003, 1, 0, std::string(65000, 'c'), false, true}), DataResult::kViolation);
}

// RFC 9260 §6.2: one byte of data is charged what it holds.
TEST_F(DataReceiverTest, AtTheHighWaterMarkOnlyTheNextTsnIsAccepted) {
  make(1000, 16 * 1024);
  std::uint32_t tsn = 1001;
  while (give({.tsn = tsn, .ssn = static_cast<std::uint16_t>(tsn - 1000)}, 2048) ==
         DataResult::kAccepted) {
    ++tsn;
    receiver_->settle(kStart);
    ASSERT_LT(tsn, 2000u);
  }
  EXPECT_GE(receiver_->held_bytes(), 16u * 1024);
  EXPECT_LE(receiver_->held_bytes(), 28u * 1024) << "what had been advertised, and no more";
  EXPECT_GE(tsn - 1001, 100u) << "copying out keeps the price of a byte low";
  EXPECT_EQ(receiver_->a_rwnd(), 0u);
  EXPECT_EQ(home_.live(), 0u);
  EXPECT_EQ(give({1000, 1, 0}), DataResult::kAccepted);
  EXPECT_EQ(take().size(), tsn - 1000);
  EXPECT_EQ(receiver_->a_rwnd(), 16u * 1024);
}

// RFC 9260 §6.2: a peer cannot know what its chunks cost here. What it sends within the window
// that it was told of is taken; what it sends beyond is not.
TEST_F(DataReceiverTest, WhatWasAdvertisedIsTakenThoughItCostsMore) {
  make(1000, 64 * 1024);
  const std::string text(484, 'x');  // 500 bytes on the wire, each in a buffer of 650.
  std::uint32_t tsn = 1000;
  const auto give_next = [&] {
    const DataResult result = give({tsn, 1, static_cast<std::uint16_t>(tsn - 1000), text}, 650);
    if (result == DataResult::kAccepted) ++tsn;
    return result;
  };
  while (give_next() == DataResult::kAccepted && tsn < 2000) {
  }
  EXPECT_GT(receiver_->held_bytes(), 64u * 1024);
  EXPECT_EQ((tsn - 1000) * 500 / 1024, 63u) << "all of the window";
  EXPECT_EQ(sack().a_rwnd, 0u);
  EXPECT_EQ(take().size(), tsn - 1000);
  // A SACK that promises less does not take back what may be under way.
  EXPECT_EQ(sack().a_rwnd, 64u * 1024);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(give_next(), DataResult::kAccepted);
  const std::uint32_t less = sack().a_rwnd;
  EXPECT_LT(less, 64u * 1024 - 60 * 650);
  const std::uint32_t at_sack = tsn;
  while (give_next() == DataResult::kAccepted && tsn < 2000) {
  }
  EXPECT_EQ(tsn - at_sack, (64u * 1024 - 60 * 500) / 500);
}

// RFC 9260 §6.2: the kernel's datapaths lend 64 KiB for each datagram that comes alone, and many
// come in one burst. What they pin is no reason to refuse what the peer may send.
TEST_F(DataReceiverTest, ABurstOfDatagramsInBuffersOfTheirOwnFitsAnyWindow) {
  constexpr std::size_t kBuffer = 65'728;
  const std::string text(1100, 'x');
  for (const std::size_t window : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    for (const std::uint32_t first : {1000u, 1001u}) {  // Without and with a gap.
      make(1000, window);
      for (std::uint32_t i = 0; i < 50; ++i) {
        ASSERT_EQ(give({first + i, 1, 0, text, i == 0, i == 49}, kBuffer), DataResult::kAccepted)
            << i << " of window " << window;
      }
      if (first > 1000) give({.tsn = 1000, .unordered = true});
      EXPECT_EQ(take().front().size(), 50u * 1100);
      receiver_->settle(kStart);
      EXPECT_EQ(home_.live(), 0u);
    }
  }
}

// A chunk far ahead is charged the places of what lies before it.
TEST_F(DataReceiverTest, AGapIsTakenAsFarAsTheWindowPaysForIt) {
  make(1000, 64 * 1024);
  EXPECT_EQ(give({.tsn = 999 + 1023, .unordered = true}), DataResult::kAccepted);
  EXPECT_EQ(give({.tsn = 999 + 1024, .unordered = true}), DataResult::kOutsideWindow);
  EXPECT_EQ(give({.tsn = 1000, .unordered = true}), DataResult::kAccepted);
  EXPECT_GE(receiver_->held_bytes(), 1023 * ChunkStore::kPlaceBytes);
  EXPECT_EQ(take().size(), 2u);
  EXPECT_EQ(receiver_->held_bytes(), 0u);
}

// RFC 9260 §6.2.
TEST_F(DataReceiverTest, FragmentsThatCanNeverBeDeliveredAreAViolationAtTwiceTheWindow) {
  make(1000, 16 * 1024);
  DataResult result = DataResult::kAccepted;
  for (std::uint32_t tsn = 1000; result == DataResult::kAccepted && tsn < 3000; ++tsn) {
    result = give({tsn, 1, 0, std::string(100, 'x'), false, false});
    EXPECT_TRUE(take().empty());
    receiver_->settle(kStart);
  }
  EXPECT_EQ(result, DataResult::kViolation);
  EXPECT_LE(receiver_->held_bytes(), 33u * 1024);
}

// RFC 9260 §6.2.
TEST_F(DataReceiverTest, AReaderThatReturnsIsAnnouncedByASack) {
  make(1000, 16 * 1024);
  for (std::uint32_t i = 0; i < 8; ++i) {
    give({1000 + i, 1, static_cast<std::uint16_t>(i), std::string(2000, 'x')}, 2048);
  }
  receiver_->end_packet(kStart);
  EXPECT_EQ(sack().a_rwnd, 0u);
  EXPECT_EQ(give({1008, 1, 8, std::string(256, 'x')}), DataResult::kOutsideWindow)
      << "reading will free memory";
  sack();
  EXPECT_EQ(take().size(), 8u);
  EXPECT_TRUE(receiver_->sack_due(kStart));
  EXPECT_EQ(sack().a_rwnd, 16u * 1024);
}

TEST_F(DataReceiverTest, WhatIsScarceIsCopiedOutInItsOwnTurn) {
  const std::uint64_t copied = copy_counters().held;
  const Bytes bytes(100, 'x');
  for (std::uint32_t i = 0; i < 4; ++i) {
    const BufferRef buffer = home_.make(bytes, 128);
    buffer->scarce = i >= 2;
    const DataChunkView view{
        {Tsn(1000 + i), StreamId(1), Ssn(0), kPpidBinary, {.beginning = i == 0, .ending = false}},
        {buffer->data, 100}};
    EXPECT_EQ(receiver_->handle_data(kStart, view, buffer), DataResult::kAccepted);
  }
  receiver_->settle(kStart);
  EXPECT_EQ(home_.live(), 2u);
  EXPECT_EQ(copy_counters().held - copied, 200u);
  give({1004, 1, 0, "end", false, true});
  EXPECT_EQ(take(), Texts{std::string(400, 'x') + "end"});
  EXPECT_EQ(home_.live(), 0u);
}

TEST_F(DataReceiverTest, HeldViewsAreCopiedOutOfBuffersTheyHardlyUseOrPinLong) {
  const std::uint64_t copied = copy_counters().held;
  give({1000, 1, 0, std::string(100, 'a'), true, false}, 65536);
  EXPECT_GE(receiver_->held_bytes(), 65536u);
  receiver_->settle(kStart);
  EXPECT_LE(receiver_->held_bytes(), 300u);
  EXPECT_EQ(copy_counters().held - copied, 100u);
  EXPECT_EQ(home_.live(), 0u);
  give({1001, 1, 0, std::string(100, 'b'), false, false}, 128);
  receiver_->settle(kStart);
  EXPECT_EQ(home_.live(), 1u);
  EXPECT_EQ(receiver_->next_timeout(), kStart + milliseconds(20));
  receiver_->handle_timeout(kStart + milliseconds(20));
  EXPECT_EQ(home_.live(), 0u);
  give({1002, 1, 0, "c", false, true});
  EXPECT_EQ(take(), Texts{std::string(100, 'a') + std::string(100, 'b') + "c"});
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 3758 §3.6, §3.2.
TEST_F(DataReceiverTest, ForwardTsnDropsPartialAndReleasesWaitingMessages) {
  give({1000, 1, 0, "part", true, false});
  give({1003, 1, 2, "two"});
  give({1005, 1, 4, "four"});
  give({.tsn = 1004, .stream = 2, .ssn = 1, .text = "other"});
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(forward(1002, {{StreamId(1), Ssn(1)}}));
  EXPECT_EQ(take(), Texts{"two"});
  EXPECT_EQ(sack().cumulative, 1005u);
  EXPECT_FALSE(forward(1002)) << "out of date, and answered";
  EXPECT_TRUE(receiver_->sack_due(kStart));
  EXPECT_TRUE(forward(1006, {{StreamId(1), Ssn(3)}, {StreamId(2), Ssn(0)}}));
  EXPECT_EQ(take(), (Texts{"four", "other"}));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
}

// RFC 3758 §3.6.
TEST_F(DataReceiverTest, ForwardTsnSkipsWholeMessagesThatWaitInTheirOrder) {
  give({1001, 1, 1, "b"});
  give({1003, 1, 3, "d"});
  EXPECT_TRUE(forward(1004, {{StreamId(1), Ssn(4)}}));
  EXPECT_EQ(take(), (Texts{"b", "d"}));
  EXPECT_EQ(give({1005, 1, 5, "f"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"f"});
}

// RFC 3758 §3.6.
TEST_F(DataReceiverTest, ForwardTsnFarAheadIsBoundedAndLeavesNothing) {
  give({.tsn = 1500, .text = "part", .ending = false, .unordered = true});
  EXPECT_TRUE(forward(1000 + 0x7FFFFFF0u, {{StreamId(1), Ssn(9)}, {StreamId(99), Ssn(1)}}));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(receiver_->cumulative_tsn().value(), 1000 + 0x7FFFFFF0u);
  EXPECT_EQ(give({1001 + 0x7FFFFFF0u, 1, 10, "next"}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"next"});
}

// RFC 3758 §3.6.
TEST_F(DataReceiverTest, ForwardTsnWithinAMessageKeepsItsRestForTheNextOne) {
  give({1000, 1, 0, "a", true, false});
  give({1002, 1, 0, "c", false, false});
  give({1003, 1, 0, "d", false, true});
  EXPECT_TRUE(forward(1002));
  EXPECT_EQ(receiver_->cumulative_tsn().value(), 1003u);
  EXPECT_TRUE(take().empty());
  EXPECT_TRUE(forward(1004, {{StreamId(1), Ssn(0)}}));
  give({1005, 1, 1, "next"});
  EXPECT_EQ(take(), Texts{"next"});
}

// RFC 6525 §5.2.2.
TEST_F(DataReceiverTest, StreamResetIsDeferredUntilTheDataHasArrived) {
  const StreamId streams[] = {StreamId(1)};
  give({1000, 1, 0, "a"});
  give({1000 + 2, 2, 0, "x"});
  EXPECT_EQ(take(), (Texts{"a", "x"}));
  EXPECT_FALSE(receiver_->try_reset_streams(streams, Tsn(1002)));
  give({1003, 1, 0, "new a"});
  give({1004, 2, 1, "y"});
  EXPECT_EQ(take(), Texts{"y"}) << "only the named streams are held";
  give({1001, 1, 1, "b"});
  EXPECT_EQ(take(), Texts{"b"});
  EXPECT_TRUE(receiver_->try_reset_streams(streams, Tsn(1002)));
  EXPECT_EQ(take(), Texts{"new a"});
  give({1005, 2, 2, "z"});
  EXPECT_EQ(take(), Texts{"z"});
  EXPECT_TRUE(receiver_->try_reset_streams({}, Tsn(1005)));
  give({1006, 1, 0, "p"});
  give({1007, 2, 0, "q"});
  EXPECT_EQ(take(), (Texts{"p", "q"}));
}

// RFC 6525 §5.2.2 (E4): of streams that are used again and of one that was not yet.
TEST_F(DataReceiverTest, AResetOfAllStreamsReachesThoseThatHoldNothingToo) {
  std::uint32_t tsn = 1000;
  for (std::uint16_t stream = 1; stream <= 3; ++stream) give({tsn++, stream, 0, "old"});
  EXPECT_EQ(take().size(), 3u);
  const std::array first{StreamId(1)};
  EXPECT_FALSE(receiver_->try_reset_streams(first, Tsn(tsn)));
  give({tsn++, 2, 1, "old"});
  EXPECT_TRUE(receiver_->try_reset_streams({}, receiver_->cumulative_tsn()));
  EXPECT_TRUE(receiver_->try_reset_streams({}, receiver_->cumulative_tsn()));
  EXPECT_EQ(take(), Texts{"old"});
  // Of what was asked for before, nothing is left.
  const std::array second{StreamId(2)};
  EXPECT_FALSE(receiver_->try_reset_streams(second, Tsn(tsn)));
  give({tsn + 1, 1, 0, "one"});
  give({tsn + 2, 2, 0, "held"});
  EXPECT_EQ(take(), Texts{"one"});
  give({tsn, 3, 0, "three"});
  EXPECT_TRUE(receiver_->try_reset_streams(second, Tsn(tsn)));
  EXPECT_EQ(take(), (Texts{"three", "held"}));
  tsn += 3;
  EXPECT_TRUE(receiver_->try_reset_streams({}, receiver_->cumulative_tsn()));
  // One of the life before, which the reset overtook.
  EXPECT_TRUE(forward(tsn++, {{StreamId(2), Ssn(4)}, {StreamId(4), Ssn(4)}}));
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{2, 4}) {
    give({tsn++, stream, 0, "again"});
  }
  EXPECT_EQ(take(), (Texts{"again", "again"}));
}

// A FORWARD TSN that a reset overtook names SSNs of the life before: more of them than
// there have been TSNs since.
TEST_F(DataReceiverTest, AForwardTsnOfTheFormerLifeDoesNotSkipTheNewOne) {
  for (std::uint16_t i = 0; i < 5; ++i) give({1000u + i, 1, i, "old"});
  take();
  const std::array streams{StreamId(1)};
  ASSERT_TRUE(receiver_->try_reset_streams(streams, Tsn(1004)));
  EXPECT_TRUE(forward(1006, {{StreamId(1), Ssn(4)}}));
  give({1007, 1, 0, "new"});
  EXPECT_EQ(take(), (Texts{"new"}));
  // One of the new life is obeyed.
  EXPECT_TRUE(forward(1008, {{StreamId(1), Ssn(1)}}));
  give({1009, 1, 2, "newer"});
  EXPECT_EQ(take(), (Texts{"newer"}));
}

// RFC 9260 §6.2, §6.7.
TEST_F(DataReceiverTest, GapsAreReportedAsFarAsThePacketGoes) {
  for (std::uint32_t i = 0; i < 1000; ++i) give({.tsn = 1001 + 2 * i, .unordered = true});
  EXPECT_EQ(sack(8000).gaps.size(), 1000u);
  EXPECT_GE(sack(1160).gaps.size(), 280u);
}

// RFC 9260 §6.2.
TEST_F(DataReceiverTest, ManyGapsAreBounded) {
  for (std::uint32_t i = 0; i < 3000; ++i) give({.tsn = 1001 + 2 * i, .unordered = true});
  EXPECT_EQ(receiver_->stats().outside_window, 3000 - ReceivedTsns::kMaxRanges);
  EXPECT_EQ(give({.tsn = 1000, .unordered = true}), DataResult::kAccepted);
}

}  // namespace
}  // namespace millrace::sctp
