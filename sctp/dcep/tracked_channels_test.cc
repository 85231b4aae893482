// SPDX-License-Identifier: Apache-2.0
// Messages of a channel of which the owner wishes to know what becomes of them.
#include "sctp/dcep/data_channels_fixture.h"

namespace millrace::sctp {
namespace {

using TrackedChannels = DataChannelsTest;

TEST_F(TrackedChannels, AnIdGoesWithEveryKindOfMessageAndZeroIsNone) {
  const ChannelHandle channel = open_on_zero();
  transport_.sent.clear();
  ASSERT_EQ(channels_.send(now_, channel, MessageKind::kText, text("a"), 5),
            ChannelSendStatus::kOk);
  ASSERT_EQ(channels_.send(now_, channel, MessageKind::kText, Bytes(), 6), ChannelSendStatus::kOk);
  const Bytes bytes(3);
  ASSERT_EQ(
      channels_.send(now_, channel, MessageKind::kBinary, OwnedBytes(bytes, nullptr, nullptr), 7),
      ChannelSendStatus::kOk);
  ASSERT_EQ(channels_.send(now_, channel, MessageKind::kText, text("b")), ChannelSendStatus::kOk);
  ASSERT_EQ(channels_.send_part(now_, channel, MessageKind::kText, text("c"), {.last = true}, 8),
            ChannelSendStatus::kOk);
  ASSERT_EQ(channels_.send_part(now_, channel, MessageKind::kText, text("d"), {}, 9),
            ChannelSendStatus::kOk);
  std::vector<std::uint64_t> ids;
  for (const auto& sent : transport_.sent) ids.push_back(sent.options.tag.id);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{5, 6, 7, 0, 8}));
  ASSERT_EQ(transport_.parts.size(), 1u);
  EXPECT_EQ(transport_.parts[0].sent.options.tag.id, 9u);
}

TEST_F(TrackedChannels, WhatBecameOfAMessageIsToldOfItsChannel) {
  const ChannelHandle channel = open_on_zero();
  ASSERT_EQ(channels_.send(now_, channel, MessageKind::kText, text("a"), 5),
            ChannelSendStatus::kOk);
  transport_.progress(transport_.sent.back().options, MessageStage::kDelivered);
  ChannelEvent event;
  ASSERT_TRUE(channels_.poll_event(now_, event));
  EXPECT_EQ(event.kind, Kind::kMessageProgress);
  EXPECT_EQ(event.channel, channel);
  EXPECT_EQ(event.association->progress.tag.id, 5u);
  EXPECT_EQ(event.association->progress.stage, MessageStage::kDelivered);
  EXPECT_FALSE(channels_.poll_event(now_, event));
}

// The peer has performed our reset and uses the id again before its answer gets here.
TEST_F(TrackedChannels, NewsThatComesLateIsOfTheClosedChannelNotOfItsSuccessor) {
  const ChannelHandle first = opened_by_peer();
  ASSERT_EQ(channels_.send(now_, first, MessageKind::kText, text("a"), 5), ChannelSendStatus::kOk);
  const SendOptions options = transport_.sent.back().options;
  transport_.incoming_reset(1);
  transport_.message(1, kPpidDcep, open_message("again"));
  ASSERT_EQ(kinds(), (std::vector{Kind::kClosing, Kind::kClosed, Kind::kOpenedByPeer}));
  transport_.progress(options, MessageStage::kEnded);
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kMessageProgress);
  EXPECT_EQ(seen[0].event.channel, first);
}

}  // namespace
}  // namespace millrace::sctp
