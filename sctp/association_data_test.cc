// SPDX-License-Identifier: Apache-2.0
// The association's data procedures: RFC 9260 §6, RFC 3758, what is lent and for how long,
// and that a driver which does as it is told never turns for nothing.
#include <gtest/gtest.h>

#include <array>

#include "engine/base/rng.h"
#include "sctp/packet/data_chunk.h"
#include "sctp/packet/forward_tsn_chunk.h"
#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/sack_chunk.h"
#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

class AssociationData : public ConnectedPair {
 protected:
  SendStatus send(std::uint16_t stream, std::size_t size) {
    return pair_.a().send(pair_.now(), StreamId(stream), kPpidBinary, Bytes(size, 9));
  }
};

// Once a flush is over, the next call for a packet costs next to nothing; but what becomes due at
// that very time must leave all the same.
TEST_F(AssociationData, WhatBecomesDueAfterAFlushLeavesAtTheSameTime) {
  ASSERT_EQ(send(1, 100), SendStatus::kOk);
  pair_.drain();  // A flush of A's at this time is over.
  const Time now = pair_.now();
  const auto next = [&]() -> Bytes {
    Bytes packet(pair_.a().packet_bytes());
    packet.resize(pair_.a().poll_packet(now, packet));
    return packet;
  };
  const auto has = [](const Bytes& packet, ChunkType type) {
    return !packet.empty() && test::find_chunk(packet, type).has_value();
  };
  EXPECT_TRUE(next().empty());

  const Bytes info(8, 0);
  pair_.inject(kA, make_packet(tag(kA), HeartbeatChunk{info}));
  EXPECT_TRUE(has(next(), ChunkType::kHeartbeatAck));
  EXPECT_TRUE(next().empty());

  ASSERT_EQ(send(2, 100), SendStatus::kOk);
  EXPECT_TRUE(has(next(), ChunkType::kData));
  EXPECT_TRUE(next().empty());

  pair_.a().reset_streams(now, std::array{StreamId(3)});
  EXPECT_TRUE(has(next(), ChunkType::kReconfig));
  EXPECT_TRUE(next().empty());

  // RFC 9260 §6.2: the second packet with DATA asks for a SACK.
  for (std::uint16_t i = 0; i < 2; ++i) {
    ASSERT_EQ(pair_.b().send(now, StreamId(i), kPpidBinary, Bytes(100, 9)), SendStatus::kOk);
    Bytes packet(pair_.b().packet_bytes());
    packet.resize(pair_.b().poll_packet(now, packet));
    ASSERT_TRUE(has(packet, ChunkType::kData));
    pair_.inject(kA, packet);
  }
  EXPECT_TRUE(has(next(), ChunkType::kSack));
  EXPECT_TRUE(next().empty());

  pair_.run_for(seconds(1));
  pair_.a().shutdown(pair_.now());
  Bytes packet(pair_.a().packet_bytes());
  packet.resize(pair_.a().poll_packet(pair_.now(), packet));
  EXPECT_TRUE(has(packet, ChunkType::kShutdown));
}

// What was lent is there until the flush is over, whatever is repeated, abandoned or expires in it.
TEST(LentPayloads, MakeTheSamePacketsAsThoseCopied) {
  std::uint64_t copied = 0;
  const auto trace_of = [&](std::uint64_t seed, bool lends) {
    AssociationPair pair({}, {}, {.loss = 0.05, .reorder = 0.05}, seed);
    EXPECT_TRUE(pair.connect_both());
    pair.lends = lends;
    const std::uint64_t before = copy_counters().build;
    SeededRng rng(seed);
    for (std::size_t i = 0; i < 400; ++i) {
      Bytes payload(1 + rng.below(i % 3 == 0 ? 300 : 6000));
      rng.fill(payload);
      SendOptions options;
      if (i % 4 == 1) options.max_retransmits = static_cast<std::uint32_t>(rng.below(2));
      if (i % 4 == 2) options.max_lifetime = milliseconds(1 + static_cast<int>(rng.below(30)));
      const StreamId stream(static_cast<std::uint16_t>(i % 5));
      const SendStatus status = pair.a().send(pair.now(), stream, kPpidBinary, payload, options);
      EXPECT_TRUE(status == SendStatus::kOk || status == SendStatus::kWouldBlock);
      if (i % 8 == 7) pair.run_for(milliseconds(3));
    }
    pair.run_for(seconds(20));
    copied = copy_counters().build - before;
    EXPECT_GT(pair.a().stats().retransmitted_chunks, 0u);
    EXPECT_GT(pair.a().stats().messages_abandoned_sent, 0u);
    return pair.trace_hash();
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const std::uint64_t expected = trace_of(seed, false);
    const std::uint64_t copied_without = copied;
    EXPECT_EQ(trace_of(seed, true), expected) << seed;
    EXPECT_LT(copied, copied_without / 2);
  }
}

// event.h: an echo server answers from within its event.
TEST_F(AssociationData, AMessageStaysLentWhileTheSameAssociationSends) {
  std::size_t echoed = 0;
  pair_.on_event = [&](int end, const Event& event) {
    if (end != kB || event.kind != EventKind::kMessage) return;
    const Bytes before = test::bytes_of(event.message);
    for (int i = 0; i < 20; ++i) {  // Enough to make every queue grow.
      for (const ByteSpan piece : event.message.pieces) {
        ASSERT_EQ(pair_.b().send(pair_.now(), event.stream, event.message.ppid, piece),
                  SendStatus::kOk);
      }
    }
    pair_.b().reset_streams(pair_.now(), std::array{StreamId(999)});
    EXPECT_GT(pair_.b().buffered_amount(event.stream), 0u);
    EXPECT_EQ(test::bytes_of(event.message), before);
    ++echoed;
  };
  for (std::uint16_t i = 0; i < 10; ++i) ASSERT_EQ(send(i, 100u + 2000u * i), SendStatus::kOk);
  pair_.drain();
  pair_.run_for(seconds(2));
  EXPECT_EQ(echoed, 10u);
}

// RFC 7053 §5.2: a chunk behind which nothing follows asks for its SACK.
TEST_F(AssociationData, ALoneMessageIsAcknowledgedAtOnce) {
  ASSERT_EQ(send(1, 10), SendStatus::kOk);
  pair_.drain();
  pair_.sent(kB).clear();
  pair_.run_for(milliseconds(6));
  EXPECT_EQ(test::count_chunks(pair_.sent(kB), ChunkType::kSack), 1u);
}

// RFC 9260 §6.1, §6, §6.9: a SACK rides with data that leaves anyway, and comes first.
TEST_F(AssociationData, ASackRidesWithData) {
  pair_.on_event = [&](int end, const Event& event) {
    if (end != kB || event.kind != EventKind::kMessage) return;
    EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  };
  pair_.sent(kB).clear();
  ASSERT_EQ(send(1, 10), SendStatus::kOk);
  pair_.drain();
  pair_.run_for(milliseconds(6));
  ASSERT_EQ(pair_.sent(kB).size(), 1u);
  const auto chunks = test::chunks_of(pair_.sent(kB)[0]);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].type, ChunkType::kSack);
  EXPECT_EQ(chunks[1].type, ChunkType::kData);
}

// RFC 9260 §6.2: who sends thirty times a second, and is answered at once, acknowledges the
// answers with what it sends next; the last one, which nothing follows, within 200 ms.
TEST_F(AssociationData, ASteadyPaceCarriesItsSacks) {
  pair_.on_event = [&](int end, const Event& event) {
    if (end != kB || event.kind != EventKind::kMessage) return;
    EXPECT_EQ(pair_.b().send(pair_.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  };
  constexpr int kMessages = 60;
  for (int i = 0; i < kMessages; ++i) {
    if (i == kMessages / 2) pair_.sent(kA).clear();
    ASSERT_EQ(send(1, 10), SendStatus::kOk);
    pair_.drain();
    pair_.run_for(milliseconds(33));
  }
  const std::size_t packets = pair_.sent(kA).size();
  const std::size_t sacks = test::count_chunks(pair_.sent(kA), ChunkType::kSack);
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kData), kMessages / 2u);
  // What asks for its SACK (RFC 7053 §5.2) has one to itself.
  EXPECT_LE(packets, kMessages / 2 + kMessages / 6);
  pair_.run_for(milliseconds(200));
  EXPECT_EQ(pair_.sent(kA).size(), packets + 1);
  EXPECT_EQ(test::count_chunks(pair_.sent(kA), ChunkType::kSack), sacks + 1);
}

// RFC 9260 §6.2: without a delay all that came at once is acknowledged at once, by one SACK.
TEST(AssociationSack, ABurstOfPacketsIsAcknowledgedByOneSackAtOnce) {
  Options options;
  options.sack_delay = Duration::zero();
  AssociationPair pair(options, options);
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag tag = test::tag_of(test::last_with(pair.sent(kA), ChunkType::kCookieEcho));
  pair.filter = [](int, ByteSpan) { return false; };
  Tsn tsn = pair.a().sender().next_tsn();
  Ssn ssn;
  for (const int burst : {1, 1, 2, 3, 64}) {
    pair.sent(kB).clear();
    for (int i = 0; i < burst; ++i, tsn = tsn.next(), ssn = ssn.next()) {
      const DataChunkHeader header{
          tsn, StreamId(1), ssn, kPpidBinary, {.beginning = true, .ending = true}};
      pair.inject(kB, make_packet(tag, test::DataChunk{header, Bytes(1000, 1)}));
    }
    pair.drain();
    ASSERT_EQ(test::count_chunks(pair.sent(kB), ChunkType::kSack), 1u) << burst;
    const Bytes packet = test::last_with(pair.sent(kB), ChunkType::kSack);
    const auto sack = SackChunkView::parse(test::find_chunk(packet, ChunkType::kSack)->bytes);
    EXPECT_EQ(sack->cumulative_tsn_ack(), tsn.previous()) << burst;
    pair.run_for(milliseconds(300));
    EXPECT_EQ(test::count_chunks(pair.sent(kB), ChunkType::kSack), 1u) << burst;
  }
}

// RFC 3758 §3.3.1, §3.6: not negotiated, not obeyed; malformed or old, counted.
TEST_F(AssociationData, AForwardTsnThatIsOldOrUnknownIsCounted) {
  const Tsn old = pair_.a().sender().cumulative_acked();
  pair_.inject(kB, make_packet(tag(kB), ForwardTsnChunk{old, {}}));
  EXPECT_EQ(pair_.b().stats().dropped(DropReason::kBadForwardTsn), 1u);
  pair_.inject(kB, make_packet(tag(kB), test::RawChunk{{192, 0, 0, 6, 1, 2, 0, 0}}));
  EXPECT_EQ(pair_.b().stats().dropped(DropReason::kMalformedChunk), 1u);

  Options plain;
  plain.extensions.forward_tsn = false;
  AssociationPair pair({}, plain);
  ASSERT_TRUE(pair.connect_both());
  const VerificationTag to = test::tag_of(test::last_with(pair.sent(kA), ChunkType::kCookieEcho));
  pair.inject(kB, make_packet(to, ForwardTsnChunk{Tsn(5), {}}));
  EXPECT_EQ(pair.b().stats().dropped(DropReason::kBadForwardTsn), 1u);
}

// RFC 9260 §6.2.1 (D).
TEST_F(AssociationData, ASackForDataNeverSentIsCountedAndIgnored) {
  pair_.filter = [](int, ByteSpan) { return false; };
  ASSERT_EQ(send(1, 10), SendStatus::kOk);
  pair_.drain();
  const SackChunk sack{.cumulative_tsn_ack = pair_.a().sender().next_tsn(),
                       .a_rwnd = 100000,
                       .gap_blocks = {},
                       .duplicates = {}};
  pair_.inject(kA, make_packet(tag(kA), sack));
  EXPECT_EQ(pair_.a().stats().dropped(DropReason::kBadSack), 1u);
  EXPECT_FALSE(pair_.a().sender().all_acknowledged());
}

// RFC 9260 §6.2.
TEST_F(AssociationData, WhatCannotBeSentIsRefusedByKind) {
  EXPECT_EQ(send(1, 0), SendStatus::kEmpty);
  EXPECT_EQ(send(1, 256 * 1024 + 1), SendStatus::kTooLarge);
  EXPECT_EQ(send(65535, 1), SendStatus::kInvalidStream);
  EXPECT_EQ(send(1, 256 * 1024), SendStatus::kOk);
}

// RFC 9260 §8.1.
TEST_F(AssociationData, APeerThatAcknowledgesNothingIsGivenUp) {
  pair_.filter = [](int, ByteSpan) { return false; };
  ASSERT_EQ(send(1, 10), SendStatus::kOk);
  pair_.drain();
  ASSERT_TRUE(pair_.run_until([&] { return pair_.a().is_closed(); }, seconds(2000)));
  EXPECT_EQ(pair_.last(kA, EventKind::kClosed)->event.close_reason,
            CloseReason::kTooManyRetransmits);
}

// RFC 9260 §6.1 (A): a reader that stops shuts the window; one chunk probes it, and no
// number of probes that are answered ends the association.
TEST(AssociationFlowControl, ASlowReaderHoldsTheSenderAndLosesNothing) {
  Options options;
  options.receive_window_bytes = 64 * 1024;
  options.rto_max = seconds(1);
  AssociationPair pair(options, options);
  ASSERT_TRUE(pair.connect_both());
  bool reading = false;
  std::size_t received = 0;
  pair.poll_events = [&](int end) {
    Event event;
    bool any = false;
    while ((end == kA || reading) && pair[end].poll_event(event)) {
      any = true;
      if (event.kind == EventKind::kMessage) ++received;
    }
    return any;
  };
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes(4096, 1)), SendStatus::kOk);
  }
  pair.drain();
  pair.run_for(seconds(60));
  EXPECT_FALSE(pair.a().is_closed());
  EXPECT_FALSE(pair.a().sender().all_acknowledged());
  reading = true;
  pair.drain();
  EXPECT_TRUE(pair.run_until([&] { return received == 100; }, seconds(10)));
}

// Bytes that a bulk transfer moves in a turn once it is under way, where both ends have one
// every `tick` only, as on a machine that is busy with others.
std::size_t bytes_per_turn(Duration tick) {
  test::LinkOptions link;
  link.delay = microseconds(30);
  AssociationPair pair({}, {}, link);
  pair.record_sent = false;
  pair.tick = tick;
  EXPECT_TRUE(pair.connect_both());
  const Bytes message(64 * 1024, 1);
  const auto fill = [&] {
    while (pair.a().send(pair.now(), StreamId(1), kPpidBinary, message) == SendStatus::kOk) {
    }
  };
  std::size_t received = 0;
  pair.on_event = [&](int, const Event& event) {
    if (event.kind == EventKind::kMessage) received += event.message.size;
    if (event.kind == EventKind::kWritable) fill();
  };
  fill();
  pair.drain();
  pair.run_for(40 * tick);
  received = 0;
  pair.run_for(10 * tick);
  return received / 10;
}

// A turn that comes late is made up for by a larger burst: what a round trip carries is the
// window's business, not the clock's. Turns of 5 ms at this size are 1.6 Gbit/s.
TEST(AssociationThroughput, LateTurnsCarryMore) {
  EXPECT_GT(bytes_per_turn(milliseconds(1)), 1'000'000u);
  EXPECT_GT(bytes_per_turn(milliseconds(5)), 1'000'000u);
}

// A driver that calls `handle_timeout` at `next_timeout` gets on: an idle association asks
// for a turn per heartbeat, its answer and its packets, not more.
TEST_F(AssociationData, AnIdleAssociationHardlyTurns) {
  pair_.run_for(seconds(5));
  const std::uint64_t before = pair_.turns();
  pair_.run_for(seconds(3600));
  EXPECT_LE(pair_.turns() - before, 2u * 4u * 3600u / 30u);
}

// The same under load and loss, whose turns are packets, paced bursts and time-outs.
TEST(AssociationTurns, ABusyAssociationTurnsForItsPacketsOnly) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    test::LinkOptions link;
    link.loss = 0.05;
    link.reorder = 0.1;
    AssociationPair pair({}, {}, link, seed);
    ASSERT_TRUE(pair.connect_both());
    for (std::uint16_t i = 0; i < 50; ++i) {
      SendOptions options;
      if (i % 2 == 0) options.max_lifetime = milliseconds(40);
      ASSERT_EQ(pair.a().send(pair.now(), StreamId(i % 5), kPpidBinary, Bytes(20000, 1), options),
                SendStatus::kOk);
    }
    pair.drain();
    const std::uint64_t before = pair.turns();
    EXPECT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }, seconds(100)));
    const std::uint64_t packets = pair.a().stats().packets_sent + pair.b().stats().packets_sent;
    EXPECT_LE(pair.turns() - before, 2 * packets) << seed;
  }
}

}  // namespace
}  // namespace millrace::sctp
