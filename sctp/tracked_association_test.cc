// SPDX-License-Identifier: Apache-2.0
// What an association tells of messages that were sent with an id, and in which order.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sctp/testing/connected_pair_fixture.h"

namespace millrace::sctp {
namespace {

using enum MessageStage;
using enum MessageExtent;

constexpr auto kProgress = EventKind::kMessageProgress;

MessageProgress progress_of(std::uint64_t id, MessageStage stage, MessageExtent sent) {
  return {.tag = {.id = id, .owner = 70 + id}, .stage = stage, .sent = sent};
}

class TrackedAssociation : public ConnectedPair {
 protected:
  void send(int end, std::uint64_t id, std::uint16_t stream = 1, SendOptions options = {}) {
    options.tag = {.id = id, .owner = 70 + id};
    ASSERT_EQ(pair_[end].send(pair_.now(), StreamId(stream), kPpidBinary, Bytes(10, 1), options),
              SendStatus::kOk);
    pair_.drain();
  }
  std::vector<MessageProgress> told(int end) {
    std::vector<MessageProgress> all;
    for (const test::RecordedEvent& event : pair_.events(end)) {
      if (event.kind == kProgress) all.push_back(event.event.progress);
    }
    return all;
  }
  // Of an end's events, those from the first progress on, but for buffered amounts.
  std::vector<EventKind> kinds(int end) {
    std::vector<EventKind> kinds;
    for (const test::RecordedEvent& event : pair_.events(end)) {
      if (event.kind == EventKind::kBufferedAmountLow) continue;
      if (event.kind == kProgress || !kinds.empty()) kinds.push_back(event.kind);
    }
    return kinds;
  }
  void cut_path() {
    pair_.filter = [](int, ByteSpan) { return false; };
  }
};

TEST_F(TrackedAssociation, TellsTheSenderAloneThatItsMessageWasSentAndDelivered) {
  send(kA, 1, 4);
  EXPECT_EQ(told(kA), (std::vector{progress_of(1, kSent, kWhole)}));
  pair_.run_for(seconds(1));
  EXPECT_EQ(told(kA),
            (std::vector{progress_of(1, kSent, kWhole), progress_of(1, kDelivered, kWhole)}));
  EXPECT_EQ(pair_.last(kA, kProgress)->event.stream, StreamId(4));
  EXPECT_TRUE(told(kB).empty());
  EXPECT_FALSE(pair_.a().may_have_event() || pair_.a().has_progress());
  EXPECT_EQ(pair_.pool_bytes(kA), 0u);
}

TEST_F(TrackedAssociation, EndsThemBeforeItTellsOfTheAbort) {
  cut_path();
  send(kA, 1);
  pair_.a().abort(pair_.now(), "enough");
  pair_.drain();
  EXPECT_EQ(told(kA), (std::vector{progress_of(1, kSent, kWhole), progress_of(1, kEnded, kWhole)}));
  EXPECT_EQ(kinds(kA), (std::vector{kProgress, kProgress, EventKind::kClosed}));
}

TEST_F(TrackedAssociation, EndsThemWhereThePeerAborts) {
  pair_.filter = [](int end, ByteSpan) { return end == kB; };
  send(kA, 1);
  pair_.b().abort(pair_.now(), "enough");
  pair_.run_for(seconds(1));
  EXPECT_EQ(told(kA).back(), progress_of(1, kEnded, kWhole));
  EXPECT_EQ(kinds(kA).back(), EventKind::kClosed);
}

TEST_F(TrackedAssociation, EndsThemWhereThePeerIsOutOfReach) {
  cut_path();
  send(kA, 1);
  ASSERT_TRUE(pair_.run_until([&] { return pair_.a().is_closed(); }, seconds(3600)));
  pair_.drain();
  EXPECT_EQ(told(kA), (std::vector{progress_of(1, kSent, kWhole), progress_of(1, kEnded, kWhole)}));
  EXPECT_EQ(kinds(kA).back(), EventKind::kClosed);
}

// RFC 9260 §9.2: what is queued is delivered first.
TEST_F(TrackedAssociation, DeliversThemBeforeAShutdownEnds) {
  send(kA, 1);
  pair_.a().shutdown(pair_.now());
  pair_.run_for(seconds(5));
  EXPECT_EQ(told(kA).back(), progress_of(1, kDelivered, kWhole));
  EXPECT_EQ(kinds(kA).back(), EventKind::kClosed);
}

// RFC 9260 §5.2.4 (A)
TEST_F(TrackedAssociation, EndsThemBeforeItTellsThatThePeerRestarted) {
  cut_path();
  send(kB, 1);
  pair_.cut();
  pair_.replace(kA, {});
  pair_.filter = nullptr;
  pair_.a().connect(pair_.now());
  ASSERT_TRUE(pair_.run_until([&] { return pair_.count(kB, EventKind::kRestarted) == 1; }));
  EXPECT_EQ(told(kB), (std::vector{progress_of(1, kSent, kWhole), progress_of(1, kEnded, kWhole)}));
  EXPECT_EQ(kinds(kB), (std::vector{kProgress, kProgress, EventKind::kRestarted}));
  send(kB, 2);
  pair_.run_for(seconds(1));
  EXPECT_EQ(told(kB).back(), progress_of(2, kDelivered, kWhole));
  EXPECT_EQ(pair_.pool_bytes(kB), 0u);
}

// RFC 6525 §5.1.2: what was sent before is acknowledged before the reset is done.
TEST_F(TrackedAssociation, TellsWhatBecameOfAStreamsMessagesBeforeItsReset) {
  send(kA, 1);
  pair_.a().reset_streams(pair_.now(), std::array{StreamId(1)});
  pair_.run_for(seconds(1));
  EXPECT_EQ(told(kA).back(), progress_of(1, kDelivered, kWhole));
  EXPECT_EQ(kinds(kA), (std::vector{kProgress, kProgress, EventKind::kStreamResetDone}));
}

// One run over a bad path, which may end in an abort.
class TrackedRun {
 public:
  TrackedRun(std::uint64_t seed, bool i_data)
      : rng_(seed),
        aborts_(seed % 2 == 0),
        pair_(options(i_data), options(i_data), {.loss = 0.1, .duplicate = 0.02, .reorder = 0.1},
              seed) {}

  void run() {
    ASSERT_TRUE(pair_.connect_both());
    pair_.record_sent = false;
    pair_.on_event = [this](int end, const Event& event) { take(end, event); };
    for (std::uint64_t id = 1; id <= 120; ++id) {
      send(id);
      if (rng_.below(3) == 0) pair_.run_for(milliseconds(rng_.below(40)));
    }
    pair_.run_for(aborts_ ? milliseconds(rng_.below(100)) : seconds(60));
    if (aborts_) pair_.a().abort(pair_.now(), "enough");
    pair_.drain();
    pair_.run_for(seconds(10));
    for (const auto& [id, fate] : fates_) {
      ASSERT_TRUE(fate.end.has_value()) << id;
      ASSERT_TRUE(aborts_ || fate.end->stage != kEnded) << id;
      EXPECT_TRUE(fate.received || fate.end->stage != kDelivered) << id;
      EXPECT_FALSE(fate.received && fate.end->sent != kWhole) << id;
      EXPECT_EQ(fate.sent, fate.end->sent == kWhole) << id;
    }
  }

 private:
  struct Fate {
    bool sent = false;
    bool received = false;
    std::optional<MessageProgress> end{};
  };
  static Options options(bool i_data) {
    Options options;
    options.extensions.i_data = i_data;
    return options;
  }
  void send(std::uint64_t id) {
    SendOptions options{.unordered = rng_.below(2) == 0, .tag = {.id = id}};
    if (rng_.below(3) == 0) options.max_retransmits = static_cast<std::uint32_t>(rng_.below(3));
    if (rng_.below(3) == 0) options.max_lifetime = milliseconds(rng_.below(300));
    Bytes payload(8 + rng_.below(rng_.below(2) == 0 ? 6000 : 100));
    store_be64(payload.data(), id);
    const StreamId stream(static_cast<std::uint16_t>(rng_.below(3)));
    ASSERT_EQ(pair_.a().send(pair_.now(), stream, kPpidBinary, payload, options), SendStatus::kOk);
    fates_[id];
  }
  void take(int end, const Event& event) {
    if (event.kind == EventKind::kMessage && end == kB) {
      fates_[load_be64(test::bytes_of(event.message).data())].received = true;
    }
    if (event.kind != kProgress) return;
    ASSERT_EQ(end, kA);
    Fate& fate = fates_.at(event.progress.tag.id);
    ASSERT_FALSE(fate.end.has_value());
    if (event.progress.stage == kSent) {
      ASSERT_FALSE(std::exchange(fate.sent, true));
    } else {
      fate.end = event.progress;
    }
  }

  SeededRng rng_;
  bool aborts_;
  AssociationPair pair_;
  std::map<std::uint64_t, Fate> fates_;
};

class TrackedOverABadPath : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(, TrackedOverABadPath, ::testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "IData" : "Data");
});

TEST_P(TrackedOverABadPath, EachMessageEndsOnceAndItsEndIsTrue) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TrackedRun(seed, GetParam()).run();
  }
}

}  // namespace
}  // namespace millrace::sctp
