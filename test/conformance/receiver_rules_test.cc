// SPDX-License-Identifier: Apache-2.0
// RFC 9260 §6.2, §6.6, §7.2.4: how an association answers a peer that the test plays.
#include <gtest/gtest.h>

#include "sctp/packet/data_chunk.h"
#include "test/conformance/rules.h"

namespace millrace::sctp {
namespace {

using namespace test;

constexpr std::size_t kWindow = 64 * 1024;

class ReceiverRules : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.receive_window_bytes = kWindow;
    options.max_receive_window_bytes = kWindow;
    pair_.emplace(Options(), options);
    tag_ = open_to_stranger(*pair_, kB);
    pair_->poll_events = [this](int end) { return reading_ && poll(end); };
  }
  bool poll(int end) {
    Event event;
    bool any = false;
    while ((*pair_)[end].poll_event(event)) {
      any = true;
      if (event.kind == EventKind::kMessage) got_.push_back(bytes_of(event.message));
    }
    return any;
  }
  template <class... Chunks>
  void give(const Chunks&... chunks) {
    pair_->inject(kB, make_packet(tag_, chunks...));
    pair_->drain();
  }
  std::size_t sacks() { return count_chunks(pair_->sent(kB), ChunkType::kSack); }
  std::uint32_t a_rwnd() {
    const Bytes packet = last_with(pair_->sent(kB), ChunkType::kSack);
    return SackChunkView::parse(find_chunk(packet, ChunkType::kSack)->bytes)->a_rwnd();
  }
  static DataChunk fragment(std::uint32_t tsn, bool beginning, bool ending) {
    DataChunk chunk = whole_message(tsn, 1, 1, Bytes(1000, 1));
    chunk.header.flags = {.beginning = beginning, .ending = ending};
    return chunk;
  }

  std::optional<AssociationPair> pair_;
  VerificationTag tag_;
  bool reading_ = true;
  std::vector<Bytes> got_;
};

// RFC 9260 §6.2: no peer is tempted to send crumbs.
TEST_F(ReceiverRules, AWindowTooSmallToBeWorthSendingIntoIsAdvertisedAsZero) {
  reading_ = false;
  bool shut = false;
  for (std::uint32_t i = 0; i < 400; ++i) {
    give(whole_message(1000 + i, 1, static_cast<std::uint16_t>(i), Bytes(300, 1)));
    if (sacks() == 0) continue;
    EXPECT_TRUE(a_rwnd() == 0 || a_rwnd() >= 2048) << a_rwnd();
    shut = shut || a_rwnd() == 0;
  }
  EXPECT_TRUE(shut);
}

// RFC 9260 §6.2: what waits for the rest of its message is not free, however it is read.
TEST_F(ReceiverRules, FragmentsHeldKeepTheWindowDown) {
  give(whole_message(1000, 1, 0));
  std::uint32_t before = a_rwnd();
  // Not so many that they are handed out before the rest has come.
  for (std::uint32_t i = 0; i < 14; ++i) {
    give(fragment(1001 + 2 * i, i == 0, false), fragment(1002 + 2 * i, false, false));
    pair_->run_for(milliseconds(30));
    EXPECT_LE(a_rwnd(), before - 2000);
    before = a_rwnd();
  }
  give(fragment(1029, false, true));
  EXPECT_EQ(got_.back().size(), 29000u);
  give(whole_message(1030, 1, 2));
  pair_->run_for(milliseconds(30));
  EXPECT_EQ(a_rwnd(), kWindow);
}

// RFC 9260 §6.6.
TEST_F(ReceiverRules, TheSsnOfAnUnorderedMessageMeansNothing) {
  std::uint32_t tsn = 1000;
  for (const std::uint16_t ssn : std::initializer_list<std::uint16_t>{0, 1, 7, 65535, 32768}) {
    DataChunk chunk = whole_message(tsn++, 1, ssn, {9});
    chunk.header.flags.unordered = true;
    give(chunk);
    EXPECT_EQ(got_.size(), tsn - 1000);
  }
  give(whole_message(tsn++, 1, 0, {1}));
  give(whole_message(tsn++, 1, 1, {2}));
  ASSERT_EQ(got_.size(), 7u);
  EXPECT_EQ(got_[6], Bytes{2});
}

// RFC 9260 §6.7, §7.2.4.
TEST_F(ReceiverRules, EveryPacketIsAnsweredWhileThereIsAHole) {
  give(whole_message(1000, 1, 0));
  give(whole_message(1001, 1, 1));  // Waits for the delay.
  std::size_t before = sacks();
  for (std::uint32_t tsn = 1003; tsn < 1010; ++tsn) {
    give(whole_message(tsn, 1, static_cast<std::uint16_t>(tsn - 1000)));
    EXPECT_EQ(sacks(), ++before) << tsn;
  }
  give(whole_message(1002, 1, 2));
  EXPECT_EQ(got_.size(), 10u);
}

// RFC 9260 §6.2, §3.3.4: what can be held spans as many TSNs as gap blocks reach; a peer that
// leaves a message waiting for one that it never sends cannot stretch that.
TEST_F(ReceiverRules, AMessageThatWaitsForEverEndsTheAssociation) {
  give(whole_message(1000, 1, 1));
  std::uint32_t tsn = 1001;
  for (; tsn < 1000 + 70000 && !pair_->b().is_closed(); ++tsn) {
    DataChunk chunk = whole_message(tsn, 2, 0);
    chunk.header.flags.unordered = true;
    give(chunk);
  }
  EXPECT_GE(tsn, 1000u + 65535u);
  EXPECT_TRUE(pair_->b().is_closed());
  EXPECT_EQ(got_.size(), tsn - 1001 - 1) << "all but the last";
  EXPECT_EQ(count_chunks(pair_->sent(kB), ChunkType::kAbort), 1u);
}

}  // namespace
}  // namespace millrace::sctp
