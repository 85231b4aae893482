// SPDX-License-Identifier: Apache-2.0
#include "sctp/dcep/data_channels_fixture.h"

namespace millrace::sctp {
namespace {

TEST_F(DataChannelsTest, OpenWaitsForTheAssociation) {
  const ChannelHandle handle = open({.label = "early", .protocol = "p"});
  EXPECT_EQ(state(handle), ChannelState::kConnecting);
  EXPECT_EQ(channels_.send(now_, handle, MessageKind::kText, text("x")),
            ChannelSendStatus::kWouldBlock);
  EXPECT_TRUE(transport_.sent.empty());
  transport_.connected();
  EXPECT_EQ(kinds(), (std::vector{Kind::kAssociation, Kind::kOpened}));
  ASSERT_EQ(transport_.sent.size(), 1u);
  EXPECT_EQ(transport_.sent[0].ppid, kPpidDcep);
  EXPECT_EQ(transport_.sent[0].payload, build(OpenMessage{{}, 256, "early", "p"}));
  EXPECT_EQ(channels_.find(handle)->label, "early");
}

// RFC 8832 §5.1: the priority of OPEN holds for both ends.
// RFC 8260 §3.
TEST_F(DataChannelsTest, TheStreamHasThePriorityOfItsChannelWhoeverOpenedIt) {
  open_on_zero({.priority = 1024});
  EXPECT_EQ(transport_.priorities[StreamId(0)], 1024);
  EXPECT_EQ(OpenMessage::parse(transport_.sent.at(0).payload)->priority, 1024);
  transport_.message(1, kPpidDcep, build(OpenMessage{{}, 128, "low", ""}));
  transport_.message(3, kPpidDcep, build(OpenMessage{{}, 0, "old", ""}));
  drain();
  EXPECT_EQ(transport_.priorities[StreamId(1)], 128);
  EXPECT_EQ(transport_.priorities[StreamId(3)], kNormalPriority);
}

// RFC 8832 §6
TEST_F(DataChannelsTest, TheClientTakesEvenIdsAndTheServerOdd) {
  connect();
  EXPECT_EQ(channels_.find(open())->stream, StreamId(0));
  EXPECT_EQ(channels_.find(open())->stream, StreamId(2));
  channels_.set_role(DtlsRole::kServer);
  EXPECT_EQ(channels_.find(open())->stream, StreamId(1));
}

// RFC 8832 §6: data may follow OPEN at once, and OPEN and ACK are ordered and reliable.
TEST_F(DataChannelsTest, OrderedUntilThePeerIsHeard) {
  const ChannelHandle handle =
      open_on_zero({.reliability = {.ordered = false, .max_retransmits = 3}});
  EXPECT_FALSE(transport_.sent[0].options.unordered);
  EXPECT_FALSE(transport_.sent[0].options.max_retransmits);
  ASSERT_EQ(channels_.send(now_, handle, MessageKind::kText, text("a")), ChannelSendStatus::kOk);
  EXPECT_FALSE(transport_.sent[1].options.unordered);
  EXPECT_EQ(transport_.sent[1].options.max_retransmits, 3u);
  transport_.message(0, kPpidDcep, from_hex("02"));
  EXPECT_EQ(kinds(), std::vector{Kind::kAcknowledged});
  ASSERT_EQ(channels_.send(now_, handle, MessageKind::kText, text("b")), ChannelSendStatus::kOk);
  EXPECT_TRUE(transport_.sent[2].options.unordered);
}

// RFC 8832 §6: "the DATA_CHANNEL_ACK or any other message".
TEST_F(DataChannelsTest, AnyMessageShowsThatThePeerKnowsTheChannel) {
  const ChannelHandle handle = open_on_zero({.reliability = {.ordered = false}});
  transport_.message(0, kPpidString, text("hi"), true);
  EXPECT_EQ(kinds(), std::vector{Kind::kMessage});
  ASSERT_EQ(channels_.send(now_, handle, MessageKind::kText, text("b")), ChannelSendStatus::kOk);
  EXPECT_TRUE(transport_.sent[1].options.unordered);
}

TEST_F(DataChannelsTest, LifetimeIsPassedOnInMilliseconds) {
  const ChannelHandle handle = open_on_zero({.reliability = {.max_packet_life_time_ms = 150}});
  ASSERT_EQ(channels_.send(now_, handle, MessageKind::kBinary, text("a")), ChannelSendStatus::kOk);
  EXPECT_EQ(transport_.sent[1].options.max_lifetime, Duration(milliseconds(150)));
}

// RFC 8831 §6.6, §8
TEST_F(DataChannelsTest, EachKindOfMessageHasItsPpid) {
  const ChannelHandle handle = open_on_zero();
  const auto sent_as = [&](MessageKind kind, const Bytes& payload) {
    EXPECT_EQ(channels_.send(now_, handle, kind, payload), ChannelSendStatus::kOk);
    return transport_.sent.back();
  };
  EXPECT_EQ(sent_as(MessageKind::kText, text("x")).ppid, kPpidString);
  EXPECT_EQ(sent_as(MessageKind::kBinary, text("x")).ppid, kPpidBinary);
  EXPECT_EQ(sent_as(MessageKind::kText, {}).ppid, kPpidStringEmpty);
  EXPECT_EQ(sent_as(MessageKind::kBinary, {}).ppid, kPpidBinaryEmpty);
  EXPECT_EQ(transport_.sent.back().payload, Bytes{0}) << "one zero byte";
  EXPECT_EQ(channels_.find(handle)->messages_sent, 4u);
  EXPECT_EQ(channels_.find(handle)->bytes_sent, 2u);
}

// RFC 8831 §6.6
TEST_F(DataChannelsTest, EachPpidGivesItsKindOfMessage) {
  const ChannelHandle handle = open_on_zero();
  transport_.message(0, kPpidString, text("text"));
  transport_.message(0, kPpidBinary, text("binary"));
  transport_.message(0, kPpidStringEmpty, Bytes{0});
  transport_.message(0, kPpidBinaryEmpty, text("ignored"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 4u);
  for (const Seen& one : seen) {
    EXPECT_EQ(one.event.kind, Kind::kMessage);
    EXPECT_EQ(one.event.channel, handle);
    EXPECT_TRUE(one.event.message.last);
  }
  EXPECT_EQ(seen[0].event.message_kind, MessageKind::kText);
  EXPECT_EQ(seen[0].payload, text("text"));
  EXPECT_EQ(seen[1].event.message_kind, MessageKind::kBinary);
  EXPECT_EQ(seen[1].payload, text("binary"));
  EXPECT_EQ(seen[2].event.message_kind, MessageKind::kText);
  EXPECT_EQ(seen[3].event.message_kind, MessageKind::kBinary);
  EXPECT_TRUE(seen[2].payload.empty() && seen[3].payload.empty());
  EXPECT_EQ(seen[3].event.message.size, 0u);
}

// RFC 8831 §6.6: deprecated, but accepted.
TEST_F(DataChannelsTest, PartialPpidsMakeOneMessageOfParts) {
  open_on_zero();
  transport_.message(0, kPpidStringPartial, text("abc"));
  transport_.message(0, kPpidStringPartial, text("de"));
  transport_.message(0, kPpidString, text("f"));
  transport_.message(0, kPpidString, text("next"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].event.message.offset, 0u);
  EXPECT_EQ(seen[1].event.message.offset, 3u);
  EXPECT_EQ(seen[2].event.message.offset, 5u);
  EXPECT_EQ(seen[3].event.message.offset, 0u);
  EXPECT_FALSE(seen[0].event.message.last || seen[1].event.message.last);
  EXPECT_TRUE(seen[2].event.message.last && seen[3].event.message.last);
}

// RFC 8831 §6.6
TEST_F(DataChannelsTest, AnUnsupportedPpidClosesTheChannel) {
  open_on_zero();
  transport_.message(0, Ppid(99), text("x"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosing);
  EXPECT_EQ(seen[0].event.error, ChannelError::kUnsupportedPpid);
  EXPECT_EQ(transport_.resets, std::vector{StreamId(0)});
}

TEST_F(DataChannelsTest, RefusesWhatThePeerDoesNotAccept) {
  const ChannelHandle handle = open_on_zero();
  EXPECT_EQ(channels_.send(now_, handle, MessageKind::kBinary, Bytes(2001)),
            ChannelSendStatus::kTooLarge);
  EXPECT_EQ(channels_.send(now_, handle, MessageKind::kBinary, Bytes(2000)),
            ChannelSendStatus::kOk);
}

TEST_F(DataChannelsTest, OwnedMemoryIsTakenOnlyWhereSent) {
  const ChannelHandle handle = open_on_zero();
  static int released;
  released = 0;
  const Bytes bytes = text("owned");
  const auto release = [](void*, ByteSpan) noexcept { ++released; };
  {
    OwnedBytes payload(bytes, release, nullptr);
    transport_.next_status = SendStatus::kWouldBlock;
    EXPECT_EQ(channels_.send(now_, handle, MessageKind::kBinary, std::move(payload)),
              ChannelSendStatus::kWouldBlock);
    EXPECT_EQ(released, 0);
    transport_.next_status = SendStatus::kOk;
    EXPECT_EQ(channels_.send(now_, handle, MessageKind::kBinary, std::move(payload)),
              ChannelSendStatus::kOk);
    EXPECT_EQ(released, 1);
  }
  EXPECT_EQ(released, 1);
  EXPECT_EQ(transport_.sent.back().payload, bytes);
}

// RFC 8832 §6
TEST_F(DataChannelsTest, AnswersThePeersOpen) {
  connect();
  transport_.message(1, kPpidDcep, open_message("peer", {.ordered = false}));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kOpenedByPeer);
  const DataChannel* const channel = channels_.find(seen[0].event.channel);
  ASSERT_NE(channel, nullptr);
  EXPECT_EQ(channel->label, "peer");
  EXPECT_TRUE(channel->opened_by_peer);
  EXPECT_FALSE(channel->reliability.ordered);
  ASSERT_EQ(transport_.sent.size(), 1u);
  EXPECT_EQ(transport_.sent[0].stream, StreamId(1));
  EXPECT_EQ(transport_.sent[0].payload, from_hex("02"));
  ASSERT_EQ(channels_.send(now_, channel->handle, MessageKind::kText, text("x")),
            ChannelSendStatus::kOk);
  EXPECT_TRUE(transport_.sent[1].options.unordered);
}

TEST_F(DataChannelsTest, AnOpenThatFindsNoRoomIsSentWhenThereIsSome) {
  connect();
  transport_.next_status = SendStatus::kWouldBlock;
  const ChannelHandle handle = open();
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(state(handle), ChannelState::kConnecting);
  transport_.happen(EventKind::kWritable);
  EXPECT_EQ(kinds(), std::vector{Kind::kAssociation}) << "still no room";
  transport_.next_status = SendStatus::kOk;
  transport_.happen(EventKind::kWritable);
  EXPECT_EQ(kinds(), (std::vector{Kind::kOpened, Kind::kAssociation}));
  EXPECT_EQ(transport_.sent.size(), 1u);
}

TEST_F(DataChannelsTest, AnAckThatFindsNoRoomIsSentWhenThereIsSome) {
  connect();
  transport_.next_status = SendStatus::kWouldBlock;
  transport_.message(1, kPpidDcep, open_message("peer"));
  EXPECT_EQ(kinds(), std::vector{Kind::kOpenedByPeer});
  transport_.next_status = SendStatus::kOk;
  transport_.happen(EventKind::kWritable);
  drain();
  ASSERT_EQ(transport_.sent.size(), 1u);
  EXPECT_EQ(transport_.sent[0].payload, from_hex("02"));
}

TEST_F(DataChannelsTest, RoomWithinItsOwnBoundIsToldToTheChannel) {
  const ChannelHandle handle = open_on_zero();
  EXPECT_FALSE(channels_.is_full(handle));
  transport_.full.insert(StreamId(0));
  EXPECT_TRUE(channels_.is_full(handle));
  EXPECT_FALSE(channels_.is_full({}));
  transport_.happen_to(EventKind::kStreamWritable, 0);
  transport_.happen_to(EventKind::kStreamWritable, 2);
  EXPECT_EQ(kinds(), std::vector{Kind::kWritable}) << "the other is no channel's";
}

TEST_F(DataChannelsTest, AnOpenThatFindsNoRoomOnItsStreamIsSentWhenThereIsSome) {
  connect();
  transport_.next_status = SendStatus::kWouldBlock;
  open();
  transport_.next_status = SendStatus::kOk;
  transport_.happen_to(EventKind::kStreamWritable, 0);
  drain();
  EXPECT_EQ(transport_.sent.size(), 1u);
}

TEST_F(DataChannelsTest, NegotiatedChannelsAreNotAnnounced) {
  const ChannelHandle handle =
      open({.reliability = {.ordered = false}, .negotiated_id = StreamId(7)});
  EXPECT_EQ(channels_.open(now_, {.negotiated_id = StreamId(7)}).error(), OpenError::kStreamInUse);
  connect();
  EXPECT_TRUE(transport_.sent.empty());
  ASSERT_EQ(channels_.send(now_, handle, MessageKind::kText, text("x")), ChannelSendStatus::kOk);
  EXPECT_EQ(transport_.sent[0].stream, StreamId(7));
  EXPECT_TRUE(transport_.sent[0].options.unordered) << "no OPEN to overtake";
}

// RFC 7496 §3.2; RFC 8832 §5.1 has no channel type for it.
TEST_F(DataChannelsTest, APriorityInTheBufferIsThisEndsAlone) {
  const ChannelHandle handle = open_on_zero({.buffer_priority = 7});
  const auto open_sent = OpenMessage::parse(transport_.sent[0].payload);
  ASSERT_TRUE(open_sent);
  EXPECT_EQ(open_sent->reliability, ChannelReliability());
  EXPECT_FALSE(transport_.sent[0].options.priority) << "DCEP is reliable";
  const auto sent_with = [&] {
    EXPECT_EQ(channels_.send(now_, handle, MessageKind::kText, text("x")), ChannelSendStatus::kOk);
    return transport_.sent.back().options.priority;
  };
  EXPECT_EQ(sent_with(), 7u);
  EXPECT_TRUE(channels_.set_buffer_priority(handle, 9));
  EXPECT_EQ(sent_with(), 9u);
  EXPECT_TRUE(channels_.set_buffer_priority(handle, std::nullopt));
  EXPECT_EQ(sent_with(), std::nullopt);
  EXPECT_FALSE(channels_.set_buffer_priority({}, 1));
}

TEST_F(DataChannelsTest, RefusesConfigurationsThatMakeNoSense) {
  const auto refused = [this](const ChannelConfig& config) {
    return channels_.open(now_, config).error();
  };
  EXPECT_EQ(refused({.reliability = {.max_retransmits = 1, .max_packet_life_time_ms = 1}}),
            OpenError::kBadConfig);
  EXPECT_EQ(refused({.reliability = {.max_retransmits = 1}, .buffer_priority = 1}),
            OpenError::kBadConfig);
  EXPECT_EQ(refused({.label = "\xFF"}), OpenError::kBadConfig);
  EXPECT_EQ(refused({.label = std::string(65536, 'x')}), OpenError::kBadConfig);
  EXPECT_EQ(refused({.label = std::string(1001, 'x')}), OpenError::kTooManyChannels);
  EXPECT_EQ(refused({.negotiated_id = StreamId(65535)}), OpenError::kInvalidStream);
  transport_.connected(10, 4);
  drain();
  EXPECT_EQ(refused({.negotiated_id = StreamId(4)}), OpenError::kInvalidStream);
  open();
  open();
  EXPECT_EQ(refused({}), OpenError::kInvalidStream) << "ids 0 and 2 are all there is";
  transport_.happen(EventKind::kClosed);
  drain();
  EXPECT_EQ(refused({}), OpenError::kClosed);
}

TEST_F(DataChannelsTest, AnOpenLargerThanThePeerAcceptsFails) {
  connect();
  channels_.set_max_message_bytes(100);
  open({.label = std::string(100, 'x')});
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosed);
  EXPECT_EQ(seen[0].event.error, ChannelError::kOpenRefused);
  EXPECT_EQ(channels_.size(), 0u);
}

// RFC 8831 §6.7
TEST_F(DataChannelsTest, CloseEndsWhenBothDirectionsAreReset) {
  const ChannelHandle handle = open_on_zero();
  channels_.close(now_, handle);
  channels_.close(now_, handle);
  EXPECT_EQ(transport_.resets, std::vector{StreamId(0)});
  EXPECT_EQ(channels_.send(now_, handle, MessageKind::kText, text("x")),
            ChannelSendStatus::kClosed);
  transport_.message(0, kPpidString, text("late"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(dropped(ChannelDrop::kLate), 1u);
  transport_.reset_done(0);
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(channels_.find(open())->stream, StreamId(2)) << "0 is not free yet";
  drain();
  transport_.incoming_reset(0);
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosed);
  EXPECT_EQ(seen[0].event.channel, handle);
  EXPECT_EQ(seen[0].event.error, ChannelError::kNone);
  EXPECT_EQ(channels_.find(handle), nullptr);
  EXPECT_EQ(channels_.find(open())->stream, StreamId(0));
}

// RFC 8831 §6.7: the other side answers by a reset of its own.
TEST_F(DataChannelsTest, ThePeersResetClosesTheChannel) {
  const ChannelHandle handle = open_on_zero();
  transport_.incoming_reset(0);
  EXPECT_EQ(kinds(), std::vector{Kind::kClosing});
  EXPECT_EQ(transport_.resets, std::vector{StreamId(0)});
  EXPECT_EQ(state(handle), ChannelState::kClosing);
  transport_.reset_done(0);
  EXPECT_EQ(kinds(), std::vector{Kind::kClosed});
  EXPECT_EQ(channels_.stats().opened, 1u);
  EXPECT_EQ(channels_.stats().closed, 1u);
}

TEST_F(DataChannelsTest, AResetOfEveryStreamClosesEveryChannel) {
  connect();
  open();
  open();
  drain();
  ++transport_.incoming[StreamId(0)];
  ++transport_.incoming[StreamId(2)];
  transport_.happen(EventKind::kIncomingStreamReset);
  EXPECT_EQ(kinds(), (std::vector{Kind::kClosing, Kind::kClosing}));
}

TEST_F(DataChannelsTest, AChannelThatThePeerNeverHeardOfClosesAtOnce) {
  const ChannelHandle handle = open();
  channels_.close(now_, handle);
  EXPECT_EQ(kinds(), std::vector{Kind::kClosed});
  connect();
  EXPECT_TRUE(transport_.sent.empty());
  EXPECT_TRUE(transport_.resets.empty());
}

TEST_F(DataChannelsTest, LeftoversOfAnEarlierLifeDoNotTouchTheNext) {
  const ChannelHandle first = open_on_zero();
  channels_.close(now_, first);
  transport_.message(0, kPpidString, text("old"));
  transport_.incoming_reset(0);
  transport_.reset_done(0);
  drain();
  const ChannelHandle second = open();
  EXPECT_EQ(channels_.find(second)->stream, StreamId(0));
  drain();
  transport_.incoming[StreamId(0)] = 0;  // As if it had been queued before the reset.
  transport_.message(0, kPpidString, text("old"));
  transport_.incoming[StreamId(0)] = 0;
  transport_.incoming_reset(0);
  transport_.outgoing[StreamId(0)] = 0;
  transport_.reset_done(0);
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(state(second), ChannelState::kOpen);
  EXPECT_EQ(dropped(ChannelDrop::kUnusedStream), 1u);
}

// The peer has performed our reset and uses the id again before its answer gets here.
TEST_F(DataChannelsTest, ThePeerMayReuseAnIdBeforeItsAnswerToTheResetArrives) {
  const ChannelHandle first = opened_by_peer();
  transport_.incoming_reset(1);
  EXPECT_EQ(kinds(), std::vector{Kind::kClosing});
  transport_.message(1, kPpidDcep, open_message("again"));
  transport_.message(1, kPpidString, text("hello"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosed);
  EXPECT_EQ(seen[0].event.channel, first);
  EXPECT_EQ(seen[1].event.kind, Kind::kOpenedByPeer);
  EXPECT_EQ(seen[2].payload, text("hello"));
  const ChannelHandle second = seen[1].event.channel;
  EXPECT_EQ(channels_.send(now_, second, MessageKind::kText, text("x")),
            ChannelSendStatus::kWouldBlock);
  EXPECT_TRUE(transport_.sent.empty());
  transport_.reset_done(1);
  EXPECT_EQ(kinds(), std::vector{Kind::kOpened});
  ASSERT_EQ(transport_.sent.size(), 1u);
  EXPECT_EQ(transport_.sent[0].payload, from_hex("02"));
  EXPECT_EQ(state(second), ChannelState::kOpen);
}

TEST_F(DataChannelsTest, AnEarlyReusedChannelClosesAfterTheFormerReset) {
  opened_by_peer();
  transport_.incoming_reset(1);
  drain();
  transport_.message(1, kPpidDcep, open_message("again"));
  const ChannelHandle second = drain()[1].event.channel;
  channels_.close(now_, second);
  transport_.resets.clear();
  transport_.reset_done(1);
  EXPECT_TRUE(kinds().empty()) << "that was the former life's";
  EXPECT_EQ(transport_.resets, std::vector{StreamId(1)}) << "asked again";
  transport_.incoming_reset(1);
  transport_.reset_done(1);
  EXPECT_EQ(kinds(), std::vector{Kind::kClosed});
}

TEST_F(DataChannelsTest, ARefusedResetLosesTheIdButNotTheOwner) {
  const ChannelHandle handle = open_on_zero();
  channels_.close(now_, handle);
  transport_.reset_refused(0);
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosed);
  EXPECT_EQ(seen[0].event.error, ChannelError::kResetRefused);
  EXPECT_EQ(channels_.find(open())->stream, StreamId(2));
}

// RFC 8832 §6
TEST_F(DataChannelsTest, AnOpenOfWrongParityIsReset) {
  connect();
  transport_.message(0, kPpidDcep, open_message("wrong"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_TRUE(transport_.sent.empty()) << "no ACK";
  EXPECT_EQ(transport_.resets, std::vector{StreamId(0)});
  EXPECT_EQ(dropped(ChannelDrop::kWrongParity), 1u);
  EXPECT_EQ(channels_.find(open())->stream, StreamId(2)) << "0 is being reset";
  transport_.incoming_reset(0);
  transport_.reset_done(0);
  drain();
  EXPECT_EQ(channels_.find(open())->stream, StreamId(0));
}

// RFC 8832 §6
TEST_F(DataChannelsTest, ASecondOpenClosesTheChannel) {
  const ChannelHandle handle = opened_by_peer();
  transport_.message(1, kPpidDcep, open_message("again"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosing);
  EXPECT_EQ(seen[0].event.channel, handle);
  EXPECT_EQ(seen[0].event.error, ChannelError::kDuplicateOpen);
  EXPECT_EQ(transport_.resets, std::vector{StreamId(1)});
  EXPECT_TRUE(transport_.sent.empty()) << "no ACK";
}

// RFC 8832 §6
TEST_F(DataChannelsTest, OrderedDataOnAnUnusedStreamResetsIt) {
  connect();
  transport_.message(5, kPpidString, text("x"), true);
  drain();
  EXPECT_TRUE(transport_.resets.empty()) << "may have overtaken its OPEN";
  transport_.message(5, kPpidString, text("x"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(transport_.resets, std::vector{StreamId(5)});
  EXPECT_EQ(dropped(ChannelDrop::kUnusedStream), 2u);
}

// RFC 8832 §6
TEST_F(DataChannelsTest, DcepGarbageClosesTheChannelOrTheStream) {
  opened_by_peer();
  transport_.message(1, kPpidDcep, from_hex("07"));
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].event.error, ChannelError::kMalformedDcep);
  transport_.message(3, kPpidDcep, from_hex("03 00"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_EQ(transport_.resets, (std::vector{StreamId(1), StreamId(3)}));
  transport_.message(3, kPpidDcep, from_hex("03 00"));
  drain();
  EXPECT_EQ(transport_.resets.size(), 2u) << "already being reset";
  EXPECT_EQ(dropped(ChannelDrop::kMalformedDcep), 3u);
}

TEST_F(DataChannelsTest, AnAckThatNobodyWaitsForIsIgnored) {
  open_on_zero();
  transport_.message(0, kPpidDcep, from_hex("02"));
  drain();
  transport_.message(0, kPpidDcep, from_hex("02"));
  transport_.message(9, kPpidDcep, from_hex("02"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_TRUE(transport_.resets.empty());
  EXPECT_EQ(dropped(ChannelDrop::kUnexpectedAck), 2u);
}

TEST_F(DataChannelsTest, ThePeerCannotOpenMoreThanTheLimits) {
  connect();
  for (std::uint16_t i = 0; i < 20; ++i) {
    transport_.message(static_cast<std::uint16_t>(2 * i + 1), kPpidDcep, open_message("x"));
  }
  EXPECT_EQ(kinds().size(), 8u);
  EXPECT_EQ(channels_.size(), 8u);
  EXPECT_EQ(dropped(ChannelDrop::kTooManyChannels), 12u);
  EXPECT_EQ(transport_.resets.size(), 12u);
}

TEST_F(DataChannelsTest, ThePeerCannotFillMemoryWithLabels) {
  connect();
  for (std::uint16_t i = 0; i < 4; ++i) {
    transport_.message(static_cast<std::uint16_t>(2 * i + 1), kPpidDcep,
                       open_message(std::string(400, 'x')));
  }
  EXPECT_EQ(kinds().size(), 2u);
  EXPECT_EQ(dropped(ChannelDrop::kTooManyChannels), 2u);
}

TEST_F(DataChannelsTest, StreamsThatCannotBeAnsweredAreIgnored) {
  transport_.connected(10, 4);
  drain();
  transport_.message(5, kPpidDcep, open_message("x"));
  transport_.message(7, kPpidString, text("x"));
  EXPECT_TRUE(kinds().empty());
  EXPECT_TRUE(transport_.resets.empty());
  EXPECT_EQ(dropped(ChannelDrop::kUnusedStream), 2u);
}

TEST_F(DataChannelsTest, BufferedAmountIsThatOfTheStream) {
  const ChannelHandle handle = open({});
  EXPECT_EQ(channels_.buffered_amount(handle), 0u);
  channels_.set_buffered_amount_low_threshold(handle, 500);
  connect();
  EXPECT_EQ(transport_.thresholds[StreamId(0)], 500u);
  transport_.buffered[StreamId(0)] = 1234;
  EXPECT_EQ(channels_.buffered_amount(handle), 1234u);
  channels_.set_buffered_amount_low_threshold(handle, 700);
  EXPECT_EQ(transport_.thresholds[StreamId(0)], 700u);
  transport_.happen_to(EventKind::kBufferedAmountLow, 0);
  transport_.happen_to(EventKind::kBufferedAmountLow, 2);
  EXPECT_EQ(kinds(), std::vector{Kind::kBufferedAmountLow});
}

TEST_F(DataChannelsTest, AReusedStreamStartsWithoutTheFormerThreshold) {
  const ChannelHandle first = open_on_zero();
  channels_.set_buffered_amount_low_threshold(first, 500);
  channels_.close(now_, first);
  transport_.incoming_reset(0);
  transport_.reset_done(0);
  drain();
  open();
  EXPECT_EQ(transport_.thresholds[StreamId(0)], 0u);
}

TEST_F(DataChannelsTest, TheEndOfTheAssociationEndsEveryChannelFirst) {
  open_on_zero();
  open();
  drain();
  transport_.happen(EventKind::kClosed);
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].event.kind, Kind::kClosed);
  EXPECT_EQ(seen[1].event.error, ChannelError::kAssociationClosed);
  EXPECT_EQ(seen[2].event.kind, Kind::kAssociation);
  EXPECT_EQ(seen[2].event.association->kind, EventKind::kClosed);
  EXPECT_EQ(channels_.size(), 0u);
}

TEST_F(DataChannelsTest, ARestartOfThePeerEndsItsChannelsAndNewOnesWork) {
  open_on_zero();
  transport_.connected(100, 100, EventKind::kRestarted);
  const std::vector<Seen> seen = drain();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].event.error, ChannelError::kPeerRestarted);
  EXPECT_EQ(seen[1].event.association->kind, EventKind::kRestarted);
  EXPECT_EQ(channels_.find(open())->stream, StreamId(0));
}

TEST_F(DataChannelsTest, EveryAssociationEventIsPassedOn) {
  for (const EventKind kind : {EventKind::kWritable, EventKind::kTotalBufferedAmountLow,
                               EventKind::kPeerError, EventKind::kPeerShutdown}) {
    transport_.happen(kind);
    const std::vector<Seen> seen = drain();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].event.kind, Kind::kAssociation);
    EXPECT_EQ(seen[0].event.association->kind, kind);
  }
}

}  // namespace
}  // namespace millrace::sctp
