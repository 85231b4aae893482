// SPDX-License-Identifier: Apache-2.0
// Messages of a channel that are sent part by part.
#include "sctp/dcep/data_channels_fixture.h"

namespace millrace::sctp {
namespace {

class StreamedChannels : public DataChannelsTest {
 protected:
  void SetUp() override {
    channel_ = open_on_zero({.reliability = {.ordered = true, .max_retransmits = 3}});
    transport_.sent.clear();
  }
  ChannelSendStatus part(std::size_t bytes, const MessagePart& which,
                         MessageKind kind = MessageKind::kBinary) {
    return channels_.send_part(now_, channel_, kind, Bytes(bytes, 7), which);
  }
  ChannelHandle channel_;
};

TEST_F(StreamedChannels, PartsGoToTheTransportAsTheyAre) {
  EXPECT_EQ(part(500, {.total_bytes = 1500}, MessageKind::kText), ChannelSendStatus::kOk);
  EXPECT_EQ(part(1000, {.last = true}, MessageKind::kText), ChannelSendStatus::kOk);
  ASSERT_EQ(transport_.parts.size(), 2u);
  EXPECT_EQ(transport_.parts[0].sent.ppid, kPpidString);
  EXPECT_EQ(transport_.parts[0].sent.options.max_retransmits, 3u);
  EXPECT_FALSE(transport_.parts[0].which.last);
  EXPECT_TRUE(transport_.parts[1].which.last);
  EXPECT_EQ(channels_.find(channel_)->messages_sent, 1u);
  EXPECT_EQ(channels_.find(channel_)->bytes_sent, 1500u);
}

// RFC 8831 §6.6
TEST_F(StreamedChannels, AnOnlyPartIsAMessageLikeAnyEmptyOnesIncluded) {
  EXPECT_EQ(part(0, {.last = true}), ChannelSendStatus::kOk);
  EXPECT_TRUE(transport_.parts.empty());
  ASSERT_EQ(transport_.sent.size(), 1u);
  EXPECT_EQ(transport_.sent[0].ppid, kPpidBinaryEmpty);
}

// RFC 8841 §6: the limit is 2000 bytes.
TEST_F(StreamedChannels, ThePeersLimitHoldsForTheTotalAndForTheSum) {
  EXPECT_EQ(part(10, {.total_bytes = 2001}), ChannelSendStatus::kTooLarge);
  EXPECT_TRUE(transport_.parts.empty());
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kOk);
  EXPECT_EQ(part(501, {}), ChannelSendStatus::kTooLarge);
  EXPECT_EQ(part(500, {.last = true}), ChannelSendStatus::kOk);
  EXPECT_EQ(part(2000, {}), ChannelSendStatus::kOk) << "counted anew";
}

TEST_F(StreamedChannels, ABlockedPartIsNotCounted) {
  transport_.next_status = SendStatus::kWouldBlock;
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kWouldBlock);
  transport_.next_status = SendStatus::kOk;
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kOk);
  transport_.next_status = SendStatus::kAbandoned;
  EXPECT_EQ(part(100, {}), ChannelSendStatus::kAbandoned);
  transport_.next_status = SendStatus::kOk;
  EXPECT_EQ(part(2000, {}), ChannelSendStatus::kOk) << "of the next message";
}

TEST_F(StreamedChannels, AnAbortedMessageMakesRoomForTheNext) {
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kOk);
  transport_.abortable = false;
  EXPECT_FALSE(channels_.abort_message(now_, channel_));
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kTooLarge);
  transport_.abortable = true;
  EXPECT_TRUE(channels_.abort_message(now_, channel_));
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kOk);
}

// A reset waits for the end of what was begun, which would never come.
TEST_F(StreamedChannels, AChannelThatClosesGivesUpWhatIsUnfinished) {
  EXPECT_EQ(part(1500, {}), ChannelSendStatus::kOk);
  channels_.close(now_, channel_);
  EXPECT_EQ(transport_.aborted, std::vector{StreamId(0)});
  EXPECT_EQ(transport_.resets, std::vector{StreamId(0)});
  EXPECT_EQ(part(10, {.last = true}), ChannelSendStatus::kClosed);
}

}  // namespace
}  // namespace millrace::sctp
