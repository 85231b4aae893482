// SPDX-License-Identifier: Apache-2.0
#include "sctp/stream_reset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "sctp/packet/reconfig_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

class StreamResets : public ConnectedPair {
 protected:
  void reset(std::initializer_list<std::uint16_t> ids) {
    std::vector<StreamId> streams;
    for (const std::uint16_t id : ids) streams.emplace_back(id);
    pair_.a().reset_streams(pair_.now(), streams);
    pair_.drain();
  }
  void send(std::uint16_t stream, std::uint8_t value, std::size_t size = 10) {
    ASSERT_EQ(pair_.a().send(pair_.now(), StreamId(stream), kPpidBinary, Bytes(size, value)),
              SendStatus::kOk);
    pair_.drain();
  }
  // B's view of A's next request sequence number: A's initial TSN plus what was asked.
  ReconfigSeq first_seq() {
    const Bytes init = test::last_with(pair_.sent(kA), ChunkType::kInit);
    return ReconfigSeq(InitChunk::parse(test::chunks_of(init)[0].bytes)->initial_tsn.value());
  }
  // Gives B a request of A's making and returns the result in B's answer.
  ReconfigResult ask(ReconfigSeq seq, Tsn last_tsn, std::initializer_list<StreamId> streams) {
    std::array<std::uint8_t, 64> memory;
    TlvWriter parameters(memory);
    parameters.append(OutgoingSsnResetRequest{.request_seq = seq,
                                              .response_seq = {},
                                              .last_assigned_tsn = last_tsn,
                                              .streams = {streams.begin(), streams.size()}});
    return give(parameters.bytes());
  }
  ReconfigResult give(ByteSpan parameters) {
    pair_.filter = [](int, ByteSpan) { return false; };
    pair_.sent(kB).clear();
    pair_.inject(kB, make_packet(tag_b_, ReconfigChunk{parameters}));
    pair_.drain();
    const Bytes answer = test::last_with(pair_.sent(kB), ChunkType::kReconfig);
    if (answer.empty()) return ReconfigResult{99};
    const auto chunk = ReconfigChunk::parse(test::find_chunk(answer, ChunkType::kReconfig)->bytes);
    return ReconfigResponse::parse(*TlvReader(chunk->parameters).next())->result;
  }
  // Gives A an answer to its request.
  void respond(VerificationTag to, ReconfigSeq seq, ReconfigResult result) {
    std::array<std::uint8_t, 16> memory;
    TlvWriter parameters(memory);
    parameters.append(
        ReconfigResponse{.response_seq = seq, .result = result, .next_tsns = std::nullopt});
    pair_.inject(kA, make_packet(to, ReconfigChunk{parameters.bytes()}));
    pair_.drain();
  }
  void respond(ReconfigSeq seq, ReconfigResult result) { respond(tag(kA), seq, result); }
  void hold_b() { tag_b_ = tag(kB); }
  // Has B use streams, so that it has something to reset.
  void use_at_b(std::initializer_list<std::uint16_t> ids) {
    for (const std::uint16_t id : ids) {
      ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(id), kPpidBinary, Bytes{0}), SendStatus::kOk);
    }
    pair_.drain();
    pair_.run_for(milliseconds(100));
    pair_.events(kA).clear();
  }
  // Has B queue a message of {7} on stream 4 and close it: what comes later, {8}, is refused.
  void queue_and_close_at_b() {
    ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{7}), SendStatus::kOk);
    pair_.b().reset_streams(pair_.now(), std::array{StreamId(4)});
    EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{8}),
              SendStatus::kStreamClosing);
  }
  // The same as `ask`, for B's outgoing side.
  ReconfigResult ask_incoming(ReconfigSeq seq, std::span<const StreamId> streams) {
    std::array<std::uint8_t, 600> memory;
    TlvWriter parameters(memory);
    parameters.append(IncomingSsnResetRequest{.request_seq = seq, .streams = streams});
    return give(parameters.bytes());
  }

  // B defers a request, asked under so many numbers, and performs it when the data is here.
  void defer(std::uint32_t times) {
    last_ = Tsn(first_seq().value());
    for (std::uint32_t i = 0; i < times; ++i) {
      seq_ = first_seq().plus(i);
      ASSERT_EQ(ask(seq_, last_, {StreamId(1)}), ReconfigResult::kInProgress);
    }
    const DataChunkHeader header{.tsn = last_,
                                 .stream = StreamId(1),
                                 .ssn = Ssn(0),
                                 .ppid = kPpidBinary,
                                 .flags = {.beginning = true, .ending = true}};
    pair_.inject(kB, make_packet(tag_b_, test::DataChunk{header, Bytes{1}}));
    pair_.drain();
    ASSERT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 1u);
  }

  VerificationTag tag_b_;
  ReconfigSeq seq_;  // The last that `defer` asked under,
  Tsn last_;         // and the last TSN before it.
};

// RFC 6525 §5.1.2, §5.2.2: one, two and three streams.
TEST_F(StreamResets, ResetsTheNamedStreamsAndNoOthers) {
  for (std::uint16_t id = 1; id <= 4; ++id) send(id, 1);
  pair_.run_for(milliseconds(100));
  reset({1});
  reset({2, 3});
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kA, EventKind::kStreamResetDone) == 2; }));
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 2u);
  EXPECT_EQ(pair_.last(kB, EventKind::kIncomingStreamReset)->streams,
            (std::vector{StreamId(2), StreamId(3)}));
  EXPECT_EQ(pair_.a().outgoing_generation(StreamId(3)), 1u);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(3)), 1u);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(4)), 0u);
  // RFC 6525 §5.2.7 (H4): SSNs start at 0, elsewhere they go on.
  pair_.sent(kA).clear();
  send(1, 2);
  send(4, 2);
  for (const Bytes& packet : pair_.sent(kA)) {
    const auto data = DataChunkView::parse(test::find_chunk(packet, ChunkType::kData)->bytes);
    EXPECT_EQ(data->header.ssn, Ssn(data->header.stream == StreamId(1) ? 0 : 1));
  }
  pair_.run_for(milliseconds(100));
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->payload[0], 2);
}

// RFC 6525 §5.1.1, §5.1.2: one request in flight.
TEST_F(StreamResets, ARequestWhileOneIsPendingWaitsForIt) {
  reset({1});
  pair_.sent(kA).clear();
  reset({2});
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kReconfig), 0u);
  EXPECT_TRUE(pair_.run_until([&] { return pair_.count(kA, EventKind::kStreamResetDone) == 2; }));
}

// RFC 6525 §5.1.2 (A1): what is queued goes first, and nothing more is taken meanwhile.
TEST_F(StreamResets, QueuedMessagesAreSentBeforeTheResetAndSendIsRefusedUntilItsEnd) {
  send(1, 5, 200000);
  reset({1});
  EXPECT_EQ(pair_.a().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}),
            SendStatus::kStreamClosing);
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kA, EventKind::kStreamResetDone) == 1; }));
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->payload.size(), 200000u);
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->event.generation, 0u);
  send(1, 6);
  pair_.run_for(milliseconds(50));
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->event.generation, 1u);
}

// RFC 6525 §5.2.2 (E2, E5): deferred until the data is here, and said when it is asked again.
TEST_F(StreamResets, IsDeferredUntilTheDataBeforeItHasArrived) {
  bool lose = true;
  pair_.filter = [&](int end, ByteSpan packet) {
    return end != kA || !lose || !test::has_chunk(packet, ChunkType::kData);
  };
  send(1, 1);
  reset({1});
  pair_.run_for(milliseconds(12));
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 0u);
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kReconfig), 1u);  // In progress.
  lose = false;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kA, EventKind::kStreamResetDone) == 1; }));
  const auto& events = pair_.events(kB);
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[events.size() - 2].kind, EventKind::kMessage);
  EXPECT_EQ(events.back().kind, EventKind::kIncomingStreamReset);
}

// RFC 6525 §5.2.7 (H2): asked again, unchanged, and for ever: no error is counted.
TEST_F(StreamResets, InProgressIsAskedAgainUnchangedWithoutRaisingTheErrorCount) {
  const ReconfigSeq seq = first_seq();
  pair_.a().reset_streams(pair_.now(), std::array{StreamId(1)});
  pair_.filter = [](int end, ByteSpan) { return end == kB; };
  pair_.drain();
  const Bytes first = test::last_with(pair_.sent(kA), ChunkType::kReconfig);
  const auto request = test::find_chunk(first, ChunkType::kReconfig)->bytes;
  std::size_t asked = 0;
  for (int i = 0; i < 30; ++i) {
    std::array<std::uint8_t, 16> memory;
    TlvWriter parameters(memory);
    parameters.append(ReconfigResponse{
        .response_seq = seq, .result = ReconfigResult::kInProgress, .next_tsns = std::nullopt});
    pair_.inject(kA, make_packet(tag(kA), ReconfigChunk{parameters.bytes()}));
    pair_.sent(kA).clear();
    pair_.run_for(milliseconds(60));  // One expiry of the RTO floor.
    const Bytes again = test::last_with(pair_.sent(kA), ChunkType::kReconfig);
    if (again.empty()) continue;
    ++asked;
    EXPECT_TRUE(std::ranges::equal(test::find_chunk(again, ChunkType::kReconfig)->bytes, request));
  }
  EXPECT_GE(asked, 29u);
  EXPECT_FALSE(pair_.a().is_closed());
}

// RFC 9260 §8.1: what is counted are retransmissions in a row. An answer ends the row, whatever it
// says, though no data is acknowledged meanwhile.
TEST_F(StreamResets, AnAnswerEndsTheRowOfErrors) {
  const ReconfigSeq seq = first_seq();
  pair_.a().reset_streams(pair_.now(), std::array{StreamId(1)});
  pair_.filter = [](int end, ByteSpan) { return end == kB; };
  pair_.drain();
  for (int round = 0; round < 4; ++round) {
    pair_.run_for(milliseconds(50 * 31 + 5));  // Five expiries, of which all but one are errors.
    std::array<std::uint8_t, 16> memory;
    TlvWriter parameters(memory);
    parameters.append(ReconfigResponse{
        .response_seq = seq, .result = ReconfigResult::kInProgress, .next_tsns = std::nullopt});
    pair_.inject(kA, make_packet(tag(kA), ReconfigChunk{parameters.bytes()}));
    ASSERT_FALSE(pair_.a().is_closed()) << round;
    EXPECT_EQ(pair_.a().metrics().error_count, 0) << round;
  }
}

// RFC 6525 §5.2.1, §5.1.7, §5.2.2: idempotent, and out of sequence refused.
TEST_F(StreamResets, TheSameRequestIsPerformedOnceAndAnsweredAlike) {
  hold_b();
  const Tsn last(first_seq().value() - 1);
  EXPECT_EQ(ask(first_seq(), last, {StreamId(7)}), ReconfigResult::kPerformed);
  EXPECT_EQ(ask(first_seq(), last, {StreamId(7)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 1u);
  EXPECT_EQ(ask(first_seq().plus(5), last, {StreamId(7)}), ReconfigResult::kBadSequenceNumber);
  EXPECT_EQ(ask(first_seq().plus(1), last, {StreamId(7)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(7)), 2u);
}

// RFC 6525 §5.2.2 (E2): some stacks ask anew, under a new number, for what was "in progress".
TEST_F(StreamResets, ADeferredRequestThatIsAskedAnewWhenItIsDoneIsNotDoneTwice) {
  hold_b();
  defer(1);
  EXPECT_EQ(ask(seq_.plus(1), last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 1u);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 1u);
  // It knows. What it asks for next is another reset, though nothing was sent in between.
  EXPECT_EQ(ask(seq_.plus(2), last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 2u);
}

// RFC 6525 §5.2.2 (E5), §5.2.7 (H2): told unasked, an honest peer could ask for the next reset of
// the same streams in just the same words.
TEST_F(StreamResets, ADeferredRequestIsAnsweredWhenItIsAskedAgain) {
  hold_b();
  pair_.sent(kB).clear();
  const ReconfigSeq seq = first_seq();
  defer(1);
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kReconfig), 1u) << "in progress";
  EXPECT_EQ(ask(seq, last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 1u);
  EXPECT_EQ(ask(seq.plus(1), last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 2u) << "another reset";
}

// RFC 6525 §5.2.2 (E2)
TEST_F(StreamResets, NorIsOneThatWasAskedAnewBeforeToo) {
  hold_b();
  defer(3);
  EXPECT_EQ(ask(seq_.plus(1), last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 1u);
}

// RFC 6525 §5.2.1: another request in between shows that the peer had its answer.
TEST_F(StreamResets, WhatIsAskedBehindAnotherRequestIsAnotherReset) {
  hold_b();
  defer(1);
  EXPECT_EQ(ask(seq_.plus(1), last_, {StreamId(2)}), ReconfigResult::kPerformed);
  EXPECT_EQ(ask(seq_.plus(2), last_, {StreamId(1)}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.b().incoming_generation(StreamId(1)), 2u);
}

// CONFORMANCE.md, GHSA-rq7g-r9qr-rwpq: what a peer may leave deferred is bounded.
TEST_F(StreamResets, OnlyOneRequestIsEverDeferred) {
  hold_b();
  const Tsn far(first_seq().value() + 100);
  EXPECT_EQ(ask(first_seq(), far, {StreamId(1)}), ReconfigResult::kInProgress);
  EXPECT_EQ(ask(first_seq(), far, {StreamId(1)}), ReconfigResult::kInProgress);
  EXPECT_EQ(ask(first_seq().plus(1), far, {StreamId(2)}),
            ReconfigResult::kRequestAlreadyInProgress);
  EXPECT_EQ(ask(first_seq().plus(2), far, {StreamId(1)}), ReconfigResult::kInProgress);
}

// RFC 6525 §5.1.1: a burst of requests that reset every stream resets them once.
TEST_F(StreamResets, ARequestBeforeTheAnswerToTheLastIsNotPerformed) {
  hold_b();
  pair_.filter = [](int, ByteSpan) { return false; };
  const Tsn last(first_seq().value() - 1);
  std::array<std::uint8_t, 32> memory;
  for (std::uint32_t i = 0; i < 31; ++i) {
    TlvWriter parameters(memory);
    parameters.append(OutgoingSsnResetRequest{.request_seq = first_seq().plus(i),
                                              .response_seq = {},
                                              .last_assigned_tsn = last,
                                              .streams = {}});
    pair_.inject(kB, make_packet(tag_b_, ReconfigChunk{parameters.bytes()}));
  }
  pair_.drain();
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 1u);
  EXPECT_EQ(ask(first_seq().plus(30), last, {}), ReconfigResult::kRequestAlreadyInProgress);
  EXPECT_EQ(ask(first_seq().plus(31), last, {}), ReconfigResult::kPerformed);
  EXPECT_EQ(pair_.count(kB, EventKind::kIncomingStreamReset), 2u);
}

// RFC 6525 §5.2.1, §5.2.3, §5.1.7.
TEST_F(StreamResets, WhatThisEndDoesNotWishIsDenied) {
  hold_b();
  std::array<std::uint8_t, 32> memory;
  TlvWriter all(memory);
  all.append(SsnTsnResetRequest{first_seq()});
  EXPECT_EQ(give(all.bytes()), ReconfigResult::kDenied);
  TlvWriter add(memory);
  add.append(AddOutgoingStreamsRequest{first_seq().plus(1), 5});
  EXPECT_EQ(give(add.bytes()), ReconfigResult::kDenied);
  EXPECT_EQ(ask(first_seq().plus(2), Tsn(0), {StreamId(65535)}), ReconfigResult::kWrongSsn);
}

// RFC 6525 §5.2.3 (F1), §5.2.7.
TEST_F(StreamResets, AnIncomingResetRequestMakesThisEndResetItsOutgoingSide) {
  hold_b();
  use_at_b({4});
  EXPECT_EQ(ask_incoming(first_seq(), std::array{StreamId(4)}), ReconfigResult::kPerformed);
  EXPECT_TRUE(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{1}) == SendStatus::kOk);
  pair_.filter = nullptr;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kStreamResetDone) == 1; }));
  pair_.run_for(milliseconds(100));
  // Paused while it lasted, then sent in the stream's next life.
  ASSERT_EQ(pair_.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->event.generation, 1u);
}

// RFC 6525 §5.2.3: a stream that was never used stands at 0 already, and costs nothing.
TEST_F(StreamResets, StreamsThatWereNeverUsedAreNothingToDoAndCostNothing) {
  hold_b();
  use_at_b({4});
  const ReconfigSeq first = first_seq();
  std::vector<StreamId> unused;
  for (std::uint16_t id = 260; id > 10; --id) unused.emplace_back(id);
  EXPECT_EQ(ask_incoming(first, unused), ReconfigResult::kNothingToDo);
  EXPECT_FALSE(pair_.b().sender().has_stream(StreamId(11)));
  EXPECT_FALSE(pair_.b().sender().has_stream(StreamId(260)));
  // Among others they are left out.
  const std::array mixed{StreamId(9), StreamId(4)};
  EXPECT_EQ(ask_incoming(first.plus(1), mixed), ReconfigResult::kPerformed);
  EXPECT_FALSE(pair_.b().sender().has_stream(StreamId(9)));
  pair_.filter = nullptr;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kStreamResetDone) == 1; }));
  EXPECT_EQ(pair_.last(kB, EventKind::kStreamResetDone)->streams, std::vector{StreamId(4)});
}

// RFC 6525 §5.1.2 (A1): the application's wish goes beyond the peer's, which waits for its turn.
TEST_F(StreamResets, ACloseWhileThePeersRequestWaitsSendsWhatIsQueuedFirst) {
  hold_b();
  use_at_b({4});
  pair_.filter = [](int, ByteSpan) { return false; };
  pair_.b().reset_streams(pair_.now(), std::array{StreamId(1)});
  pair_.drain();
  EXPECT_EQ(ask_incoming(first_seq(), std::array{StreamId(4)}), ReconfigResult::kPerformed);
  queue_and_close_at_b();
  pair_.filter = nullptr;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kStreamResetDone) == 2; }));
  ASSERT_EQ(pair_.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->payload, Bytes{7});
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->event.generation, 0u);
}

// RFC 6525 §5.1.2 (A1), §5.2.7 (H4): what came too late for the life that the application closes
// is no part of the next.
TEST_F(StreamResets, ACloseWhileThePeersRequestIsPerformedLeavesNothingToTheNextLife) {
  hold_b();
  use_at_b({4});
  EXPECT_EQ(ask_incoming(first_seq(), std::array{StreamId(4)}), ReconfigResult::kPerformed);
  queue_and_close_at_b();
  pair_.filter = nullptr;
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kStreamResetDone) == 1; }));
  EXPECT_EQ(pair_.b().buffered_amount(), 0u);
  ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{9}), SendStatus::kOk);
  pair_.drain();
  pair_.run_for(milliseconds(100));
  ASSERT_EQ(pair_.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->payload, Bytes{9});
}

// RFC 6525 §5.2.7 (H3): a refusal leaves the stream in its life, and what is queued goes out.
TEST_F(StreamResets, ACloseWhileThePeersRequestIsRefusedLosesNothing) {
  hold_b();
  use_at_b({4});
  const ReconfigSeq own(pair_.b().sender().next_tsn().value() - 1);
  EXPECT_EQ(ask_incoming(first_seq(), std::array{StreamId(4)}), ReconfigResult::kPerformed);
  ASSERT_EQ(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{7}), SendStatus::kOk);
  pair_.b().reset_streams(pair_.now(), std::array{StreamId(4)});
  std::array<std::uint8_t, 16> memory;
  TlvWriter parameters(memory);
  parameters.append(ReconfigResponse{
      .response_seq = own, .result = ReconfigResult::kDenied, .next_tsns = std::nullopt});
  pair_.inject(kB, make_packet(tag_b_, ReconfigChunk{parameters.bytes()}));
  pair_.filter = nullptr;
  pair_.drain();
  pair_.run_for(milliseconds(100));
  EXPECT_EQ(pair_.count(kB, EventKind::kStreamResetRefused), 1u);
  ASSERT_EQ(pair_.count(kA, EventKind::kMessage), 1u);
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->payload, Bytes{7});
  EXPECT_EQ(pair_.last(kA, EventKind::kMessage)->event.generation, 0u);
}

// RFC 6525 §5.2.7: a refusal rolls back, and the stream goes on where it was.
TEST_F(StreamResets, ARequestThatThePeerDeniesIsRolledBack) {
  send(1, 1);
  pair_.run_for(milliseconds(100));
  pair_.filter = [](int end, ByteSpan) { return end == kB; };
  reset({1});
  respond(first_seq(), ReconfigResult::kDenied);
  ASSERT_EQ(pair_.count(kA, EventKind::kStreamResetRefused), 1u);
  EXPECT_EQ(pair_.a().outgoing_generation(StreamId(1)), 0u);
  pair_.filter = nullptr;
  send(1, 2);
  pair_.run_for(milliseconds(100));
  EXPECT_EQ(pair_.last(kB, EventKind::kMessage)->payload[0], 2);
}

// A peer that could not judge a request gets it under a new number, but not for ever.
TEST_F(StreamResets, ARequestThatWasNotJudgedIsAskedUnderANewNumber) {
  ReconfigSeq seq = first_seq();
  const VerificationTag tag_a = tag(kA);
  pair_.filter = [](int end, ByteSpan) { return end == kB; };
  reset({1});
  for (int i = 0; i < StreamReset::kMaxRenewals; ++i) {
    pair_.sent(kA).clear();
    respond(tag_a, seq, ReconfigResult::kRequestAlreadyInProgress);
    ASSERT_TRUE(pair_.run_until(
        [&] { return test::count_chunks(pair_.sent(kA), ChunkType::kReconfig) > 0; }));
    seq = seq.next();
    const Bytes again = test::last_with(pair_.sent(kA), ChunkType::kReconfig);
    const auto chunk = ReconfigChunk::parse(test::find_chunk(again, ChunkType::kReconfig)->bytes);
    EXPECT_EQ(OutgoingSsnResetRequestView::parse(*TlvReader(chunk->parameters).next())->request_seq,
              seq);
  }
  EXPECT_EQ(pair_.count(kA, EventKind::kStreamResetRefused), 0u);
  respond(tag_a, seq, ReconfigResult::kRequestAlreadyInProgress);
  EXPECT_EQ(pair_.count(kA, EventKind::kStreamResetRefused), 1u);
}

// CONFORMANCE.md: an application that does not read bounds what the peer can make it hold.
TEST_F(StreamResets, ResetsThatNobodyReadsAreBounded) {
  hold_b();
  const ReconfigSeq first = first_seq();
  const Tsn last(first.value() - 1);
  pair_.poll_events = [](int) { return false; };
  for (std::uint32_t i = 0; i < StreamReset::kMaxEvents; ++i) {
    ASSERT_EQ(ask(first.plus(i), last, {StreamId(1)}), ReconfigResult::kPerformed);
  }
  EXPECT_EQ(ask(first.plus(StreamReset::kMaxEvents), last, {StreamId(1)}),
            ReconfigResult::kRequestAlreadyInProgress);
}

// RFC 6525 §5.1.2 (A1): nothing of a stream's next life leaves before the answer, so no
// receiver meets it before the request.
TEST_F(StreamResets, NoDataOfTheNextLifeLeavesBeforeTheAnswer) {
  hold_b();
  use_at_b({4});
  // Asked by the peer, so that `send` goes on queueing; and the answer to B is lost.
  EXPECT_EQ(ask_incoming(first_seq(), std::array{StreamId(4)}), ReconfigResult::kPerformed);
  pair_.sent(kB).clear();
  EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(4), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair_.drain();
  pair_.run_for(seconds(1));
  EXPECT_GT(test::count_chunks(pair_.sent(kB), ChunkType::kReconfig), 0u);
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kData), 0u);
}

// RFC 6525 §5.1.1.
TEST(StreamResetRefusals, APeerWithoutReconfigMeansRefused) {
  Options plain;
  plain.extensions.reconfig = false;
  AssociationPair pair({}, plain);
  ASSERT_TRUE(pair.connect_both());
  pair.a().reset_streams(pair.now(), std::array{StreamId(1)});
  pair.drain();
  ASSERT_EQ(pair.count(kA, EventKind::kStreamResetRefused), 1u);
  // Rolled back: the stream goes on.
  EXPECT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
}

// A reset that is performed while the application reads nothing comes out where it lies among
// the messages: behind those of the old life, before those of the next, each with its number.
class UnpolledResets : public ::testing::TestWithParam<bool> {};

// RFC 6525 §5.2.2 (E4), RFC 8260 §2.3.2.
TEST_P(UnpolledResets, ComeBetweenTheLivesTheyPart) {
  Options options;
  options.extensions.i_data = GetParam();
  AssociationPair pair(options, options);
  ASSERT_TRUE(pair.connect_both());
  bool reading = false;
  std::vector<int> order;  // A message's stream, payload and generation, or the reset's 0.
  pair.poll_events = [&](int end) {
    Event event;
    bool any = false;
    while ((end == kA || reading) && pair[end].poll_event(event)) {
      any = true;
      if (end == kB && event.kind == EventKind::kIncomingStreamReset) order.push_back(0);
      if (end != kB || event.kind != EventKind::kMessage) continue;
      const auto generation = static_cast<int>(event.generation);
      order.push_back(event.stream.value() * 100 + test::bytes_of(event.message)[0] * 10 +
                      generation);
    }
    return any;
  };
  const std::array<StreamId, 1> streams{StreamId(1)};
  for (std::uint8_t life = 0; life < 3; ++life) {
    for (std::uint16_t stream = 1; stream <= 2; ++stream) {
      ASSERT_EQ(pair.a().send(pair.now(), StreamId(stream), kPpidBinary, Bytes(3000, life)),
                SendStatus::kOk);
    }
    pair.drain();
    if (life < 2) pair.a().reset_streams(pair.now(), streams);
    pair.drain();
    pair.run_for(seconds(1));
    ASSERT_EQ(pair.a().outgoing_generation(StreamId(1)), std::min(life + 1u, 2u));
  }
  reading = true;
  pair.drain();
  EXPECT_EQ(order, (std::vector{100, 200, 0, 111, 210, 0, 122, 220}));
}

INSTANTIATE_TEST_SUITE_P(Chunks, UnpolledResets, ::testing::Bool(), [](const auto& chunks) {
  return std::string(chunks.param ? "OfIData" : "OfData");
});

}  // namespace
}  // namespace millrace::sctp
