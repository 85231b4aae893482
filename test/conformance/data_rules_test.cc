// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §6 as a peer sees it: which state lets data through, and how often it is told.
#include <gtest/gtest.h>

#include "sctp/packet/heartbeat_chunk.h"
#include "sctp/packet/shutdown_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

// An association of B's with the test, which the test can take through the states.
class DataRules : public ::testing::Test {
 protected:
  void open(const Options& options = {}) {
    pair_.emplace(Options(), options);
    tag_ = open_to_stranger(*pair_, kB);
    ASSERT_TRUE(pair_->b().is_connected());
    first_ = pair_->b().sender().next_tsn();
  }
  template <class... Chunks>
  void give(const Chunks&... chunks) {
    pair_->inject(kB, make_packet(tag_, chunks...));
    pair_->drain();
  }
  SackChunk sack(Tsn cumulative) {
    return {
        .cumulative_tsn_ack = cumulative, .a_rwnd = 1 << 20, .gap_blocks = {}, .duplicates = {}};
  }
  void send_one() {
    ASSERT_EQ(pair_->b().send(pair_->now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
    pair_->drain();
  }
  std::uint64_t unexpected() { return dropped(*pair_, kB, DropReason::kUnexpectedState); }
  std::size_t messages() { return pair_->count(kB, EventKind::kMessage); }
  std::size_t sent(ChunkType type) { return count_chunks(pair_->sent(kB), type); }

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  Tsn first_;  // B's.
};

// RFC 9260 §5, §6.
// RFC 3758 §3.5.
TEST_F(DataRules, NoDataLeavesBeforeSetUpOrAfterShutdown) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    AssociationPair pair({}, {}, {.loss = 0.1}, seed);
    std::array<bool, 2> over{};
    std::array<bool, 2> begun{};
    pair.filter = [&](int end, ByteSpan packet) {
      const auto at = static_cast<std::size_t>(end);
      begun[at] = begun[at] || has_chunk(packet, ChunkType::kCookieEcho) ||
                  has_chunk(packet, ChunkType::kCookieAck);
      over[at] = over[at] || has_chunk(packet, ChunkType::kShutdown) ||
                 has_chunk(packet, ChunkType::kShutdownAck);
      if (has_chunk(packet, ChunkType::kData)) {
        EXPECT_TRUE(begun[at] && !over[at]) << seed;
      }
      return true;
    };
    for (const int end : {kA, kB}) {
      EXPECT_EQ(pair[end].send(pair.now(), StreamId(1), kPpidBinary, Bytes(30000, 1)),
                SendStatus::kOk);
    }
    ASSERT_TRUE(pair.connect_both());
    pair.a().shutdown(pair.now());
    pair.drain();
    EXPECT_TRUE(
        pair.run_until([&] { return pair.a().is_closed() && pair.b().is_closed(); }, seconds(100)));
    EXPECT_EQ(pair.count(kA, EventKind::kMessage), 1u);
    EXPECT_EQ(pair.count(kB, EventKind::kMessage), 1u);
  }
}

// RFC 9260 §6.
TEST_F(DataRules, DataIsTakenInThreeStatesOnly) {
  open();
  give(whole_message(1000, 1, 0));  // ESTABLISHED.
  EXPECT_EQ(messages(), 1u);
  send_one();
  pair_->b().shutdown(pair_->now());
  pair_->drain();
  give(whole_message(1001, 1, 1));  // SHUTDOWN-PENDING.
  EXPECT_EQ(messages(), 2u);
  give(sack(first_));
  EXPECT_EQ(sent(ChunkType::kShutdown), 1u);
  give(whole_message(1002, 1, 2));  // SHUTDOWN-SENT.
  EXPECT_EQ(messages(), 3u);
  EXPECT_EQ(unexpected(), 0u);
  give(ShutdownChunk{first_});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 1u);
  give(whole_message(1003, 1, 3));  // SHUTDOWN-ACK-SENT.
  EXPECT_EQ(messages(), 3u);
  EXPECT_EQ(unexpected(), 1u);

  open();
  send_one();
  give(ShutdownChunk{Tsn(first_.value() - 1)});
  give(whole_message(1000, 1, 0));  // SHUTDOWN-RECEIVED.
  EXPECT_EQ(messages(), 0u);
  EXPECT_EQ(unexpected(), 1u);
  EXPECT_EQ(sent(ChunkType::kSack), 0u);

  AssociationPair pair;
  pair.filter = nothing_passes;
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  const Bytes data = make_packet(a.fields.initiate_tag, whole_message(1000, 1, 0));
  pair.inject(kA, data);  // COOKIE-WAIT.
  EXPECT_EQ(dropped(pair, kA, DropReason::kUnexpectedState), 1u);
  InitFields peer = stranger();
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = cookie;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
  pair.inject(kA, data);  // COOKIE-ECHOED.
  EXPECT_EQ(dropped(pair, kA, DropReason::kUnexpectedState), 2u);
  pair.drain();
  EXPECT_EQ(pair.count(kA, EventKind::kMessage), 0u);
}

// RFC 9260 §6.
TEST_F(DataRules, SacksCountInThreeStatesOnly) {
  open();
  send_one();
  give(sack(first_));  // ESTABLISHED.
  EXPECT_TRUE(pair_->b().sender().all_acknowledged());
  send_one();
  pair_->b().shutdown(pair_->now());
  give(sack(first_.next()));  // SHUTDOWN-PENDING.
  EXPECT_EQ(sent(ChunkType::kShutdown), 1u);
  give(ShutdownChunk{first_.next()});
  ASSERT_EQ(sent(ChunkType::kShutdownAck), 1u);
  give(sack(first_.next()));  // SHUTDOWN-ACK-SENT.
  EXPECT_EQ(unexpected(), 1u);

  open();
  send_one();
  give(ShutdownChunk{Tsn(first_.value() - 1)});
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 0u);
  give(sack(first_));  // SHUTDOWN-RECEIVED.
  EXPECT_EQ(sent(ChunkType::kShutdownAck), 1u);

  // COOKIE-ECHOED, with data on its way beside the cookie.
  AssociationPair pair;
  pair.filter = nothing_passes;
  ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes{1}), SendStatus::kOk);
  pair.a().connect(pair.now());
  pair.drain();
  const Introduction a = introduction_in<InitChunk>(pair.sent(kA)[0]);
  InitFields peer = stranger();
  const Bytes cookie{0, 7, 0, 8, 1, 2, 3, 4};
  peer.parameters = cookie;
  pair.inject(kA, make_packet(a.fields.initiate_tag, InitAckChunk{peer}));
  pair.drain();
  ASSERT_TRUE(has_chunk(pair.sent(kA).back(), ChunkType::kData));
  pair.inject(kA, make_packet(a.fields.initiate_tag, sack(a.fields.initial_tsn)));
  EXPECT_FALSE(pair.a().sender().all_acknowledged());
  EXPECT_EQ(dropped(pair, kA, DropReason::kUnexpectedState), 1u);
  pair.inject(kA, make_packet(a.fields.initiate_tag, CookieAckChunk{}, sack(a.fields.initial_tsn)));
  EXPECT_TRUE(pair.a().sender().all_acknowledged());

  // CLOSED.
  AssociationPair closed;
  const Bytes answer = answer_of(closed, kA, ChunkType::kAbort, [&] {
    closed.inject(kA, make_packet(VerificationTag(5), sack(Tsn(1))));
  });
  EXPECT_EQ(tag_of(answer), VerificationTag(5));
}

// RFC 9260 §6, §6.10: the order of chunks in a packet is the order of their effects.
TEST_F(DataRules, ChunksTakeEffectInTheirOrder) {
  for (const bool data_first : {false, true}) {
    open();
    send_one();
    const ShutdownChunk shutdown{Tsn(first_.value() - 1)};
    if (data_first) {
      give(whole_message(1000, 1, 0), whole_message(1001, 1, 1), shutdown);
    } else {
      give(shutdown, whole_message(1000, 1, 0), whole_message(1001, 1, 1));
    }
    EXPECT_EQ(messages(), data_first ? 2u : 0u);
    EXPECT_EQ(unexpected(), data_first ? 0u : 2u);
  }
}

// RFC 9260 §6.10: a chunk that the packet's end cuts off counts for nothing, those before it do.
TEST_F(DataRules, APartialChunkIsDroppedAndThoseBeforeItCount) {
  open();
  const Bytes cut{0, 3, 0, 40, 0, 0, 3, 0xE9, 0, 1, 0, 1, 0, 0, 0, 53, 1, 2, 3, 4};
  give(whole_message(1000, 1, 0), RawChunk{cut});
  EXPECT_EQ(messages(), 1u);
  EXPECT_EQ(dropped(*pair_, kB, DropReason::kMalformedPacket), 1u);
  give(whole_message(1001, 1, 1));
  EXPECT_EQ(messages(), 2u);
}

// RFC 9260 §6.2.
TEST_F(DataRules, NoMoreSacksLeaveThanPacketsCame) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    AssociationPair pair({}, {}, {.loss = 0.05, .duplicate = 0.05, .reorder = 0.1}, seed);
    ASSERT_TRUE(pair.connect_both());
    pair.run_for(seconds(1));
    pair.sent(kB).clear();
    const std::uint64_t before = pair.b().stats().packets_received;
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(pair.a().send(pair.now(), StreamId(1), kPpidBinary, Bytes(50000, 1)),
                SendStatus::kOk);
    }
    pair.drain();
    ASSERT_TRUE(pair.run_until([&] { return pair.a().sender().all_acknowledged(); }));
    EXPECT_LE(count_chunks(pair.sent(kB), ChunkType::kSack),
              pair.b().stats().packets_received - before);
  }
}

// RFC 9260 §6.2: a reader that takes a window full message by message is announced once.
TEST_F(DataRules, ASlowReaderCausesFewWindowUpdates) {
  Options options;
  options.receive_window_bytes = 64 * 1024;
  open(options);
  bool reading = false;
  pair_->poll_events = [&](int end) {
    Event event;
    return (end == kA || std::exchange(reading, false)) && (*pair_)[end].poll_event(event);
  };
  std::uint32_t tsn = 1000;
  for (; tsn < 1200; ++tsn) {
    give(whole_message(tsn, 1, static_cast<std::uint16_t>(tsn - 1000), Bytes(1000, 1)));
  }
  pair_->sent(kB).clear();
  for (int i = 0; i < 300; ++i) {
    reading = true;
    pair_->drain();
    pair_->run_for(milliseconds(1));
  }
  EXPECT_GE(sent(ChunkType::kSack), 1u);
  EXPECT_LE(sent(ChunkType::kSack), 2u);
}

// RFC 9260 §6.2.
TEST_F(DataRules, NoSettingDelaysASackByMoreThanHalfASecond) {
  Options options;
  options.sack_delay = seconds(3);
  open(options);
  give(whole_message(1000, 1, 0));
  ASSERT_EQ(sent(ChunkType::kSack), 1u);
  give(whole_message(1001, 1, 1));
  pair_->run_for(milliseconds(499));
  EXPECT_EQ(sent(ChunkType::kSack), 1u);
  pair_->run_for(milliseconds(1));
  EXPECT_EQ(sent(ChunkType::kSack), 2u);
}

}  // namespace
}  // namespace millrace::sctp
