// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §6.9: messages handed out before all of them has come, DATA and I-DATA.
#include <algorithm>
#include <array>
#include <map>

#include "engine/base/rng.h"
#include "sctp/testing/receiver_fixture.h"

namespace millrace::sctp {
namespace {

using testing::ReceivedPart;
using Texts = std::vector<std::string>;
using Parts = std::vector<ReceivedPart>;

// Fragment `index` of `of`, of an ordered message on stream 1 unless it says otherwise.
struct Piece {
  std::uint32_t tsn = 0;
  std::uint32_t index = 0;
  std::uint32_t of = 1;
  std::string text = "x";
  std::uint16_t stream = 1;
  std::uint16_t number = 0;  // SSN or MID.
  bool unordered = false;
};

// Every test runs with both kinds of chunk.
class PartialDelivery : public testing::ReceiverTest, public ::testing::WithParamInterface<bool> {
 protected:
  static constexpr std::size_t kPartBytes = 4000;
  void SetUp() override { make_with(1 << 20, kPartBytes); }
  void make_with(std::size_t window, std::size_t part_bytes, std::size_t max = 1 << 20) {
    DataReceiverOptions options = defaults();
    options.i_data = GetParam();
    options.window_bytes = window;
    options.part_bytes = part_bytes;
    options.max_message_bytes = max;
    make(options);
  }
  DataResult put(const Piece& p) {
    const bool beginning = p.index == 0;
    const bool ending = p.index + 1 == p.of;
    if (GetParam()) {
      return give(testing::IDataFragment{.tsn = p.tsn,
                                         .stream = p.stream,
                                         .mid = p.number,
                                         .fsn = p.index,
                                         .text = p.text,
                                         .beginning = beginning,
                                         .ending = ending,
                                         .unordered = p.unordered});
    }
    return give(DataChunkHeader{.tsn = Tsn(p.tsn),
                                .stream = StreamId(p.stream),
                                .ssn = Ssn(p.number),
                                .ppid = ppid_,
                                .flags = {.immediate = false,
                                          .unordered = p.unordered,
                                          .beginning = beginning,
                                          .ending = ending}},
                p.text);
  }
  bool abandon(std::uint32_t tsn, std::uint16_t number, bool unordered = false) {
    if (GetParam()) return skip(tsn, {{StreamId(1), unordered, Mid(number)}});
    return unordered ? forward(tsn) : forward(tsn, {{StreamId(1), Ssn(number)}});
  }
  // Five fragments of a message whose end has not come, and the part that they make.
  void begin_large(bool unordered = false) {
    for (std::uint32_t i = 0; i < 5; ++i) {
      ASSERT_EQ(put({.tsn = 1000 + i,
                     .index = i,
                     .of = 9,
                     .text = std::string(1000, static_cast<char>('a' + i)),
                     .unordered = unordered}),
                DataResult::kAccepted);
    }
    const Parts parts = take_parts();
    ASSERT_EQ(parts.size(), 1u);
    EXPECT_EQ(parts[0].text.size(), 5000u);
    EXPECT_FALSE(parts[0].last);
    EXPECT_EQ(receiver_->stats().messages_received, 0u);
  }
};
INSTANTIATE_TEST_SUITE_P(DataAndIData, PartialDelivery, ::testing::Bool(),
                         [](const auto& of) { return of.param ? "IData" : "Data"; });

// RFC 9260 §6.9.
TEST_P(PartialDelivery, AMessageAboveTheBoundComesInPartsThatFollowEachOther) {
  begin_large();
  EXPECT_TRUE(take_parts().empty());
  EXPECT_EQ(put({1006, 6, 9, "G"}), DataResult::kAccepted);
  EXPECT_TRUE(take_parts().empty()) << "5 is missing";
  EXPECT_EQ(put({1005, 5, 9, "F"}), DataResult::kAccepted);
  EXPECT_EQ(take_parts(), (Parts{{1, "FG", 5000, false, false}}));
  EXPECT_EQ(put({1008, 8, 9, "I"}), DataResult::kAccepted);
  EXPECT_EQ(put({1007, 7, 9, "H"}), DataResult::kAccepted);
  EXPECT_EQ(take_parts(), (Parts{{1, "HI", 5002, true, false}}));
  EXPECT_EQ(receiver_->stats().messages_received, 1u);
  EXPECT_EQ(put({.tsn = 1009, .text = "next", .number = 1}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"next"});
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(home_.live(), 0u);
}

TEST_P(PartialDelivery, AMessageUpToTheBoundComesWhole) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(take_parts().empty());
    EXPECT_EQ(put({1000 + i, i, 4, std::string(1000, 'x')}), DataResult::kAccepted);
  }
  EXPECT_EQ(take(), Texts{std::string(4000, 'x')});
}

// libwebrtc fills up packets, so its fragments are of any size; a first that is larger than
// the others does not make the message larger.
TEST_P(PartialDelivery, AMessageUpToTheBoundComesWholeWhateverItsFragmentsAre) {
  const std::size_t sizes[] = {1500, 300, 1, 1000, 1199};
  std::string whole;
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(take_parts().empty()) << i;
    const std::string text(sizes[i], static_cast<char>('a' + i));
    EXPECT_EQ(put({1000 + i, i, 5, text}), DataResult::kAccepted);
    whole += text;
  }
  EXPECT_EQ(take(), Texts{whole});
}

// RFC 9260 §6.9: a first fragment smaller than the others does not make parts larger.
TEST_P(PartialDelivery, APartComesAsSoonAsMoreThanTheBoundIsHeld) {
  EXPECT_EQ(put({1000, 0, 5, "a"}), DataResult::kAccepted);
  EXPECT_EQ(put({1001, 1, 5, std::string(3999, 'b')}), DataResult::kAccepted);
  EXPECT_TRUE(take_parts().empty());
  EXPECT_EQ(put({1002, 2, 5, "c"}), DataResult::kAccepted);
  const Parts parts = take_parts();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].text.size(), 4001u);
}

// RFC 9260 §6.9: what is handed out in parts goes to its end before others of its stream.
TEST_P(PartialDelivery, OthersOfTheStreamWaitForItsEndAndOtherStreamsDoNot) {
  begin_large();
  EXPECT_EQ(put({.tsn = 1009, .text = "unordered", .number = 0, .unordered = true}),
            DataResult::kAccepted);
  EXPECT_EQ(put({.tsn = 1010, .text = "second", .number = 1}), DataResult::kAccepted);
  EXPECT_EQ(put({.tsn = 1011, .text = "other", .stream = 2}), DataResult::kAccepted);
  EXPECT_EQ(put({1012, 0, 2, "un", 1, 1, true}), DataResult::kAccepted);
  EXPECT_EQ(put({1013, 1, 2, "ordered", 1, 1, true}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"other"});
  for (std::uint32_t i = 5; i < 9; ++i) {
    EXPECT_EQ(put({1000 + i, i, 9, "x"}), DataResult::kAccepted);
  }
  Parts parts = take_parts();
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0], (ReceivedPart{1, "xxxx", 5000, true, false}));
  // The order of unordered messages is nobody's business.
  std::ranges::sort(parts, {}, &ReceivedPart::text);
  EXPECT_EQ(parts[0], (ReceivedPart{1, "second", 0, true, false}));
  EXPECT_EQ(parts[1], (ReceivedPart{1, "unordered", 0, true, false}));
  EXPECT_EQ(parts[2], (ReceivedPart{1, "unordered", 0, true, false}));
  EXPECT_EQ(receiver_->held_bytes(), 0u);
}

TEST_P(PartialDelivery, AnUnorderedMessageComesInPartsAsWell) {
  begin_large(true);
  EXPECT_EQ(put({.tsn = 1009, .text = "ordered", .number = 0}), DataResult::kAccepted);
  EXPECT_TRUE(take_parts().empty());
  for (std::uint32_t i = 5; i < 9; ++i) {
    EXPECT_EQ(put({1000 + i, i, 9, "x", 1, 0, true}), DataResult::kAccepted);
  }
  EXPECT_EQ(take_parts(), (Parts{{1, "xxxx", 5000, true, false}, {1, "ordered", 0, true, false}}));
}

// RFC 3758 §3.6, RFC 8260 §2.3.1.
TEST_P(PartialDelivery, AnAbandonedMessageEndsWithAnAbortedPart) {
  for (const bool unordered : {false, true}) {
    make_with(1 << 20, kPartBytes);
    begin_large(unordered);
    EXPECT_EQ(put({1007, 7, 9, "never read", 1, 0, unordered}), DataResult::kAccepted);
    EXPECT_EQ(put({.tsn = 1009, .text = "next", .number = 1}), DataResult::kAccepted);
    if (unordered) {
      EXPECT_EQ(put({.tsn = 1010, .text = "first", .number = 0}), DataResult::kAccepted);
    }
    EXPECT_TRUE(take_parts().empty());
    EXPECT_TRUE(abandon(1008, 0, unordered));
    const Parts parts = take_parts();
    ASSERT_EQ(parts.size(), unordered ? 3u : 2u);
    EXPECT_EQ(parts[0], (ReceivedPart{1, "", 5000, false, true}));
    EXPECT_EQ(parts.back().text, "next");
    EXPECT_EQ(receiver_->held_bytes(), 0u);
    EXPECT_EQ(home_.live(), 0u);
  }
}

// RFC 6525 §5.2.2: all that was sent before the reset has come; so the rest never will.
TEST_P(PartialDelivery, AStreamResetAbortsWhatWasNotSentToItsEnd) {
  begin_large();
  const std::array streams{StreamId(1)};
  EXPECT_TRUE(receiver_->try_reset_streams(streams, Tsn(1004)));
  EXPECT_EQ(take_parts(), (Parts{{1, "", 5000, false, true}}));
  EXPECT_EQ(put({.tsn = 1005, .text = "new life", .number = 0}), DataResult::kAccepted);
  EXPECT_EQ(take(), Texts{"new life"});
}

TEST_P(PartialDelivery, WhatCannotFollowIsAViolation) {
  begin_large();
  EXPECT_EQ(put({1005, 0, 9, "again"}), DataResult::kViolation);
  make_with(1 << 20, kPartBytes);
  begin_large();
  EXPECT_EQ(put({1005, 4, 5, "an end where FSN 4 was", 1, 0, true}),
            GetParam() ? DataResult::kAccepted : DataResult::kViolation)
      << "of another message, which is for I-DATA alone";
  make_with(1 << 20, kPartBytes);
  begin_large();
  if (GetParam()) {
    EXPECT_EQ(put({1005, 4, 9, "FSN 4 twice"}), DataResult::kViolation);
  } else {
    EXPECT_EQ(put({1005, 5, 9, "of another stream", 2}), DataResult::kViolation);
  }
}

TEST_P(PartialDelivery, AMessageAboveTheLimitIsAViolationHoweverItIsRead) {
  make_with(1 << 20, kPartBytes, 20'000);
  DataResult result = DataResult::kAccepted;
  std::uint32_t fragments = 0;
  std::size_t bytes = 0;
  for (; result == DataResult::kAccepted && fragments < 100; ++fragments) {
    result = put({1000 + fragments, fragments, 1000, std::string(1000, 'x')});
    for (const ReceivedPart& part : take_parts()) bytes += part.text.size();
  }
  EXPECT_EQ(result, DataResult::kViolation);
  EXPECT_EQ(fragments, 21u);
  EXPECT_EQ(bytes, 20'000u);
}

// A window that is full because of a gap needs no parts: it is filled, and all comes whole.
TEST_P(PartialDelivery, AGapIsNoReasonToHandOutAPart) {
  make_with(64 * 1024, 32 * 1024);
  EXPECT_EQ(put({1000, 0, 3, "a"}), DataResult::kAccepted);
  std::uint16_t number = 1;
  std::uint32_t tsn = 1003;
  while (put({.tsn = tsn, .text = std::string(1000, 'x'), .number = number}) ==
         DataResult::kAccepted) {
    ++tsn;
    ++number;
  }
  EXPECT_EQ(receiver_->a_rwnd(), 0u);
  EXPECT_TRUE(take_parts().empty());
  EXPECT_EQ(put({1001, 1, 3, "b"}), DataResult::kAccepted);
  EXPECT_EQ(put({1002, 2, 3, "c"}), DataResult::kAccepted);
  EXPECT_EQ(take().size(), number);
}

// RFC 8832: OPEN is of use only whole.
TEST_P(PartialDelivery, MessagesOfDcepStayWholeWhileTheyMayBeValid) {
  make_with(1 << 20, kPartBytes);
  ppid_ = kPpidDcep;
  for (std::uint32_t i = 0; i < 140; ++i) {
    EXPECT_TRUE(take_parts().empty()) << i;
    EXPECT_EQ(put({1000 + i, i, 140, std::string(900, 'x')}), DataResult::kAccepted);
  }
  EXPECT_EQ(take(), Texts{std::string(126'000, 'x')});
}

// RFC 9260 §6.2, §6.9: a message larger than the window flows; memory is bounded.
TEST_P(PartialDelivery, AMessageOf64MiBFlowsThroughAWindowOf256KiB) {
  constexpr std::size_t kWindow = 256 * 1024;
  constexpr std::size_t kChunk = 1024;
  constexpr std::uint32_t kFragments = (64u << 20) / kChunk;
  make_with(kWindow, 256 * 1024, 1u << 30);
  SeededRng rng(4);
  std::size_t offset = 0;
  std::size_t most_held = 0;
  bool ended = false;
  const auto read = [&] {
    MessageView view;
    while (receiver_->poll_message(view)) {
      ASSERT_EQ(view.offset, offset);
      for (const ByteSpan piece : view.pieces) {
        ASSERT_EQ(piece[0], static_cast<std::uint8_t>(offset / kChunk * 7));
        offset += piece.size();
      }
      ended = view.last;
    }
  };
  for (std::uint32_t i = 0; i < kFragments; i += 16) {
    // Each sixteen in any order, and now and then the first of them comes a round late.
    std::array<std::uint32_t, 16> order;
    for (std::uint32_t k = 0; k < 16; ++k) order[k] = i + k;
    for (std::uint32_t k = 15; k > 0; --k) std::swap(order[k], order[rng.below(k + 1)]);
    for (const std::uint32_t index : order) {
      ASSERT_EQ(
          put({1000 + index, index, kFragments, std::string(kChunk, static_cast<char>(index * 7))}),
          DataResult::kAccepted)
          << index;
      ASSERT_GT(receiver_->a_rwnd(), kWindow / 4) << index;
      most_held = std::max(most_held, receiver_->held_bytes());
    }
    read();
    receiver_->settle(now_);
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(offset, std::size_t{64} << 20);
  EXPECT_LT(most_held, kWindow * 3 / 4);
  EXPECT_EQ(receiver_->held_bytes(), 0u);
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

// RFC 8260 §2.2.2: many streams may have a message under way, and together more than there
// is room for, though none is large.
TEST_P(PartialDelivery, ManyMessagesAtOnceFlowThoughEachIsSmall) {
  if (!GetParam()) return;  // With DATA there is one at a time.
  constexpr std::uint16_t kStreams = 200;
  constexpr std::uint32_t kEach = 8;
  make_with(128 * 1024, 64 * 1024);
  std::map<std::uint16_t, std::string> texts;
  std::size_t parts = 0;
  std::uint32_t tsn = 1000;
  for (std::uint32_t i = 0; i < kEach; ++i) {
    for (std::uint16_t stream = 0; stream < kStreams; ++stream) {
      ASSERT_EQ(put({tsn++, i, kEach, std::string(1000, static_cast<char>('a' + i)), stream}),
                DataResult::kAccepted);
      receiver_->settle(now_);
      for (const ReceivedPart& part : take_parts()) {
        EXPECT_EQ(part.offset, texts[part.stream].size());
        texts[part.stream] += part.text;
        ++parts;
      }
      ASSERT_GT(receiver_->a_rwnd(), 8u * 1024);
    }
  }
  std::string whole;
  for (std::uint32_t i = 0; i < kEach; ++i) whole.append(1000, static_cast<char>('a' + i));
  EXPECT_EQ(texts.size(), kStreams);
  for (const auto& [stream, text] : texts) EXPECT_EQ(text, whole) << stream;
  EXPECT_GT(parts, kStreams);
  EXPECT_EQ(receiver_->held_bytes(), 0u);
}

// RFC 9260 §6.2: a peer may ask a closed window again and again. While reading could make room,
// the answer is no, and never that the peer has done wrong.
TEST_P(PartialDelivery, WhoDoesNotReadIsNotThePeersFault) {
  constexpr std::size_t kWindow = 16 * 1024;
  constexpr std::uint16_t kStreams = 7;
  make_with(kWindow, 64 * 1024);
  // With DATA there is one message at a time; its fragments are so small that the places they
  // take are most of the cost.
  const std::uint16_t streams = GetParam() ? kStreams : 1;
  const std::string text(GetParam() ? 1000 : 16, 'x');
  std::uint32_t refused = 0;
  std::uint32_t tsn = 1000;
  for (std::uint32_t i = 0; i < 2000 && refused < 100; ++i) {
    const auto stream = static_cast<std::uint16_t>((tsn - 1000) % streams);
    const DataResult result = put({tsn, (tsn - 1000) / streams, 10000, text, stream});
    ASSERT_NE(result, DataResult::kViolation) << i;
    receiver_->settle(now_);
    if (result == DataResult::kAccepted) {
      ++tsn;
    } else {
      ++refused;
    }
  }
  EXPECT_EQ(refused, 100u);
  EXPECT_LT(receiver_->held_bytes(), kWindow * 2);
  EXPECT_FALSE(take_parts().empty());
  EXPECT_EQ(put({tsn, (tsn - 1000) / streams, 10000, text,
                 static_cast<std::uint16_t>((tsn - 1000) % streams)}),
            DataResult::kAccepted);
}

}  // namespace
}  // namespace millrace::sctp
