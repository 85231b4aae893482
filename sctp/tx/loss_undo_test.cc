// SPDX-License-Identifier: Apache-2.0
#include "sctp/tx/loss_undo.h"

#include <gtest/gtest.h>

namespace millrace::sctp {
namespace {

UnwrappedTsn sent_tsn(std::uint64_t value) { return UnwrappedTsn(value); }

// RFC 3708 §2: every retransmission of the episode must be reported as a duplicate.
TEST(LossUndo, AnEpisodeIsSpuriousWhenEachLossIsDisproved) {
  LossUndo undo;
  undo.begin();
  undo.note_lost(3);
  undo.note_arrived(1);
  undo.note_resent(sent_tsn(7));
  undo.note_resent(sent_tsn(9));
  EXPECT_TRUE(undo.note_duplicate(sent_tsn(9)));
  EXPECT_FALSE(undo.is_spurious());
  EXPECT_TRUE(undo.note_duplicate(sent_tsn(7)));
  EXPECT_TRUE(undo.is_spurious());
}

// RFC 3708 §3.1: the network may duplicate what was never sent again.
TEST(LossUndo, DuplicatesOfTheNetworkProveNothing) {
  LossUndo undo;
  undo.begin();
  undo.note_lost(1);
  undo.note_resent(sent_tsn(7));
  EXPECT_FALSE(undo.note_duplicate(sent_tsn(6)));
  EXPECT_FALSE(undo.is_spurious());
  EXPECT_TRUE(undo.note_duplicate(sent_tsn(7)));
  EXPECT_FALSE(undo.note_duplicate(sent_tsn(7))) << "each counts once";
  EXPECT_TRUE(undo.is_spurious());
  undo.begin();
  EXPECT_FALSE(undo.is_spurious()) << "nothing was lost yet";
}

TEST(LossUndo, OfWhatLeftTwiceTheSecondDuplicateProves) {
  LossUndo undo;
  undo.begin();
  undo.note_lost(2);
  undo.note_resent(sent_tsn(7));
  undo.note_repeated(sent_tsn(7));
  undo.note_resent(sent_tsn(8));
  undo.note_repeated(sent_tsn(8));
  EXPECT_FALSE(undo.note_duplicate(sent_tsn(7)));
  EXPECT_TRUE(undo.note_duplicate(sent_tsn(7)));
  EXPECT_FALSE(undo.is_spurious());
  EXPECT_TRUE(undo.note_early(sent_tsn(8))) << "before any copy can have been acknowledged";
  EXPECT_TRUE(undo.is_spurious());
}

TEST(LossUndo, WhatItHasNoRoomToProveIsNotUndone) {
  LossUndo undo;
  undo.begin();
  undo.note_lost(LossUndo::kMaxResent + 1);
  for (std::size_t i = 0; i <= LossUndo::kMaxResent; ++i) undo.note_resent(sent_tsn(i));
  for (std::size_t i = 0; i <= LossUndo::kMaxResent; ++i) undo.note_duplicate(sent_tsn(i));
  undo.note_arrived(1);
  EXPECT_FALSE(undo.is_spurious());
}

}  // namespace
}  // namespace millrace::sctp
