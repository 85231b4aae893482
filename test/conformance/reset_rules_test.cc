// SPDX-License-Identifier: Apache-2.0
// RFC 6525 as a peer sees it: what a request says, when it is repeated, how one is answered.
#include <gtest/gtest.h>

#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/reconfig_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

class ResetRules : public ::testing::Test {
 protected:
  void SetUp() override { open(10); }
  void open(int max_retransmits) {
    Options options;
    options.max_retransmits = max_retransmits;
    options.heartbeat_interval = Duration::zero();
    options.rto_initial = options.rto_min = milliseconds(100);
    options.rto_max = seconds(1);
    pair_.emplace(Options(), options);
    InitFields peer = stranger();
    const Bytes parameters{0xC0, 0, 0, 4, 0x80, 0x08, 0, 6, 0x82, 0xC0, 0, 0};
    peer.parameters = parameters;
    tag_ = open_to_stranger(*pair_, kB, peer);
    ASSERT_TRUE(pair_->b().is_connected());
    first_ = pair_->b().sender().next_tsn().value();
    pair_->sent(kB).clear();
  }
  void reset(std::initializer_list<std::uint16_t> ids) {
    std::vector<StreamId> streams;
    for (const std::uint16_t id : ids) streams.emplace_back(id);
    pair_->b().reset_streams(pair_->now(), streams);
    pair_->drain();
  }
  template <class... Parameters>
  void give(const Parameters&... parameters) {
    std::array<std::uint8_t, 256> memory;
    TlvWriter out(memory);
    (out.append(parameters), ...);
    pair_->inject(kB, make_packet(tag_, ReconfigChunk{out.bytes()}));
    pair_->drain();
  }
  // Has B use the streams; the peer has all of it.
  void use(std::initializer_list<std::uint16_t> ids) {
    for (const std::uint16_t id : ids) {
      ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(id), kPpidBinary, Bytes{1}),
                SendStatus::kOk);
    }
    pair_->drain();
    pair_->inject(kB, make_packet(tag_, SackChunk{.cumulative_tsn_ack =
                                                      pair_->b().sender().next_tsn().previous(),
                                                  .a_rwnd = 1 << 20,
                                                  .gap_blocks = {},
                                                  .duplicates = {}}));
    pair_->sent(kB).clear();
  }
  std::size_t sent() { return count_chunks(pair_->sent(kB), ChunkType::kReconfig); }
  // The parameters of the last RE-CONFIG.
  std::vector<TlvView> last() {
    packet_ = last_with(pair_->sent(kB), ChunkType::kReconfig);
    std::vector<TlvView> parameters;
    if (packet_.empty()) return parameters;
    TlvReader reader(find_chunk(packet_, ChunkType::kReconfig)->value());
    while (const auto parameter = reader.next()) parameters.push_back(*parameter);
    return parameters;
  }
  static ReconfigResponse response(std::uint32_t seq, ReconfigResult result) {
    return {.response_seq = ReconfigSeq(seq), .result = result, .next_tsns = std::nullopt};
  }

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  std::uint32_t first_ = 0;  // B's initial TSN, and its first request's number.
  Bytes packet_;
};

// RFC 6525 §5.1.1.
TEST_F(ResetRules, ReconfigIsOfferedInInitAndInitAck) {
  AssociationPair pair;
  ASSERT_TRUE(pair.connect_both());
  const Introduction init = introduction_in<InitChunk>(last_with(pair.sent(kA), ChunkType::kInit));
  const Introduction ack =
      introduction_in<InitAckChunk>(last_with(pair.sent(kB), ChunkType::kInitAck));
  EXPECT_TRUE(InitParameters::parse(init.parameters)->reconfig);
  EXPECT_TRUE(InitParameters::parse(ack.parameters)->reconfig);
}

// RFC 6525 §5.1.2 (A2 to A5).
TEST_F(ResetRules, ARequestBearsItsNumberTheLastTsnAndItsStreams) {
  for (std::uint32_t round = 0; round < 3; ++round) {
    ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(9), kPpidBinary, Bytes{1}), SendStatus::kOk);
    pair_->drain();
    reset({3, 5});
    const auto parameters = last();
    ASSERT_EQ(parameters.size(), 1u);
    const auto request = OutgoingSsnResetRequestView::parse(parameters[0]);
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->request_seq, ReconfigSeq(first_ + round));
    EXPECT_EQ(request->response_seq, ReconfigSeq(999)) << "none of the peer's has come";
    EXPECT_EQ(request->last_assigned_tsn, Tsn(first_ + round));
    ASSERT_EQ(request->streams.size(), 2u);
    EXPECT_EQ(request->streams[0], StreamId(3));
    EXPECT_EQ(request->streams[1], StreamId(5));
    // The fence of the reset falls with its data.
    pair_->inject(kB, make_packet(tag_, SackChunk{.cumulative_tsn_ack = Tsn(first_ + round),
                                                  .a_rwnd = 1 << 20,
                                                  .gap_blocks = {},
                                                  .duplicates = {}}));
    give(response(first_ + round, ReconfigResult::kPerformed));
  }
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetDone), 3u);
}

// RFC 6525 §5.1.1.
TEST_F(ResetRules, ARequestIsRepeatedAtTheRtoDoublingAndUnchanged) {
  reset({1});
  const Bytes first(find_chunk(pair_->sent(kB).back(), ChunkType::kReconfig)->bytes.begin(),
                    find_chunk(pair_->sent(kB).back(), ChunkType::kReconfig)->bytes.end());
  std::vector<Duration> times;
  const Time begin = pair_->now();
  for (std::size_t seen = sent(); pair_->step(begin + milliseconds(1600));) {
    if (sent() == seen) continue;
    seen = sent();
    times.push_back(pair_->now() - begin);
    EXPECT_TRUE(
        std::ranges::equal(find_chunk(pair_->sent(kB).back(), ChunkType::kReconfig)->bytes, first));
  }
  EXPECT_EQ(times, (std::vector<Duration>{milliseconds(100), milliseconds(300), milliseconds(700),
                                          milliseconds(1500)}));
}

// RFC 6525 §5.1.1: the errors add up to the association's end.
TEST_F(ResetRules, ARequestThatIsNeverAnsweredEndsTheAssociation) {
  open(3);
  reset({1});
  pair_->run_for(seconds(10));
  EXPECT_EQ(sent(), 4u);
  EXPECT_EQ(pair_->last(kB, EventKind::kClosed)->event.close_reason,
            CloseReason::kTooManyRetransmits);
}

// RFC 6525 §5.2.7 (H1).
TEST_F(ResetRules, AnAnsweredRequestIsNotRepeated) {
  reset({1});
  give(response(first_, ReconfigResult::kPerformed));
  pair_->run_for(seconds(10));
  EXPECT_EQ(sent(), 1u);
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetDone), 1u);
  reset({2});
  give(response(first_ + 1, ReconfigResult::kDenied));
  pair_->run_for(seconds(10));
  EXPECT_EQ(sent(), 2u);
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetRefused), 1u);
}

// RFC 6525 §5.2.7 (H1).
TEST_F(ResetRules, AnAnswerToNothingIsIgnored) {
  give(response(first_, ReconfigResult::kPerformed));
  reset({1});
  give(response(first_ + 1, ReconfigResult::kPerformed));
  give(response(first_ - 1, ReconfigResult::kDenied));
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBadReconfig), 3u);
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetDone), 0u);
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetRefused), 0u);
}

// RFC 6525 §5.1.1.
TEST_F(ResetRules, AnAnswerIsNotRepeatedByATimer) {
  give(AddIncomingStreamsRequest{ReconfigSeq(1000), 65535});
  ASSERT_EQ(sent(), 1u);
  pair_->run_for(seconds(10));
  EXPECT_EQ(sent(), 1u);
}

// RFC 6525 §5.1.2 (A4), §5.2.3.
TEST_F(ResetRules, AnIncomingRequestIsAnsweredWithItsStreamsAndNumber) {
  use({4, 7});
  const std::array streams{StreamId(7), StreamId(4)};
  give(IncomingSsnResetRequest{.request_seq = ReconfigSeq(1000), .streams = streams});
  std::optional<OutgoingSsnResetRequestView> request;
  for (const TlvView& parameter : last()) {
    if (const auto read = OutgoingSsnResetRequestView::parse(parameter)) request = read;
  }
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->request_seq, ReconfigSeq(first_));
  EXPECT_EQ(request->response_seq, ReconfigSeq(1000));
  ASSERT_EQ(request->streams.size(), 2u);
  EXPECT_EQ(request->streams[0], StreamId(4));
  EXPECT_EQ(request->streams[1], StreamId(7));
}

// RFC 6525 §5.2.3.
TEST_F(ResetRules, WhatIsBeingResetAlreadyIsNothingToDo) {
  reset({4});
  const std::array streams{StreamId(4)};
  give(IncomingSsnResetRequest{.request_seq = ReconfigSeq(1000), .streams = streams});
  const auto parameters = last();
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(ReconfigResponse::parse(parameters[0])->result, ReconfigResult::kNothingToDo);
  give(response(first_, ReconfigResult::kPerformed));
  pair_->run_for(seconds(5));
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetDone), 1u);
  // Afterwards it is reset anew.
  give(IncomingSsnResetRequest{.request_seq = ReconfigSeq(1001), .streams = streams});
  give(response(first_ + 1, ReconfigResult::kPerformed));
  EXPECT_EQ(pair_->count(kB, EventKind::kStreamResetDone), 2u);
}

// RFC 6525 §5.2.1, §5.2.2: an outgoing and an incoming request.
TEST_F(ResetRules, BothParametersOfAChunkAreAnsweredInOne) {
  const std::array mine{StreamId(1)};
  const std::array other{StreamId(60000)};
  give(OutgoingSsnResetRequest{.request_seq = ReconfigSeq(1000),
                               .response_seq = ReconfigSeq(first_ - 1),
                               .last_assigned_tsn = Tsn(999),
                               .streams = mine},
       IncomingSsnResetRequest{.request_seq = ReconfigSeq(1001), .streams = other});
  ASSERT_EQ(sent(), 1u);
  const auto parameters = last();
  ASSERT_EQ(parameters.size(), 2u);
  const auto first = ReconfigResponse::parse(parameters[0]);
  const auto second = ReconfigResponse::parse(parameters[1]);
  EXPECT_EQ(first->response_seq, ReconfigSeq(1000));
  EXPECT_EQ(first->result, ReconfigResult::kPerformed);
  EXPECT_EQ(second->response_seq, ReconfigSeq(1001));
  EXPECT_EQ(second->result, ReconfigResult::kWrongSsn);
  EXPECT_EQ(pair_->count(kB, EventKind::kIncomingStreamReset), 1u);
}

// RFC 6525 §5.2.1: where there is something to acknowledge.
TEST_F(ResetRules, AnAnswerStandsBehindASack) {
  pair_->inject(kB, make_packet(tag_, whole_message(1000, 1, 0)));
  pair_->drain();
  pair_->inject(kB, make_packet(tag_, whole_message(1001, 1, 1)));  // Its SACK is delayed.
  const std::array streams{StreamId(1)};
  give(OutgoingSsnResetRequest{.request_seq = ReconfigSeq(1000),
                               .response_seq = ReconfigSeq(first_ - 1),
                               .last_assigned_tsn = Tsn(1001),
                               .streams = streams});
  const auto chunks = chunks_of(pair_->sent(kB).back());
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].type, ChunkType::kSack);
  EXPECT_EQ(SackChunkView::parse(chunks[0].bytes)->cumulative_tsn_ack(), Tsn(1001));
  EXPECT_EQ(chunks[1].type, ChunkType::kReconfig);
}

// RFC 6525 §5.1.7, §5.2.1, §5.2.4: denied, without the fields that only success would have.
TEST_F(ResetRules, AnSsnTsnResetIsDeniedAndChangesNothing) {
  give(SsnTsnResetRequest{ReconfigSeq(1000)});
  const auto parameters = last();
  ASSERT_EQ(parameters.size(), 1u);
  const auto answer = ReconfigResponse::parse(parameters[0]);
  EXPECT_EQ(answer->response_seq, ReconfigSeq(1000));
  EXPECT_EQ(answer->result, ReconfigResult::kDenied);
  EXPECT_FALSE(answer->next_tsns.has_value());
  pair_->inject(kB, make_packet(tag_, whole_message(1000, 1, 0)));
  pair_->drain();
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), 1u);
}

// RFC 6525 §5.1.1: whether the peer has the extension shows at its set-up.
TEST_F(ResetRules, ARequestMadeBeforeSetUpIsDecidedByIt) {
  for (const bool supported : {true, false}) {
    Options peer;
    peer.extensions.reconfig = supported;
    AssociationPair pair({}, peer);
    pair.a().reset_streams(pair.now(), std::array{StreamId(3)});
    ASSERT_TRUE(pair.connect_both());
    pair.run_for(seconds(1));
    EXPECT_EQ(pair.count(kA, EventKind::kStreamResetDone), supported ? 1u : 0u);
    EXPECT_EQ(pair.count(kA, EventKind::kStreamResetRefused), supported ? 0u : 1u);
  }
}

// RFC 6525 §5.2.1: what is denied was in order; what is out of sequence was not.
TEST_F(ResetRules, RequestsInSequenceAreNoFault) {
  give(SsnTsnResetRequest{ReconfigSeq(1000)});
  give(AddOutgoingStreamsRequest{ReconfigSeq(1001), 1});
  give(AddIncomingStreamsRequest{ReconfigSeq(1002), 1});
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBadReconfig), 0u);
  give(SsnTsnResetRequest{ReconfigSeq(1007)});
  give(AddOutgoingStreamsRequest{ReconfigSeq(1007), 1});
  give(AddIncomingStreamsRequest{ReconfigSeq(1007), 1});
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kBadReconfig), 3u);
}

// RFC 9260 §9.2, §5.1.6: data that expires at a time-out is no reason to wait for a packet.
TEST_F(ResetRules, DataThatExpiresLetsTheShutdownGoOn) {
  use({4});
  const std::array streams{StreamId(4)};
  give(IncomingSsnResetRequest{.request_seq = ReconfigSeq(1000), .streams = streams});
  SendOptions brief;
  brief.max_lifetime = milliseconds(30);
  ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(4), kPpidBinary, Bytes{1}, brief),
            SendStatus::kOk);
  pair_->b().shutdown(pair_->now());
  pair_->drain();
  pair_->run_for(milliseconds(29));
  EXPECT_EQ(count_chunks(pair_->sent(kB), ChunkType::kShutdown), 0u);
  pair_->run_for(milliseconds(1));
  EXPECT_EQ(count_chunks(pair_->sent(kB), ChunkType::kShutdown), 1u);
}

// RFC 6525 §5.2.2, RFC 3758 §3.6: a reset that waits for data which never comes holds what comes
// instead; that is charged to the window like any other, and let go by a FORWARD TSN.
TEST_F(ResetRules, WhatADeferredResetHoldsIsBoundedAndAForwardTsnFreesIt) {
  Options options;
  options.receive_window_bytes = 64 * 1024;
  pair_.emplace(Options(), options);
  InitFields peer = stranger();
  const Bytes parameters{0xC0, 0, 0, 4, 0x80, 0x08, 0, 6, 0x82, 0xC0, 0, 0};
  peer.parameters = parameters;
  tag_ = open_to_stranger(*pair_, kB, peer);
  const std::array streams{StreamId(1)};
  give(OutgoingSsnResetRequest{.request_seq = ReconfigSeq(1000),
                               .response_seq = ReconfigSeq(0),
                               .last_assigned_tsn = Tsn(1000),
                               .streams = streams});
  // The first TSN never comes; those behind it are of the stream's next life.
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < 300; ++i) {
    pair_->inject(kB, make_packet(tag_, whole_message(1001 + i, 1, static_cast<std::uint16_t>(i),
                                                      Bytes(1000, 1))));
    pair_->drain();
    if (dropped(*pair_, kB, DropReason::kDataOutsideWindow) == 0) ++taken;
  }
  EXPECT_LT(taken, 100u);
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), 0u);
  pair_->inject(kB, make_packet(tag_, ForwardTsnChunk{Tsn(1000), {}}));
  pair_->drain();
  EXPECT_EQ(pair_->count(kB, EventKind::kMessage), taken);
  EXPECT_EQ(pair_->count(kB, EventKind::kIncomingStreamReset), 1u);
}

}  // namespace
}  // namespace millrace::sctp
